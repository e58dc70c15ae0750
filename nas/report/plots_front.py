"""Plots of the front: in a pair of objectives, in three, and in many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from mpl_toolkits.mplot3d.art3d import Line3DCollection
from numpy.typing import NDArray

from nas.core.records import FloatArray
from nas.report.evaluated import Evaluated, evaluated
from nas.report.plots_axes import (
    FAINT,
    INK,
    SKY,
    VERMILLION,
    Axis,
    apply,
    axis_of,
    explained,
    headline,
    new_figure,
    nothing,
    plain,
    visible,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nas.runs.run_folder import RunTable

ORDER = LinearSegmentedColormap.from_list("order", ["#D9D9D9", "#6E6E6E"])


def front_figure(table: RunTable, i: int, j: int) -> Figure:
    """Objective j over objective i: the cloud, and the front in these two as a step line.

    With more than two objectives the rest of the front, dominated in this pair, is lighter. The
    collections are labelled, so that tests find their data in the figure.
    """
    figure, _ = front_axes(table, i, j)
    if figure.axes:
        legend(figure)
    return figure


def front_axes(table: RunTable, i: int, j: int, also: FloatArray | None = None) -> tuple[Figure, list[Axis]]:
    """The figure of `front_figure` without its legend, and its two axes, none without results.

    The points `also` (n, 2) are within the axes.
    """
    run, figure = evaluated(table), new_figure()
    first, second = run.objectives[i], run.objectives[j]
    if len(run.order) == 0:
        headline(figure, f"{first.name} and {second.name}", run.counts)
        return nothing(figure), []
    x, y = run.values[:, i], run.values[:, j]
    rows = run.best([i, j])
    also = np.empty((0, 2)) if also is None else also
    horizontal, vertical = (
        axis_of(run.objectives[k], *_with(run.in_view(k), also[:, n])) for n, k in enumerate((i, j))
    )
    unseen = int((~(horizontal.inside(x) & vertical.inside(y))).sum())
    counts = run.counts + (f" · {unseen:,} poorer beyond the axes" if unseen else "")
    headline(figure, f"{first.name} and {second.name}", counts)
    ax: Any = figure.subplots()
    plain(ax)
    size = 26 if len(x) <= 500 else 12
    cloud = np.flatnonzero(run.feasible & ~run.front)
    if len(cloud):
        cloud = cloud[visible(horizontal.held(x[cloud]), vertical.held(y[cloud]))]
        draw = {"c": run.order[cloud], "cmap": ORDER, "vmin": 1, "vmax": max(2, run.total), "linewidths": 0}
        ax.scatter(x[cloud], y[cloud], s=size, label="evaluated (darker: later)", **draw)
    if not run.feasible.all():
        hollow = {"facecolors": "none", "edgecolors": "#A0A0A0", "linewidths": 0.8}
        ax.scatter(x[~run.feasible], y[~run.feasible], s=size, label="outside the limits", **hollow)
    few = run.front.sum() <= 100
    rest = run.front.copy()
    rest[rows] = False
    if rest.any():
        lighter = {"color": SKY, "edgecolors": "white", "linewidths": 0.5, "alpha": 0.9}
        ax.scatter(x[rest], y[rest], s=34 if few else 22, zorder=3, label="rest of the front", **lighter)
    if len(rows):
        corners = staircase(run.values[rows][:, [i, j]], run.signs[[i, j]])
        ax.plot(*corners.T, color=VERMILLION, linewidth=1.6, zorder=4)
        name = "front" if len(run.objectives) == 2 else "front in these two"
        strong = {"color": VERMILLION, "edgecolors": "white", "linewidths": 0.6}
        ax.scatter(x[rows], y[rows], s=48 if len(rows) <= 100 else 24, zorder=5, label=name, **strong)
    for k in {i, j} & set(run.noisy):
        _beside(ax, run, i, j, k)
    if {i, j} & set(run.noisy):
        explained(figure, run.note)
    apply(ax, x=horizontal, y=vertical)
    _titles(ax, horizontal, vertical)
    return figure, [horizontal, vertical]


def _with(
    seen: tuple[FloatArray, NDArray[np.bool_]], also: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Values and those to keep in view, with further ones to keep."""
    return np.concatenate([seen[0], also]), np.concatenate([seen[1], np.ones(len(also), dtype=bool)])


