"""The trials of a run as Optuna's frozen trials."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nas.core.records import RESERVED, Status
from nas.core.text import printable
from nas.engine.heartbeat import read_heartbeat
from nas.export.optuna_distributions import OptunaParameter, optuna_parameters, values_of_row
from nas.report.sources import Source
from nas.runs.run_folder import RunTable

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

CONSTRAINTS = (
    "constraints"  # Optuna's key of a trial's system attributes: a number per limit, at most 0 where it holds
)
_KEPT = ("architecture", "trial", "status", "reason", "budget", "seconds", "seed", "worker", "origin")
_LONGEST = 2_000  # characters of a reason


def optuna_trials(source: Source) -> list[FrozenTrial]:
    """One trial per result of a warm start and per trial of the run, in this order.

    Complete with measured values; pruned below the highest budget of the search; failed; without a told result running on a worker of a search that runs
    now, else waiting. Parameters that are inactive are absent. Budget, seed, further values and the reason of a failure are user attributes; `front` marks our front.
    """
    table = source.table
    parameters = optuna_parameters(source.declared, table.parameters, (table.imported, table.frame))
    pulse = read_heartbeat(source.folder)
    working = pulse.workers if pulse is not None and (pulse.here or pulse.elsewhere) else ()
    make = _Trials(table, parameters, {work.trial for work in working})
    rows = [*_rows(table.imported), *_rows(table.frame)]
    return [make.trial(number, row) for number, row in enumerate(rows)]


class _Trials:
    """Makes the trials of one run."""

    def __init__(
        self, table: RunTable, parameters: Mapping[str, OptunaParameter], working: Set[int | None]
    ) -> None:
        self._optuna = import_module("optuna.trial")
        self._table, self._parameters, self._working = table, parameters, working
        self._names = [o.name for o in table.objectives]
        self._highest = _highest_budget(table)
        self._front = _front_keys(table)
        self._expected = _expected(table)
        asked = table.frame["asked_at"].dropna()
        self._began = float(asked.min()) if len(asked) else 0.0

    def trial(self, number: int, row: Mapping[str, Any]) -> FrozenTrial:
        """The trial of a row; it is also its number in the study."""
        state, values = self._outcome(row)
        states = self._optuna.TrialState
        params, distributions = values_of_row(self._parameters, row)
        start, end = self._times(row)
        return self._optuna.FrozenTrial(
            number=number,
            trial_id=-1,
            state=state,
            value=None,
            values=values,
            datetime_start=None if state == states.WAITING else start,
            datetime_complete=end if state.is_finished() else None,
            params=params,
            distributions=distributions,
            user_attrs=self._attributes(row, state == states.COMPLETE),
            system_attrs={}
            if values is None or not self._table.limits
            else {CONSTRAINTS: self._excesses(row)},
            intermediate_values={},
        )

    def _outcome(self, row: Mapping[str, Any]) -> tuple[Any, list[float] | None]:
        states, status = self._optuna.TrialState, row["status"]
        if status == "running":
            return (states.RUNNING if row["trial"] in self._working else states.WAITING), None
        if "origin" not in row and "told" not in row:  # it has a result, which the algorithm has not seen
            return states.RUNNING, None
        values = [row.get(name, math.nan) for name in self._names]
        if status != Status.OK.value or not all(map(math.isfinite, values)):
            return states.FAIL, None
        lower = self._highest is not None and row.get("budget", self._highest) < self._highest
        return (states.PRUNED if lower else states.COMPLETE), values

    def _times(self, row: Mapping[str, Any]) -> tuple[datetime, datetime]:
        """Local times, as Optuna's. A trial that never ran took no time, when it was asked; one of a warm start at the beginning."""
        asked = row.get("asked_at", self._began)
        start, end = row.get("started", 0.0), row.get("finished", 0.0)
        if end <= 0.0:
            start = end = asked
        return datetime.fromtimestamp(start), datetime.fromtimestamp(max(start, end))

    def _attributes(self, row: Mapping[str, Any], complete: bool) -> dict[str, Any]:
        taken = {*RESERVED, *self._names, *self._parameters}
        found = {name: row[name] for name in _KEPT if row.get(name, "") != ""}
        if found["status"] == Status.OK.value:
            del found["status"]
        if "reason" in found:
            found["reason"] = printable(found["reason"])[:_LONGEST]
        found |= {name: value for name, value in row.items() if name not in taken}
        key = (row["architecture"], row.get("budget"))
        if complete:
            found |= self._expected.get(row["architecture"], {})
        if complete and key in self._front:
            found["front"] = True
        return {str(name): value for name, value in found.items()}

    def _excesses(self, row: Mapping[str, Any]) -> list[float]:
        """The signed excess over each limit. A value that was not recorded belongs to a limit checked before the evaluation."""
        found = [(row.get(limit.objective, limit.bound), limit) for limit in self._table.limits]
        return [value - limit.bound if limit.upper else limit.bound - value for value, limit in found]


def _rows(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Each row as plain Python values, without its empty cells."""
    for row in table.to_dict("records"):
        plain = {str(k): v.item() if isinstance(v, np.generic) else v for k, v in row.items()}
        yield {k: v for k, v in plain.items() if v is not None and v is not pd.NA and v == v}


def _highest_budget(table: RunTable) -> float | None:
    """The highest budget with a result; None without budgets."""
    rows = pd.concat([one.reindex(columns=["status", "budget"]) for one in (table.imported, table.told)])
    budgets = rows.loc[rows["status"] == Status.OK.value, "budget"].dropna().astype(float)
    return float(budgets.max()) if len(budgets) else None


def _front_keys(table: RunTable) -> set[tuple[str, float | None]]:
    """Architecture and budget of the members of the front."""
    highest = _highest_budget(table)
    budgets: Sequence[float | None] = (
        [float(b) for b in table.front["budget"]] if "budget" in table.front else [highest] * len(table.front)
    )
    return set(zip(table.front["architecture"].tolist(), budgets, strict=True))


def _expected(table: RunTable) -> dict[str, dict[str, float]]:
    """The expected values of noisy objectives on the front, by architecture."""
    columns = [
        c
        for o in table.objectives
        for end in ("expected", "low", "high")
        if (c := f"{o.name}_{end}") in table.front
    ]
    rows = table.front[["architecture", *columns]].to_dict("records") if columns else []
    return {row["architecture"]: {name: float(row[name]) for name in columns} for row in rows}
