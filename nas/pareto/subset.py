"""Choose few points that dominate much: a greedy subset by hypervolume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.core.records import FloatArray
from nas.pareto.indicators import Box, hypervolume, pareto_ranks

_MARGIN = 0.1  # of the front's range, beyond its worst values: the ends count too


def spread_subset(points: FloatArray, count: int, taken: Sequence[int] = ()) -> list[int]:
    """Rows of minimised points (n, m), beside those already `taken`: each adds the most hypervolume to the rows before it.

    Rows of the first non-dominated front come first, then those of the second, and so on. Greedy inclusion reaches at least 63% of the best
    subset's hypervolume (Nemhauser, Wolsey and Fisher, Mathematical Programming 14, 1978). Ties go to the lower row.
    """
    if len(points) == 0:
        return []
    ranks = pareto_ranks(points)
    front = points[ranks == 0]
    span = np.where(np.ptp(front, axis=0) > 0, np.ptp(front, axis=0), 1.0)
    box = Box(front.min(axis=0), front.max(axis=0) + _MARGIN * span)
    chosen: list[int] = []
    for rank in range(int(ranks.max(initial=-1)) + 1):
        left = [int(i) for i in np.flatnonzero(ranks == rank) if i not in set(taken)]
        while left and len(chosen) < count:
            gains = [hypervolume(points[[*taken, *chosen, i]], box) for i in left]
            chosen.append(left.pop(int(np.argmax(gains))))
    return chosen
