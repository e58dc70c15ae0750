"""One representative for all isomorphic cells: the one that the benchmark stores.

Isomorphic cells compute the same function up to the widths of their vertices, which follow the vertex order
when the output width cannot be divided evenly. So the representative matters: it is the first of its class
in the benchmark's own enumeration, i.e. the smallest `Cell`, compared as a tuple (vertices, bits,
operations).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from search_spaces.nasbench101.cell import COLUMN_START, Cell, columns, from_genes, to_genes

_GRAPHS = 1 << 15  # about 20 MB when full
_CELLS = 1 << 16  # about 50 MB when full


class Relabelling(NamedTuple):
    """The smallest `bits` of a graph, and every order of its inner vertices that gives them.

    `orders[k][i]` is the old number of the vertex that becomes i + 1; never empty. For a graph that already
    is smallest the orders are its automorphisms.
    """

    bits: int
    orders: tuple[tuple[int, ...], ...]


def canonical_cell(cell: Cell) -> Cell:
    """The representative of a pruned cell; idempotent."""
    n, bits, ops = cell
    smallest, orders = canonical_graph(n, bits)
    if len(orders) == 1:
        labels = tuple([ops[v - 1] for v in orders[0]])
    else:
        labels = min([tuple([ops[v - 1] for v in order]) for order in orders])
    return Cell(n, smallest, labels)


@lru_cache(maxsize=_CELLS)
def canonical_genes(genes: tuple[int, ...]) -> tuple[int, ...]:
    """The 26 genes of the representative. Raises `ArchitectureError` when `genes` are not valid."""
    return to_genes(canonical_cell(from_genes(genes)))


@lru_cache(maxsize=_GRAPHS)
def canonical_graph(num_vertices: int, bits: int) -> Relabelling:
    """The smallest relabelling of a pruned graph, operations left aside."""
    return relabel_smallest(num_vertices, bits)


def relabel_smallest(num_vertices: int, bits: int) -> Relabelling:
    """As `canonical_graph`, without its cache.

    Fills the positions from the last inner vertex down. The in-edges of the output are the most significant
    bits, so a vertex that feeds the output takes a position only if no other vertex can take it.
    """
    cols = columns(num_vertices, bits)
    feeds_output = cols[-1]
    inner = range(1, num_vertices - 1)
    edges = [(x, y) for y in range(1, num_vertices) for x in range(y) if cols[y] >> x & 1]
    followers = [0] * num_vertices  # inner out-neighbours of each vertex
    for x, y in edges:
        if y < num_vertices - 1:
            followers[x] |= 1 << y
    best, orders = bits, []
    position = [0] * num_vertices
    position[-1] = num_vertices - 1
    work: list[tuple[int, int, tuple[int, ...]]] = [(num_vertices - 2, 0, ())]
    while work:
        place, placed, order = work.pop()
        if place == 0:
            for i, v in enumerate(order):
                position[v] = i + 1
            relabelled = sum([1 << position[x] + COLUMN_START[position[y]] for x, y in edges])
            if relabelled < best:
                best, orders = relabelled, [order]
            elif relabelled == best:
                orders.append(order)
            continue
        free = [v for v in inner if not placed >> v & 1 and not followers[v] & ~placed]
        idle = [v for v in free if not feeds_output >> v & 1]
        work.extend((place - 1, placed | 1 << v, (v, *order)) for v in idle or free)
    return Relabelling(best, tuple(orders))
