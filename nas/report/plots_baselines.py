"""The plot of a run's front with the networks that were trained for comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.core.records import FloatArray
from nas.report.plots_axes import BLUE, INK, Axis
from nas.report.plots_front import front_axes, legend
from nas.runs.baselines import Baseline
from nas.runs.dominance import verdicts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nas.runs.run_folder import RunTable

_SIZE = np.array([500.0, 330.0])  # of the axes in points, about
_LETTER, _LINE = 3.9, 8.0  # width and height of a letter of a name, in points


def pair_of(table: RunTable, baselines: Sequence[Baseline]) -> tuple[int, int] | None:
    """The first two objectives that a baseline has, as numbers; None if there are fewer."""
    found = [k for k, o in enumerate(table.objectives) if any(b.ok and o.name in b.values for b in baselines)]
    return (found[0], found[1]) if len(found) > 1 else None


def baselines_figure(table: RunTable, baselines: Sequence[Baseline]) -> Figure:
    """The front in the first two objectives, and the baselines with their names: filled where the front does not dominate them."""
    pair = pair_of(table, baselines)
    assert pair is not None
    names = [table.objectives[k].name for k in pair]
    shown = [b for b in baselines if b.ok and all(name in b.values for name in names)]
    at = np.array([[b.values[name] for name in names] for b in shown])
    figure, axes = front_axes(table, *pair, also=at)
    if not axes:
        return figure
    ax: Any = figure.axes[0]
    figure.texts[0].set_text(f"{' and '.join(names)}: the front and the baselines")
    free = np.array([not v.dominated_by and not v.outside for v in verdicts(table, shown)])
    for mask, face, label in (
        (~free, "white", "baselines, dominated"),
        (free, BLUE, "baselines, not dominated"),
    ):
        if mask.any():
            style = {"marker": "D", "s": 42, "facecolors": face, "edgecolors": BLUE, "linewidths": 1.3}
            ax.scatter(*at[mask].T, zorder=6, label=label, **style)
    place = np.column_stack([_share(axis, at[:, k]) for k, axis in enumerate(axes)])
    for baseline, values, (side, up) in zip(shown, at, _free_sides(shown, place), strict=True):
        aligned = {"ha": "left" if side > 0 else "right", "va": "center"}
        style = {"fontsize": 7, "color": INK, "zorder": 7, **aligned}
        ax.annotate(baseline.label, values, (7 * side, up), textcoords="offset points", **style)
    legend(figure)
    return figure


def _share(axis: Axis, values: FloatArray) -> FloatArray:
    """Places of values between the ends of an axis, from 0 to 1."""
    low, high = axis.place(np.array([axis.low, axis.high]))
    return np.asarray((axis.place(values) - low) / (high - low), dtype=np.float64)


def _free_sides(shown: Sequence[Baseline], place: FloatArray) -> list[tuple[int, int]]:
    """For each point the side (1: right, -1: left) and the shift upwards in points of its name, away from other names.

    `place` (n, 2) are shares of the axes. The first side within the axes where no other name is, or the right one.
    """
    at = place * _SIZE
    taken: list[tuple[float, float, float]] = [
        (x - 4, x + 4, y) for x, y in at
    ]  # left, right, height of marks and names
    found = []
    for k, (baseline, (x, y)) in enumerate(zip(shown, at, strict=True)):
        wide = _LETTER * len(baseline.label)
        others = [box for n, box in enumerate(taken) if n != k]
        options = [(side, up) for up in (0, 8, -8, 16, -16) for side in (1, -1)]
        boxes = [(*sorted((x + 7 * side, x + (7 + wide) * side)), y + up) for side, up in options]
        fitting = [
            n
            for n, (left, right, height) in enumerate(boxes)
            if left > 0
            and right < _SIZE[0]
            and not any(left < r and right > o and abs(height - h) < _LINE for o, r, h in others)
        ]
        best = fitting[0] if fitting else 0
        taken.append(boxes[best])
        found.append(options[best])
    return found
