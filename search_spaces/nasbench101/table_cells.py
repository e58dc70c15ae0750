"""Cells as one integer: the key under which tables are sorted and searched."""

from __future__ import annotations

from search_spaces.nasbench101.cell import FULL_BITS, MAX_VERTICES, OPERATIONS, Cell
from search_spaces.nasbench101.hashing import cell_hash

_INNER = MAX_VERTICES - 2
_OPS_BITS = 8  # 3**5 = 243 choices of five operations
_CHOICES = len(OPERATIONS)
_POWERS: tuple[int, ...] = tuple(int(_CHOICES**i) for i in range(_INNER))


def pack(cell: Cell) -> int:
    """A pruned cell in 32 bits: vertices (3), `Cell.bits` (21), operations in base 3, the first lowest (8)."""
    n, bits, ops = cell
    code: int = sum([o * p for o, p in zip(ops, _POWERS, strict=False)])
    return (n << FULL_BITS | bits) << _OPS_BITS | code


def unpack(key: int) -> Cell:
    """The cell of a key; the inverse of `pack`."""
    n = key >> (FULL_BITS + _OPS_BITS)
    bits = key >> _OPS_BITS & ((1 << FULL_BITS) - 1)
    code = key & ((1 << _OPS_BITS) - 1)
    return Cell(n, bits, tuple([code // power % _CHOICES for power in _POWERS[: n - 2]]))


def text_of(cell: Cell) -> str:
    """The text form `bits-operations`."""
    return f"{cell.adjacency}-{cell.operations}"


def hash_of(key: int) -> str:
    """The published module hash of a packed cell, computed (about a tenth of a millisecond)."""
    return cell_hash(unpack(key))
