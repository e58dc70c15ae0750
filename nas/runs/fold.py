"""Fold results one by one into the front and its hypervolume, for the loop, its rules, the monitor and the run's table."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from nas.core.objectives import Limit, Objective
from nas.core.problem import violation_of
from nas.core.records import FloatArray
from nas.pareto.archive import LatestFront, dominated
from nas.pareto.indicators import Box, hypervolume, places, reference_box
from nas.pareto.means import Means

T = TypeVar("T")
_TOGETHER = 256  # points to compare with a front at a time
NOTHING = -1.0  # budget of a front without a result


class Put(NamedTuple):
    """The effect of a result: its architecture's mean (m,) of its `measurements` at the budget, and on the front."""

    mean: FloatArray
    measurements: int
    feasible: bool
    changed: bool  # the front


class Fold(Generic[T]):
    """The feasible front of results added one by one, and its hypervolume.

    An architecture measured repeatedly at one budget has the mean. Of several budgets the front has results of one alone: `budget`,
    the highest with a feasible result (0 for the evaluator's default, `NOTHING` before any). The first `initial` results span the box of the
    hypervolume.
    """

    def __init__(self, objectives: Sequence[Objective], limits: Sequence[Limit], initial: int = 2) -> None:
        self._objectives = tuple(objectives)
        self._limits = tuple(limits)
        self._initial = max(2, initial)
        self._means = Means()
        self._design: list[FloatArray] = []
        self.best_seen = np.full(len(self._objectives), np.inf)
        self._volume: float | None = None  # None when it must be measured
        self.budget = NOTHING
        self.front: LatestFront[T] = LatestFront(len(self._objectives))
        self.design_box: Box | None = None  # of the initial design, once complete

    def put(
        self, key: Hashable, budget: float | None, point: FloatArray, item: T, *, beaten: bool = False
    ) -> Put:
        """Add a successful result: `key` names its architecture, `point` (m,) is minimised.

        `beaten`: it can never be on the front; nothing is compared.
        """
        mean = self._means.add((key, budget), point)
        if self.design_box is None:
            self._design.append(mean)
            self._volume = None
            if len(self._design) == self._initial:
                self.design_box = reference_box(self._objectives, np.array(self._design))
        if (mean < self.best_seen).any():
            self.best_seen = np.minimum(self.best_seen, mean)
            self._volume = None
        feasible = not self._limits or violation_of(self._objectives, self._limits, mean) == 0
        at = budget or 0.0
        if feasible and at > self.budget:
            self.budget, self.front = at, LatestFront(len(self._objectives))
        changed = not beaten and at == self.budget and self.front.put(key, mean if feasible else None, item)
        if changed:
            self._volume = None
        return Put(mean, self._means.count((key, budget)), feasible, changed)

    @property
    def box(self) -> Box | None:
        """The current box of the hypervolume: its ideal is the best of all results so far; None without results."""
        if not self._design:
            return None
        return reference_box(self._objectives, np.array(self._design), self.best_seen)

    @property
    def hypervolume(self) -> float:
        """The front's share of the box."""
        if self._volume is None:
            box = self.box
            self._volume = 0.0 if box is None else hypervolume(self.front.points, box)
        return self._volume

    @property
    def volume(self) -> float:
        """The hypervolume in units of the design's fixed box: it grows with the front, also beyond 1."""
        if self.design_box is None:
            return self.hypervolume
        now = self.box
        assert now is not None
        return self.hypervolume * _size(now) / _size(self.design_box)


class FoldedRows(NamedTuple):
    """The n rows of a table after folding: those of failures are NaN, 0 and false.

    `fronts` has each front and the row after which it was there, where it changed between two of the wanted places.
    """

    means: FloatArray  # (n, m)
    measurements: NDArray[np.int64]  # (n,)
    feasible: NDArray[np.bool_]  # (n,)
    fronts: list[tuple[int, list[int]]]


def fold_rows(
    fold: Fold[int],
    keys: Sequence[Hashable | None],
    budgets: Sequence[float | None],
    points: FloatArray,
    steps: int,
) -> FoldedRows:
    """Add the rows of a table to an empty fold, each as its number; the key of a failure is None."""
    n = len(keys)
    rows = FoldedRows(np.full_like(points, np.nan), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=bool), [])
    due, changed = set(places(n, steps).tolist()), False
    given = [key for key in keys if key is not None]
    once = len(set(given)) == len(given) and len(set(budgets)) < 2  # then a dominated point stays so
    beaten: set[int] = set()
    for i, key in enumerate(keys):
        if once and i % _TOGETHER == 0:
            beaten = {i + j for j in dominated(points[i : i + _TOGETHER], fold.front.points)}
        if key is not None:
            put = fold.put(key, budgets[i], points[i], i, beaten=i in beaten)
            rows.means[i], rows.measurements[i], rows.feasible[i] = put.mean, put.measurements, put.feasible
            changed = changed or put.changed
        if changed and i in due:
            rows.fronts.append((i, list(fold.front.items)))
            changed = False
    return rows


def _size(box: Box) -> float:
    return float(np.prod(box.reference - box.ideal))
