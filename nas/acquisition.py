"""What an unseen candidate is worth: expected hypervolume improvement, in closed form.

The region below the reference point that no known point dominates is cut into boxes. Within a box the volume that a
candidate adds is a product over the objectives, and for independent objectives so is its expectation (Yang,
Emmerich, Deutz and Baeck, "Efficient computation of expected hypervolume improvement using box decomposition
algorithms", Journal of Global Optimization 75, 2019, section 4). An exact objective is a predicted one without spread.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from nas.front import non_dominated
from nas.records import FloatArray

_SQRT_2PI = float(np.sqrt(2.0 * np.pi))
_CELLS = 2_000_000  # candidates times boxes at a time


@dataclass(frozen=True)
class Boxes:
    """Disjoint boxes, `lower` and `upper` each (k, m), lower -inf where nothing bounds them."""

    lower: FloatArray
    upper: FloatArray


def undominated(front: FloatArray, reference: FloatArray) -> Boxes:
    """The region below `reference` (m,) that no point of `front` (n, m) dominates, minimised.

    The slices run along the objective that gives the fewest boxes: on fronts of networks, where parameters and
    multiply-adds go together, about as many as points.
    """
    m = len(reference)
    front = front[(front < reference).all(axis=1)]
    found: Boxes | None = None
    for last in range(m) if m > 2 and len(front) else (m - 1,):
        order = [j for j in range(m) if j != last] + [last]
        lower, upper = _slices(front[:, order], reference[order])
        if found is None or len(lower) < len(found.lower):
            back = np.argsort(order)
            found = Boxes(lower[:, back], upper[:, back])
    assert found is not None
    return found


def _slices(front: FloatArray, reference: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cut along the last column at each of its values; what a slice leaves free is a problem of one column fewer."""
    if front.shape[1] == 1:
        end = front.min(initial=reference[0])
        return np.array([[-np.inf]]), np.array([[end]])
    levels = np.concatenate([[-np.inf], np.unique(front[:, -1]), reference[-1:]])
    lowers, uppers = [], []
    for start, end in itertools.pairwise(levels):
        below = front[front[:, -1] <= start, :-1]
        if len(below) > 1:
            below = below[non_dominated(below)]
        lower, upper = _slices(below, reference[:-1])
        lowers.append(np.column_stack([lower, np.full(len(lower), start)]))
        uppers.append(np.column_stack([upper, np.full(len(upper), end)]))
    return np.concatenate(lowers), np.concatenate(uppers)


def expected_improvement(mean: FloatArray, std: FloatArray, boxes: Boxes) -> FloatArray:
    """Expected hypervolume that each of n candidates adds, shape (n,).

    `mean` and `std` (n, m): independent normal objectives, in the units of the boxes; a std of 0 means exact.
    """
    n, m = mean.shape
    total = np.empty(n)
    step = max(1, _CELLS // max(1, len(boxes.lower)))
    for start in range(0, n, step):
        rows = slice(start, start + step)
        product = np.ones((len(mean[rows]), len(boxes.lower)))
        for j in range(m):
            product *= _gain(mean[rows, j], std[rows, j], boxes.lower[:, j], boxes.upper[:, j])
        total[rows] = product.sum(axis=1)
    return total


def _gain(mean: FloatArray, std: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray:
    """E[(upper - max(lower, y))+] for y normal, shape (n, k)."""
    if not std.any():
        return np.maximum(upper[None] - np.maximum(lower[None], mean[:, None]), 0.0)
    # the same ends stand in many boxes
    ends, where = np.unique(np.concatenate([lower, upper]), return_inverse=True)
    short = _shortfall(mean, std, ends)
    k = len(lower)
    gain: FloatArray = short[:, where[k:]] - short[:, where[:k]]
    return gain


def _shortfall(mean: FloatArray, std: FloatArray, ends: FloatArray) -> FloatArray:
    """E[(end - y)+], shape (n, number of ends); 0 at an end of -inf."""
    finite = np.where(np.isfinite(ends), ends, 0.0)
    gap = finite[None] - mean[:, None]
    spread = np.maximum(std, 1e-12)[:, None]
    z = gap / spread
    value = gap * ndtr(z) + spread * np.exp(-0.5 * z * z) / _SQRT_2PI
    return np.where(np.isfinite(ends), np.maximum(value, 0.0), 0.0)
