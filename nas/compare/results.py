"""Read the runs of a comparison: the front after each evaluation, in searched and reported values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nas.compare.config import ProblemPart
from nas.compare.runs import Comparison, RunKey, summary_of
from nas.core.checks import did_you_mean
from nas.core.errors import ConfigError
from nas.core.objectives import Objective
from nas.core.records import FloatArray
from nas.runs.reading import load_run
from nas.runs.run_folder import RunTable

SEARCHED, REPORTED = "searched", "reported"


@dataclass(frozen=True)
class View:
    """One view of a problem's results: the searched or the reported values.

    `columns` are read for the objectives; a column without a reported value is the searched one.
    """

    kind: str
    objectives: tuple[Objective, ...]
    columns: tuple[str, ...]

    @property
    def signs(self) -> FloatArray:
        """+1 for each objective that is minimised, -1 for the others, shape (m,)."""
        return np.array([o.sign for o in self.objectives])

    def minimised(self, rows: pd.DataFrame) -> FloatArray:
        """The values of some rows, shape (n, m), all minimised."""
        return rows[list(self.columns)].to_numpy(dtype=np.float64) * self.signs


def views_of(part: ProblemPart, objectives: Sequence[Objective]) -> tuple[View, ...]:
    """The view of searched values, and of reported ones if the problem names any.

    Raises `ConfigError` if a single reported name is ambiguous because several objectives are measured.
    """
    objectives, names = tuple(objectives), tuple(o.name for o in objectives)
    searched = View(SEARCHED, objectives, names)
    if not part.report:
        return (searched,)
    replaced = dict(part.report)
    if "" in replaced:
        measured = [o.name for o in objectives if not o.cheap]
        if len(measured) != 1:
            raise ConfigError(
                f"problem {part.name}: report: {replaced['']!r} replaces the measured objective, but "
                f"{', '.join(measured) or 'none'} are measured; write {{OBJECTIVE: {replaced['']}}}"
            )
        replaced = {measured[0]: replaced[""]}
    return searched, View(REPORTED, objectives, tuple(replaced.get(name, name) for name in names))


@dataclass(frozen=True)
class RunResult:
    """A complete run.

    `rows` has one row per evaluation, in result order: the run's table with `evaluation` (from 1) and `clock`
    (seconds since its start). `points` are its values by kind of view, (n, m), minimised; of noisy objectives without a reported
    value the expected ones at the end of the run. `steps` are the evaluations
    (k,) after which the front changed, `members` the rows on it then; with one objective the best row.
    """

    key: RunKey
    summary: dict[str, Any]
    rows: pd.DataFrame
    points: Mapping[str, FloatArray]
    steps: np.ndarray
    members: tuple[tuple[int, ...], ...]

    def front(self, view: View, step: int = -1) -> FloatArray:
        """The front after a step, (n, m), minimised; selected by the searched values."""
        points = self.points[view.kind]
        return points[list(self.members[step])] if self.members else points[:0]


def read_runs(comparison: Comparison, part: ProblemPart) -> tuple[tuple[View, ...], list[RunResult]]:
    """All complete runs of a problem. Raises `ConfigError` if they lack a reported value."""
    keys = [key for key in comparison.every_run() if key.problem == part.name and comparison.done(key)]
    runs, views = [], views_of(part, comparison.problem_of(part).objectives)
    for key in keys:
        table, _ = load_run(comparison.folder(key), steps=None)
        runs.append(_read(part, key, table, comparison.folder(key), views))
    return views, runs


def _read(part: ProblemPart, key: RunKey, table: RunTable, folder: Path, views: Sequence[View]) -> RunResult:
    ran = (table.told["status"] != "invalid").to_numpy(dtype=bool)
    rows, order = table.told[ran].reset_index(drop=True), np.cumsum(ran) - 1
    _check_columns(part, rows, views)
    steps = order[[row for row, _ in table.fronts]] + 1
    members = tuple(tuple(order[front].tolist()) for _, front in table.fronts)
    rows = rows.assign(evaluation=np.arange(1, len(rows) + 1), clock=clock(part, rows))
    seen = {view.kind: view.minimised(rows) for view in views}
    if table.expected is not None:  # of noisy objectives: a lucky measurement is no merit
        decisive = pd.DataFrame(table.decisive(rows), columns=[o.name for o in table.objectives])
        for view in views:
            names = [c for o, c in zip(view.objectives, view.columns, strict=True) if c == o.name]
            seen[view.kind] = view.minimised(rows.assign(**{name: decisive[name] for name in names}))
    return RunResult(key, summary_of(folder), rows, seen, steps, members)


def _check_columns(part: ProblemPart, rows: pd.DataFrame, views: Sequence[View]) -> None:
    wanted = {name: "report" for view in views for name in view.columns}
    wanted |= {part.time: "time"} if part.time else {}
    for name, key in wanted.items():
        if name not in rows.columns or rows.loc[rows["status"] == "ok", name].isna().any():
            there = [c for c in rows.columns if rows[c].dtype.kind == "f"]
            raise ConfigError(
                f"problem {part.name}: {key}: the results have no {name!r}{did_you_mean(name, there)}; they have "
                f"{', '.join(there)}"
            )


def clock(part: ProblemPart, rows: pd.DataFrame) -> FloatArray:
    """Seconds from the start of a run to each evaluation, (n,), ascending.

    The sum of the problem's `time` value; else the simulated finish time; else the time of the result without
    pauses between sessions.
    """
    if part.time is not None:
        return np.nancumsum(rows[part.time].to_numpy(dtype=np.float64))
    if part.executor.name in ("serial", "ray"):
        seconds = rows["told_seconds"].to_numpy(dtype=np.float64)
    else:
        started = rows["started"].to_numpy(dtype=np.float64)
        seconds = rows["finished"].to_numpy(dtype=np.float64) - (np.nanmin(started) if len(rows) else 0.0)
    return np.maximum.accumulate(seconds)
