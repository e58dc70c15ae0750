"""Warm start: begin a search with the results of earlier runs of the same space and objectives.

The algorithm receives the results before its first ask, and the new run's log copies them, so that resuming does not need
the earlier folder. They do not count as evaluations of the new run.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nas.core.code_files import changed
from nas.core.errors import ArchitectureError, ConfigError, HistoryError
from nas.core.objectives import Objective
from nas.core.problem import Problem
from nas.core.records import RESERVED, Architecture, Observation, Result, Status, Trial
from nas.core.space import parsed, text_of
from nas.core.task_spec import TaskSpec
from nas.core.text import command
from nas.engine.changed_code import META as CODE
from nas.engine.changed_code import RunCode, check_accepted
from nas.engine.declared import difference
from nas.engine.fitting import fitting
from nas.engine.replay import exact_difference
from nas.runs.brought import META, imported_table
from nas.runs.history import History, foreign, read_history
from nas.runs.imported import is_table, name_of, read_table
from nas.runs.log_file import well_formed

_LOG = logging.getLogger(__name__)
AnySource = str | Path | pd.DataFrame


@dataclass(frozen=True)
class WarmStart:
    """Results of earlier runs, in their order of telling.

    `folder` is the named run; `origins` (n,) gives the folder of each result, which differs when that run had a warm start
    too. Trials are numbered from -n to -1, apart from those of the new run.
    """

    folder: str
    results: tuple[Result, ...]
    origins: tuple[str, ...]

    def observations(self, problem: Problem) -> list[Observation]:
        """The results as observations for the algorithm."""
        return [problem.observe(result) for result in self.results]

    def as_meta(self, problem: Problem) -> dict[str, Any]:
        """Plain JSON for the log of the new run."""
        rows = [
            {
                "architecture": text_of(problem.space, result.trial.architecture),
                "values": dict(result.values),
                "seed": result.trial.seed,
                "budget": result.trial.budget,
                "origin": origin,
            }
            for result, origin in zip(self.results, self.origins, strict=True)
        ]
        return {"from": self.folder, "results": rows}

    @property
    def summary(self) -> dict[str, Any]:
        """The source and number of the results, for config.json."""
        return {"from": self.folder, "results": len(self.results)}


def read_warm_start(
    source: AnySource,
    problem: Problem,
    budget: float | None,
    out: Path | None = None,
    now: Mapping[str, str] | None = None,
) -> WarmStart:
    """Read the successful results at this `budget` of an earlier run, a CSV file or a DataFrame, for `problem`.

    The run may still be running. Its genes may have had fewer choices, and a declared space other parameters and rules: text
    forms are parsed, changes are logged as a warning, and so are results that are left out, whose architectures the declared
    space lacks. Exact objectives that are missing are computed. Raises `ConfigError` for a run with another space or other
    objectives, without a result at this budget, or in the output folder (`out`); `HistoryError` when it is unreadable, an
    exact objective has changed, or the code that measured it differs from the hashes `now`.
    """
    if isinstance(source, pd.DataFrame) or is_table(source):
        results = read_table(source, problem, budget)
        name = name_of(source)
        return WarmStart(name, tuple(results), (name,) * len(results))
    if not isinstance(source, (str, Path)):
        raise ConfigError(
            f"warm_start: expected the folder of a run, a CSV file or a DataFrame, got {type(source).__name__}"
        )
    folder, path = source, Path(source)
    if out is not None and path.resolve() == out.resolve():
        raise ConfigError(
            f"warm_start: {folder} is the output folder of this search; name an earlier run, or continue this one "
            f"with: {command('nas', 'search', '--resume', folder)}"
        )
    try:
        frame, meta = read_history(path)
        told = frame[frame["told"].notna()].sort_values("told", ignore_index=True)
        earlier = imported_table(meta)
    except (HistoryError, ValueError, TypeError, KeyError) as error:
        raise HistoryError(f"warm_start: {error}") from error
    if "identity" not in meta or "objectives" not in meta:
        raise ConfigError(f"warm_start: the run in {folder} ended before its first evaluation; name another")
    then = RunCode.from_meta(meta.get(CODE))
    if then is not None and now is not None:
        check_accepted(changed(then.files, now), False, f"{folder} was measured")
    _check_same_search(folder, problem, meta)
    if added := _added_choices(folder, problem, meta):
        _LOG.warning("%s", added)
    rows = pd.concat([earlier, told.assign(origin=str(folder))], ignore_index=True)
    rows = rows[rows["status"] == Status.OK.value]
    kept = rows[_at(rows, budget)]
    if kept.empty:
        raise ConfigError(
            f"warm_start: {folder} has no result {_named(budget)}{_others(rows)}; name another run"
        )
    known = fitting(
        folder, problem.space, kept["architecture"], narrowed=_changed(folder, problem, meta) is not None
    )
    records = [record for record in kept.to_dict("records") if str(record["architecture"]) in known]
    results = [
        _result(folder, problem, record, known[str(record["architecture"])], number - len(records))
        for number, record in enumerate(records)
    ]
    return WarmStart(str(folder), tuple(results), tuple(str(record["origin"]) for record in records))


def recorded(history: History, problem: Problem, asked: AnySource | None) -> WarmStart | None:
    """The warm start of the run to resume, from its own log; None if it had none.

    Raises `HistoryError` when `asked` differs from the original.
    """
    meta = history.meta(META)
    with well_formed(history.path):
        folder = None if meta is None else meta["from"]
    if asked is not None and name_of(asked) != folder:
        raise HistoryError(
            f"warm_start: the run was started with {folder!r}, now it is {name_of(asked)!r}: resume it with the original, "
            "or start a new run in another folder"
        )
    if meta is None:
        return None
    try:
        with well_formed(history.path):
            rows = meta["results"]
            results = tuple(
                Result(
                    Trial(
                        i - len(rows), parsed(problem.space, row["architecture"]), row["seed"], row["budget"]
                    ),
                    Status.OK,
                    row["values"],
                )
                for i, row in enumerate(rows)
            )
            return WarmStart(meta["from"], results, tuple(row["origin"] for row in rows))
    except ArchitectureError as error:
        raise foreign(history.path, problem.space, error) from error


def _check_same_search(folder: str | Path, problem: Problem, meta: Mapping[str, Any]) -> None:
    """Raise `ConfigError` unless the earlier run has the same space and objectives, `HistoryError` if it is damaged."""
    then, space = meta["identity"], problem.space
    if then.get("space") != space.name:
        raise ConfigError(
            f"warm_start: {folder} searched space {then.get('space')!r}, this search uses {space.name!r}; name a "
            "run of the same space"
        )
    choices, now = then.get("cardinalities"), [int(c) for c in space.cardinalities]
    by_name = _changed(folder, problem, meta) is not None  # then each result is read by its parameters
    whole = isinstance(choices, list) and all(isinstance(c, int) for c in choices)
    if not by_name and (
        not whole or len(choices) != len(now) or any(a > b for a, b in zip(choices, now, strict=True))
    ):
        raise ConfigError(
            f"warm_start: {folder} searched {space.name!r} with other settings: its genes had "
            f"{choices} choices, now they have {now}; choices may be added, not removed"
        )
    earlier = _task_of(folder, then)
    if earlier is not None and problem.task is not None and earlier != problem.task:
        raise ConfigError(
            f"warm_start: {folder} searched for another task ({earlier}; here {problem.task}): its results are not comparable; "
            "name a run on the same data"
        )
    try:
        objectives = {values["name"]: Objective(**values) for values in meta["objectives"]}
    except (TypeError, KeyError) as error:
        raise HistoryError(f"warm_start: {folder} is damaged: its objectives have {error}") from error
    for item in problem.objectives:
        known = objectives.get(item.name)
        if known is None and not item.cheap:
            raise ConfigError(
                f"warm_start: {folder} did not measure objective {item.name!r}; it has {', '.join(objectives)}"
            )
        if known is not None and (known.unit, known.maximize) != (item.unit, item.maximize):
            raise ConfigError(
                f"warm_start: in {folder} objective {item.name!r} is {_described(known)}, here {_described(item)}; "
                "give it the same unit and direction"
            )


def _task_of(folder: str | Path, identity: Mapping[str, Any]) -> TaskSpec | None:
    """The recorded task of an earlier run; None if missing."""
    try:
        return TaskSpec.from_json(identity.get("task"))
    except (KeyError, TypeError, ConfigError) as error:
        raise HistoryError(f"warm_start: {folder} is damaged: its task has {error}") from error


def _changed(folder: str | Path, problem: Problem, meta: Mapping[str, Any]) -> str | None:
    """As `nas.engine.declared.difference`. Raises `HistoryError` for a damaged record."""
    try:
        return difference(meta["identity"], problem.space)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise HistoryError(f"warm_start: {folder} is damaged: its parameters have {error}") from error


def _added_choices(folder: str | Path, problem: Problem, meta: Mapping[str, Any]) -> str:
    """Describe the parameters or genes that differ from those of the earlier run; "" if there are none."""
    changed_by_name = _changed(folder, problem, meta)
    if changed_by_name is not None:
        return changed_by_name and (
            f"warm_start: parameters of space {problem.space.name!r} changed since {folder} ({changed_by_name}). Its results are "
            "read by the names and values of their parameters"
        )
    then, now = meta["identity"]["cardinalities"], problem.space.cardinalities
    more = [f"gene {i}: {a} then, {b} now" for i, (a, b) in enumerate(zip(then, now, strict=True)) if a != b]
    if not more:
        return ""
    shown = "; ".join(more[:8]) + (f"; and {len(more) - 8} more" if len(more) > 8 else "")
    return (
        f"warm_start: choices were added to space {problem.space.name!r} since {folder} ({shown}). Its results are read by "
        "their text forms, so the earlier choices must have kept their positions"
    )


def _described(item: Objective) -> str:
    return f"{'maximised' if item.maximize else 'minimised'}, in {item.unit or 'no unit'}"


def _at(rows: pd.DataFrame, budget: float | None) -> pd.Series[bool]:
    budgets = pd.to_numeric(rows["budget"])
    return budgets.isna() if budget is None else budgets == budget


def _named(budget: float | None) -> str:
    return (
        "at the evaluator's own budget"
        if budget is None
        else f"at budget {budget:g}, which this search trains with"
    )


def _others(rows: pd.DataFrame) -> str:
    if rows.empty:
        return ""
    budgets = pd.to_numeric(rows["budget"])
    named = [f"{b:g}" for b in sorted(budgets.dropna().unique())]
    named += ["the evaluator's own"] if budgets.isna().any() else []
    return f" (it has budget {', '.join(named)}; results of different budgets are not comparable)"


def _result(
    folder: str | Path, problem: Problem, record: Mapping[Any, Any], architecture: Architecture, number: int
) -> Result:
    """Convert a row to a result of this problem; check or compute its exact objectives."""
    text, budget = str(record["architecture"]), record["budget"]
    reported = {
        str(name): float(value)
        for name, value in record.items()
        if name not in RESERVED and isinstance(value, float) and math.isfinite(value)
    }
    missing = sorted(problem.measured - reported.keys())
    if missing:
        raise HistoryError(
            f"warm_start: {folder} is damaged: architecture {text} has status ok but no {', '.join(missing)}"
        )
    seed = int(record["seed"])
    trial = Trial(number, architecture, seed, None if pd.isna(budget) else float(budget))
    values = {**problem.cheap_values(architecture), **reported}
    result = Result(trial, Status.OK, values)
    difference = exact_difference(problem, result)
    if difference:
        raise HistoryError(
            f"warm_start: {folder} cannot be used, because {difference}: the space's settings or the objective changed"
        )
    return result