def _beside(ax: Any, run: Evaluated, i: int, j: int, k: int) -> None:
    """The front's measured values of noisy objective k, one of i and j, as faint crosses, and its intervals as thin bars."""
    front = run.values[run.front].copy()
    ends = np.abs(np.stack([run.low, run.high])[:, run.front, k] - front[:, k])
    bars = {"fmt": "none", "ecolor": VERMILLION, "elinewidth": 0.8, "alpha": 0.35, "zorder": 2}
    ax.errorbar(front[:, i], front[:, j], **{"xerr" if k == i else "yerr": ends}, **bars)
    front[:, k] = run.measured[run.front, k]
    cross = {"marker": "x", "color": VERMILLION, "linewidths": 0.9, "alpha": 0.5, "zorder": 2.5}
    ax.scatter(front[:, i], front[:, j], s=22, label=f"{run.objectives[k].name} as measured", **cross)


def staircase(values: FloatArray, signs: FloatArray) -> FloatArray:
    """The border of the region dominated by n non-dominated points (n, 2): its 2n - 1 corners."""
    points = values * signs
    points = points[np.argsort(points[:, 0], kind="stable")]
    corners = np.repeat(points, 2, axis=0)[1:]
    corners[::2] = points
    corners[1::2, 0] = points[1:, 0]
    corners[1::2, 1] = points[:-1, 1]
    return np.asarray(corners * signs, dtype=np.float64)


def _titles(ax: Any, horizontal: Axis, vertical: Axis) -> None:
    ax.set_xlabel(horizontal.title, fontsize=11, color=INK, parse_math=False)
    ax.set_ylabel(vertical.title, fontsize=11, color=INK, parse_math=False)


def legend(figure: Figure) -> None:
    """Add the legend of all labelled collections below the axes."""
    made: Any = figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    for handle in made.legend_handles:
        handle.set_sizes([36])


def front_3d_figure(table: RunTable) -> Figure:
    """The first three objectives: the cloud, and the front, its members (up to a hundred) on stems from the floor."""
    run, figure = evaluated(table), new_figure()
    title = ", ".join(o.name for o in run.objectives[:3])
    if len(run.order) == 0:
        headline(figure, title, run.counts)
        return nothing(figure)
    axes = [axis_of(run.objectives[k], *run.in_view(k)) for k in range(3)]
    seen = np.all([a.inside(run.values[:, k]) for k, a in enumerate(axes)], axis=0)
    unseen = int((~seen).sum())
    headline(figure, title, run.counts + (f" · {unseen:,} poorer beyond the axes" if unseen else ""))
    figure.set_layout_engine("none")  # it ignores the labels of 3-D axes
    ax: Any = figure.add_axes((0.02, 0.02, 0.94, 0.86), projection="3d", computed_zorder=False)
    at = np.column_stack([a.place(run.values[:, k]) for k, a in enumerate(axes)])
    cloud = np.flatnonzero(seen & run.feasible & ~run.front)
    if len(cloud):
        cloud = cloud[visible(*at[cloud].T)]
        size = 20 if len(at) <= 500 else 5
        draw = {"c": run.order[cloud], "cmap": ORDER, "vmin": 1, "vmax": max(2, run.total), "linewidths": 0}
        ax.scatter(*at[cloud].T, s=size, zorder=2, label="evaluated (darker: later)", **draw)
    _space(ax, axes)
    if run.front.any():
        front = at[run.front]
        if len(front) <= 100:  # more would hide the front
            floor = front.copy()
            floor[:, 2] = axes[2].place(np.array([axes[2].low]))[0]
            stems = np.stack([front, floor], axis=1)
            ax.add_collection3d(
                Line3DCollection(stems, colors=VERMILLION, linewidths=0.6, alpha=0.3, zorder=3)
            )
        strong = {"color": VERMILLION, "edgecolors": "white", "linewidths": 0.5, "depthshade": False}
        ax.scatter(*front.T, s=40 if len(front) <= 100 else 18, zorder=4, label="front", **strong)
        for k in set(range(3)) & set(run.noisy):
            _beside_3d(ax, run, front, axes[k], k)
    if run.note:
        explained(figure, run.note)
    ax.legend(loc="upper right", frameon=False, fontsize=9)
    return figure


def _beside_3d(ax: Any, run: Evaluated, front: FloatArray, axis: Axis, k: int) -> None:
    """As `_beside`, for the placed front (n, 3)."""
    low, high, measured = (front.copy() for _ in range(3))
    for ends, values in ((low, run.low), (high, run.high), (measured, run.measured)):
        ends[:, k] = axis.held(values[run.front, k])
    bars = np.stack([low, high], axis=1)
    ax.add_collection3d(Line3DCollection(bars, colors=VERMILLION, linewidths=0.9, alpha=0.45, zorder=3))
    cross = {"marker": "x", "color": VERMILLION, "linewidths": 0.8, "alpha": 0.5, "depthshade": False}
    ax.scatter(*measured.T, s=20, zorder=3, label=f"{run.objectives[k].name} as measured", **cross)


