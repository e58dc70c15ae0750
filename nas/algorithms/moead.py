"""MOEA/D with penalty-based boundary intersection, steady state and asynchronous.

Zhang and Li, "MOEA/D: a multiobjective evolutionary algorithm based on decomposition", IEEE TEVC 11(6), 2007
(the algorithm; PBI in section III.C); Li and Zhang, IEEE TEVC 13(2), 2009 (occasional mating from the whole
population, at most n_r replacements). Here any free worker gets the next sub-problem, a result updates its
neighbourhood whenever it arrives, objectives are normalised by the ideal and nadir of the archive, parents come
from the archive, and limits come before objectives (feasible first, then the smaller violation).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas.algorithms.candidates import Candidates
from nas.core.algorithm import Algorithm
from nas.core.checks import check_fraction, check_known, check_not_negative, check_positive
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Observation
from nas.pareto.archive import ParetoArchive
from nas.pareto.decomposition import DECOMPOSITIONS
from nas.pareto.directions import DIRECTIONS

_CHILDREN = (
    0.5  # children after which a parent counts as tried, for each architecture that differs in one gene
)


@dataclass(frozen=True)
class MOEADSettings:
    """Parameters of MOEA/D.

    population: most sub-problems; the reference directions give the nearest number not above it.
    neighbours: size T of a sub-problem's neighbourhood. theta: weight of the distance from the direction.
    mate_nearby: probability that mates and replacements come from the neighbourhood, else from everywhere.
    archive_parents: probability that the first parent is a member of the archive, else the sub-problem's own.
    guided: probability that a parent from the archive is its best along the direction, of those with few children so far,
    else a random one.
    crossover: probability of crossover before mutation, else mutation alone.
    replacements: most members (n_r) that one newcomer may replace.
    directions: "das-dennis" (a regular grid) or "riesz" (any number, evenly spread).
    decomposition: "pbi" (a weighted sum with `theta` 0) or "chebyshev", which has no `theta`.
    """

    population: int = 45
    neighbours: int = 10
    theta: float = 0.1
    mate_nearby: float = 0.9
    archive_parents: float = 1.0
    guided: float = 1.0
    crossover: float = 0.3
    replacements: int = 2
    directions: str = "das-dennis"
    decomposition: str = "pbi"

    def __post_init__(self) -> None:
        check_positive("population", self.population)
        check_positive("neighbours", self.neighbours)
        check_not_negative("theta", self.theta)
        check_fraction("mate_nearby", self.mate_nearby)
        check_fraction("archive_parents", self.archive_parents)
        check_fraction("guided", self.guided)
        check_fraction("crossover", self.crossover)
        check_positive("replacements", self.replacements)
        check_known("directions", self.directions, DIRECTIONS)
        check_known("decomposition", self.decomposition, DECOMPOSITIONS)


class MOEAD(Algorithm):
    """Asynchronous steady-state MOEA/D-PBI over any space; see the module docstring."""

    Settings = MOEADSettings

    @classmethod
    def default_settings(cls, n_objectives: int, evaluations: int | None) -> MOEADSettings:
        """A population in proportion: about 25 evaluations per sub-problem, from 10 sub-problems to 91."""
        if evaluations is None:
            return cls.Settings()
        return cls.Settings(population=max(n_objectives, min(91, max(10, evaluations // 25))))

    def __init__(self, problem: Problem, rng: np.random.Generator, settings: MOEADSettings | None = None):
        settings = settings or MOEADSettings()
        m = problem.n_objectives
        self._settings = settings
        self._rng = rng
        self._candidates = Candidates(problem, rng)
        weights = DIRECTIONS[settings.directions](m, settings.population)
        n = len(weights)
        self._directions = weights / np.linalg.norm(weights, axis=1, keepdims=True)
        self._everywhere = np.arange(n)
        self._neighbours = neighbourhoods(weights, settings.neighbours)
        self._members: list[Architecture | None] = [None] * n
        self._points = np.full((n, m), np.inf)
        self._violations = np.full(n, np.inf)
        self._values = np.full(
            n, np.inf
        )  # each member's value along its direction under the present normalisation
        self._archive: ParetoArchive[Architecture] = ParetoArchive(m)
        self._ideal = np.zeros(m)
        self._scale = np.ones(m)
        self._scopes: dict[Architecture, np.ndarray] = {}  # where each pending candidate may settle
        self._children: Counter[Architecture] = Counter()  # of members of the archive, as first parents
        self._tried: set[Architecture] = set()  # selection passes over them: they have enough children
        self._most_children = _CHILDREN * sum(c - 1 for c in problem.space.cardinalities)
        self._asked = 0
        self._turn: list[int] = []

    @property
    def initial(self) -> int:
        """One random architecture per sub-problem."""
        return len(self._members)

    def ask(self, n: int) -> list[Architecture]:
        """Offspring of the next n sub-problems; random architectures until each had one."""
        asked = []
        for _ in range(n):
            child = self._propose()
            if child is None:
                break
            self._asked += 1
            asked.append(child)
        return asked

    def _propose(self) -> Architecture | None:
        if self._asked < len(self._members):
            child, scope = self._candidates.random(), self._everywhere
        else:
            if not self._turn:
                self._turn = self._rng.permutation(len(self._members)).tolist()
            home = self._turn.pop()
            near = self._rng.random() < self._settings.mate_nearby
            scope = self._neighbours[home] if near else self._everywhere
            child = self._offspring(home, scope)
        if child is not None:
            self._scopes[child] = scope
        return child

    def _offspring(self, home: int, scope: np.ndarray) -> Architecture | None:
        """A child of the archive or the sub-problem's own member, often with a mate from the scope.

        The archive keeps members that the population loses by limited replacement or on a degenerate front
        (parameters and MAdds correlate, and many directions share a member).
        """
        settings, random = self._settings, self._rng.random
        from_archive = len(self._archive) > 0 and random() < settings.archive_parents
        first = self._from_archive(home) if from_archive else self._members[home]
        if first is None or random() < settings.crossover:
            mate = self._members[scope[int(random() * len(scope))]]
            first = first or mate
            if mate is not None and mate != first and first is not None:
                return self._candidates.offspring(first, mate)
        return self._candidates.random() if first is None else self._candidates.mutant(first)

    def _from_archive(self, home: int) -> Architecture:
        """The member of the archive with the smallest value along the direction, of those with few children; or a random one.

        A member whose neighbourhood is tried has mostly distant children left.
        """
        items, guided = self._archive.items, self._settings.guided
        best = items[int(self._rng.random() * len(items))]
        if guided == 1 or (guided > 0 and self._rng.random() < guided):
            normalised = (self._archive.points - self._ideal) * self._scale
            direction = np.broadcast_to(self._directions[home], normalised.shape)
            order = np.argsort(self._along(normalised, direction), kind="stable").tolist()
            best = next((items[i] for i in order if items[i] not in self._tried), best)
        self._children[best] += 1
        if self._children[best] >= self._most_children:
            self._tried.add(best)
        return best

    def tell(self, observations: Sequence[Observation]) -> None:
        """Let each valid newcomer replace members that it beats; forget failed ones."""
        for seen in observations:
            scope = self._scopes.pop(seen.architecture, self._everywhere)
            if (
                seen.architecture not in self._candidates.seen
            ):  # known from elsewhere: as good as a random one
                self._asked += 1
            self._candidates.seen.add(seen.architecture)
            if not seen.ok:
                continue
            if seen.violation == 0 and self._archive.add(seen.objectives, seen.architecture):
                self._normalise(self._archive.points)
            elif len(self._archive) == 0:  # nothing feasible yet: scale by all known points
                known = self._points[np.isfinite(self._violations)]
                self._normalise(np.vstack([known, seen.objectives]))
            self._replace(seen, scope)

    def _normalise(self, points: FloatArray) -> None:
        """Take ideal and nadir from the points; rescale the members' values if that changes either."""
        ideal = points.min(axis=0)
        spread = points.max(axis=0) - ideal
        scale = 1.0 / np.where(spread > 0, spread, 1.0)
        if (ideal == self._ideal).all() and (scale == self._scale).all():
            return
        self._ideal, self._scale = ideal, scale
        filled = np.flatnonzero(self._violations < np.inf)
        normalised = (self._points[filled] - ideal) * scale
        self._values[filled] = self._along(normalised, self._directions[filled])

    def _along(self, points: FloatArray, directions: FloatArray) -> FloatArray:
        """The values of normalised points along their directions."""
        return DECOMPOSITIONS[self._settings.decomposition](points, directions, self._settings.theta)

    def _replace(self, seen: Observation, scope: np.ndarray) -> None:
        normalised = (seen.objectives - self._ideal) * self._scale
        values = self._along(normalised, self._directions[scope])
        violations = self._violations[scope]
        better = (seen.violation == violations) & (values < self._values[scope])
        better |= seen.violation < violations
        places = np.flatnonzero(better)
        if len(places) > self._settings.replacements:
            # a newcomer replaces where it fits best, so that directions keep different members
            places = places[np.argsort(values[places], kind="stable")[: self._settings.replacements]]
        for place in places.tolist():
            home = scope[place]
            self._members[home] = seen.architecture
            self._points[home] = seen.objectives
            self._violations[home] = seen.violation
            self._values[home] = values[place]


def neighbourhoods(weights: FloatArray, size: int) -> np.ndarray:
    """For each direction its `size` nearest, itself first, shape (n, min(size, n))."""
    distances = np.linalg.norm(weights[:, None, :] - weights[None, :, :], axis=2)
    np.fill_diagonal(distances, -1.0)
    return np.argsort(distances, axis=1, kind="stable")[:, : max(2, min(size, len(weights)))]
