"""Generations without a barrier, shared by NSGA-II and NSGA-III: no worker waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nas.algorithms._pymoo_survival import Survivors
from nas.algorithms.candidates import Candidates
from nas.core.algorithm import Algorithm
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Observation

Survive = Callable[[FloatArray, int, np.random.Generator], Survivors]


class Generations(Algorithm):
    """A population that breeds at any time and selects survivors after every `size` successful results.

    Parents win binary tournaments: by violation, then by `keys` of the survivors. The first population is drawn at
    random. Failed candidates do not count towards a generation.
    """

    @classmethod
    def default_settings(cls, n_objectives: int, evaluations: int | None) -> Any:
        """About 20 generations, of 10 to 100 members."""
        return cls.Settings() if evaluations is None else cls.Settings(min(100, max(10, evaluations // 20)))

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        size: int,
        crossover: float,
        survive: Survive,
        keys: Callable[[Survivors], tuple[np.ndarray, ...]],
    ) -> None:
        self._rng = rng
        self._size = size
        self._crossover = crossover
        self._survive = survive
        self._keys = keys
        self._candidates = Candidates(problem, rng)
        self._members: list[Observation] = []
        self._fitness: list[tuple[float, ...]] = []  # of each member, smaller is better
        self._newcomers: list[Observation] = []

    @property
    def initial(self) -> int:
        """A population of random architectures."""
        return self._size

    def ask(self, n: int) -> list[Architecture]:
        """Children of tournament winners; random architectures until the first population is complete."""
        asked: list[Architecture] = []
        while len(asked) < n and (child := self._propose()) is not None:
            asked.append(child)
        return asked

    def _propose(self) -> Architecture | None:
        if not self._members:
            return self._candidates.random()
        first = self._parent()
        if self._rng.random() < self._crossover:
            second = self._parent()
            if second != first:
                return self._candidates.offspring(first, second)
        return self._candidates.mutant(first)

    def _parent(self) -> Architecture:
        """The winner of a binary tournament; of equals either."""
        one = int(self._rng.random() * len(self._members))
        other = int(self._rng.random() * len(self._members))
        winner = other if self._fitness[other] < self._fitness[one] else one
        return self._members[winner].architecture

    def tell(self, observations: Sequence[Observation]) -> None:
        """Collect successes; after `size` of them select the survivors of population and newcomers."""
        for seen in observations:
            self._candidates.seen.add(seen.architecture)
            if not seen.ok:
                continue
            self._newcomers.append(seen)
            if len(self._newcomers) == self._size:
                self._select(self._members + self._newcomers)
                self._newcomers = []

    def _select(self, crowd: list[Observation]) -> None:
        """Select feasible members by the survival operator; fill up with infeasible ones by violation."""
        feasible = [s for s in crowd if s.violation == 0]
        broken = sorted((s for s in crowd if s.violation > 0), key=lambda s: s.violation)
        self._members, self._fitness = [], []
        if feasible:
            survivors = self._survive(np.array([s.objectives for s in feasible]), self._size, self._rng)
            self._members = [feasible[i] for i in survivors.indices.tolist()]
            columns = [column.tolist() for column in self._keys(survivors)]
            self._fitness = [(0.0, *key) for key in zip(*columns, strict=True)]
        for seen in broken[: self._size - len(self._members)]:
            self._members.append(seen)
            self._fitness.append((seen.violation,))
