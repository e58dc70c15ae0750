"""Why a front is empty."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.core.objectives import Limit
from nas.core.records import FloatArray
from nas.runs.run_folder import RunTable


def why_empty(table: RunTable) -> str:
    """Sentences about an empty front.

    Where measured values meet the limits and expected values do not, the last sentence has the architecture whose expected values exceed them least.
    """
    if not table.limits:
        return "The front is empty: no candidate succeeded."
    names = [o.name for o in table.objectives]
    measured = table.told.reindex(columns=names).to_numpy(dtype=np.float64)
    ok = (table.told["status"] == "ok").to_numpy(dtype=bool)
    good = ok & np.isfinite(measured).all(axis=1) & table.compared[len(table.before) :]
    good[good] = _excess(table, measured[good]) == 0
    if table.expected is None or not good.any():
        return "The front is empty: no candidate succeeded within the limits."
    rows, within = table.told[good], measured[good]
    decisive = table.decisive(rows)
    nearest = int(np.argmin(_excess(table, decisive)))
    broken = [
        f"{limit.objective} {within[nearest, j]:.4g} measured, {decisive[nearest, j]:.4g} expected ({limit})"
        for limit in table.limits
        for j in [names.index(limit.objective)]
        if limit.excess(float(decisive[nearest, j])) > 0
    ]
    count = f"{len(rows)} network{' has' if len(rows) == 1 else 's have'}"
    return (
        f"The front is empty: no network is within the limits by its expected values, which decide for {' and '.join(table.expected.names)} "
        f"because a measurement varies. {count} measured values within them; the nearest is {rows['architecture'].iloc[nearest]}: {'; '.join(broken)}."
    )


def _excess(table: RunTable, values: FloatArray) -> FloatArray:
    """The total excess (n,) beyond the limits of values (n, m) in the objectives' own units."""
    limits: Sequence[Limit] = table.limits
    places = [[o.name for o in table.objectives].index(limit.objective) for limit in limits]
    return np.array(
        [sum(limit.excess(float(row[j])) for limit, j in zip(limits, places, strict=True)) for row in values],
        dtype=np.float64,
    )
