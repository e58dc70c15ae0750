"""NASBench-101 cells as features that do not depend on the order of vertices, for many cells at once.

All features come from unpruned genes: vertices off every path from input to output do not count, and isomorphic
cells have equal rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.core.records import FloatArray
from search_spaces.nasbench101.cell import FULL_BITS, INNER, MAX_VERTICES, OPERATIONS
from search_spaces.path_counts import composition, path_statistics

_CHOICES = len(OPERATIONS)
_STARTS = np.cumsum([0, *(_CHOICES**length for length in range(INNER + 1))])  # of each length's columns
# length; convolutions, 3x3, 1x1, pools among the operations of a path
_TRAITS = composition(_CHOICES, INNER, ((0, 1), (0,), (1,), (2,)))
_SHORT = int(_STARTS[4])  # paths of at most three operations: 40
_CHUNK = 256  # cells at a time, so that the working set fits the processor's cache


def _parts(genes: np.ndarray) -> tuple[FloatArray, FloatArray]:
    """Adjacency (n, 7, 7) without useless vertices, and one-hot labels (n, 7, 5): input, operations, output."""
    n = len(genes)
    adjacency = np.zeros((n, MAX_VERTICES, MAX_VERTICES))
    rows, columns = np.triu_indices(MAX_VERTICES, 1)
    adjacency[:, rows, columns] = genes[:, :FULL_BITS]
    forward, backward = np.zeros((n, MAX_VERTICES)), np.zeros((n, MAX_VERTICES))
    forward[:, 0] = backward[:, -1] = 1.0
    for v in range(1, MAX_VERTICES):
        forward[:, v] = (adjacency[:, :, v] * forward).any(axis=1)
        u = MAX_VERTICES - 1 - v
        backward[:, u] = (adjacency[:, u] * backward).any(axis=1)
    used = forward * backward
    adjacency *= used[:, :, None] * used[:, None, :]
    labels = np.zeros((n, MAX_VERTICES, _CHOICES + 2))
    labels[:, 0, 0] = labels[:, -1, -1] = 1.0
    labels[:, 1:-1, 1:-1] = (genes[:, FULL_BITS:, None] == np.arange(_CHOICES)) * used[:, 1:-1, None]
    return adjacency, labels


def _path_counts(adjacency: FloatArray, labels: FloatArray) -> FloatArray:
    """Number of paths with each sequence of operations, shape (n, 364): by length, then in the order of their digits."""
    n = len(adjacency)
    arriving = np.zeros((n, MAX_VERTICES, _STARTS[-1]))
    arriving[:, 0, 0] = 1.0
    for v in range(1, MAX_VERTICES - 1):
        into = _arrivals(adjacency, arriving, v)
        for length in range(v):  # the operation of v is the last digit
            longer = into[:, _STARTS[length] : _STARTS[length + 1], None] * labels[:, v, None, 1:-1]
            arriving[:, v, _STARTS[length + 1] : _STARTS[length + 2]] = longer.reshape(n, -1)
    return _arrivals(adjacency, arriving, MAX_VERTICES - 1)


def _arrivals(adjacency: FloatArray, arriving: FloatArray, vertex: int) -> FloatArray:
    into: FloatArray = (adjacency[:, None, :vertex, vertex] @ arriving[:, :vertex])[:, 0]
    return into


def _pairs(adjacency: FloatArray, labels: FloatArray) -> FloatArray:
    """Edges by the labels at their two ends, shape (n, 16)."""
    from_label = labels[:, :, :-1].transpose(0, 2, 1) @ adjacency
    counts: FloatArray = (from_label @ labels[:, :, 1:]).reshape(len(adjacency), -1)
    return counts


def _summary(adjacency: FloatArray, labels: FloatArray, counts: FloatArray) -> FloatArray:
    incoming, outgoing = adjacency.sum(axis=1), adjacency.sum(axis=2)
    columns = [
        labels.sum(axis=(1, 2)),
        adjacency.sum(axis=(1, 2)),
        *labels[:, :, 1:-1].sum(axis=1).T,
        counts.sum(axis=1),
        (counts > 0).sum(axis=1),
        incoming[:, -1],
        outgoing[:, 0],
        incoming.max(axis=1),
        outgoing.max(axis=1),
    ]
    parts = [np.stack(columns, axis=1), path_statistics(counts, _TRAITS), _pairs(adjacency, labels)]
    return np.concatenate(parts, axis=1)


def adjacency_one_hot(genes: Sequence[Sequence[int]]) -> FloatArray:
    """Edge bits and one column per inner vertex and operation, shape (n, 36), of canonical genes.

    The columns of an absent vertex are zero.
    """
    rows = []
    for chunk in _chunks(genes):
        operations = _parts(chunk)[1][:, 1:-1, 1:-1].reshape(len(chunk), -1)
        rows.append(np.concatenate([chunk[:, :FULL_BITS], operations], axis=1))
    return np.concatenate(rows)


def paths(genes: Sequence[Sequence[int]]) -> FloatArray:
    """Sequences of operations that lead from input to output, shape (n, 364), 0 or 1.

    The path encoding of White et al., "BANANAS", AAAI 2021, section 3.1. Independent of the vertex order.
    """
    return np.concatenate([(_path_counts(*_parts(chunk)) > 0).astype(np.float64) for chunk in _chunks(genes)])


def summary(genes: Sequence[Sequence[int]]) -> FloatArray:
    """A cell in 42 numbers, shape (n, 42).

    Vertices, edges, operations of each kind, paths, different sequences of operations, edges into the output and
    out of the input, most edges into and out of any vertex; then most, least and mean over the paths of length,
    convolutions, 3x3, 1x1 and pools; then the edges by the labels at their ends (16).
    """
    rows = []
    for chunk in _chunks(genes):
        adjacency, labels = _parts(chunk)
        rows.append(_summary(adjacency, labels, _path_counts(adjacency, labels)))
    return np.concatenate(rows)


def structure(genes: Sequence[Sequence[int]]) -> FloatArray:
    """`summary`, the chains of three labels along two edges (48), and the short paths (40), shape (n, 130).

    Pairs and chains are the neighbourhoods of one Weisfeiler-Lehman step, split, as in Ru et al., "NAS-BOWL",
    ICLR 2021, section 3.1. The paths are those of at most three operations, counted by their sequence.
    """
    rows = []
    for chunk in _chunks(genes):
        adjacency, labels = _parts(chunk)
        counts = _path_counts(adjacency, labels)
        before = (labels[:, :, :-1].transpose(0, 2, 1) @ adjacency).transpose(
            0, 2, 1
        )  # labels into each vertex
        after = adjacency @ labels[:, :, 1:]  # and out of it
        around = (before[:, :, :, None] * labels[:, :, None, 1:-1]).reshape(len(chunk), MAX_VERTICES, -1)
        chains = (around.transpose(0, 2, 1) @ after).reshape(len(chunk), -1)
        parts = [_summary(adjacency, labels, counts), chains, counts[:, :_SHORT]]
        rows.append(np.concatenate(parts, axis=1))
    return np.concatenate(rows)


def graph(genes: Sequence[Sequence[int]]) -> FloatArray:
    """Adjacency (7 x 7, row to column) and one-hot labels (7 x 5), shape (n, 84); order of vertices kept."""
    parts = [_parts(chunk) for chunk in _chunks(genes)]
    return np.concatenate(
        [np.concatenate([a.reshape(len(a), -1), o.reshape(len(o), -1)], axis=1) for a, o in parts]
    )


def _chunks(genes: Sequence[Sequence[int]]) -> list[np.ndarray]:
    table = np.asarray(genes, dtype=np.int64).reshape(-1, FULL_BITS + INNER)
    return [table[i : i + _CHUNK] for i in range(0, max(1, len(table)), _CHUNK)]
