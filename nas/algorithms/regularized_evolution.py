"""Regularized (ageing) evolution, for one objective and for random scalarisations of several.

Real, Aggarwal, Huang and Le, "Regularized evolution for image classifier architecture search", AAAI 2019,
section "Evolutionary algorithm": a tournament picks a parent, its mutant joins the population, the oldest
member leaves. Age counts from `tell`, so late results of slow workers do no harm. Unlike the paper, nothing is
evaluated twice, and a mutation may change more than one gene (see `nas.algorithms.candidates`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nas.algorithms.candidates import Candidates
from nas.core.algorithm import Algorithm
from nas.core.checks import check_positive
from nas.core.errors import ConfigError
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Observation
from nas.pareto.archive import ParetoArchive

Rank = Callable[[FloatArray], FloatArray]  # objectives of a sample, (s, m) -> values to minimise, (s,)


def augmented_chebyshev(points: FloatArray, weights: FloatArray, rho: float = 0.05) -> FloatArray:
    """max_i(w_i f_i) + rho sum_i(w_i f_i) of normalised points (n, m) and weights (m,); shape (n,), minimised.

    Knowles 2006 (ParEGO, IEEE TEVC 10(1)), equation 2; the sum keeps weakly dominated points from winning.
    """
    weighted = points * weights
    return np.asarray(weighted.max(axis=1) + rho * weighted.sum(axis=1), dtype=np.float64)


class _AgeingPopulation:
    """The newest results, and mutants of tournament winners."""

    def __init__(self, problem: Problem, rng: np.random.Generator, size: int, sample: int) -> None:
        self._rng = rng
        self._sample = sample
        self._size = size
        self._members: deque[Observation] = deque(maxlen=size)  # the oldest falls off
        self._candidates = Candidates(problem, rng)
        self._asked = 0

    def ask(self, n: int, rank: Rank) -> list[Architecture]:
        asked: list[Architecture] = []
        while len(asked) < n and (child := self._propose(rank)) is not None:
            self._asked += 1
            asked.append(child)
        return asked

    def _propose(self, rank: Rank) -> Architecture | None:
        if self._asked < self._size or not self._members:
            return self._candidates.random()
        drawn = (self._rng.random(self._sample) * len(self._members)).astype(np.int64).tolist()
        sample = [self._members[i] for i in drawn]
        least = min(s.violation for s in sample)  # limits come before objectives
        sample = [s for s in sample if s.violation == least]
        values = rank(np.array([s.objectives for s in sample]))
        return self._candidates.mutant(sample[int(np.argmin(values))].architecture)

    def tell(self, seen: Observation) -> None:
        if seen.architecture not in self._candidates.seen:  # known from elsewhere: as good as a random one
            self._asked += 1
        self._candidates.seen.add(seen.architecture)
        if seen.ok:
            self._members.append(seen)


@dataclass(frozen=True)
class RegularizedEvolutionSettings:
    """Parameters of regularized evolution.

    population: members alive at once (P). sample: size of a tournament (S), drawn with replacement.
    objective: name of the objective to optimise; None: the problem's first.
    The defaults are those of the NASBench-101 paper's experiments (P 50, S 10 there; Real et al.: 100 and 25).
    """

    population: int = 50
    sample: int = 10
    objective: str | None = None

    def __post_init__(self) -> None:
        check_positive("population", self.population)
        check_positive("sample", self.sample)


class RegularizedEvolution(Algorithm):
    """Ageing evolution of one objective; the others are recorded, not optimised."""

    Settings = RegularizedEvolutionSettings

    @classmethod
    def default_settings(cls, n_objectives: int, evaluations: int | None) -> RegularizedEvolutionSettings:
        """About 20 evaluations per member, 10 to 100 members, a fifth of them in a tournament."""
        population = _proportionate(evaluations)
        return cls.Settings(population, max(2, population // 5))

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        settings: RegularizedEvolutionSettings | None = None,
    ):
        settings = settings or self.Settings()
        name = problem.names[0] if settings.objective is None else settings.objective
        if name not in problem.names:
            raise ConfigError(
                f"objective: {name!r} is not an objective of this search; it has {', '.join(problem.names)}"
            )
        self._index = problem.names.index(name)
        self._initial = settings.population
        self._population = _AgeingPopulation(problem, rng, settings.population, settings.sample)

    @property
    def initial(self) -> int:
        """A population of random architectures."""
        return self._initial

    def ask(self, n: int) -> list[Architecture]:
        """Mutants of tournament winners; random architectures first."""
        return self._population.ask(n, lambda points: points[:, self._index])

    def tell(self, observations: Sequence[Observation]) -> None:
        """Each success replaces the oldest member; failures are ignored."""
        for seen in observations:
            self._population.tell(seen)


@dataclass(frozen=True)
class ScalarizedEvolutionSettings:
    """Parameters of scalarised evolution: members alive at once and the size of a tournament."""

    population: int = 50
    sample: int = 10

    def __post_init__(self) -> None:
        check_positive("population", self.population)
        check_positive("sample", self.sample)


class ScalarizedEvolution(Algorithm):
    """Ageing evolution in which each tournament has a random direction.

    The winner has the smallest augmented Chebyshev value for weights uniform on the simplex, with objectives
    normalised by the ideal and nadir of the results.
    """

    Settings = ScalarizedEvolutionSettings

    @classmethod
    def default_settings(cls, n_objectives: int, evaluations: int | None) -> ScalarizedEvolutionSettings:
        """As for one objective."""
        population = _proportionate(evaluations)
        return cls.Settings(population, max(2, population // 5))

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        settings: ScalarizedEvolutionSettings | None = None,
    ):
        settings = settings or self.Settings()
        self._rng = rng
        self._even = np.ones(problem.n_objectives)
        self._initial = settings.population
        self._population = _AgeingPopulation(problem, rng, settings.population, settings.sample)
        self._archive: ParetoArchive[None] = ParetoArchive(problem.n_objectives)

    @property
    def initial(self) -> int:
        """A population of random architectures."""
        return self._initial

    def ask(self, n: int) -> list[Architecture]:
        """Mutants of tournament winners; random architectures first."""
        return self._population.ask(n, self._rank)

    def _rank(self, points: FloatArray) -> FloatArray:
        known = self._archive.points if len(self._archive) else points
        ideal = known.min(axis=0)
        spread = known.max(axis=0) - ideal
        normalised = (points - ideal) / np.where(spread > 0, spread, 1.0)
        return augmented_chebyshev(normalised, self._rng.dirichlet(self._even))

    def tell(self, observations: Sequence[Observation]) -> None:
        """Each success replaces the oldest member; failures are ignored."""
        for seen in observations:
            self._population.tell(seen)
            if seen.ok and seen.violation == 0:
                self._archive.add(seen.objectives, None)


def _proportionate(evaluations: int | None) -> int:
    return 50 if evaluations is None else min(100, max(10, evaluations // 20))


__all__ = [
    "RegularizedEvolution",
    "RegularizedEvolutionSettings",
    "ScalarizedEvolution",
    "ScalarizedEvolutionSettings",
    "augmented_chebyshev",
]
