"""A run's front ranked by a recorded number."""

from __future__ import annotations

import pandas as pd
from pandas.api.types import is_numeric_dtype

from nas.core.checks import did_you_mean
from nas.core.errors import ConfigError
from nas.runs.run_folder import RunTable

_NOT_VALUES = {"trial", "seed", "told", "told_seconds", "asked_at", "started", "finished", "measurements"}


def recorded_names(table: RunTable) -> list[str]:
    """The recorded numbers of a run's trials: first the objectives, then the others by name."""
    objectives = [o.name for o in table.objectives]
    others = {
        name
        for name in table.told.columns
        if name not in _NOT_VALUES and name not in objectives and is_numeric_dtype(table.told[name])
    }
    return objectives + sorted(others)


def front_by(table: RunTable, name: str, *, largest: bool | None = None) -> pd.DataFrame:
    """The front with the recorded value `name` as a column, ranked by it; architectures without it come last.

    The value comes from the architecture's latest successful trial. `largest` ranks the largest first; None: an objective by
    its direction, any other value smallest first. Raises `ConfigError` for a name without records.
    """
    names = recorded_names(table)
    if name not in names:
        raise ConfigError(
            f"--by {name!r}: this run did not record it{did_you_mean(name, names)}; it has: {', '.join(names)}"
        )
    front = table.front
    if name not in front.columns:
        told = table.told if not len(table.imported) else pd.concat([table.imported, table.told])
        latest = told[told["status"] == "ok"].drop_duplicates("architecture", keep="last")
        front = front.assign(**{name: front["architecture"].map(latest.set_index("architecture")[name])})
    if largest is None:
        largest = any(o.name == name and o.maximize for o in table.objectives)
    return front.sort_values(name, ascending=not largest, kind="stable", ignore_index=True)
