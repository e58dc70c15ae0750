"""A CSV file that a script continues: rows of networks that are there are not made again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from equal_cost import Variant


class Rows:
    """The rows of `file`, with columns budget, method and seed among `columns`."""

    def __init__(self, file: Path, columns: Sequence[str]) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file
        self.frame = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=list(columns))
        key = self.frame[["budget", "method", "seed"]]
        self._there = set(key.itertuples(index=False, name=None))

    def has(self, variant: Variant, seed: int) -> bool:
        """Whether the file had rows of this network with this seed."""
        return (variant.budget, variant.method, seed) in self._there

    def add(self, rows: pd.DataFrame) -> None:
        """Append rows to the file at once."""
        rows.to_csv(self._file, mode="a", header=not self._file.exists(), index=False, lineterminator="\n")
        self.frame = pd.concat([self.frame, rows]) if len(self.frame) else rows
