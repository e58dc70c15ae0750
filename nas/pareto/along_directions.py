"""Approximate hypervolume for many objectives as a mean over directions, with a cost linear in the number of objectives.

Along a direction w from the reference point r, a front reaches s(w) = max over its points y of min_j (r_j - y_j) / w_j;
the hypervolume is proportional to the mean of s^m over the directions of the positive unit sphere (Deng and Zhang,
"Approximating hypervolume and hypervolume contributions using polar coordinate", IEEE TEVC 23(5), 2019, equation 7). The
directions are fixed, so a larger front never has a smaller value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from nas.core.records import FloatArray

_ALIKE = 2  # every second direction
_CELLS = 1_000_000  # array elements to process at a time


@lru_cache(maxsize=32)
def sphere_directions(m: int, n: int) -> FloatArray:
    """n fixed directions on the positive part of the unit sphere, shape (n, m); read-only."""
    drawn = np.abs(np.random.default_rng(0).normal(size=(n, m)))
    directions: FloatArray = np.maximum(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), 1e-9)
    directions.flags.writeable = False
    return directions


def _unit_volume(m: int) -> float:
    """Volume of the positive part of the unit ball."""
    return math.exp(0.5 * m * math.log(math.pi) - math.lgamma(0.5 * m + 1.0) - m * math.log(2.0))


def reach(points: FloatArray, reference: FloatArray, directions: FloatArray) -> FloatArray:
    """Reach of each point (n, m), minimised, from the reference (m,) along directions (s, m): (n, s)."""
    found = np.full((len(points), len(directions)), np.inf)
    for j in range(points.shape[1]):
        np.minimum(found, (reference[j] - points[:, [j]]) / directions[:, j], out=found)
    reached: FloatArray = np.maximum(found, 0.0, out=found)
    return reached


def front_reach(front: FloatArray, reference: FloatArray, directions: FloatArray) -> FloatArray:
    """Reach of a front (n, m) along each direction, (s,); 0 without points."""
    best = np.zeros(len(directions))
    step = max(1, _CELLS // len(directions))
    for start in range(0, len(front), step):
        np.maximum(best, reach(front[start : start + step], reference, directions).max(axis=0), out=best)
    return best


def expected_gain(
    objectives: Sequence[FloatArray],
    levels: FloatArray,
    front: FloatArray,
    reference: FloatArray,
    n_directions: int,
) -> FloatArray:
    """Expected hypervolume that each of n candidates adds to a front (k, m), shape (n,).

    `objectives` has an array for each objective: (n,) if exact, or (n, q) with its possible values at levels with the
    probabilities `levels` (q,). Each direction uses one outcome of each uncertain objective; every second the same level of all, since
    what makes one error lower than predicted often lowers others, and all being independently lucky is next to impossible.
    """
    m, n = len(objectives), len(objectives[0])
    directions = sphere_directions(m, n_directions)
    best = front_reach(front, reference, directions)
    rng = np.random.default_rng(1)
    drawn = [rng.choice(len(levels), size=n_directions, p=levels) for _ in range(m)]
    for other in drawn[1:]:
        other[::_ALIKE] = drawn[0][::_ALIKE]
    gain = np.empty(n)
    step = max(1, _CELLS // n_directions)
    for start in range(0, n, step):
        rows = slice(start, start + step)
        reached = np.full((len(objectives[0][rows]), n_directions), np.inf)
        for j, values in enumerate(objectives):
            outcome = values[rows, None] if values.ndim == 1 else values[rows][:, drawn[j]]
            np.minimum(reached, (reference[j] - outcome) / directions[:, j], out=reached)
        gain[rows] = np.where(reached > best, reached**m - best**m, 0.0).mean(axis=1)
    return gain * _unit_volume(m)


def alone(front: FloatArray, reference: FloatArray, n_directions: int) -> FloatArray:
    """The hypervolume that each point of a front (n, m) dominates exclusively, shape (n,)."""
    m = front.shape[1]
    directions = sphere_directions(m, n_directions)
    best, second = np.zeros(n_directions), np.zeros(n_directions)
    owner = np.full(n_directions, -1)
    for i, point in enumerate(front):
        reached = reach(point[None], reference, directions)[0]
        first = reached > best
        second = np.where(first, best, np.maximum(second, reached))
        owner[first] = i
        best = np.where(first, reached, best)
    own = (best**m - second**m) * _unit_volume(m) / n_directions
    found = np.bincount(owner[owner >= 0], own[owner >= 0], minlength=len(front))
    return np.asarray(found, dtype=np.float64)
