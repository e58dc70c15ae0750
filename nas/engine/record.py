"""The files of a search: its configuration at the beginning, its results at the end."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from nas.core.errors import HistoryError
from nas.core.objectives import Objective
from nas.core.problem import Problem
from nas.core.space import SearchSpace, text_of
from nas.core.versions import versions
from nas.engine.changed_code import META as CODE
from nas.engine.changed_code import RunCode
from nas.engine.declared import DECLARATION
from nas.engine.expected import ExpectedLog
from nas.engine.kept_weights import KeptWeights
from nas.engine.plan import COST_SECONDS, OWN_COST_SHARE, Plan
from nas.engine.search_state import SearchState, numerics
from nas.engine.stopping import StopRule
from nas.report.run_tables import write_tables
from nas.runs.brought import META, imported_table
from nas.runs.files import run_files
from nas.runs.history import History, as_json
from nas.runs.history_table import frame_of
from nas.runs.log_file import well_formed
from nas.runs.original import original_values
from nas.runs.parameters import Parameters
from nas.runs.reading import load_run
from nas.runs.run_folder import RunTable, run_table, summarise


@dataclass(frozen=True)
class SearchResult:
    """The result of a search.

    `front`: the non-dominated architectures that meet every limit, one row each, column ``architecture`` and one column an
    objective in its own unit, and for a noisy one the expected value with a 90% interval, as in front.csv. `history`: one row per trial (see `nas.runs.history.read_history`). Both end in one column per
    parameter, where these have names (see `nas.runs.parameters`). `summary`: the numbers of summary.json. `state`:
    ``finished``, ``exhausted`` (nothing new left in the space) or ``interrupted``.
    `space`: the searched space, with the costs and networks of the data.
    """

    front: pd.DataFrame
    history: pd.DataFrame
    summary: dict[str, Any]
    state: str
    out: Path | None = None
    table: RunTable | None = field(default=None, repr=False)
    space: SearchSpace | None = field(default=None, repr=False)


def recorded_code(history: History | None, resume: bool) -> RunCode | None:
    """The recorded code of the run to resume; None if its version recorded none."""
    if history is None or not resume:
        return None
    with well_formed(history.path):
        return RunCode.from_meta(history.meta(CODE))


def remember(
    history: History,
    plan: Plan,
    config: Mapping[str, Any] | None,
    resume: bool,
    rules: Sequence[StopRule] = (),
    code: RunCode | None = None,
) -> None:
    """Record the configuration and code of a run in the log and in config.json."""
    resolved = {
        "schema": 1,
        "config": config,
        **{key: value for key, value in plan.identity.items() if key not in ("evaluations", DECLARATION)},
        "loop": dataclasses.asdict(plan.settings),
        "stop": [str(rule) for rule in rules],
        "versions": versions(),
        **({} if code is None else {CODE: code.as_meta()}),
    }
    values: dict[str, Any] = {"config": resolved}
    if code is not None:
        values[CODE] = code.as_meta()
    if not resume:
        values |= {
            "identity": plan.identity,
            "initial": plan.algorithm.initial,
            COST_SECONDS: plan.problem.cost_seconds,
            OWN_COST_SHARE: plan.problem.own_cost_share,
            "objectives": [_described(o) for o in plan.problem.objectives],
            "limits": [str(limit) for limit in plan.problem.limits],
            META: None if plan.warm is None else plan.warm.as_meta(plan.problem),
        }
    history.write_meta(values)
    history.name_parameters(() if plan.warm is None else [r.trial.architecture for r in plan.warm.results])
    path = history.path.parent / "config.json"
    try:
        run_files(path.parent).write_text(path.name, as_json(resolved))
    except OSError as error:
        raise HistoryError(f"{path}: cannot be written: {error}") from error


_CODE = ("function", "for_space")  # attributes of an objective that a log cannot hold


def _described(item: Objective) -> dict[str, Any]:
    plain = replace(item, function=None, for_space=None)
    return {key: value for key, value in dataclasses.asdict(plain).items() if key not in _CODE}


def _of_whole(problem: Problem, state: SearchState) -> dict[str, float]:
    """The objectives of the candidate that is the whole original network, such as its latency; {} if there is none."""
    whole = getattr(problem.space, "whole", None)
    found = next((r for r in state.results if r.ok and r.trial.architecture == whole), None)
    return {} if found is None else {o.name: float(found.values[o.name]) for o in problem.objectives}


@numerics
def conclude(
    plan: Plan,
    state: SearchState,
    history: History | None,
    ended: str,
    kept: KeptWeights | None,
    plots: bool,
    csv: bool = False,
) -> SearchResult:
    """Measure a run that ended with state `ended`; with a log, write its files."""
    problem = plan.problem
    extra: dict[str, Any] = {
        "state": ended,
        "stopped_by": state.stopped_by or None,
        "space": problem.space.name,
        "algorithm": plan.identity["algorithm"],
        "seed": plan.settings.seed,
        "objectives": {o.name: {"unit": o.unit, "maximize": o.maximize} for o in problem.objectives},
        "limits": [str(limit) for limit in problem.limits],
        "requirements": [str(limit) for limit in problem.requirements],
        **(
            {"excluded": {"checked": problem.checked, **problem.excluded}}
            if problem.has_cheap_limits or problem.excluded
            else {}
        ),
    }
    if ended not in ("finished", "exhausted"):  # the time since the last result counts too
        extra["seconds"] = round(state.seconds, 3)
    if original := original_values(plan.identity):
        extra["original"] = {**_of_whole(problem, state), **original}
    front = state.settle_expected()
    if history is None:
        different = dict.fromkeys(result.trial.architecture for result in [*state.imported, *state.results])
        texts = {architecture: text_of(problem.space, architecture) for architecture in different}
        frame = frame_of(problem.space, state.results, texts=texts)
        initial = plan.algorithm.initial
        warm = {} if plan.warm is None else {META: plan.warm.as_meta(problem)}
        table = run_table(
            frame,
            problem.objectives,
            problem.limits,
            initial,
            state.notes,
            imported_table(warm),
            parameters=Parameters.of(problem.space, texts),
            expected=None if front is None else front.values(texts.__getitem__, len(state.imported)),
        )
        return SearchResult(
            table.front, table.frame, summarise(table, extra), ended, None, table, problem.space
        )
    history.check_in_place()
    out = history.path.parent
    ExpectedLog(history, problem.space).record(front, len(state.imported))
    table, meta = load_run(out)
    recorded_code = RunCode.from_meta(meta.get(CODE))
    if recorded_code is not None and recorded_code.accepted:
        extra["code_changed"] = [dict(change) for change in recorded_code.accepted]
    summary = write_tables(out, table, extra, plots=plots, csv=csv)
    if kept is not None:
        kept.conclude(problem.space, state.front.items, history.trials())
    return SearchResult(table.front, table.frame, summary, ended, out, table, problem.space)
