"""Fold results one by one into the front and its hypervolume, for the loop, its rules and the monitor.

`nas.runs.run_folder.run_table` does the same for a whole table at once.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

import numpy as np

from nas.core.objectives import Limit, Objective
from nas.core.problem import violation_of
from nas.core.records import FloatArray
from nas.pareto.archive import LatestFront
from nas.pareto.indicators import Box, hypervolume, reference_box
from nas.pareto.means import Means

T = TypeVar("T")


class Fold(Generic[T]):
    """The feasible front of results added one by one, and its hypervolume.

    An architecture measured repeatedly at one budget has the mean; of several budgets the latest counts. The first
    `initial` results span the box of the hypervolume.
    """

    def __init__(self, objectives: Sequence[Objective], limits: Sequence[Limit], initial: int = 2) -> None:
        self._objectives = tuple(objectives)
        self._limits = tuple(limits)
        self._initial = max(2, initial)
        self._means = Means()
        self._design: list[FloatArray] = []
        self._best_seen = np.full(len(self._objectives), np.inf)
        self._volume: float | None = None  # None when it must be measured
        self.front: LatestFront[T] = LatestFront(len(self._objectives))
        self.design_box: Box | None = None  # of the initial design, once complete

    def put(self, key: Hashable, budget: float | None, point: FloatArray, item: T) -> None:
        """Add a successful result: `key` names its architecture, `point` (m,) is minimised."""
        mean = self._means.add((key, budget), point)
        if self.design_box is None:
            self._design.append(mean)
            self._volume = None
            if len(self._design) == self._initial:
                self.design_box = reference_box(self._objectives, np.array(self._design))
        if (mean < self._best_seen).any():
            self._best_seen = np.minimum(self._best_seen, mean)
            self._volume = None
        feasible = not self._limits or violation_of(self._objectives, self._limits, mean) == 0
        if self.front.put(key, mean if feasible else None, item):
            self._volume = None

    @property
    def box(self) -> Box | None:
        """The current box of the hypervolume: its ideal is the best of all results so far; None without results."""
        if not self._design:
            return None
        return reference_box(self._objectives, np.array(self._design), self._best_seen)

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


def _size(box: Box) -> float:
    return float(np.prod(box.reference - box.ideal))
