"""Importance of a run's parameters for each measured objective."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nas.algorithms.importance import Importances, importances
from nas.core.errors import NasError
from nas.core.space import SearchSpace, parsed
from nas.core.tracebacks import summarize_exception
from nas.report.records import Importance
from nas.report.rows import numbers
from nas.runs.run_folder import RunTable

_PREDICTIONS = 6000  # over all objectives, about a second
_SHOWN = 20  # parameters on a page
_DIGITS = 4


@dataclass(frozen=True)
class Unknown:
    """An objective without importances, and the reason."""

    objective: str
    reason: str


def run_importances(table: RunTable, space: SearchSpace | None) -> list[Importances | Unknown]:
    """The importances of the parameters for each objective that is not exact, from the latest result of each architecture.

    Of several budgets the one with the most results counts. See `nas.algorithms.importance`. Results that break limits count; failures and results of an earlier run do not.
    """
    measured = [o for o in table.objectives if not o.cheap]
    if space is None:
        reason = "the space of this run is not loaded, because reading a run executes no user code"
        return [Unknown(o.name, reason) for o in measured]
    found: list[Importances | Unknown] = []
    rows = table.told[table.told["status"] == "ok"]
    if "budget" in rows and rows["budget"].nunique() > 1:
        rows = rows[rows["budget"] == rows["budget"].mode()[0]]
    rows = rows.drop_duplicates("architecture", keep="last")
    columns = rows.reindex(columns=[o.name for o in measured])  # none of them if everything failed
    for objective in measured:
        values = columns[objective.name].to_numpy(np.float64)
        kept = np.isfinite(values)
        try:
            read = [space.canonical(parsed(space, str(text))) for text in rows["architecture"][kept]]
            found.append(
                importances(
                    space, read, values[kept], objective, predictions=_PREDICTIONS // max(1, len(measured))
                )
            )
        except NasError as error:
            found.append(Unknown(objective.name, str(error)))
        except Exception as error:  # a user's space
            found.append(Unknown(objective.name, f"the space failed: {summarize_exception(error)}"))
    return found


def on_page(found: Importances | Unknown) -> Importance:
    """The description of one objective's importances for the page."""
    if isinstance(found, Unknown):
        return Importance(found.objective, reason=found.reason)
    shown = found.parameters[:_SHOWN]
    share, low, high = (
        numbers(np.array([getattr(one, end) for one in shown]), _DIGITS) for end in ("share", "low", "high")
    )
    return Importance(
        found.objective,
        [one.parameter for one in shown],
        share,
        low,
        high,
        left_out=len(found.parameters) - len(shown),
        results=found.results,
        model=found.model,
        explained=None if not np.isfinite(found.explained) else round(found.explained, _DIGITS),
    )
