"""How the figures of the documentation look, and how they are saved: small PNG files on white."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from nas.report.plots_axes import BLUE, FAINT, INK, PURPLE, SKY, VERMILLION

IMAGES = Path(__file__).resolve().parents[1] / "images"
GREEN, ORANGE = "#009E73", "#E69F00"

__all__ = [
    "BLUE",
    "FAINT",
    "GREEN",
    "INK",
    "ORANGE",
    "PURPLE",
    "SKY",
    "VERMILLION",
    "caption",
    "panels",
    "save",
]


def panels(n: int, *, width: float = 3.3, height: float = 3.1, **options: Any) -> tuple[Figure, list[Any]]:
    """A figure with `n` panels in a row."""
    figure = Figure(figsize=(width * n, height), layout="constrained", facecolor="white")
    axes = np.atleast_1d(figure.subplots(1, n, **options)).tolist()
    for ax in axes:
        ax.tick_params(labelsize=8, colors=INK)
        for side, spine in ax.spines.items():
            spine.set(color="#999999", visible=side in ("left", "bottom"))
    return figure, axes


def caption(ax: Any, title: str, x: str = "", y: str = "") -> None:
    """The title and axis labels of a panel."""
    ax.set_title(title, loc="left", fontsize=9.5, color=INK)
    ax.set_xlabel(x, fontsize=9, color=INK)
    ax.set_ylabel(y, fontsize=9, color=INK)


def save(figure: Figure, name: str) -> None:
    """Write `docs/images/NAME.png` in 128 colours."""
    figure.set_dpi(170)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())[:, :, :3])
    small = image.quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    small.save(IMAGES / f"{name}.png", optimize=True)
