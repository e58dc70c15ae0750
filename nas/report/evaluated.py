"""The evaluations of a run with values, for its figures and its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nas.core.objectives import Objective
from nas.core.records import FloatArray
from nas.pareto.archive import non_dominated
from nas.runs.expected import ENDS
from nas.runs.run_folder import RunTable

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)  # compared by identity: tables have no single answer to ==
class Evaluated:
    """The evaluations with values, in result order, those of an earlier run first.

    `frame` has their rows. `values` (n, m) are in the user's units and direction: the expected value of a noisy objective, with
    `low` to `high` (n, m) its 90% interval and `measured` (n, m) the measurement; of an exact one as measured, where `low` and `high` are NaN. `order` (n,) counts all evaluations
    from 1, failed ones included; 0 for those of an earlier run. The masks (n,) mark the rows that meet every limit, those on
    the run's front, those whose architecture has no later result, and those that are `compared`: without an expected value a
    row is not. `failed` (k,) is the order of evaluations without values.
    """

    objectives: tuple[Objective, ...]
    frame: pd.DataFrame
    values: FloatArray
    order: NDArray[np.int64]
    feasible: Mask
    front: Mask
    latest: Mask
    compared: Mask
    failed: NDArray[np.int64]
    measured: FloatArray
    low: FloatArray
    high: FloatArray

    @property
    def noisy(self) -> list[int]:
        """The objectives with expected values."""
        return np.flatnonzero(np.isfinite(self.low).any(axis=0)).tolist()

    @property
    def note(self) -> str:
        """What the values of noisy objectives are, in one sentence; "" without any."""
        names = " and ".join(self.objectives[k].name for k in self.noisy)
        return (
            f"{names}: expected values; bars: 90% interval of a further measurement; crosses: as measured"
            if names
            else ""
        )

    def in_view(self, k: int) -> tuple[FloatArray, Mask]:
        """The values of objective k to choose an axis for, and those that must be on it: with the front's measured ones."""
        if k not in self.noisy:
            return self.values[:, k], self.front
        further = self.measured[self.front, k]
        return np.concatenate([self.values[:, k], further]), np.concatenate(
            [self.front, np.ones(len(further), dtype=bool)]
        )

    def only(self, columns: Sequence[int]) -> Evaluated:
        """The same evaluations with these objectives alone."""
        at = list(columns)
        kept = {name: getattr(self, name)[:, at] for name in ("values", "measured", "low", "high")}
        return replace(self, objectives=tuple(self.objectives[k] for k in at), **kept)

    @property
    def seconds(self) -> FloatArray:
        """Time of each result, in seconds of the search, shape (n,)."""
        return self.frame["told_seconds"].to_numpy(dtype=np.float64)

    @property
    def signs(self) -> FloatArray:
        """The factor that minimises each objective, shape (m,)."""
        return np.array([o.sign for o in self.objectives])

    @property
    def total(self) -> int:
        """Evaluations made, failed ones included; those that broke a limit before training do not count."""
        return int((self.order > 0).sum()) + len(self.failed)

    @property
    def counts(self) -> str:
        """All counts in one line."""
        outside = int((~self.feasible).sum())
        parts = [f"{self.total:,} evaluation{'' if self.total == 1 else 's'}"]
        parts += [f"{int(self.front.sum()):,} on the front"] if len(self.objectives) > 1 else []
        parts += [f"{len(self.failed):,} failed"] if len(self.failed) else []
        parts += [f"{outside:,} outside the limits"] if outside else []
        return " · ".join(parts)

    def best(self, columns: list[int]) -> NDArray[np.int64]:
        """Rows that are feasible and non-dominated in these objectives alone, ascending."""
        usable = np.flatnonzero(self.feasible & self.latest & self.compared)
        points = (self.values * self.signs)[usable][:, columns]
        return np.asarray(usable[non_dominated(points)], dtype=np.int64)


@lru_cache(maxsize=2)  # all figures of a run are drawn one after another
def evaluated(table: RunTable, *, imported: bool = False) -> Evaluated:
    """The evaluations of a run; with `imported` also the results of a warm start."""
    early = len(table.imported) if imported else 0
    frame = table.told if not early else pd.concat([table.imported, table.told], ignore_index=True)
    skipped = 0 if imported else len(table.before)
    ran = (frame["status"] != "invalid").to_numpy(dtype=bool) & (np.arange(len(frame)) >= early)
    order = np.where(ran, np.cumsum(ran), 0)
    measured = frame.reindex(columns=[o.name for o in table.objectives]).to_numpy(dtype=np.float64)
    values, low, high = (table.decisive(frame, end) for end in ENDS)
    exact = low == high  # or without an expected value
    latest, compared = table.latest[skipped:], table.compared[skipped:]
    points = table.points if not imported else np.concatenate([table.before, table.points])
    feasible = np.isfinite(points).all(axis=1)
    shown = (frame["status"] == "ok").to_numpy(dtype=bool) & np.isfinite(measured).all(axis=1)
    front = np.zeros(len(frame), dtype=bool)
    usable = np.flatnonzero(feasible & latest & compared & shown)
    front[usable[non_dominated(points[usable])]] = True
    if table.expected is not None:
        front = shown & latest & compared
    if imported or table.expected is not None:
        front &= frame["architecture"].isin(table.front["architecture"]).to_numpy(dtype=bool)
    return Evaluated(
        table.objectives,
        frame[shown].reset_index(drop=True),
        values[shown],
        order[shown].astype(np.int64),
        feasible[shown],
        front[shown],
        latest[shown],
        compared[shown],
        order[ran & ~shown].astype(np.int64),
        measured[shown],
        np.where(exact, np.nan, low)[shown],
        np.where(exact, np.nan, high)[shown],
    )
