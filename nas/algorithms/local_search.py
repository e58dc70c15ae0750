"""Pareto local search: explore all neighbours of the non-dominated architectures.

Paquete, Chiarandini and Stützle, "Pareto local optimum sets in the biobjective traveling salesman problem", 2004,
section 3; for architectures (one objective) White, Nolen and Savani, UAI 2021, and Ottelander et al., EMO 2021.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nas.algorithms.candidates import Candidates
from nas.core.algorithm import Algorithm
from nas.core.checks import check_positive
from nas.core.problem import Problem
from nas.core.records import Architecture, Observation
from nas.core.space import HasNeighbours, HasVariation
from nas.pareto.archive import ParetoArchive


@dataclass(frozen=True)
class LocalSearchSettings:
    """Parameters of Pareto local search.

    starts: random architectures to begin with. mutants: in a space that defines its variation, mutants drawn of a
    member before it counts as explored; None: as many as it has one-gene neighbours.
    """

    starts: int = 10
    mutants: int | None = None

    def __post_init__(self) -> None:
        check_positive("starts", self.starts)
        if self.mutants is not None:
            check_positive("mutants", self.mutants)


class LocalSearch(Algorithm):
    """Explores one random member of the archive after the other; leaves it when it is dominated.

    The neighbourhood is every change of a single gene, in random order (one step of an ordered parameter, in a declared
    space). In a space that defines its variation and no neighbours it is a number of mutants instead, since most changes of one gene are invalid there. When every member is
    explored, it restarts at random. Until a candidate is feasible, the one with the smallest violation is explored.
    """

    Settings = LocalSearchSettings

    def __init__(
        self, problem: Problem, rng: np.random.Generator, settings: LocalSearchSettings | None = None
    ):
        self._settings = settings or self.Settings()
        self._rng = rng
        self._space = problem.space
        self._candidates = Candidates(problem, rng)
        self._archive: ParetoArchive[Architecture] = ParetoArchive(problem.n_objectives)
        self._nearest: Observation | None = None  # the smallest violation, while all are infeasible
        self._explored: set[Architecture] = set()
        self._open: list[Architecture] = []  # members not yet explored
        self._current: Architecture | None = None
        self._neighbours: Iterator[Architecture] = iter(())
        self._asked = 0

    @property
    def initial(self) -> int:
        """The random starts."""
        return self._settings.starts

    def ask(self, n: int) -> list[Architecture]:
        """The next new neighbours; random architectures at first and when all members are explored."""
        asked: list[Architecture] = []
        while len(asked) < n and (found := self._propose()) is not None:
            self._asked += 1
            asked.append(found)
        return asked

    def _propose(self) -> Architecture | None:
        self._candidates.begin()
        if self._asked < self._settings.starts:
            return self._candidates.random()
        while self._current is not None or self._open:
            if self._current is None:
                self._current = self._open.pop(int(self._rng.random() * len(self._open)))
                self._neighbours = self._around(self._current)
            for neighbour in self._neighbours:
                found = self._candidates.accept(neighbour)
                if found is not None:
                    return found
            self._explored.add(self._current)
            self._current = None
        return self._candidates.random()

    def _around(self, centre: Architecture) -> Iterator[Architecture]:
        if isinstance(self._space, HasNeighbours):
            yield from self._space.neighbours(centre, self._rng)
            return
        cardinalities = self._space.cardinalities
        steps = [(i, by) for i, c in enumerate(cardinalities) for by in range(1, c)]
        if isinstance(self._space, HasVariation):
            for _ in range(self._settings.mutants or len(steps)):
                yield self._space.mutate(centre, self._rng)
            return
        for step in self._rng.permutation(len(steps)).tolist():
            i, by = steps[step]
            genes = list(centre.genes)
            genes[i] = (genes[i] + by) % cardinalities[i]
            yield Architecture(centre.space, tuple(genes))

    def tell(self, observations: Sequence[Observation]) -> None:
        """Add successes to the archive; stop exploring members that it drops."""
        changed = False
        for seen in observations:
            if seen.architecture not in self._candidates.seen:  # known from elsewhere: as good as a start
                self._asked += 1
            self._candidates.seen.add(seen.architecture)
            if not seen.ok:
                continue
            if seen.violation == 0:
                changed |= self._archive.add(seen.objectives, seen.architecture)
            elif len(self._archive) == 0 and self._is_nearer(seen):
                self._nearest, changed = seen, True
        if changed:
            self._refresh()

    def _is_nearer(self, seen: Observation) -> bool:
        return self._nearest is None or seen.violation < self._nearest.violation

    def _refresh(self) -> None:
        members = list(self._archive.items)
        if not members and self._nearest is not None:
            members = [self._nearest.architecture]
        if self._current not in members:
            self._current = None
        self._open = [a for a in members if a not in self._explored and a != self._current]
