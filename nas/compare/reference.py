"""The reference of the quality: a reference front and the box of the hypervolume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from nas.algorithms._pool import whole_space
from nas.compare.config import ProblemPart, slug
from nas.compare.folder import comparison_files
from nas.compare.results import RunResult, View
from nas.compare.runs import Comparison
from nas.core.errors import ConfigError
from nas.core.problem import Problem
from nas.core.records import FloatArray, Trial
from nas.core.space import text_of
from nas.core.tables import csv_text, read_csv
from nas.executors import run_trial
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import Box, hypervolume

FRONTS = "fronts"
MOST = 2_000_000  # architectures looked up for a true front
POOLED = "the non-dominated results of all runs"
_BEYOND = 0.1  # of the front's range, without a given reference point


@dataclass(frozen=True)
class Reference:
    """A reference front (k, m), minimised and ascending in its first column, its source, and the box."""

    view: View
    front: FloatArray
    source: str
    box: Box

    @property
    def hypervolume(self) -> float:
        """Hypervolume of the reference front."""
        return hypervolume(self.front, self.box)


def references(
    comparison: Comparison, part: ProblemPart, views: Sequence[View], runs: Sequence[RunResult]
) -> dict[str, Reference]:
    """The reference of each view of a problem; empty with one objective or without results.

    An enumerated true front is kept in the comparison's folder.
    """
    if len(views[0].objectives) == 1:
        return {}
    given, source = _given(comparison, part, views)
    found = {}
    for view in views:
        points, from_where = view_of(given, view), source
        if points is None:
            points = np.concatenate([run.front(view) for run in runs] or [np.empty((0, len(view.columns)))])
            from_where = POOLED
        if len(points):
            front = points[non_dominated(points)]
            front = front[np.lexsort(front.T[::-1])]
            found[view.kind] = Reference(view, front, from_where, _box(part, view, front))
    return found


def view_of(given: pd.DataFrame | None, view: View) -> FloatArray | None:
    """The points of a table (n, m) in a view, or None if it lacks a column."""
    if given is None or not set(view.columns) <= set(given.columns):
        return None
    points = view.minimised(given)
    return points[np.isfinite(points).all(axis=1)]


def _box(part: ProblemPart, view: View, front: FloatArray) -> Box:
    low, high = front.min(axis=0), front.max(axis=0)
    beyond = high + _BEYOND * np.where(high > low, high - low, 1.0)
    ideal, point = low.copy(), beyond.copy()
    for i, (item, column) in enumerate(zip(view.objectives, view.columns, strict=True)):
        chosen = part.reference
        for target, values, last in ((ideal, chosen.ideal, None), (point, chosen.point, item.reference)):
            value = values.get(column, values.get(item.name, last))
            if value is not None:
                target[i] = item.sign * value
    if not (ideal < point).all():
        bad = view.columns[int(np.argmin(point - ideal))]
        raise ConfigError(
            f"problem {part.name}: reference: the ideal value of {bad!r} must be better than its reference point"
        )
    return Box(ideal, point)


def _given(
    comparison: Comparison, part: ProblemPart, views: Sequence[View]
) -> tuple[pd.DataFrame | None, str]:
    if part.reference.front is not None:
        path = comparison.base / part.reference.front
        return _read_front(path, part, views[0]), f"the front in {part.reference.front}"
    if part.reference.enumerate:
        path = comparison.out / FRONTS / f"{slug(part.name)}.csv"
        if not path.exists():
            write_true_front(path, comparison.problem_of(part), part, views)
        frame = _read_front(path, part, views[0])
        if view_of(frame, views[-1]) is None:  # the reported columns changed
            write_true_front(path, comparison.problem_of(part), part, views)
            frame = _read_front(path, part, views[0])
        return frame, "the true front of the enumerated space"
    return None, ""


def _read_front(path: Path, part: ProblemPart, view: View) -> pd.DataFrame:
    try:
        frame = read_csv(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"problem {part.name}: reference.front: cannot read {path}: {error}") from None
    missing = [c for c in view.columns if c not in frame.columns]
    if missing or frame.empty:
        raise ConfigError(
            f"problem {part.name}: reference.front: {path} needs one row per point and one column per "
            f"objective ({', '.join(view.columns)}); it has {len(frame)} rows and {', '.join(map(str, frame.columns))}"
        )
    return frame


def write_true_front(path: Path, problem: Problem, part: ProblemPart, views: Sequence[View]) -> None:
    """Evaluate every architecture and write those that are non-dominated in one of the views.

    Omits architectures that a table lacks or that violate a limit. Raises `ConfigError` if the space is
    too large or no architecture can be evaluated.
    """
    every = whole_space(problem, MOST)
    if every is None:
        raise ConfigError(
            f"problem {part.name}: reference.enumerate: space {problem.space.name!r} has more than {MOST:,} "
            "architectures; set reference.front instead, or neither"
        )
    rows, reason, measure = [], "", problem.measure()
    for i, architecture in enumerate(every):
        result = run_trial(measure, Trial(i, architecture, 0, part.fidelity), problem.measured)
        if not result.ok:
            reason = reason or result.error.split("\n")[0]
            continue
        values = {**result.values, **problem.cheap_values(architecture)}
        if all(limit.excess(values[limit.objective]) == 0 for limit in problem.limits):
            rows.append({"architecture": text_of(problem.space, architecture), **values})
    if not rows:
        raise ConfigError(
            f"problem {part.name}: reference.enumerate: no architecture could be evaluated: {reason}"
        )
    frame, chosen = pd.DataFrame(rows), set()
    for view in views:
        if (points := view_of(frame, view)) is None or len(points) < len(frame):
            raise ConfigError(
                f"problem {part.name}: report: the evaluator does not return {', '.join(view.columns)} for every "
                f"architecture; it returns {', '.join(map(str, frame.columns[1:]))}"
            )
        chosen.update(non_dominated(points).tolist())
    columns = ["architecture", *dict.fromkeys(c for view in views for c in view.columns)]
    files = comparison_files(path.parent.parent)
    files.write_text(f"{FRONTS}/{path.name}", csv_text(frame.loc[sorted(chosen), columns]))
