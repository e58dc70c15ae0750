"""A custom algorithm: mutate a member of the front, preferably a less crowded one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import nas
from nas.algorithms.candidates import Candidates
from nas.pareto.archive import ParetoArchive


@dataclass(frozen=True)
class FrontMutationSettings:
    """`starts`: random initial architectures; `spread`: probability of breeding from the least crowded member."""

    starts: int = 10
    spread: float = 0.5


class FrontMutation(nas.Algorithm):
    """Asks for mutants of the front, often of the member furthest from the others."""

    Settings = FrontMutationSettings

    def __init__(self, problem: nas.Problem, rng: np.random.Generator, settings: Any = None) -> None:
        self._settings = settings or self.Settings()
        self._rng = rng  # the only source of randomness: a resumed search repeats its asks
        self._candidates = Candidates(problem, rng)  # valid, within the constraints, without repeats
        self._front: ParetoArchive[nas.Architecture] = ParetoArchive(problem.n_objectives)
        self._asked = 0

    @property
    def initial(self) -> int:
        """Number of random evaluations; a smaller budget is an error."""
        return self._settings.starts

    def ask(self, n: int) -> list[nas.Architecture]:
        """At most n new architectures; fewer when the space is exhausted."""
        found: list[nas.Architecture] = []
        while len(found) < n and (child := self._propose()) is not None:
            self._asked += 1
            found.append(child)
        return found

    def tell(self, observations: Sequence[nas.Observation]) -> None:
        """Results in any order; failed and infeasible ones are ignored here."""
        for seen in observations:
            if seen.ok and seen.violation == 0:
                self._front.add(seen.objectives, seen.architecture)

    def _propose(self) -> nas.Architecture | None:
        if self._asked < self._settings.starts or not len(self._front):
            return self._candidates.random()
        emptiest = self._rng.random() < self._settings.spread
        parent = self._loneliest() if emptiest else int(self._rng.integers(len(self._front)))
        return self._candidates.mutant(self._front.items[parent])

    def _loneliest(self) -> int:
        points = self._front.points
        scaled = points / np.maximum(np.ptp(points, axis=0), 1e-12)
        distances = np.linalg.norm(scaled[:, None] - scaled[None, :], axis=2)
        np.fill_diagonal(distances, np.inf)
        return int(distances.min(axis=1).argmax()) if len(points) > 1 else 0


if __name__ == "__main__":
    from made_up import MadeUp, evaluate

    from nas.testing import check_algorithm

    check_algorithm(FrontMutation)
    found = nas.search(MadeUp(), ["error", "madds"], evaluate, algorithm=FrontMutation, budget=100, seed=1)
    print(found.front.to_string(index=False))
