"""Regularized (ageing) evolution, for one objective and for random scalarisations of several.

Real, Aggarwal, Huang and Le, "Regularized evolution for image classifier architecture search", AAAI 2019,
section "Evolutionary algorithm": a tournament picks a parent, its mutant joins the population, the oldest
member leaves. Age counts from `tell`, so late results of slow workers do no harm. Unlike the paper, nothing is
evaluated twice, and a mutation may change more than one gene (see `nas.algorithms.candidates`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas.algorithms.candidates import Candidates
from nas.core.algorithm import Algorithm
from nas.core.checks import check_positive
from nas.core.errors import ConfigError
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Observation
from nas.pareto.archive import ParetoArchive
from nas.pareto.decomposition import random_chebyshev


@dataclass(frozen=True)
class ScalarizedEvolutionSettings:
    """Parameters of ageing evolution.

    population: members alive at once (P). sample: members in a tournament (S), drawn without replacement; by default all.
    """

    population: int = 50
    sample: int = 50

    def __post_init__(self) -> None:
        check_positive("population", self.population)
        check_positive("sample", self.sample)


@dataclass(frozen=True)
class RegularizedEvolutionSettings(ScalarizedEvolutionSettings):
    """Parameters of regularized evolution: those of ageing evolution, and the objective to optimise.

    sample: drawn with replacement, as in the paper. objective: its name; None: the problem's first.
    The defaults are those of the NASBench-101 paper's experiments (P 50, S 10 there; Real et al.: 100 and 25).
    """

    sample: int = 10
    objective: str | None = None


class _AgeingEvolution(Algorithm):
    """The newest results, and mutants of tournament winners: those with the smallest value of `_rank`."""

    def __init__(
        self, problem: Problem, rng: np.random.Generator, settings: ScalarizedEvolutionSettings
    ) -> None:
        self._rng = rng
        self._sample = settings.sample
        self._size = settings.population
        self._members: deque[Observation] = deque(maxlen=settings.population)  # the oldest falls off
        self._candidates = Candidates(problem, rng)
        self._asked = 0

    @property
    def initial(self) -> int:
        """A population of random architectures."""
        return self._size

    @abstractmethod
    def _tournament(self) -> list[int]:
        """The places of `sample` members."""

    @abstractmethod
    def _rank(self, points: FloatArray) -> FloatArray:
        """Objectives of a sample, (s, m), to values to minimise, (s,)."""

    def ask(self, n: int) -> list[Architecture]:
        """Mutants of tournament winners; random architectures first."""
        asked: list[Architecture] = []
        while len(asked) < n and (child := self._propose()) is not None:
            self._asked += 1
            asked.append(child)
        return asked

    def _propose(self) -> Architecture | None:
        if self._asked < self._size or not self._members:
            return self._candidates.random()
        sample = [self._members[i] for i in self._tournament()]
        least = min(s.violation for s in sample)  # limits come before objectives
        sample = [s for s in sample if s.violation == least]
        values = self._rank(np.array([s.objectives for s in sample]))
        return self._candidates.mutant(sample[int(np.argmin(values))].architecture)

    def tell(self, observations: Sequence[Observation]) -> None:
        """Each success replaces the oldest member; failures are ignored."""
        for seen in observations:
            if (
                seen.architecture not in self._candidates.seen
            ):  # known from elsewhere: as good as a random one
                self._asked += 1
            self._candidates.seen.add(seen.architecture)
            if seen.ok:
                self._members.append(seen)


class RegularizedEvolution(_AgeingEvolution):
    """Ageing evolution of one objective; the others are recorded, not optimised."""

    Settings = RegularizedEvolutionSettings
    single_objective = True

    @classmethod
    def default_settings(cls, n_objectives: int, evaluations: int | None) -> Any:
        """About 20 evaluations per member, 10 to 100 members, a fifth of them in a tournament."""
        population = 50 if evaluations is None else min(100, max(10, evaluations // 20))
        return cls.Settings(population, max(2, population // 5))

    def __init__(
        self, problem: Problem, rng: np.random.Generator, settings: RegularizedEvolutionSettings | None = None
    ):
        settings = settings or self.Settings()
        name = problem.names[0] if settings.objective is None else settings.objective
        if name not in problem.names:
            raise ConfigError(
                f"objective: {name!r} is not an objective of this search; it has {', '.join(problem.names)}"
            )
        self._index = problem.names.index(name)
        super().__init__(problem, rng, settings)

    def _tournament(self) -> list[int]:
        drawn: list[int] = (self._rng.random(self._sample) * len(self._members)).astype(np.int64).tolist()
        return drawn

    def _rank(self, points: FloatArray) -> FloatArray:
        return points[:, self._index]


class ScalarizedEvolution(_AgeingEvolution):
    """Ageing evolution in which each tournament has a random direction.

    The winner has the smallest augmented Chebyshev value for weights uniform on the simplex, with objectives
    normalised by the ideal and nadir of the front of all results.
    """

    Settings = ScalarizedEvolutionSettings

    @classmethod
    def default_settings(cls, n_objectives: int, evaluations: int | None) -> Any:
        """About 10 evaluations per member, 10 to 100 members, all of them in a tournament."""
        population = 50 if evaluations is None else min(100, max(10, evaluations // 10))
        return cls.Settings(population, population)

    def __init__(
        self, problem: Problem, rng: np.random.Generator, settings: ScalarizedEvolutionSettings | None = None
    ):
        super().__init__(problem, rng, settings or self.Settings())
        self._archive: ParetoArchive[None] = ParetoArchive(problem.n_objectives)

    def _tournament(self) -> list[int]:
        drawn: list[int] = self._rng.permutation(len(self._members))[: self._sample].tolist()
        return drawn

    def _rank(self, points: FloatArray) -> FloatArray:
        known = self._archive.points if len(self._archive) else points
        return random_chebyshev(points, known, self._rng)

    def tell(self, observations: Sequence[Observation]) -> None:
        """Add feasible successes to the archive as well."""
        super().tell(observations)
        for seen in observations:
            if seen.ok and seen.violation == 0:
                self._archive.add(seen.objectives, None)
