"""Expected hypervolume improvement of unseen candidates.

The region below the reference point that no known point dominates is cut into boxes. Within a box the volume that a
candidate adds is a product over the objectives, and for independent objectives so is its expectation (Yang,
Emmerich, Deutz and Baeck, "Efficient computation of expected hypervolume improvement using box decomposition
algorithms", Journal of Global Optimization 75, 2019, section 4). Here that of an uncertain objective is a weighted sum
over its possible values, so it need not be normal in the objective's units: an error is never negative.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nas.core.records import FloatArray
from nas.pareto.along_directions import expected_gain

_CELLS = 1_000_000  # numbers in work at a time


@dataclass(frozen=True)
class Levels:
    """Deviations (s,) at which an uncertain objective is evaluated, and their weights (s,), which sum to 1."""

    at: FloatArray
    weights: FloatArray

    @classmethod
    def evenly(cls, most: float, n: int) -> Levels:
        """n levels from -most to most, with the weights of a normal distribution."""
        at = np.linspace(-most, most, n)
        density = np.exp(-0.5 * at**2)
        return cls(at, density / density.sum())


FINE = Levels.evenly(3.75, 31)
COARSE = Levels.evenly(3.0, 9)  # to order many candidates roughly, at a third of the cost

EXACT_OBJECTIVES = 4  # beyond them the boxes are too many
_LARGEST_FRONT = {3: 300, 4: 40}  # by the number of objectives: larger fronts give too many boxes as well
_DIRECTIONS = 512
_FEWEST_DIRECTIONS = 64
_REACHES = 1_000_000  # candidates times directions


def has_boxes(front: FloatArray) -> bool:
    """Whether the region undominated by front (n, m) is cut into boxes: their number grows exponentially with m."""
    n, m = front.shape
    return bool(m <= EXACT_OBJECTIVES and n <= _LARGEST_FRONT.get(m, n))


def improvement_over(
    objectives: Sequence[FloatArray], front: FloatArray, reference: FloatArray, levels: Levels = FINE
) -> FloatArray:
    """Expected hypervolume that each of n candidates adds to a front (k, m) below `reference` (m,), shape (n,).

    Exact, by boxes, when these are few, else a mean over fixed directions. `objectives` as in `expected_improvement`.
    """
    if has_boxes(front):
        return expected_improvement(objectives, undominated(front, reference), levels)
    n = len(objectives[0])
    directions = min(_DIRECTIONS, max(_FEWEST_DIRECTIONS, _REACHES // max(1, n)))
    return expected_gain(objectives, levels.weights, front, reference, directions)


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
    """Cut along the last column at each of its values; each slice is a problem with one column fewer."""
    if front.shape[1] == 1:
        end = front.min(initial=reference[0])
        return np.array([[-np.inf]]), np.array([[end]])
    if front.shape[1] == 2:
        return _staircase(front, reference)
    levels = np.concatenate([[-np.inf], np.unique(front[:, -1]), reference[-1:]])
    lowers, uppers = [], []
    for start, end in itertools.pairwise(levels):
        lower, upper = _slices(front[front[:, -1] <= start, :-1], reference[:-1])
        lowers.append(np.column_stack([lower, np.full(len(lower), start)]))
        uppers.append(np.column_stack([upper, np.full(len(upper), end)]))
    return np.concatenate(lowers), np.concatenate(uppers)


def _staircase(front: FloatArray, reference: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Two columns: a strip from each step of the staircase to the next."""
    x, y = front[np.lexsort((front[:, 1], front[:, 0]))].T
    best = np.minimum.accumulate(y) if len(y) else y
    step = np.concatenate([[True], y[1:] < best[:-1]])[: len(y)]
    x, y = x[step], y[step]
    start, end = np.concatenate([[-np.inf], x]), np.concatenate([x, reference[:1]])
    top = np.concatenate([reference[1:], y])
    return np.column_stack([start, np.full(len(start), -np.inf)]), np.column_stack([end, top])


def expected_improvement(objectives: Sequence[FloatArray], boxes: Boxes, levels: Levels = FINE) -> FloatArray:
    """Expected hypervolume that each of n candidates adds, shape (n,).

    `objectives` has an array for each objective, in the units of the boxes: (n,) when exact, else (n, s) possible
    values from `outcomes` at the same `levels`.
    """
    n, k = len(objectives[0]), len(boxes.lower)
    total = np.empty(n)
    step = max(1, _CELLS // max(1, k * max(x[0].size for x in objectives) if n else 1))
    for start in range(0, n, step):
        rows = slice(start, start + step)
        product = np.ones((len(objectives[0][rows]), k))
        for j, values in enumerate(objectives):
            ends = boxes.lower[:, j], boxes.upper[:, j]
            exact = values.ndim == 1
            product *= (
                _exact_gain(values[rows], *ends) if exact else _expected_gain(values[rows], *ends, levels)
            )
        total[rows] = product.sum(axis=1)
    return total


def outcomes(
    mean: FloatArray, std: FloatArray, value: Callable[[FloatArray], FloatArray], levels: Levels = FINE
) -> FloatArray:
    """Possible values (n, s) of `value` of a normal quantity with mean and std (n,), at these levels."""
    return value(mean[:, None] + std[:, None] * levels.at[None])


def _exact_gain(values: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray:
    """(upper - max(lower, y))+, shape (n, k)."""
    return np.maximum(upper[None] - np.maximum(lower[None], values[:, None]), 0.0)


def _expected_gain(values: FloatArray, lower: FloatArray, upper: FloatArray, levels: Levels) -> FloatArray:
    """E[(upper - max(lower, y))+] = E[(upper - y)+] - E[(lower - y)+], shape (n, k)."""
    # the same ends stand in many boxes
    ends, where = np.unique(np.concatenate([lower, upper]), return_inverse=True)
    finite = ends[None, None, :] if np.isfinite(ends[0]) else np.where(np.isfinite(ends), ends, -1e300)
    short = np.maximum(finite - values[:, :, None], 0.0)
    shortfall = np.einsum("s,nsk->nk", levels.weights, short)
    k = len(lower)
    gain: FloatArray = shortfall[:, where[k:]] - shortfall[:, where[:k]]
    return gain
