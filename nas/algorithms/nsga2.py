"""NSGA-II without a barrier between generations.

Deb, Pratap, Agarwal and Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE TEVC
6(2), 2002; limits by its section VI (constrained dominance). Sorting and crowding are pymoo's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas.algorithms._generations import Generations
from nas.algorithms._pymoo_survival import RankAndCrowding, Survivors
from nas.core.algorithm import Algorithm
from nas.core.checks import check_fraction, check_positive
from nas.core.problem import Problem
from nas.core.records import Architecture, Observation


@dataclass(frozen=True)
class NSGA2Settings:
    """Parameters of NSGA-II.

    population: members, and newcomers per generation. crossover: probability of crossover before mutation, else
    mutation alone (0.9 in the paper's section IV).
    """

    population: int = 50
    crossover: float = 0.9

    def __post_init__(self) -> None:
        check_positive("population", self.population)
        check_fraction("crossover", self.crossover)


class NSGA2(Algorithm):
    """Steady breeding; survival by rank and crowding after every population of successful results."""

    Settings = NSGA2Settings

    @classmethod
    def default_settings(cls, n_objectives: int, evaluations: int | None) -> NSGA2Settings:
        """About 20 generations, of 10 to 100 members."""
        return cls.Settings() if evaluations is None else cls.Settings(min(100, max(10, evaluations // 20)))

    def __init__(self, problem: Problem, rng: np.random.Generator, settings: NSGA2Settings | None = None):
        settings = settings or self.Settings()
        self._initial = settings.population
        self._generations = Generations(
            problem, rng, settings.population, settings.crossover, RankAndCrowding(), _rank_then_crowding
        )

    @property
    def initial(self) -> int:
        """A population of random architectures."""
        return self._initial

    def ask(self, n: int) -> list[Architecture]:
        """Children of winners of binary tournaments; random architectures until the first population is complete."""
        return self._generations.ask(n)

    def tell(self, observations: Sequence[Observation]) -> None:
        """Collect successes until they make a generation."""
        self._generations.tell(observations)


def _rank_then_crowding(survivors: Survivors) -> tuple[np.ndarray, ...]:
    return survivors.ranks, -survivors.crowding


__all__ = ["NSGA2", "NSGA2Settings"]
