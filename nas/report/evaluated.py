"""The evaluations of a run with values, for its figures and its page."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nas.core.objectives import Objective
from nas.core.records import FloatArray
from nas.pareto.archive import non_dominated
from nas.runs.run_folder import RunTable

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)  # compared by identity: tables have no single answer to ==
class Evaluated:
    """The evaluations with values, in result order, those of an earlier run first.

    `frame` has their rows. `values` (n, m) are in the user's units and direction. `order` (n,) counts all evaluations
    from 1, failed ones included; 0 for those of an earlier run. The masks (n,) mark the rows that meet every limit, those on
    the run's front, and those whose architecture has no later result. `failed` (k,) is the order of evaluations without values.
    """

    objectives: tuple[Objective, ...]
    frame: pd.DataFrame
    values: FloatArray
    order: NDArray[np.int64]
    feasible: Mask
    front: Mask
    latest: Mask
    failed: NDArray[np.int64]

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
        usable = np.flatnonzero(self.feasible & self.latest)
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
    values = frame.reindex(columns=[o.name for o in table.objectives]).to_numpy(dtype=np.float64)
    latest = table.latest[skipped:]
    points = table.points if not imported else np.concatenate([table.before, table.points])
    feasible = np.isfinite(points).all(axis=1)
    shown = (frame["status"] == "ok").to_numpy(dtype=bool) & np.isfinite(values).all(axis=1)
    front = np.zeros(len(frame), dtype=bool)
    usable = np.flatnonzero(feasible & latest & shown)
    front[usable[non_dominated(points[usable])]] = True
    expected = any(f"{o.name}_expected" in table.front for o in table.objectives)
    if expected:
        front = shown & latest
    if imported or expected:
        front &= frame["architecture"].isin(table.front["architecture"]).to_numpy(dtype=bool)
    return Evaluated(
        table.objectives,
        frame[shown].reset_index(drop=True),
        values[shown],
        order[shown].astype(np.int64),
        feasible[shown],
        front[shown],
        latest[shown],
        order[ran & ~shown].astype(np.int64),
    )
