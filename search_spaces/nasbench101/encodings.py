"""Cells as feature vectors for surrogates; both are the same for isomorphic cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.core.records import FloatArray
from search_spaces.nasbench101.cell import FULL_BITS, INNER, OPERATIONS, Cell, columns, to_genes

_CHOICES = len(OPERATIONS)
_PATH_START = tuple((_CHOICES**length - 1) // (_CHOICES - 1) for length in range(INNER + 2))
NUM_PATHS = _PATH_START[INNER + 1]  # 1 + 3 + 9 + 27 + 81 + 243 = 364


def adjacency_one_hot(cells: Sequence[Cell]) -> FloatArray:
    """Edge bits and one column per inner vertex and operation, shape (n, 36), for canonical cells.

    Vertices have their positions of `to_genes`; the columns of an absent vertex are zero.
    """
    encoded = np.zeros((len(cells), FULL_BITS + _CHOICES * INNER))
    for row, cell in zip(encoded, cells, strict=True):
        row[:FULL_BITS] = to_genes(cell)[:FULL_BITS]
        row[[FULL_BITS + _CHOICES * i + op for i, op in enumerate(cell.ops)]] = 1.0
    return encoded


def paths(cells: Sequence[Cell]) -> FloatArray:
    """Sequences of operations that lead from input to output, shape (n, 364), 0 or 1.

    The path encoding of White et al., "BANANAS", AAAI 2021, section 3.1: by length (0 to 5 operations),
    within a length in the order of the operations' digits. Independent of the vertex order.
    """
    encoded = np.zeros((len(cells), NUM_PATHS))
    for row, cell in zip(encoded, cells, strict=True):
        row[sorted(_path_indices(cell))] = 1.0
    return encoded


def _path_indices(cell: Cell) -> set[int]:
    """Columns of the paths of a pruned cell."""
    # per vertex: (length, digits read in base 3) of the paths that end with it
    arriving: list[set[tuple[int, int]]] = [{(0, 0)}]
    for y, column in enumerate(columns(*cell[:2])):
        if y == 0:
            continue
        into = set().union(*(arriving[x] for x in range(y) if column >> x & 1))
        if y < cell.num_vertices - 1:
            op = cell.ops[y - 1]
            into = {(length + 1, code * _CHOICES + op) for length, code in into}
        arriving.append(into)
    return {_PATH_START[length] + code for length, code in arriving[-1]}
