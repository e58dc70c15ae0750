"""Critical-difference diagrams (Demsar, JMLR 7, 2006, section 4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath

from nas.compare.figure_style import empty
from nas.compare.statistics import Ranking
from nas.core.records import FloatArray
from nas.report.plots_axes import FAINT, INK

_STEP = 0.28  # inches between labels
_TOP = 0.95  # inches above the axis
_SIZE = 8  # points, of the labels
_LENGTH = 3.0  # inches of the line
_BESIDE = 1.7  # inches to either side of it, more where labels are longer


def ranks(found: Ranking, title: str, alpha: float) -> Figure:
    """Mean ranks on a line, best at the left; a bar joins algorithms without a significant difference."""
    k = len(found.names)
    if k < 2 or not np.isfinite(found.ranks).all():
        return empty("ranks need complete runs of at least two algorithms")
    joined = found.groups if found.p is not None and found.p < alpha else []
    below = 0.25 + 0.13 * len(joined) + _STEP * ((k + 1) // 2)
    height = _TOP + below + 0.1
    labels = [f"{name}  ({rank:.2f})" for name, rank in zip(found.names, found.ranks, strict=True)]
    beside = max(_BESIDE, 0.3 + max(map(_inches, labels)))
    width = _LENGTH + 2 * beside
    figure = Figure(figsize=(width, height), facecolor="white")
    ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    ax.set(xlim=(0.0, width), ylim=(-below - 0.1, _TOP))
    ax.set_axis_off()
    line = _Line(ax, k, beside)
    line.axis()
    for depth, group in enumerate(joined):
        ends = line.at(found.ranks[list(group)])
        ax.plot([ends.min() - 0.05, ends.max() + 0.05], [-0.14 - 0.13 * depth] * 2, color=INK, linewidth=3.2,
                solid_capstyle="butt")  # fmt: skip
    line.names(labels, found.ranks, 0.25 + 0.13 * len(joined))
    if found.critical is not None:
        line.critical(found.critical)
    text = found.note or f"Friedman p = {number(found.p)} over {found.blocks} blocks"
    if found.p is not None and found.p >= alpha:
        text += ": no difference shown"
    ax.text(0.15, _TOP - 0.14, title, fontsize=9, color=INK, va="top", parse_math=False)
    ax.text(0.15, _TOP - 0.33, text, fontsize=7.5, color=FAINT, va="top", parse_math=False)
    return figure


def number(p: float | None) -> str:
    """A p-value in two digits."""
    return "" if p is None else f"{p:.2g}" if p >= 1e-4 else f"{p:.0e}"


def _inches(label: str) -> float:
    """The width of a label."""
    return float(TextPath((0, 0), label.replace("$", r"\$"), size=_SIZE).get_extents().width) / 72.0


class _Line:
    """The line of ranks from 1 to k, in inches, with `beside` inches at each side."""

    def __init__(self, ax: Any, k: int, beside: float) -> None:
        self._ax = ax
        self._k = k
        self._left, self._right = beside, beside + _LENGTH

    def at(self, ranks: Any) -> Any:
        """Positions of ranks."""
        return self._left + (self._right - self._left) * (np.asarray(ranks, dtype=np.float64) - 1) / (
            self._k - 1
        )

    def axis(self) -> None:
        self._ax.plot([self._left, self._right], [0, 0], color=INK, linewidth=1.0)
        for rank in range(1, self._k + 1):
            x = float(self.at(rank))
            self._ax.plot([x, x], [0, 0.07], color=INK, linewidth=1.0)
            self._ax.text(x, 0.11, str(rank), ha="center", va="bottom", fontsize=8, color=INK)

    def names(self, labels: Sequence[str], ranks: FloatArray, first: float) -> None:
        """The better half at the left, the others at the right, the outermost rank uppermost."""
        order = np.argsort(ranks, kind="stable").tolist()
        half = (len(order) + 1) // 2
        sides = ((order[:half], self._left - 0.15, "right"), (order[half:][::-1], self._right + 0.15, "left"))
        for members, x, align in sides:
            for depth, member in enumerate(members):
                y, rank = -first - _STEP * depth, float(ranks[member])
                self._ax.plot([float(self.at(rank))] * 2, [0, y], color=INK, linewidth=0.8)
                self._ax.plot([float(self.at(rank)), x], [y, y], color=INK, linewidth=0.8)
                shift = -0.06 if align == "right" else 0.06
                self._ax.text(
                    x + shift,
                    y,
                    labels[member],
                    ha=align,
                    va="center",
                    fontsize=_SIZE,
                    color=INK,
                    parse_math=False,
                )

    def critical(self, width: float) -> None:
        x0, x1 = self._left, float(self.at(1 + width))
        self._ax.plot([x0, x1], [0.38, 0.38], color=INK, linewidth=1.2)
        for x in (x0, x1):
            self._ax.plot([x, x], [0.34, 0.42], color=INK, linewidth=1.2)
        self._ax.text(
            x1 + 0.08, 0.38, f"critical difference {width:.2f}", fontsize=7.5, color=INK, va="center"
        )
