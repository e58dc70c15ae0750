"""Scalarising functions: reduce a vector of objectives to one number along a direction."""

from __future__ import annotations

import numpy as np

from nas.core.records import FloatArray


def pbi(points: FloatArray, directions: FloatArray, theta: float) -> FloatArray:
    """Penalty-based boundary intersection, d1 + theta * d2 (Zhang and Li 2007, section III.C).

    `points` (n, m) or (m,) are normalised objectives (ideal at 0, nadir at 1), `directions` (n, m) have unit
    length; the result is (n,). d1 is the distance along the direction, d2 the distance from it.
    """
    if points.ndim == 1:
        along, squared = directions @ points, points @ points
    else:
        along, squared = np.einsum("ij,ij->i", points, directions), np.einsum("ij,ij->i", points, points)
    away = np.sqrt(np.maximum(squared - along * along, 0.0))
    return np.asarray(along + theta * away, dtype=np.float64)
