"""The results of a run's warm start, as its log stores them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from nas.core.records import RESERVED, Status

META = "warm_start"  # key in the log's meta values
_COLUMNS = ["architecture", "status", "seed", "budget", "origin"]


def imported_table(meta: Mapping[str, Any]) -> pd.DataFrame:
    """The results of a run's warm start, one row each, from its meta values; empty without one.

    Columns: architecture, status, one per reported value, seed, budget, origin.
    """
    rows = (meta.get(META) or {}).get("results", [])
    flat = [
        {
            **{k: v for k, v in row["values"].items() if k not in RESERVED},
            **{k: row[k] for k in row if k != "values"},
            "status": Status.OK.value,
        }
        for row in rows
    ]
    frame = pd.DataFrame(flat, columns=None if flat else _COLUMNS)
    return frame.assign(budget=pd.to_numeric(frame["budget"]))
