"""Pareto local search: explore the neighbours of the non-dominated architectures.

Paquete, Chiarandini and Stützle, "Pareto local optimum sets in the biobjective traveling salesman problem", 2004,
section 3; for architectures (one objective) White, Nolen and Savani, UAI 2021, and Ottelander et al., EMO 2021. As in
Dubois-Lacoste, López-Ibáñez and Stützle, "Anytime Pareto local search", EJOR 243(2), 2015, a neighbourhood may be left
before its end, and members are chosen where the front can grow, here by random Chebyshev weights.
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
from nas.pareto.decomposition import random_chebyshev


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
    """Asks for one neighbour of a member of the archive, and chooses a member again for the next.

    The member has the smallest augmented Chebyshev value for random weights, of those with neighbours left. The
    neighbourhood is every change of a single gene, in random order (one step of an ordered parameter, in a declared
    space). In a space that defines its variation and no neighbours it is a number of mutants instead, since most changes
    of one gene are invalid there. When every member is explored, it restarts at random. Until a candidate is feasible,
    the one with the smallest violation is explored.
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
        self._neighbours: dict[Architecture, Iterator[Architecture]] = {}  # those left of members begun
        self._explored: set[Architecture] = set()
        self._asked = 0

    @property
    def initial(self) -> int:
        """The random starts."""
        return self._settings.starts

    def ask(self, n: int) -> list[Architecture]:
        """Unseen neighbours of members of the archive; random architectures first, and when none is left."""
        asked: list[Architecture] = []
        while len(asked) < n and (found := self._propose()) is not None:
            self._asked += 1
            asked.append(found)
        return asked

    def _propose(self) -> Architecture | None:
        self._candidates.begin()
        if self._asked < self._settings.starts:
            return self._candidates.random()
        while (member := self._member()) is not None:
            if member not in self._neighbours:
                self._neighbours[member] = self._around(member)
            for neighbour in self._neighbours[member]:
                found = self._candidates.accept(neighbour)
                if found is not None:
                    return found
            self._explored.add(member)
        return self._candidates.random()

    def _member(self) -> Architecture | None:
        """The member to explore, for new random weights; None when all are explored."""
        members: Sequence[Architecture] = self._archive.items
        points = self._archive.points
        if not members and self._nearest is not None:
            members, points = [self._nearest.architecture], self._nearest.objectives[None]
        left = [i for i, a in enumerate(members) if a not in self._explored]
        if not left:
            return None
        return members[left[int(np.argmin(random_chebyshev(points[left], points, self._rng)))]]

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
        """Add successes to the archive; forget the neighbours of members that it drops."""
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
            members = self._archive.items
            self._neighbours = {a: self._neighbours[a] for a in members if a in self._neighbours}

    def _is_nearer(self, seen: Observation) -> bool:
        return self._nearest is None or seen.violation < self._nearest.violation
