"""Counts of input-to-output paths by the operations along them, and their summary in a few numbers.

The path encoding of White et al., "BANANAS", AAAI 2021, section 3.1, with counts in place of presence. Counts do
not depend on the order of vertices, nor on parts of a cell that no path uses.
"""

from __future__ import annotations

import itertools

import numpy as np

from nas.core.records import FloatArray


def sequences(operations: int, longest: int) -> list[tuple[int, ...]]:
    """All sequences of the digits 0 to `operations` - 1, by length (0 to `longest`), then in order."""
    lengths = range(longest + 1)
    return [s for length in lengths for s in itertools.product(range(operations), repeat=length)]


def composition(operations: int, longest: int, groups: tuple[tuple[int, ...], ...]) -> FloatArray:
    """For each sequence its length and how many of its operations are in each group, shape (s, 1 + groups)."""
    rows = [
        [len(s), *(sum(o in group for o in s) for group in groups)] for s in sequences(operations, longest)
    ]
    return np.array(rows, dtype=np.float64)


def path_statistics(counts: FloatArray, traits: FloatArray) -> FloatArray:
    """Most, least and mean of each trait over a cell's paths, shape (n, 3 k).

    `counts` (n, s) is the number of paths with each sequence, `traits` (s, k) describes the sequences. A cell without a
    path has -1 throughout.
    """
    present = counts > 0
    total = counts.sum(axis=1, keepdims=True)
    most = np.stack([np.where(present, t, -1.0).max(axis=1) for t in traits.T], axis=1)
    least = np.stack([np.where(present, t, np.inf).min(axis=1) for t in traits.T], axis=1)
    mean = counts @ traits / np.maximum(total, 1.0)
    stacked = np.concatenate([most, least, mean], axis=1)
    stacked[total[:, 0] == 0] = -1.0
    return stacked
