"""A cell of NASBench-101 as three small values, with pruning and its text, matrix and gene forms.

Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search", ICML 2019, section 2.1. A
cell is a directed acyclic graph of 2 to 7 vertices and at most 9 edges; vertex 0 is the input, the last the
output.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, compress
from typing import Any, NamedTuple

import numpy as np

from nas.core.errors import ArchitectureError

MAX_VERTICES = 7
MAX_EDGES = 9  # counted after pruning, as the benchmark does
OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
CONV3X3, CONV1X1, MAXPOOL = range(3)

COLUMN_START = tuple(y * (y - 1) // 2 for y in range(MAX_VERTICES + 1))
FULL_BITS = COLUMN_START[MAX_VERTICES]  # 21 possible edges
INNER = MAX_VERTICES - 2
CARDINALITIES = (2,) * FULL_BITS + (3,) * INNER

EDGE_NAMES = tuple(f"edge{x}-{y}" for x in range(MAX_VERTICES) for y in range(x + 1, MAX_VERTICES))
PARAMETERS = (*EDGE_NAMES, *(f"op{v}" for v in range(1, INNER + 1)))  # names of the genes

Matrix = Sequence[Sequence[int]]


def edge_weight(x: int, y: int) -> int:
    """The bit of edge (x, y), x < y, in `Cell.bits`."""
    return 1 << (x + COLUMN_START[y])


def row_weights(num_vertices: int) -> tuple[int, ...]:
    """Edge bits in the order of the texts and genes: upper triangle, row by row."""
    return tuple(edge_weight(x, y) for x in range(num_vertices) for y in range(x + 1, num_vertices))


ROW_WEIGHTS = {n: row_weights(n) for n in range(2, MAX_VERTICES + 1)}
VERTICES_OF_LENGTH = {len(weights): n for n, weights in ROW_WEIGHTS.items()}
_GENE_WEIGHTS = ROW_WEIGHTS[MAX_VERTICES]
_OUTPUT_COLUMN = COLUMN_START[MAX_VERTICES - 1]


class Cell(NamedTuple):
    """A cell; as tuples, cells sort in the order in which the benchmark enumerates them.

    `bits` holds edge (x, y) at bit x + y (y - 1) / 2, so that the in-edges of a vertex are neighbouring bits.
    `ops` holds one digit (an index into `OPERATIONS`) per inner vertex.
    """

    num_vertices: int
    bits: int
    ops: tuple[int, ...]

    @property
    def num_edges(self) -> int:
        return bin(self.bits).count("1")

    @property
    def adjacency(self) -> str:
        """The upper triangle row by row, as '0' and '1': n (n - 1) / 2 characters."""
        return "".join("1" if self.bits & w else "0" for w in ROW_WEIGHTS[self.num_vertices])

    @property
    def operations(self) -> str:
        """One digit per inner vertex."""
        return "".join(map(str, self.ops))

    @property
    def edges(self) -> list[tuple[int, int]]:
        """Pairs (x, y), x < y, in the order of `bits`."""
        return [(x, y) for y, column in enumerate(columns(*self[:2])) for x in range(y) if column >> x & 1]


def columns(num_vertices: int, bits: int) -> list[int]:
    """For every vertex the set of its in-neighbours as a bit mask, length `num_vertices`."""
    return [(bits >> COLUMN_START[y]) & ((1 << y) - 1) for y in range(num_vertices)]


def prune(num_vertices: int, bits: int, ops: Sequence[int]) -> Cell | None:
    """The cell without vertices off every path from input to output; None without such a path."""
    cols = columns(num_vertices, bits)
    reached = 1
    for y in range(1, num_vertices):
        if cols[y] & reached:
            reached |= 1 << y
    last = num_vertices - 1
    if not reached >> last:
        return None
    kept = 1 << last
    for y in range(last, 0, -1):
        if kept >> y & 1:
            kept |= cols[y] & reached
    if kept == (1 << num_vertices) - 1:
        return Cell(num_vertices, bits, tuple(ops))
    vertices = [v for v in range(num_vertices) if kept >> v & 1]
    pruned = 0
    for index, y in enumerate(vertices):
        pruned |= _squeeze(cols[y] & kept, kept) << COLUMN_START[index]
    return Cell(len(vertices), pruned, tuple([ops[v - 1] for v in vertices[1:-1]]))


@lru_cache(maxsize=1 << 14)
def _squeeze(mask: int, kept: int) -> int:
    """The bits of `mask` at the positions set in `kept`, moved together."""
    squeezed, position = 0, 0
    while kept:
        low = kept & -kept
        if mask & low:
            squeezed |= 1 << position
        position += 1
        kept ^= low
    return squeezed


def in_range(genes: Sequence[int]) -> bool:
    """Whether there are 26 genes, 21 of them 0 or 1 and the last five 0, 1 or 2."""
    return (
        len(genes) == len(CARDINALITIES)
        and min(genes) >= 0
        and max(genes[:FULL_BITS]) < 2
        and max(genes[FULL_BITS:]) < len(OPERATIONS)
    )


def pruned_from_genes(genes: Sequence[int]) -> Cell | None:
    """The pruned cell of 26 genes in range; None unless input and output are joined by at most nine edges."""
    bits = sum(compress(_GENE_WEIGHTS, genes))
    cell = prune(MAX_VERTICES, bits, genes[FULL_BITS:])
    return None if cell is None or cell.num_edges > MAX_EDGES else cell


def from_genes(genes: Sequence[int]) -> Cell:
    """The pruned cell of 26 genes, vertex order kept. Raises `ArchitectureError` if they are not valid."""
    if not in_range(genes):
        raise ArchitectureError(
            f"genes {tuple(genes)}: expected {FULL_BITS} edge bits (0 or 1), then {INNER} operations "
            f"(0 conv3x3, 1 conv1x1, 2 maxpool), {len(CARDINALITIES)} whole numbers in all"
        )
    bits = sum(compress(_GENE_WEIGHTS, genes))
    return checked(prune(MAX_VERTICES, bits, genes[FULL_BITS:]), f"genes {tuple(genes)}")


def to_genes(cell: Cell) -> tuple[int, ...]:
    """26 genes: inner vertices keep their index, the output is vertex 6, unused vertices are isolated."""
    n, bits, ops = cell
    start = COLUMN_START[n - 1]
    # Move the output's column to that of vertex 6; the columns between stay empty.
    bits = (bits & ((1 << start) - 1)) | (bits >> start) << _OUTPUT_COLUMN
    edges = [1 if bits & w else 0 for w in _GENE_WEIGHTS]
    return (*edges, *ops, *(0,) * (MAX_VERTICES - n))


def checked(cell: Cell | None, what: str) -> Cell:
    """The pruned cell, if it has a path and few enough edges; else `ArchitectureError` about `what`."""
    if cell is None:
        raise ArchitectureError(
            f"{what}: no path leads from the input (vertex 0) to the output (the last vertex); "
            "add edges that do"
        )
    if cell.num_edges > MAX_EDGES:
        raise ArchitectureError(
            f"{what}: {cell.num_edges} edges after pruning, but a cell has at most {MAX_EDGES}; remove some"
        )
    return cell


def parse_cell(text: str) -> Cell:
    """Read '<upper-triangle bits>-<operation digits>', e.g. '100110-02'; pruned, vertex order kept.

    Raises `ArchitectureError` naming the wrong part.
    """
    adjacency, dash, ops = text.strip().partition("-")
    if not dash:
        raise ArchitectureError(
            f"architecture {text!r}: expected '<upper-triangle bits>-<operation digits>', such as "
            "'100110-02' (four vertices) or '1-' (input to output alone); the '-' is missing"
        )
    return checked(prune(*_read_parts(adjacency, ops)), f"architecture {text!r}")


def read_cell(adjacency: Any, ops: Any) -> Cell:
    """The pruned cell of a matrix or bit string and its operations, with any number of edges.

    The forms are those of `module_hash`.

    Raises `ArchitectureError` when the parts do not match or no path leads to the output.
    """
    cell = prune(*_read_parts(adjacency, ops))
    if cell is None:
        return checked(cell, "adjacency")
    return cell


def _read_parts(adjacency: Any, ops: Any) -> tuple[int, int, tuple[int, ...]]:
    num_vertices, bits = (
        _read_bits(adjacency) if isinstance(adjacency, str) else _read_matrix(np.asarray(adjacency))
    )
    return num_vertices, bits, _read_ops(ops, num_vertices)


def _read_bits(text: str) -> tuple[int, int]:
    if set(text) - {"0", "1"}:
        wrong = sorted(set(text) - {"0", "1"})
        raise ArchitectureError(f"adjacency {text!r}: expected only '0' and '1', found {wrong}")
    n = VERTICES_OF_LENGTH.get(len(text))
    if n is None:
        raise ArchitectureError(
            f"adjacency {text!r}: {len(text)} bits; expected the upper triangle of 2 to {MAX_VERTICES} "
            f"vertices, that is one of {sorted(VERTICES_OF_LENGTH)} bits"
        )
    return n, sum(compress(ROW_WEIGHTS[n], map(int, text)))


def _read_matrix(matrix: np.ndarray[Any, Any]) -> tuple[int, int]:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not 2 <= len(matrix) <= MAX_VERTICES:
        raise ArchitectureError(
            f"adjacency: expected an n x n matrix with 2 <= n <= {MAX_VERTICES}, got shape {matrix.shape}"
        )
    if not np.isin(matrix, (0, 1)).all():
        raise ArchitectureError(f"adjacency: expected only 0 and 1, got {matrix.tolist()}")
    if np.tril(matrix).any():
        raise ArchitectureError(
            "adjacency: expected edges from lower to higher vertices only (upper triangle, empty diagonal), "
            f"got {matrix.tolist()}; number the vertices in topological order"
        )
    n = len(matrix)
    upper = chain.from_iterable(matrix[x, x + 1 :].tolist() for x in range(n))
    return n, sum(compress(ROW_WEIGHTS[n], upper))


def _read_ops(ops: Any, num_vertices: int) -> tuple[int, ...]:
    given = list(ops)
    if given[:1] == ["input"] and given[-1:] == ["output"]:
        given = given[1:-1]
    if len(given) != num_vertices - 2:
        raise ArchitectureError(
            f"ops {ops!r}: {len(given)} operations for {num_vertices} vertices; expected one per inner "
            f"vertex ({num_vertices - 2}), optionally between 'input' and 'output'"
        )
    return tuple(_read_operation(op, ops) for op in given)


def _read_operation(op: Any, ops: Any) -> int:
    if isinstance(op, str) and op in OPERATIONS:
        return OPERATIONS.index(op)
    if isinstance(op, int | np.integer | str) and str(op) in {"0", "1", "2"}:
        return int(op)
    raise ArchitectureError(
        f"ops {ops!r}: {op!r} is not an operation; expected 0, 1, 2 or one of {', '.join(OPERATIONS)}"
    )
