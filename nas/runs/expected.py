"""Expected values of noisy objectives, as a run's log stores them while the search runs and when it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nas.core.errors import HistoryError
from nas.core.objectives import Objective
from nas.core.records import FloatArray

META = "expected"  # key in the log's meta values
FRONTS = (
    "expected_fronts"  # another: of each estimate the number of told results, and the trials on the front
)
ENDS = ("expected", "low", "high")  # suffixes of the columns


@dataclass(frozen=True)
class ExpectedValues:
    """Of each architecture that may be on the front, by its text form: expected, low and high of each noisy objective.

    In the objectives' own units and directions. They follow from the first `results` told results: in a search that runs or was
    killed, the last few may be missing. All are of one `budget` (0: the evaluator's default; None: not recorded).
    """

    names: tuple[str, ...]
    values: Mapping[str, Sequence[float]]
    results: int
    budget: float | None = None

    def as_meta(self) -> dict[str, Any]:
        """Plain JSON for the log."""
        plain: dict[str, Any] = {"names": list(self.names), "values": dict(self.values)}
        return plain | {"results": self.results, "budget": self.budget}

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any], results: int) -> ExpectedValues | None:
        """Those in a log's meta values; None without any, or if they follow from more than the log's `results`.

        Raises `HistoryError` if damaged.
        """
        found = meta.get(META)
        if not found:
            return None
        try:
            names, values = tuple(found["names"]), dict(found["values"])
            if any(len(row) != len(ENDS) * len(names) for row in values.values()):
                raise ValueError("a row of another length")
            if found["results"] > results:
                return None
            return cls(names, values, int(found["results"]), found.get("budget"))
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

    def has(self, texts: Sequence[str | None], budgets: Sequence[float | None]) -> NDArray[np.bool_]:
        """Which rows (n,) have an expected value: of an architecture that has one, at its budget."""
        at = (self.budget is None or (budget or 0.0) == self.budget for budget in budgets)
        pairs = zip(texts, at, strict=True)
        return np.array([text in self.values and same for text, same in pairs], dtype=bool)

    def replaced(
        self,
        points: FloatArray,
        texts: Sequence[str | None],
        objectives: Sequence[Objective],
        end: str = ENDS[0],
    ) -> FloatArray:
        """Minimised points (n, m) with one of the `ENDS` of noisy objectives; NaN for rows whose architecture has none."""
        found, place = points.copy(), ENDS.index(end)
        known = {name: len(ENDS) * i + place for i, name in enumerate(self.names)}
        noisy = [(j, o.sign, known[o.name]) for j, o in enumerate(objectives) if o.name in known]
        for i, text in enumerate(texts):
            row = self.values.get(text) if text is not None else None
            if row is None:
                found[i] = np.nan
                continue
            for j, sign, at in noisy:
                found[i, j] = sign * row[at]
        return found
