"""NSGA-III without a barrier between generations.

Deb and Jain, "An evolutionary many-objective optimization algorithm using reference-point-based nondominated
sorting approach, part I", IEEE TEVC 18(4), 2014; limits by part II (Jain and Deb, same issue). Sorting,
normalisation and niches are pymoo's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nas.algorithms._generations import Generations
from nas.algorithms._pymoo_survival import ReferenceDirections, Survivors
from nas.core.checks import check_fraction, check_known, check_positive
from nas.core.problem import Problem
from nas.pareto.directions import DIRECTIONS


@dataclass(frozen=True)
class NSGA3Settings:
    """Parameters of NSGA-III.

    population: members, and newcomers per generation; the reference directions are as many, or the next smaller grid.
    crossover: probability of crossover before mutation (1 in the paper), else mutation alone.
    directions: "das-dennis" (a regular grid) or "riesz" (any number, evenly spread).
    """

    population: int = 50
    crossover: float = 1.0
    directions: str = "das-dennis"

    def __post_init__(self) -> None:
        check_positive("population", self.population)
        check_fraction("crossover", self.crossover)
        check_known("directions", self.directions, DIRECTIONS)


class NSGA3(Generations):
    """Steady breeding; survival by rank and niche after every population of successful results."""

    Settings = NSGA3Settings

    def __init__(self, problem: Problem, rng: np.random.Generator, settings: NSGA3Settings | None = None):
        settings = settings or self.Settings()
        n_directions = 1 if problem.n_objectives == 1 else settings.population
        directions = DIRECTIONS[settings.directions](problem.n_objectives, n_directions)
        super().__init__(
            problem,
            rng,
            settings.population,
            settings.crossover,
            ReferenceDirections(directions),
            _all_alike if problem.n_objectives > 1 else _by_rank,
        )


def _all_alike(survivors: Survivors) -> tuple[np.ndarray, ...]:
    """The paper has no selection among feasible parents: survival along the directions gives enough pressure."""
    return (np.zeros(len(survivors.indices)),)


def _by_rank(survivors: Survivors) -> tuple[np.ndarray, ...]:
    """Sort by front: one objective has no niches."""
    return (survivors.ranks,)
