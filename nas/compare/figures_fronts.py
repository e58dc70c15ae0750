"""Figures of fronts: attainment surfaces, and where one algorithm attains more than another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.collections import PatchCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from nas.compare.analysis import Study
from nas.compare.figure_style import caption, empty, labels, legend_below, looks, panels
from nas.compare.frames import difference, pairs_of_objectives
from nas.core.records import FloatArray
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import attainment_surfaces
from nas.report.plots_axes import BLUE, INK, VERMILLION, Axis, apply, axis_of

_LEVELS = 5  # shades of a difference


def attainment(study: Study) -> Figure:
    """Median attainment surfaces of each pair of objectives, and the reference front."""
    pairs = pairs_of_objectives(study)
    figure, axes = panels(len(pairs), width=5.2 if len(pairs) == 1 else 3.4, height=3.5)
    handles: list[Any] = []
    for ax, (i, j) in zip(axes, pairs, strict=True):
        handles = []
        across, up = _axes(study, i, j)
        apply(ax, x=across, y=up)
        if study.reference is not None:
            own = _flat(study.reference.front, i, j) * study.view.signs[[i, j]]
            ax.plot(*own.T, ".", color=INK, ms=3, zorder=1, label="reference front")
        for label, look in looks(study.labels).items():
            fronts = [front[:, [i, j]] for front in study.fronts(label)]
            corners = attainment_surfaces(fronts, [50.0])[50.0]
            x, y = _staircase(corners, across, up, study.view.signs[[i, j]])
            handles += ax.plot(x, y, color=look.color, linestyle=look.line, linewidth=1.4, zorder=2)
        labels(ax, across.title, up.title)
        ax.xaxis.label.set_fontsize(8)
        ax.yaxis.label.set_fontsize(8)
    figure.suptitle(
        f"{study.name}: attained by half of the runs; dots: reference front",
        fontsize=9,
        color=INK,
        x=0.01,
        ha="left",
    )
    legend_below(figure, handles, list(study.labels))
    return figure


def _axes(study: Study, i: int, j: int) -> tuple[Axis, Axis]:
    """Axes that contain all final fronts, except a few poor values."""
    found = [front for label in study.labels for front in study.fronts(label)]
    points = np.concatenate([*found, *([] if study.reference is None else [study.reference.front])])
    points = points * study.view.signs
    made = []
    for k in (i, j):
        item, column = study.view.objectives[k], study.view.columns[k]
        axis = axis_of(item, points[:, k], np.zeros(len(points), dtype=bool))
        made.append(_renamed(axis, item.name, column))
    return made[0], made[1]


def _renamed(axis: Axis, name: str, column: str) -> Axis:
    """The axis of an objective, labelled with the column read for it."""
    return axis if name == column else replace(axis, label=axis.label.replace(name, column, 1))


def _flat(points: FloatArray, i: int, j: int) -> FloatArray:
    """Points (n, m) projected to two objectives: the non-dominated ones, ascending, (k, 2)."""
    seen = points[:, [i, j]]
    seen = seen[non_dominated(seen)]
    ascending: FloatArray = seen[np.argsort(seen[:, 0], kind="stable")]
    return ascending


def _staircase(corners: FloatArray, across: Axis, up: Axis, signs: FloatArray) -> tuple[Any, Any]:
    """A surface through corners (k, 2), minimised and ascending, extended to the ends of the axes, in their units."""
    far_x = across.high if signs[0] > 0 else across.low
    far_y = up.high if signs[1] > 0 else up.low
    x = np.repeat(corners[:, 0] * signs[0], 2)
    y = np.repeat(corners[:, 1] * signs[1], 2)
    return np.concatenate([x, [far_x]]), np.concatenate([[far_y], y])


def differences(study: Study) -> Figure:
    """Where more runs of one of the two chosen algorithms attain: a row of two panels for every two objectives."""
    first, second = study.config.pair
    pairs = pairs_of_objectives(study)
    found = [difference(study, i, j) for i, j in pairs]
    if any(rectangles is None for rectangles in found):
        return empty(f"the difference of {first} and {second} needs a common completed seed")
    figure, axes = panels(2 * len(pairs), width=3.1, height=3.3)
    drawn = None
    for number, ((i, j), rectangles) in enumerate(zip(pairs, found, strict=True)):
        across, up = _axes(study, i, j)
        for ax, label, colour, sign in zip(
            axes[2 * number : 2 * number + 2], (first, second), (BLUE, VERMILLION), (1.0, -1.0), strict=True
        ):
            apply(ax, x=across, y=up)
            ax.grid(visible=False)
            drawn = _rectangles(ax, rectangles, across, up, study.view.signs[[i, j]], colour, sign)
            labels(ax, across.title, up.title)
            ax.xaxis.label.set_fontsize(8)
            ax.yaxis.label.set_fontsize(8)
            caption(ax, f"more runs of {label}")
            figure.colorbar(drawn, ax=ax, shrink=0.85, pad=0.02).ax.tick_params(labelsize=7)
    figure.suptitle(
        f"{study.name}: difference in the share of runs that attain a point",
        fontsize=9, color=INK, x=0.01, ha="left",
    )  # fmt: skip
    return figure


def _rectangles(
    ax: Any, rectangles: Any, across: Axis, up: Axis, signs: FloatArray, colour: str, sign: float
) -> Any:
    """Shade where the difference has the sign; the scale of the shades."""
    shades = LinearSegmentedColormap.from_list("", ["#FFFFFF", colour], N=_LEVELS + 1)
    norm = Normalize(0.0, 1.0)
    patches, values = [], []
    for x0, y0, x1, y1, value in rectangles.tolist():
        if sign * value <= 0:
            continue
        xs = np.clip(signs[0] * np.array([x0, x1]), across.low, across.high)
        ys = np.clip(signs[1] * np.array([y0, y1]), up.low, up.high)
        patches.append(Rectangle((xs.min(), ys.min()), np.ptp(xs), np.ptp(ys)))
        values.append(sign * value)
    collection = PatchCollection(patches, cmap=shades, norm=norm, edgecolor="face", linewidth=0.3)
    collection.set_array(np.array(values))
    ax.add_collection(collection)
    return collection
