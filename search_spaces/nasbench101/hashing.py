"""The graph hash that identifies the benchmark's cells (Ying et al. 2019, appendix S1)."""

from __future__ import annotations

from functools import lru_cache
from hashlib import md5
from typing import Any

from search_spaces.nasbench101.cell import Cell, read_cell

_INPUT, _OUTPUT = -1, -2


def module_hash(adjacency: Any, ops: Any) -> str:
    """The published hash of a cell, 32 hex digits; equal for isomorphic cells. Prunes first.

    `adjacency` is an n x n matrix of 0 and 1 (lists or an array, upper triangular) or the upper triangle
    row by row as a string of '0' and '1'. `ops` has one entry per inner vertex: digits (a string or a list;
    0 conv3x3, 1 conv1x1, 2 maxpool) or the benchmark's names, in which case 'input' and 'output' may stand
    around them. Cells with more than nine edges have a hash too, though the benchmark holds none. Raises
    `ArchitectureError`.
    """
    return cell_hash(read_cell(adjacency, ops))


def cell_hash(cell: Cell) -> str:
    """The published hash of a pruned cell."""
    n, _, ops = cell
    before: list[list[int]] = [[] for _ in range(n)]
    after: list[list[int]] = [[] for _ in range(n)]
    for x, y in cell.edges:
        before[y].append(x)
        after[x].append(y)
    labels = (_INPUT, *ops, _OUTPUT)
    hashes = [_first_hash(len(after[v]), len(before[v]), labels[v]) for v in range(n)]
    for _ in range(n):
        hashes = [
            md5(
                (
                    "".join(sorted([hashes[w] for w in before[v]]))
                    + "|"
                    + "".join(sorted([hashes[w] for w in after[v]]))
                    + "|"
                    + hashes[v]
                ).encode(),
                usedforsecurity=False,
            ).hexdigest()
            for v in range(n)
        ]
    return md5(str(sorted(hashes)).encode(), usedforsecurity=False).hexdigest()


@lru_cache(maxsize=1024)
def _first_hash(out_degree: int, in_degree: int, label: int) -> str:
    return md5(str((out_degree, in_degree, label)).encode(), usedforsecurity=False).hexdigest()
