"""Expected values of noisy objectives, as a run's log stores them when the search ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nas.core.errors import HistoryError
from nas.core.objectives import Objective
from nas.core.records import FloatArray

META = "expected"  # key in the log's meta values
ENDS = ("expected", "low", "high")  # suffixes of the columns


@dataclass(frozen=True)
class ExpectedValues:
    """Of each architecture that may be on the front, by its text form: expected, low and high of each noisy objective.

    In the objectives' own units and directions. `results` is the number of told results that they follow from.
    """

    names: tuple[str, ...]
    values: Mapping[str, Sequence[float]]
    results: int

    def as_meta(self) -> dict[str, Any]:
        """Plain JSON for the log."""
        return {"names": list(self.names), "values": dict(self.values), "results": self.results}

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any], results: int) -> ExpectedValues | None:
        """Those in a log's meta values; None without any, or where results came later. Raises `HistoryError` if damaged."""
        found = meta.get(META)
        if not found:
            return None
        try:
            names, values = tuple(found["names"]), dict(found["values"])
            if any(len(row) != len(ENDS) * len(names) for row in values.values()):
                raise ValueError("a row of another length")
            return cls(names, values, int(found["results"])) if found["results"] == results else None
        except (KeyError, TypeError, ValueError) as error:
            raise HistoryError(f"the expected values in the log are damaged: {error}") from error

    @property
    def columns(self) -> list[str]:
        """The columns of front.csv: NAME_expected, NAME_low, NAME_high for each objective."""
        return [f"{name}_{end}" for name in self.names for end in ENDS]

    def added(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows of architectures with the columns."""
        cells = [self.values[text] for text in rows["architecture"]]
        return rows.assign(
            **dict(
                zip(self.columns, np.array(cells, dtype=float).reshape(-1, len(self.columns)).T, strict=True)
            )
        )

    def replaced(
        self, points: FloatArray, texts: Sequence[str | None], objectives: Sequence[Objective]
    ) -> FloatArray:
        """Minimised points (n, m) with the expected values; NaN for rows whose architecture has none."""
        found = points.copy()
        for i, text in enumerate(texts):
            row = None if text is None else self.values.get(text)
            for j, o in enumerate(objectives):
                if row is None:
                    found[i, j] = np.nan
                elif o.name in self.names:
                    found[i, j] = o.sign * row[len(ENDS) * self.names.index(o.name)]
        return found
