"""NAS-Bench-201 cells as features of their live part, for surrogates.

An edge counts only when a path without 'none' leads over it from input to output; 'skip' adds nothing to the
sequence of operations along a path. So cells with the same function have (nearly) the same features.
"""

from __future__ import annotations

import itertools

import numpy as np

from nas.core.records import FloatArray
from search_spaces.nasbench201.cell import EDGES, NONE, SKIP
from search_spaces.path_counts import composition, path_statistics, sequences

_PATHS = ((3,), (0, 4), (1, 5), (0, 2, 5))  # as genes, from node 0 to node 3
_KINDS = 3  # operations that change a map: conv 1x1, conv 3x3, average pool; digits 2, 3, 4 of a gene
_LONGEST = 3
_SEQUENCES = sequences(_KINDS, _LONGEST)
# length; convolutions, 1x1, 3x3, pools among the operations of a path
_TRAITS = composition(_KINDS, _LONGEST, ((0, 1), (0,), (1,), (2,)))
_GRAPH_VERTICES = 2 + len(EDGES)


def _sequence_tables() -> list[np.ndarray]:
    """Per path: the column of `path_counts` for each combination of its edges' operations, -1 if it is dead."""
    column = {s: i for i, s in enumerate(_SEQUENCES)}
    tables = []
    for path in _PATHS:
        table = np.full((5,) * len(path), -1)
        for combination in itertools.product(range(1, 5), repeat=len(path)):
            table[combination] = column[tuple(o - 2 for o in combination if o != SKIP)]
        tables.append(table)
    return tables


_TABLES = _sequence_tables()


def _columns(genes: np.ndarray) -> np.ndarray:
    """The sequence of each of the four paths, shape (n, 4), -1 where a 'none' interrupts it."""
    found = [table[tuple(genes[:, list(path)].T)] for table, path in zip(_TABLES, _PATHS, strict=True)]
    return np.stack(found, axis=1)


def path_counts(genes: np.ndarray) -> FloatArray:
    """Number of live paths with each sequence of operations, without skips, shape (n, 40)."""
    columns = _columns(genes)
    counts = np.zeros((len(genes), len(_SEQUENCES)))
    for column in columns.T:
        alive = np.flatnonzero(column >= 0)
        counts[alive, column[alive]] += 1.0
    return counts


def live_genes(genes: np.ndarray) -> np.ndarray:
    """The genes, with 'none' on every edge that no live path uses, shape (n, 6)."""
    alive = _columns(genes) >= 0
    used = np.zeros(genes.shape, dtype=bool)
    for path, works in zip(_PATHS, alive.T, strict=True):
        used[:, list(path)] |= works[:, None]
    return np.where(used, genes, NONE)


def summary(genes: np.ndarray) -> FloatArray:
    """The live part in 24 numbers, shape (n, 24).

    Paths, different sequences, operations of each kind (skip included), paths of skips alone, of pools alone, with a
    convolution; then most, least and mean over the paths of length, convolutions, 1x1, 3x3 and pools.
    """
    counts, live = path_counts(genes), live_genes(genes)
    length, convolutions = _TRAITS[:, 0], _TRAITS[:, 1]
    kinds = [(live == kind).sum(axis=1) for kind in range(1, 5)]
    columns = [
        counts.sum(axis=1),
        (counts > 0).sum(axis=1),
        *kinds,
        counts[:, 0],
        counts @ ((length > 0) & (convolutions == 0)),
        counts @ (convolutions > 0),
    ]
    return np.concatenate([np.stack(columns, axis=1), path_statistics(counts, _TRAITS)], axis=1)


def structure(genes: np.ndarray) -> FloatArray:
    """`summary`, `path_counts` and the live operation on each edge, one-hot, shape (n, 88)."""
    live = live_genes(genes)
    one_hot = (live[:, :, None] == np.arange(1, 5)).reshape(len(genes), -1)
    return np.concatenate([summary(genes), path_counts(genes), one_hot], axis=1)


def graph(genes: np.ndarray) -> FloatArray:
    """Adjacency (8 x 8, row to column) and one-hot operations (8 x 6) of the graph whose vertices are live edges.

    Shape (n, 112): input, the six edges, output; operations: input, skip, 1x1, 3x3, pool, output. A dead edge is an
    isolated vertex without an operation.
    """
    live = live_genes(genes)
    alive = np.ones((len(genes), _GRAPH_VERTICES), dtype=bool)
    alive[:, 1:-1] = live > 0
    starts = [None, *(source for _, source in EDGES), 3]
    ends = [0, *(target for target, _ in EDGES), None]
    joined = np.array([[end is not None and end == start for start in starts] for end in ends])
    adjacency = joined & alive[:, :, None] & alive[:, None, :]
    operations = np.zeros((len(genes), _GRAPH_VERTICES, 6))
    operations[:, 0, 0] = operations[:, -1, -1] = 1.0
    operations[:, 1:-1, 1:5] = live[:, :, None] == np.arange(1, 5)
    flat = (adjacency.reshape(len(genes), -1), operations.reshape(len(genes), -1))
    return np.concatenate(flat, axis=1).astype(np.float64)