def _space(ax: Any, axes: list[Axis]) -> None:
    """Set limits, ticks and labels of 3-D axes, whose logarithmic scale does not work."""
    for name, axis in zip("xyz", axes, strict=True):
        low, high = axis.place(np.array([axis.low, axis.high]))
        drawn = getattr(ax, f"{name}axis")
        getattr(ax, f"set_{name}lim")(low, high)
        drawn.set_ticks(axis.place(axis.ticks), axis.tick_labels)
        drawn.set_tick_params(labelsize=8, colors=INK)
        drawn.set_pane_color("white")
        drawn._axinfo["grid"].update(color="#DDDDDD", linewidth=0.6)  # no public way to colour a 3-D grid
        drawn.set_label_text(
            f"{axis.label}\n{axis.direction}", fontsize=10, color=INK, linespacing=1.4, parse_math=False
        )
        drawn.labelpad = 12
    # From near the ideal corner, where nothing hides the front; slightly turned, so that the axes do not line up.
    corner = [1.0 if axis.maximize else -1.0 for axis in axes]
    ax.view_init(elev=24, azim=float(np.degrees(np.arctan2(corner[1], corner[0]))) + 12)
    ax.set_box_aspect((1, 1, 0.8), zoom=1.0)


def parallel_figure(table: RunTable) -> Figure:
    """Parallel coordinates: one axis per objective, better at the top, one line per architecture of the front."""
    run, figure = evaluated(table), new_figure()
    headline(figure, "The front in every objective, better at the top", run.counts)
    if len(run.order) == 0:
        return nothing(figure)
    columns = run.values.T
    axes = [axis_of(o, v, run.front) for o, v in zip(run.objectives, columns, strict=True)]
    names = " and ".join(run.objectives[k].name for k in run.noisy)
    at = np.column_stack([_height(a, v) for a, v in zip(axes, columns, strict=True)])
    ax: Any = figure.subplots()
    ax.set(xlim=(-0.4, len(axes) - 0.6), ylim=(-0.02, 1.02), yticks=[])
    ax.spines[:].set_visible(False)
    labels = [f"{a.label_in_lines}\n{a.direction}" for a in axes]
    ax.set_xticks(range(len(axes)), labels, fontsize=9 if len(axes) < 6 else 7, color=INK, parse_math=False)
    ax.tick_params(length=0, pad=8)
    cloud = at[run.feasible & ~run.front]
    if len(cloud):
        cloud = cloud[visible(*cloud.T)]
    ax.add_collection(_lines(cloud, colors="#BDBDBD", linewidths=0.5, alpha=0.35))
    front = at[run.front]
    front = front[np.argsort(front[:, 0])]
    width = 1.4 if len(front) <= 100 else 0.8
    lines = _lines(front, cmap="viridis", linewidths=width, alpha=0.9, label="front", zorder=3)
    lines.set_array(np.arange(len(front)))  # by rank, to use every colour
    ax.add_collection(lines)
    for x, axis in enumerate(axes):
        ax.axvline(x, color=FAINT, linewidth=1, zorder=4)
        for height, text in zip(_height(axis, axis.ticks), axis.tick_labels, strict=True):
            box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8}
            ax.text(x - 0.03, height, text, ha="right", va="center", fontsize=8, bbox=box, zorder=5)
    note = f"colour: rank in {run.objectives[0].name}, yellow is best; grey: the other evaluations"
    note += f"; {names}: expected values" if names else ""
    figure.supxlabel(note, fontsize=8, color=FAINT, parse_math=False)
    return figure


def _height(axis: Axis, values: FloatArray) -> FloatArray:
    """Position of values between the worst (0) and the best (1) of the axis, clipped."""
    low, high = axis.place(np.array([axis.low, axis.high]))
    share = np.clip((axis.place(values) - low) / (high - low), 0.0, 1.0)
    return np.asarray(share if axis.maximize else 1.0 - share, dtype=np.float64)


def _lines(heights: FloatArray, **style: Any) -> Any:
    """One polyline per row of heights (n, m)."""
    x = np.broadcast_to(np.arange(heights.shape[1]), heights.shape)
    return LineCollection(list(np.stack([x, heights], axis=2)), **style)
