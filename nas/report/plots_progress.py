"""Plots of a search's progress: hypervolume, each objective, the best so far."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from nas.core.records import FloatArray
from nas.report.evaluated import Evaluated, evaluated
from nas.report.plots_axes import (
    BLUE,
    FAINT,
    INK,
    PURPLE,
    VERMILLION,
    Axis,
    apply,
    axis_of,
    headline,
    new_figure,
    nothing,
    plain,
    visible,
)
from nas.report.quality import box_text, expected_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nas.runs.run_folder import RunTable


def hypervolume_figure(table: RunTable) -> Figure:
    """Hypervolume over the evaluations and over the seconds of the search."""
    run, figure = evaluated(table), new_figure()
    headline(figure, "Hypervolume of the front", run.counts)
    if table.box is None or len(run.order) == 0:
        return nothing(figure)
    ran = (table.told["status"] != "invalid").to_numpy(dtype=bool)
    curve = table.curve[ran]
    seconds = table.told["told_seconds"].to_numpy(dtype=np.float64)[ran]
    panels = _panels(figure, np.arange(1.0, len(curve) + 1), seconds)
    for ax, x in panels:
        ax.plot(x, curve, drawstyle="steps-post", color=BLUE, linewidth=1.8, label="hypervolume")
        ax.plot(x[-1:], curve[-1:], "o", color=BLUE, markersize=5)
        ax.margins(y=0.1)
    panels[0][0].set_ylabel(
        "hypervolume (share of the box)    higher is better →", fontsize=11, color=INK, parse_math=False
    )
    last = {
        "textcoords": "offset points",
        "xytext": (0, 7),
        "ha": "right" if len(curve) > 2 else "left",
        "color": BLUE,
        "fontsize": 10,
    }
    panels[0][0].annotate(f"{curve[-1]:.4g}", (panels[0][1][-1], curve[-1]), **last)
    said = box_text(table.objectives, table.box) + expected_text(table)
    box = "\n".join(textwrap.wrap(said, 130))
    figure.supxlabel(box, fontsize=7.5, color=FAINT, x=0.03, ha="left", parse_math=False)
    return figure


def cloud_figure(table: RunTable) -> Figure:
    """Each objective over the evaluations, with the best so far: one panel per objective."""
    run, figure = evaluated(table), new_figure()
    headline(figure, "Every evaluation, in the order of the search", run.counts + _of_expected(run))
    if len(run.order) == 0:
        return nothing(figure)
    m = len(run.objectives)
    columns = 1 if m <= 3 else 2
    grid = figure.subplots(-(-m // columns), columns, sharex=True, squeeze=False).ravel()
    for k, ax in enumerate(grid):
        if k >= m:
            ax.set_visible(False)
            continue
        axis = _course(ax, run.order.astype(np.float64), run, k)
        _note(ax, axis, run.values[:, k])
        label = axis.label_in_lines  # too long for one line in a low panel
        ax.set_ylabel(label, fontsize=10, color=INK, parse_math=False)
        if len(run.failed):
            on_floor = ax.get_xaxis_transform()
            ax.plot(
                run.failed,
                np.full(len(run.failed), 0.02),
                "|",
                color=PURPLE,
                transform=on_floor,
                label="failed",
            )
        if k >= m - columns:
            _count_axis(ax, run.total)
            ax.tick_params(labelbottom=True)
    _legend(figure, grid[0])
    return figure


def best_figure(table: RunTable) -> Figure:
    """A single objective: the best so far, over evaluations and over seconds."""
    run, figure = evaluated(table), new_figure()
    item = run.objectives[0]
    headline(figure, f"Best {item.name} so far", run.counts + _of_expected(run))
    if len(run.order) == 0:
        return nothing(figure)
    panels = _panels(figure, run.order.astype(np.float64), run.seconds)
    for ax, x in panels:
        axis = _course(ax, x, run, 0)
    _note(panels[0][0], axis, run.values[:, 0])
    panels[0][0].set_ylabel(axis.title, fontsize=11, color=INK, parse_math=False)
    _legend(figure, panels[0][0])
    return figure


def _of_expected(run: Evaluated) -> str:
    """The noisy objectives, after the counts of a figure."""
    names = " and ".join(run.objectives[k].name for k in run.noisy)
    return f" · {names}: expected values" if names else ""


def running_best(run: Evaluated, k: int) -> FloatArray:
    """The best feasible value of objective k up to each row, shape (n,), in its unit; NaN before the first."""
    sign = run.objectives[k].sign
    usable = np.where(run.feasible & run.compared, sign * run.values[:, k], np.inf)
    best = sign * np.minimum.accumulate(usable)
    return np.where(np.isfinite(best), best, np.nan)


def _course(ax: Any, x: FloatArray, run: Evaluated, k: int) -> Axis:
    """Draw every value of objective k and the best so far over x (n,); return the vertical axis."""
    values, best = run.values[:, k], running_best(run, k)
    final = run.feasible & run.compared & (values == best[-1])
    axis = axis_of(run.objectives[k], values, final)
    plain(ax)
    size = 18 if len(x) <= 500 else 6
    fine = np.flatnonzero(run.feasible)
    if len(fine):
        fine = fine[visible(x[fine], axis.held(values[fine]))]
    ax.scatter(x[fine], values[fine], s=size, color="#B5B5B5", linewidths=0, label="evaluated")
    if not run.feasible.all():
        hollow = {"facecolors": "none", "edgecolors": "#A0A0A0", "linewidths": 0.7}
        ax.scatter(x[~run.feasible], values[~run.feasible], s=size, label="outside the limits", **hollow)
    ax.plot(x, best, drawstyle="steps-post", color=VERMILLION, linewidth=1.8, label="best so far")
    apply(ax, y=axis)
    return axis


def _note(ax: Any, axis: Axis, values: FloatArray) -> None:
    """Write the better direction and the number of omitted values above a panel."""
    unseen = int((~axis.inside(values)).sum())
    note = axis.direction + (f"; {unseen:,} poorer beyond the axis" if unseen else "")
    ax.set_title(note, loc="right", fontsize=8, color=FAINT, pad=3)


def _panels(figure: Figure, count: FloatArray, seconds: FloatArray) -> list[tuple[Any, FloatArray]]:
    """Two panels with a common vertical axis, over evaluations and over time, each with its x (n,)."""
    left, right = figure.subplots(1, 2, sharey=True)
    longest = float(seconds[np.isfinite(seconds)].max(initial=0.0))
    units = ((172_800.0, 86_400.0, "days"), (7_200.0, 3_600.0, "hours"), (180.0, 60.0, "minutes"))
    scale, unit = next(((s, u) for start, s, u in units if longest >= start), (1.0, "seconds"))
    for ax in (left, right):
        plain(ax)
    _count_axis(left, int(count[-1]))
    right.set_xlim(0, 1.03 * longest / scale or 1.0)
    right.set_xlabel(f"{unit} of search", fontsize=11, color=INK)
    return [(left, count), (right, seconds / scale)]


def _count_axis(ax: Any, total: int) -> None:
    ax.set_xlabel("evaluations", fontsize=11, color=INK)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, steps=[1, 2, 5, 10]))
    ax.set_xlim(1 - 0.03 * total, max(2, total) + 0.03 * total)


def _legend(figure: Figure, ax: Any) -> None:
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
