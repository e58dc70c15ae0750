"""Survival in NSGA-II and NSGA-III by pymoo's operators; no other module uses them.

Arrays go in, indices come out; pymoo's populations and problems stay in here. pymoo gets only feasible points
(its constraint handling is unused) and the generator passed in.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas.core.records import FloatArray


@dataclass(frozen=True)
class Survivors:
    """Indices of the survivors, shape (k,), each with its front (0 is the best) and crowding distance.

    Crowding is infinite at the ends of a front; larger is better.
    """

    indices: np.ndarray
    ranks: np.ndarray
    crowding: FloatArray


def _survive(survival: Any, points: FloatArray, n: int, rng: np.random.Generator) -> tuple[Any, Any]:
    from pymoo.core.population import Population
    from pymoo.core.problem import Problem

    population = Population.new("F", points)
    with warnings.catch_warnings():  # pymoo turns every warning off, for good
        indices = survival.do(
            Problem(n_var=1, n_obj=points.shape[1]),
            population,
            n_survive=n,
            random_state=rng,
            return_indices=True,
        )
    return population, np.asarray(indices, dtype=np.int64)


class RankAndCrowding:
    """Non-dominated sorting, then crowding distance (Deb et al., IEEE TEVC 6(2), 2002, section III)."""

    def __init__(self) -> None:
        from pymoo.operators.survival.rank_and_crowding import RankAndCrowding as Operator

        self._operator = Operator()

    def __call__(self, points: FloatArray, n: int, rng: np.random.Generator) -> Survivors:
        """The best n of points (k, m), minimised; all of them when k <= n."""
        population, indices = _survive(self._operator, points, n, rng)
        ranks, crowding = population[indices].get("rank", "crowding")
        return Survivors(indices, ranks.astype(np.int64), crowding.astype(np.float64))


class ReferenceDirections:
    """Non-dominated sorting, then niches along directions (Deb and Jain, IEEE TEVC 18(4), 2014, section IV).

    Remembers the ideal and extreme points from call to call. Objectives are scaled by the spread of the first
    points, because the operator compares with fixed tolerances (1e-3, 1e-6).
    """

    def __init__(self, directions: FloatArray) -> None:
        from pymoo.algorithms.moo.nsga3 import ReferenceDirectionSurvival as Operator

        self._operator = Operator(directions)
        self._origin: FloatArray | None = None
        self._scale: FloatArray | None = None

    def __call__(self, points: FloatArray, n: int, rng: np.random.Generator) -> Survivors:
        """The best n of points (k, m), minimised; all of them when k <= n. Crowding plays no part and is 0."""
        if self._origin is None or self._scale is None:
            self._origin = points.min(axis=0)
            spread = points.max(axis=0) - self._origin
            self._scale = np.where(spread > 0, spread, 1.0)
        population, indices = _survive(self._operator, (points - self._origin) / self._scale, n, rng)
        ranks = population[indices].get("rank")
        return Survivors(indices, ranks.astype(np.int64), np.zeros(len(indices)))
