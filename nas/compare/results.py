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
from nas.core.problem import Problem
from nas.core.records import RESERVED, Architecture, FloatArray, Result, Status, Trial
from nas.core.space import parsed
from nas.engine.expected import ExpectedFront
from nas.runs.expected import FRONTS
from nas.runs.reading import load_run
from nas.runs.run_folder import RunTable

# columns of the loop, not of the evaluator or the space
NOT_MEASURED = RESERVED | {"evaluation", "clock"}
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
    value the expected ones of `shared_values`. `steps` are the evaluations
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
    problem = comparison.problem_of(part)
    views = views_of(part, problem.objectives)
    read = {key: load_run(comparison.folder(key), steps=None) for key in keys}
    shared = shared_values(problem, [table for table, _ in read.values()])
    runs = []
    for key, (table, meta) in read.items():
        fronts = _fronts(table, meta)
        runs.append(_read(part, key, table, fronts, comparison.folder(key), views, shared))
    return views, runs


def check_values(comparison: Comparison, key: RunKey) -> None:
    """Check that a finished run has the values that its problem reports and sums. Raises `ConfigError` that names those it has."""
    part = comparison.config.problem(key.problem)
    views = views_of(part, comparison.problem_of(part).objectives)
    _check_columns(part, load_run(comparison.folder(key), steps=None)[0].told, views)


def _fronts(table: RunTable, meta: Mapping[str, Any]) -> list[tuple[int, list[int]]]:
    """As `RunTable.fronts`; with noisy objectives those that the run had at the time, without knowing later results."""
    if not meta.get(FRONTS):
        return table.fronts
    row_of = {int(trial): i for i, trial in enumerate(table.told["trial"])}
    return [
        (told - 1, [row_of[trial] for trial in trials if trial in row_of])
        for told, trials in meta[FRONTS]
        if trials
    ]


def _read(
    part: ProblemPart,
    key: RunKey,
    table: RunTable,
    fronts: Sequence[tuple[int, list[int]]],
    folder: Path,
    views: Sequence[View],
    shared: Mapping[str, FloatArray],
) -> RunResult:
    ran = (table.told["status"] != "invalid").to_numpy(dtype=bool)
    rows, order = table.told[ran].reset_index(drop=True), np.cumsum(ran) - 1
    _check_columns(part, rows, views)
    steps = order[[row for row, _ in fronts]] + 1
    members = tuple(tuple(order[front].tolist()) for _, front in fronts)
    rows = rows.assign(evaluation=np.arange(1, len(rows) + 1), clock=clock(part, rows))
    seen = {view.kind: view.minimised(rows) for view in views}
    for view in views if shared else ():
        own = np.array([c == o.name for o, c in zip(view.objectives, view.columns, strict=True)])
        for i, text in enumerate(rows["architecture"]):
            if text in shared:
                seen[view.kind][i, own] = shared[text][own]
    return RunResult(key, summary_of(folder), rows, seen, steps, members)


def shared_values(problem: Problem, tables: Sequence[RunTable]) -> dict[str, FloatArray]:
    """Minimised objectives (m,) of each architecture, with expected values from the results of all runs; empty if none is noisy.

    One estimate for all runs is a common measure: an architecture has one value, whichever run found it. Measurements that runs
    share, of an architecture with the same seed, count once.
    """
    if not any(table.expected is not None for table in tables):
        return {}
    results: dict[tuple[object, ...], Result] = {}
    texts: dict[str, Architecture] = {}
    for table in tables:
        good = table.frame[table.frame["status"] == "ok"]
        numbers = good.select_dtypes("number").columns.difference(["trial", "seed", "budget"])
        for row in good.to_dict("records"):
            text, budget = str(row["architecture"]), None if pd.isna(row["budget"]) else float(row["budget"])
            architecture = texts.get(text) or texts.setdefault(text, parsed(problem.space, text))
            values = {str(name): float(row[name]) for name in numbers if np.isfinite(row[name])}
            trial = Trial(len(results), architecture, int(row["seed"]), budget)
            results.setdefault((text, trial.seed, budget), Result(trial, Status.OK, values))
    every = list(results.values())  # in random order, since the model learns from the last
    front = ExpectedFront.of(problem, [every[i] for i in np.random.default_rng(0).permutation(len(every))])
    points = {} if front is None else front.points
    return {text: points[a] for text, a in texts.items() if a in points}


def _check_columns(part: ProblemPart, rows: pd.DataFrame, views: Sequence[View]) -> None:
    if not (rows["status"] == "ok").any():
        return
    wanted = {name: "report" for view in views for name in view.columns}
    wanted |= {part.time: "time"} if part.time else {}
    for name, key in wanted.items():
        if name not in rows.columns or rows.loc[rows["status"] == "ok", name].isna().any():
            there = [c for c in rows.columns if rows[c].dtype.kind == "f" and c not in NOT_MEASURED]
            raise ConfigError(
                f"problem {part.name}: {key}: the results have no {name!r}{did_you_mean(name, there)}; they have "
                f"{', '.join(there)}. Correct the config and repeat the command: finished runs are kept"
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
