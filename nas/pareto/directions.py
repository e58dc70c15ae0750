"""Reference directions, which spread the search over the front. The only module that gets them from pymoo."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import comb

import numpy as np

from nas.core.records import FloatArray


def das_dennis(n_objectives: int, n: int) -> FloatArray:
    """A regular grid on the unit simplex, shape (k, m), with k the largest grid size of at most n (Das and Dennis 1998).

    At least the m corners. For one objective: n copies of its only direction.
    """
    from pymoo.util.ref_dirs import get_reference_directions

    if n_objectives == 1:
        return np.ones((n, 1))
    partitions = 1
    while comb(partitions + n_objectives, n_objectives - 1) <= n:
        partitions += 1
    grid = get_reference_directions("das-dennis", n_objectives, n_partitions=partitions)
    return np.asarray(grid, dtype=np.float64)


@lru_cache(maxsize=16)
def _riesz(n_objectives: int, n: int) -> FloatArray:
    from pymoo.util.ref_dirs import get_reference_directions

    return np.asarray(get_reference_directions("energy", n_objectives, n, seed=1), dtype=np.float64)


def riesz(n_objectives: int, n: int) -> FloatArray:
    """Exactly n well-spaced directions on the unit simplex, shape (n, m), by Riesz s-energy (Blank et al. 2021).

    Takes seconds for many directions; the result is cached.
    """
    if n_objectives < 3 or n <= n_objectives:
        return das_dennis(n_objectives, max(n, n_objectives))
    return _riesz(n_objectives, n).copy()


DIRECTIONS: dict[str, Callable[[int, int], FloatArray]] = {"das-dennis": das_dennis, "riesz": riesz}
