"""Figures of quality: along the evaluations and the time, at the end, and the targets reached."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nas.compare.analysis import Study
from nas.compare.figure_style import Look, caption, empty, labels, legend_below, log_axis, looks, panels
from nas.compare.frames import threshold
from nas.compare.measures import Curve, Measure, evaluation_grid, quartiles, time_grid
from nas.core.records import FloatArray
from nas.report.plots_axes import FAINT, short

_BANDS = 6  # with more algorithms than these, quartiles are bars at the checkpoints
_TIMES = (
    (86400.0 * 2, 86400.0, "days"),
    (7200.0, 3600.0, "hours"),
    (120.0, 60.0, "minutes"),
    (0.0, 1.0, "s"),
)

Sampled = Callable[[Curve], FloatArray]


def over_evaluations(study: Study) -> Figure:
    """Median and quartiles of the measure against evaluations; for a hypervolume also its deficit."""
    grid = evaluation_grid(study.budget)
    marks = np.array(study.config.checkpoints_of(study.part), dtype=np.float64)
    return _curves(study, grid.astype(np.float64), lambda c: c.at(grid), marks, "evaluations")


def over_time(study: Study) -> Figure:
    """The same against time."""
    seconds = time_grid(list(study.curves[study.measure.name].values()))
    if len(seconds) == 0:
        return empty("all runs took zero time")
    scale, unit = next((scale, unit) for least, scale, unit in _TIMES if seconds[-1] >= least)
    what = f"{study.part.time}, cumulative" if study.part.time else "time of the search"
    marks = seconds[[len(seconds) // 4, len(seconds) // 2, -1]] / scale
    return _curves(study, seconds / scale, lambda c: c.at_time(seconds), marks, f"{what} ({unit})")


def _curves(study: Study, x: FloatArray, sampled: Sampled, marks: FloatArray, x_label: str) -> Figure:
    measure, reference = study.measure, study.reference
    figure, axes = panels(2 if reference is not None else 1, width=3.6 if reference is not None else 5.2)
    found = {
        label: quartiles(np.array([sampled(c) for c in curves]))
        for label, curves in study.of(measure.name).items()
    }
    handles = _draw(axes[0], x, found, marks)
    _frame(axes[0], measure, found, x)
    labels(axes[0], x_label, f"{measure.label}, {_direction(measure)}")
    caption(axes[0], _what(study))
    if reference is not None:
        axes[0].axhline(reference.hypervolume, color=FAINT, linewidth=0.8, linestyle=(0, (2, 2)))
        missing = {label: reference.hypervolume - three[::-1] for label, three in found.items()}
        floor = _floor(missing)
        _draw(axes[1], x, {label: np.maximum(three, floor) for label, three in missing.items()}, marks)
        log_axis(axes[1])
        labels(axes[1], x_label, "hypervolume missing (log scale)")
        caption(axes[1], "the same, subtracted from the reference front's")
    legend_below(figure, handles, list(found))
    return figure


def _what(study: Study) -> str:
    return f"{study.part.name}: {study.kind} {', '.join(study.view.columns)}"


def _direction(measure: Measure) -> str:
    return "higher is better" if measure.maximize else "lower is better"


def _draw(ax: Any, x: FloatArray, found: dict[str, FloatArray], marks: FloatArray) -> list[Any]:
    """Median lines with quartiles (3, n) each; the lines, for a legend."""
    handles = []
    for number, (label, look) in enumerate(looks(list(found)).items()):
        low, middle, high = np.where(np.isfinite(found[label]), found[label], np.nan)
        handles += ax.plot(x, middle, color=look.color, linestyle=look.line, linewidth=1.5)
        if len(found) <= _BANDS:
            ax.fill_between(x, low, high, color=look.color, alpha=0.13, linewidth=0)
        else:
            _bars(ax, x, (low, middle, high), marks, look, number / len(found) - 0.5)
    ax.set_xlim(x[0], x[-1])
    return handles


def _bars(
    ax: Any, x: FloatArray, three: tuple[FloatArray, ...], marks: FloatArray, look: Look, shift: float
) -> None:
    """Quartiles at selected positions, side by side."""
    at = np.clip(marks + shift * 0.03 * (x[-1] - x[0]), x[0], x[-1])
    rows = np.searchsorted(x, marks).clip(0, len(x) - 1)
    low, middle, high = (values[rows] for values in three)
    ax.errorbar(
        at, middle, [middle - low, high - middle], fmt="none", ecolor=look.color, elinewidth=1.0, capsize=1.5
    )


def _frame(ax: Any, measure: Measure, found: dict[str, FloatArray], x: FloatArray) -> None:
    """Cut off the steep beginning so that the rest stays readable."""
    begin = np.searchsorted(x, x[0] + 0.1 * (x[-1] - x[0]))
    shown = np.concatenate([three[:, begin:].ravel() for three in found.values()])
    shown = shown[np.isfinite(shown)]
    if len(shown) and np.ptp(shown) > 0:
        margin = 0.06 * np.ptp(shown)
        ax.set_ylim(shown.min() - margin, shown.max() + margin)


def _floor(missing: dict[str, FloatArray]) -> float:
    """Stand-in for zero on a logarithmic axis: below the smallest positive value."""
    values = np.concatenate([three.ravel() for three in missing.values()])
    values = values[np.isfinite(values) & (values > 1e-12)]
    return float(values.min()) / 2 if len(values) else 1e-12


def other_measures(study: Study) -> Figure:
    """IGD+ and epsilon against evaluations."""
    others = study.measures[1:]
    grid = evaluation_grid(study.budget)
    marks = np.array(study.config.checkpoints_of(study.part), dtype=np.float64)
    figure, axes = panels(len(others))
    handles: list[Any] = []
    for ax, measure in zip(axes, others, strict=True):
        curves = study.of(measure.name)
        found = {label: quartiles(np.array([c.at(grid) for c in of])) for label, of in curves.items()}
        floor = _floor(found)
        found = {label: np.maximum(three, floor) for label, three in found.items()}
        handles = _draw(ax, grid.astype(np.float64), found, marks)
        log_axis(ax)
        labels(ax, "evaluations", f"{measure.label}, {_direction(measure)} (log scale)")
    caption(axes[0], _what(study))
    legend_below(figure, handles, list(study.labels))
    return figure


def final(study: Study) -> Figure:
    """Every run at the end of the budget, with median and quartiles, one row per algorithm."""
    measure, curves = study.measure, study.of(study.measure.name)
    figure, (ax,) = panels(1, width=5.2, height=0.9 + 0.32 * len(curves))
    rng = np.random.default_rng(0)  # only jitters the dots
    for row, (label, look) in enumerate(looks(list(curves)).items()):
        values = np.array([c.at([study.budget])[0] for c in curves[label]])
        values = values[np.isfinite(values)]
        if len(values) == 0:
            continue
        ax.plot(
            values, row + rng.uniform(-0.22, 0.22, len(values)), "o", ms=3, mew=0, alpha=0.5, color=look.color
        )
        low, middle, high = quartiles(values[:, None])[:, 0]
        ax.plot([low, high], [row, row], color=look.color, linewidth=2.2, solid_capstyle="butt")
        ax.plot([middle], [row], "|", color=look.color, ms=15, mew=2.2)
    ax.set_yticks(range(len(curves)), list(curves), fontsize=8.5, parse_math=False)
    ax.set_ylim(len(curves) - 0.5, -0.5)
    labels(ax, f"{measure.label} after {study.budget:,} evaluations, {_direction(measure)}", "")
    ax.xaxis.set_major_locator(MaxNLocator(6))
    caption(ax, f"{_what(study)}: runs, median, quartiles")
    return figure


def targets(study: Study) -> Figure:
    """The share of the runs that reached each target, against evaluations."""
    wanted = study.config.targets_of(study.part)
    figure, axes = panels(len(wanted), width=max(2.4, 7.2 / len(wanted)), height=2.7, sharey=True)
    handles: list[Any] = []
    for ax, target in zip(axes, wanted, strict=True):
        handles = []
        for label, look in looks(study.labels).items():
            curves = study.of(study.measure.name)[label]
            needed = np.sort([c.reaches(threshold(study, target))[0] for c in curves])
            x = np.concatenate([[0.0], needed[np.isfinite(needed)], [study.budget]])
            y = np.arange(len(x), dtype=np.float64) / len(curves)
            y[-1] = y[-2]
            handles += ax.step(x, y, where="post", color=look.color, linestyle=look.line, linewidth=1.5)
        ax.set(xlim=(0, study.budget), ylim=(-0.02, 1.02))
        named = f"{target:.4g} of the reference" if study.reference is not None else f"{short(target)}"
        caption(ax, f"target {named}")
        labels(ax, "evaluations", "")
    axes[0].set_ylabel("share of the runs", fontsize=9)
    legend_below(figure, handles, list(study.labels))
    return figure
