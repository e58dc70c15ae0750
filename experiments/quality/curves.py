"""The cache: one row a run in a CSV file, so that only what changed has to be run again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nas.core.records import FloatArray

KEY = ["table", "method", "seed"]
CHECKPOINTS = (25, 50, 75, 100, 150, 200, 300, 400, 600, 1000)
TARGETS = (90, 95, 98, 99)  # percent of the true front's hypervolume
AT = [f"at_{n}" for n in CHECKPOINTS]
TO = [f"to_{percent}" for percent in TARGETS]


def row(curve: FloatArray, budget: int) -> dict[str, float]:
    """What is kept of a run: quality (n,) at the checkpoints, evaluations to the targets (missing: never).

    A run that got stuck before its budget keeps the quality it had; checkpoints beyond the budget are missing.
    """
    kept: dict[str, float] = {"budget": budget, "unique": len(curve)}
    for name, n in zip(AT, CHECKPOINTS, strict=True):
        kept[name] = round(float(curve[min(n, len(curve)) - 1]), 5) if n <= budget else np.nan
    for name, percent in zip(TO, TARGETS, strict=True):
        reached = curve >= percent / 100.0
        kept[name] = int(np.argmax(reached)) + 1 if reached.any() else np.nan
    return kept


def read(file: Path) -> pd.DataFrame:
    """The cached rows; none when there is no file."""
    return pd.read_csv(file) if file.exists() else pd.DataFrame(columns=KEY)


def merge(file: Path, fresh: pd.DataFrame, order: list[str]) -> pd.DataFrame:
    """Put new rows in the place of old ones of the same table, method and seed, and write the file."""
    frame = pd.concat([read(file), fresh]).drop_duplicates(KEY, keep="last")
    place = {name: i for i, name in enumerate(order)}
    frame = frame.sort_values(
        KEY, key=lambda column: column.map(place) if column.name == "method" else column
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    whole = {name: "Int64" for name in ("seed", "budget", "unique", *TO) if name in frame}
    draft = file.with_suffix(".tmp")
    frame.astype(whole).to_csv(draft, index=False)
    draft.replace(file)  # at once: a run that is cut short must not take the rows of others with it
    return read(file)
