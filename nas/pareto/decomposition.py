"""Scalarising functions: reduce a vector of objectives to one number along a direction."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nas.core.records import FloatArray


def pbi(points: FloatArray, directions: FloatArray, theta: float) -> FloatArray:
    """Penalty-based boundary intersection, d1 + theta * d2 (Zhang and Li 2007, section III.C).

    `points` (n, m) or (m,) are normalised objectives (ideal at 0, nadir at 1), `directions` (n, m) have unit
    length; the result is (n,). d1 is the distance along the direction, d2 the distance from it. With `theta` 0 it is the weighted sum.
    """
    if points.ndim == 1:
        along, squared = directions @ points, points @ points
    else:
        along, squared = np.einsum("ij,ij->i", points, directions), np.einsum("ij,ij->i", points, points)
    away = np.sqrt(np.maximum(squared - along * along, 0.0))
    return np.asarray(along + theta * away, dtype=np.float64)


def augmented_chebyshev(points: FloatArray, weights: FloatArray, rho: float = 0.05) -> FloatArray:
    """max_i(w_i f_i) + rho sum_i(w_i f_i) of normalised points (n, m) and weights (m,) or (n, m); shape (n,), minimised.

    Knowles 2006 (ParEGO, IEEE TEVC 10(1)), equation 2; the sum keeps weakly dominated points from winning.
    """
    weighted = points * weights
    return np.asarray(weighted.max(axis=1) + rho * weighted.sum(axis=1), dtype=np.float64)


def chebyshev(points: FloatArray, directions: FloatArray, theta: float) -> FloatArray:
    """The augmented Chebyshev value with the directions (n, m) as weights; points (n, m) or (m,), result (n,). `theta` is not used."""
    return augmented_chebyshev(points, directions)


DECOMPOSITIONS: dict[str, Callable[[FloatArray, FloatArray, float], FloatArray]] = {
    "pbi": pbi,
    "chebyshev": chebyshev,
}


def random_chebyshev(points: FloatArray, known: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The augmented Chebyshev value of points (n, m) for random weights, shape (n,), minimised.

    Weights are uniform on the simplex; the ideal and nadir of `known` (k, m) normalise the objectives.
    """
    ideal = known.min(axis=0)
    spread = known.max(axis=0) - ideal
    normalised = (points - ideal) / np.where(spread > 0, spread, 1.0)
    return augmented_chebyshev(normalised, rng.dirichlet(np.ones(points.shape[1])))
