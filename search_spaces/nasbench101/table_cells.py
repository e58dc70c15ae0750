"""Cells as one integer: the key under which tables are sorted and searched.

The key is the canonical genes of the space as a number: the 21 possible edges of seven vertices, the
output always vertex 6, and five operations. So an architecture's genes become a key by a sum, without pruning.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from operator import mul

from search_spaces.nasbench101.cell import (
    COLUMN_START,
    FULL_BITS,
    MAX_VERTICES,
    OPERATIONS,
    ROW_WEIGHTS,
    Cell,
)
from search_spaces.nasbench101.hashing import cell_hash

_INNER = MAX_VERTICES - 2
_OPS_BITS = 8  # 3**5 = 243 choices of five operations
_CHOICES = len(OPERATIONS)
_POWERS = tuple(int(_CHOICES**i) for i in range(_INNER))
_WEIGHTS = ROW_WEIGHTS[MAX_VERTICES]
_OUTPUT = COLUMN_START[MAX_VERTICES - 1]  # where the in-edges of the output begin
# By the length of the bits between inner vertices: every inner vertex has an in-edge, so the last one shows
_VERTICES = tuple(
    next(y for y in range(MAX_VERTICES) if COLUMN_START[y + 1] >= n) + 2 for n in range(_OUTPUT + 1)
)


def pack(cell: Cell) -> int:
    """A pruned cell in 29 bits: `Cell.bits` with the output moved to vertex 6 (21), operations in base 3 (8)."""
    n, bits, ops = cell
    start = COLUMN_START[n - 1]
    moved = bits & ((1 << start) - 1) | bits >> start << _OUTPUT
    return moved << _OPS_BITS | _code(ops)


def pack_genes(genes: Sequence[int]) -> int:
    """The key of the cell if the genes are canonical; else a number that may not be a key."""
    return sum(compress(_WEIGHTS, genes)) << _OPS_BITS | _code(genes[FULL_BITS:])


def _code(ops: Sequence[int]) -> int:
    code: int = sum(map(mul, ops, _POWERS))
    return code


def unpack(key: int) -> Cell:
    """The cell of a key; the inverse of `pack`."""
    edges, code = key >> _OPS_BITS, key & ((1 << _OPS_BITS) - 1)
    inner = edges & ((1 << _OUTPUT) - 1)
    n = _VERTICES[inner.bit_length()]
    bits = inner | edges >> _OUTPUT << COLUMN_START[n - 1]
    return Cell(n, bits, tuple([code // power % _CHOICES for power in _POWERS[: n - 2]]))


def text_of(cell: Cell) -> str:
    """The text form `bits-operations`."""
    return f"{cell.adjacency}-{cell.operations}"


def hash_of(key: int) -> str:
    """The published module hash of a packed cell, computed (about a tenth of a millisecond)."""
    return cell_hash(unpack(key))
