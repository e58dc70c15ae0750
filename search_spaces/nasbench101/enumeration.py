"""The whole space: every cell up to isomorphism, once, in the benchmark's order; and uniform draws."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice, product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nas.core.errors import ConfigError
from nas.core.files import write_whole
from search_spaces.nasbench101.canonical import relabel_smallest
from search_spaces.nasbench101.cell import (
    COLUMN_START,
    MAX_EDGES,
    MAX_VERTICES,
    OPERATIONS,
    Cell,
    edge_weight,
)
from search_spaces.nasbench101.cost import Skeleton, network_cost
from search_spaces.nasbench101.hashing import cell_hash

CELLS_PER_VERTICES = {2: 1, 3: 6, 4: 84, 5: 2_441, 6: 62_010, 7: 359_082}  # Ying et al. 2019, section 2.1
NUM_CELLS = sum(CELLS_PER_VERTICES.values())
_ROW_GROUP = 1 << 15

Orders = tuple[tuple[int, ...], ...]


class CellRow(NamedTuple):
    """A row of the table of all cells; the strings are those of the text form `adjacency-ops`."""

    module_hash: str
    num_vertices: int
    adjacency: str
    ops: str
    params: int
    madds: int


def enumerate_cells(skeleton: Skeleton | None = None, max_vertices: int = MAX_VERTICES) -> Iterator[CellRow]:
    """Each of the 423,624 cells once, with hash and costs; `skeleton` None means the benchmark's."""
    skeleton = skeleton or Skeleton()
    for cell in all_cells(max_vertices):
        params, madds = network_cost(cell, skeleton)
        yield CellRow(cell_hash(cell), cell.num_vertices, cell.adjacency, cell.operations, params, madds)


def all_cells(max_vertices: int = MAX_VERTICES) -> Iterator[Cell]:
    """The canonical cells of at most `max_vertices` vertices, ascending.

    Raises `ConfigError` for a number other than 2 to 7.
    """
    if not 2 <= max_vertices <= MAX_VERTICES:
        raise ConfigError(f"max_vertices: expected 2 to {MAX_VERTICES}, got {max_vertices!r}")
    for n in range(2, max_vertices + 1):
        for bits, orders in canonical_graphs(n):
            for ops in _labellings(n, orders):
                yield Cell(n, bits, ops)


@cache
def canonical_graphs(num_vertices: int) -> tuple[tuple[int, Orders], ...]:
    """The smallest `bits` of every graph without useless vertices, ascending, with its automorphisms."""
    found = []
    for bits in _whole_graphs(num_vertices):
        smallest, orders = relabel_smallest(num_vertices, bits)
        if smallest == bits:
            found.append((bits, orders))
    return tuple(found)


def _whole_graphs(num_vertices: int) -> list[int]:
    """Edge patterns of at most nine edges in which every vertex has the in-edge and the out-edge it needs."""
    n = num_vertices
    bits = np.arange(1 << COLUMN_START[n], dtype=np.int64)
    for y in range(1, n):
        bits = bits[(bits >> COLUMN_START[y]) & ((1 << y) - 1) != 0]
    for x in range(n - 1):
        bits = bits[bits & sum(edge_weight(x, y) for y in range(x + 1, n)) != 0]
    edges = sum((bits >> i & 1 for i in range(COLUMN_START[n])), start=np.zeros_like(bits))
    return [int(b) for b in bits[edges <= MAX_EDGES]]


def _labellings(num_vertices: int, orders: Orders) -> list[tuple[int, ...]]:
    """The operations that no automorphism makes smaller, ascending."""
    every = product(range(len(OPERATIONS)), repeat=num_vertices - 2)
    if len(orders) == 1:
        return list(every)
    return [ops for ops in every if all(ops <= tuple([ops[v - 1] for v in order]) for order in orders)]


class UniformSampler:
    """Draws canonical cells with equal probability; its construction lists the graphs (under a second).

    Holds about 1,500 graphs rather than all cells.
    """

    def __init__(self) -> None:
        self._graphs = [
            (n, bits, orders) for n in range(2, MAX_VERTICES + 1) for bits, orders in canonical_graphs(n)
        ]
        self._ends = np.cumsum([len(_labellings(n, orders)) for n, _, orders in self._graphs])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Cell:
        """Cell number `index` (from 0) in the order of the enumeration."""
        if not 0 <= index < len(self):
            raise IndexError(f"cell {index}: the space holds {len(self)}, counted from 0")
        graph = int(np.searchsorted(self._ends, index, side="right"))
        n, bits, orders = self._graphs[graph]
        labellings = _labellings(n, orders)
        return Cell(n, bits, labellings[index - int(self._ends[graph])])  # negative: counted from the end

    def sample(self, rng: np.random.Generator) -> Cell:
        """One cell, each with probability 1 / 423,624."""
        return self[int(rng.integers(len(self)))]


def write_cells(
    path: str | os.PathLike[str],
    *,
    skeleton: Skeleton | None = None,
    max_vertices: int = MAX_VERTICES,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write `enumerate_cells` as a Parquet file, one column per field of `CellRow`; returns the rows' number.

    `progress(done, total)` is called after every row group. The file appears only when complete (it is
    written beside its place and then renamed, replacing a file of that name).
    Raises `ConfigError` if the folder does not exist, `OSError` if writing fails.
    """
    path = Path(path)
    if not path.parent.is_dir() or path.is_dir():
        raise ConfigError(f"path: expected the name of a file in an existing folder, got {str(path)!r}")
    written = 0

    def write(part: Path) -> None:
        nonlocal written
        written = _write(part, enumerate_cells(skeleton, max_vertices), max_vertices, progress)

    write_whole(path, write)
    return written


def _write(
    path: Path, rows: Iterator[CellRow], max_vertices: int, progress: Callable[[int, int], None] | None
) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = (pa.string(), pa.int8(), pa.string(), pa.string(), pa.int64(), pa.int64())
    schema = pa.schema(
        list(zip(CellRow._fields, types, strict=True)), metadata={"schema": "nasbench101-cells-1"}
    )
    total = sum(count for n, count in CELLS_PER_VERTICES.items() if n <= max_vertices)
    done = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while group := list(islice(rows, _ROW_GROUP)):
            arrays = [pa.array(c, t) for c, t in zip(zip(*group, strict=True), types, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            done += len(group)
            if progress is not None:
                progress(done, total)
    return done
