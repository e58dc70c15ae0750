"""NSGA-II without a barrier between generations.

Deb, Pratap, Agarwal and Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE TEVC
6(2), 2002; limits by its section VI (constrained dominance). Sorting and crowding are pymoo's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nas.algorithms._generations import Generations
from nas.algorithms._pymoo_survival import RankAndCrowding, Survivors
from nas.core.checks import check_fraction, check_positive
from nas.core.problem import Problem


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


class NSGA2(Generations):
    """Steady breeding; survival by rank and crowding after every population of successful results."""

    Settings = NSGA2Settings

    def __init__(self, problem: Problem, rng: np.random.Generator, settings: NSGA2Settings | None = None):
        settings = settings or self.Settings()
        super().__init__(
            problem, rng, settings.population, settings.crossover, RankAndCrowding(), _rank_then_crowding
        )


def _rank_then_crowding(survivors: Survivors) -> tuple[np.ndarray, ...]:
    return survivors.ranks, -survivors.crowding
