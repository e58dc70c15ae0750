"""Style of a comparison's figures: a fixed colour and line per algorithm, suitable for a paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from nas.core.files import write_whole
from nas.core.text import take_literally
from nas.report.plots_axes import BLUE, FAINT, INK, PURPLE, SKY, VERMILLION, log_ticks, plain

# Okabe and Ito's palette without its yellow, which is too light for a line
COLOURS = (BLUE, VERMILLION, "#009E73", PURPLE, "#E69F00", SKY, "#000000")
_LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
WIDTH = 3.6  # inches of a panel
HEIGHT = 3.0


@dataclass(frozen=True)
class Look:
    """Colour and line of one algorithm."""

    color: str
    line: Any


def looks(labels: Sequence[str]) -> dict[str, Look]:
    """A style per label; neighbours differ in colour and line, and 28 styles are distinct."""
    n, kinds = len(COLOURS), len(_LINES)
    return {label: Look(COLOURS[i % n], _LINES[(i % n + i // n) % kinds]) for i, label in enumerate(labels)}


def panels(
    n: int, *, width: float = WIDTH, height: float = HEIGHT, **options: Any
) -> tuple[Figure, list[Any]]:
    """A figure with a row of panels, without global state."""
    figure = Figure(figsize=(width * n, height), layout="constrained", facecolor="white")
    axes = figure.subplots(1, n, squeeze=False, **options)[0].tolist()
    for ax in axes:
        plain(ax)
    return figure, axes


def caption(ax: Any, text: str) -> None:
    """A small title at the left of a panel."""
    ax.set_title(text, loc="left", fontsize=9, color=INK, parse_math=False)


def labels(ax: Any, x: str, y: str) -> None:
    """Label the axes."""
    ax.set_xlabel(x, fontsize=9, color=INK, parse_math=False)
    ax.set_ylabel(y, fontsize=9, color=INK, parse_math=False)


def log_axis(ax: Any) -> None:
    """Make the vertical axis logarithmic with plain numbers."""
    ax.set_yscale("log")
    ticks = log_ticks(*ax.get_ylim())
    ax.set_yticks(ticks, [f"{tick:.3g}" for tick in ticks])
    ax.yaxis.set_minor_locator(NullLocator())


def legend_below(figure: Figure, handles: Sequence[Any], names: Sequence[str]) -> None:
    """One legend for all panels."""
    longest = max((len(name) for name in names), default=1)
    room = figure.get_size_inches()[0] * 15  # characters of small type, with the lines before them
    columns = max(1, min(len(names), int(room / (longest + 8))))
    legend = figure.legend(
        handles, names, loc="outside lower center", ncols=columns, fontsize=8, frameon=False, handlelength=2.6
    )
    for text in legend.get_texts():
        text.set(color=INK, parse_math=False)


def empty(text: str) -> Figure:
    """A figure with a text that explains why it is empty."""
    figure, (ax,) = panels(1, height=1.2, width=6.0)
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", color=FAINT, fontsize=9, parse_math=False, wrap=True)
    return figure


def save(figure: Figure, stem: Path) -> None:
    """Write `stem`.png (200 dots an inch) and `stem`.svg, the same bytes for the same figure."""
    take_literally(figure)
    if figure.get_layout_engine() is not None:  # once for both
        figure.draw_without_rendering()
        figure.set_layout_engine("none")

    def png(path: Path) -> None:
        FigureCanvasAgg(figure).print_figure(path, dpi=200, format="png")

    def svg(path: Path) -> None:
        with matplotlib.rc_context({"svg.hashsalt": stem.name}):
            FigureCanvasSVG(figure).print_figure(path, format="svg", metadata={"Date": None})

    for ending, write in ((".png", png), (".svg", svg)):
        write_whole(stem.with_name(stem.name + ending), write)
