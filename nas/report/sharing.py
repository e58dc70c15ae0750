"""Networks that have an inherited error and that of an own training, for the figures and the page of a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nas.core.objectives import OBJECTIVES, Objective
from nas.core.records import FloatArray
from nas.report.records import Sharing, SharingStage
from nas.report.rows import numbers
from nas.runs.run_folder import RunTable
from nas.runs.sharing_quality import SharingQuality, decision, sharing_qualities

_DIGITS = 6
_SQUEEZED = 4.0  # of axes with a common range, an axis with a smaller share of it has its own
_MEASURES = {
    "tau": "tau of errors",
    "partial": "given the costs",
    "bias": "bias of errors (points)",
    "loss_tau": "tau of losses",
    "loss_partial": "given the costs",
}


@dataclass(frozen=True, eq=False)  # compared by identity: arrays have no single answer to ==
class OwnTrainings:
    """The latest own training of each of n networks, in result order.

    `inherited` and `own` (n,) are errors in percent, `cost` (n,) the values of the objective `of_cost`, or NaN without one. `decided` (n,)
    marks the networks by which the search decided whether to trust inherited errors.
    """

    architecture: list[str]
    inherited: FloatArray
    own: FloatArray
    cost: FloatArray
    of_cost: Objective | None
    decided: NDArray[np.bool_]


def own_trainings(table: RunTable) -> OwnTrainings:
    """The networks of a run with both errors; none in a run without inherited ones."""
    of_cost = _cost(table)
    columns = ["inherited_error", "error", "budget", "told", *([of_cost.name] if of_cost else [])]
    values = (
        table.told.reindex(columns=columns).apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    )
    both = np.isfinite(values[:, :2]).all(axis=1) & (values[:, 2] > 0)
    both &= ~table.told["architecture"].where(both).duplicated(keep="last").to_numpy(dtype=bool)
    found = values[both]
    decided = decision(sharing_qualities(table.notes))
    return OwnTrainings(
        table.told["architecture"][both].astype(str).tolist(),
        found[:, 0],
        found[:, 1],
        found[:, 4] if of_cost else np.full(len(found), np.nan),
        of_cost,
        found[:, 3] <= (-1 if decided is None else decided.told),
    )


def _cost(table: RunTable) -> Objective | None:
    """Multiply-adds if the history has them, else the first exact objective."""
    exact = {o.name: o for o in table.objectives if o.cheap}
    if "madds" in table.told:
        return exact.get("madds", OBJECTIVES["madds"])
    return next(iter(exact.values()), None)


def ranges(x: FloatArray, y: FloatArray) -> tuple[tuple[float, float], tuple[float, float]]:
    """Ranges of two axes for values (n,) of one unit: a common one, unless that would squeeze one of them."""
    each = [(float(v.min()), float(v.max())) for v in (x, y)]
    low, high = min(e[0] for e in each), max(e[1] for e in each)
    if high - low <= _SQUEEZED * min(e[1] - e[0] for e in each):
        each = [(low, high), (low, high)]
    first, second = ((a - 0.05 * (b - a or 1.0), b + 0.05 * (b - a or 1.0)) for a, b in each)
    return first, second


def on_page(table: RunTable) -> Sharing | None:
    """The section of the page; None for a run without notes on inherited errors."""
    found = sharing_qualities(table.notes)
    if not found:
        return None
    decided, trained = decision(found), own_trainings(table)
    stages = [_stage("all own trainings", found[-1])]
    if decided is not None and decided is not found[-1]:
        stages.insert(0, _stage("at the decision", decided))
    return Sharing(
        text="" if decided is None else decided.text,
        trusted=found[-1].trusted,
        measures=list(_MEASURES.values()),
        stages=stages,
        architecture=trained.architecture,
        inherited=numbers(trained.inherited, _DIGITS),
        own=numbers(trained.own, _DIGITS),
        cost=numbers(trained.cost, _DIGITS),
        of_cost="" if trained.of_cost is None else trained.of_cost.name,
        unit="" if trained.of_cost is None else trained.of_cost.unit,
        decided=np.flatnonzero(trained.decided).tolist(),
    )


def _stage(name: str, quality: SharingQuality) -> SharingStage:
    parts = [getattr(quality, name) for name in _MEASURES]
    value, low, high = (
        numbers([getattr(part, end) for part in parts], _DIGITS) for end in ("value", "low", "high")
    )
    return SharingStage(name, quality.networks, value, low, high)
