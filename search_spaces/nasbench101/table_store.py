"""The imported benchmark: memory-mapped columns, one binary search a query."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.core.errors import DataError
from nas.core.records import Architecture
from search_spaces.nasbench101.cell import in_range
from search_spaces.nasbench101.space import NASBench101
from search_spaces.nasbench101.table_cells import hash_of, pack_genes, text_of, unpack
from search_spaces.nasbench101.table_interface import (
    Cell,
    FolderTable,
    Measure,
    look_up_key,
    no_such_measure,
    not_in_table,
    value,
)
from search_spaces.nasbench101.table_layout import KIND, METRICS, RUNS, SCHEMA

_ADVICE = "import the published file again (docs/nasbench101-data.md)"


@dataclass(frozen=True, slots=True)
class Record:
    """Results of three trainings of a cell at one budget: fractions and seconds, one value per run."""

    module_hash: str
    params: int
    validation_accuracy: tuple[float, ...]
    test_accuracy: tuple[float, ...]
    train_accuracy: tuple[float, ...]
    training_time: tuple[float, ...]


class NASBench101Table(FolderTable):
    """A folder made by `import_tfrecord`, read only; opening reads the sizes, not the numbers.

    A cell is looked up by architecture, text form or module hash; an isomorphic copy is found too (more slowly,
    by its hash). Metrics are `training_time` (s), `train_accuracy`, `validation_accuracy`, `test_accuracy`
    (fractions) and `params`; `halfway_...` of the first four are the values after half of a budget's epochs (single
    precision). Pickles as its path, so a worker opens the folder itself.
    """

    def __init__(self, path: Path, meta: dict[str, Any], columns: dict[str, NDArray[Any]]) -> None:
        self.path = path
        self.meta = meta
        self.budgets = tuple(int(b) for b in meta["budgets"])
        self._columns = columns
        self._budget_index = {float(b): i for i, b in enumerate(self.budgets)}
        # Item access of a memoryview gives Python numbers, several times faster than numpy scalars
        self._search_cell = columns["search_cell"].data
        self._search_row = columns["search_row"].data
        self._hash_high = columns["hash"][:, 0].data
        self._hash_low = columns["hash"][:, 1].data

    @classmethod
    def open(cls, path: str | Path) -> NASBench101Table:
        """Map a store into memory. Raises `DataError` when it is missing, damaged or of another schema."""
        path = Path(path).absolute()
        meta = _read_meta(path)
        columns = {name: _map(path, name, about) for name, about in meta["columns"].items()}
        _check_shapes(path, columns, len(meta["budgets"]))
        return cls(path, meta, columns)

    def __reduce__(self) -> tuple[Any, ...]:
        return NASBench101Table.open, (str(self.path),)

    def __repr__(self) -> str:
        made_up = ", made-up numbers" if self.synthetic else ""
        return f"NASBench101Table({str(self.path)!r}, cells={len(self)}, budgets={self.budgets}{made_up})"

    def __len__(self) -> int:
        return len(self._search_cell)

    @property
    def synthetic(self) -> bool:
        """Whether the numbers are made up (to measure speed); never true of an import."""
        return bool(self.meta.get("synthetic", False))

    @cached_property
    def measures(self) -> tuple[Measure, ...]:
        """Everything on record; all cells have all of it."""
        n = len(self)
        found = [
            Measure(prefix + metric, b, "s" if metric == "training_time" else "fraction", RUNS, 1, n)
            for b in self.budgets
            for prefix in ("", "halfway_")
            for metric in METRICS
        ]
        return (*found, *(Measure("params", b, "", 1, 1, n) for b in self.budgets))

    def cells(self) -> Sequence[str]:
        """The text form of every cell, in ascending order of module hash (a second or two at full size)."""
        return [text_of(unpack(key)) for key in self._columns["cell"].tolist()]

    def hash_of(self, cell: Cell) -> str:
        """The module hash of a cell of the table."""
        return self._hash(self._row(cell))

    def query(self, cell: Cell, budget: float = 108) -> Record:
        """All runs of a cell at a budget (epochs).

        Raises `ArchitectureError` for a cell outside the table, `ConfigError` for a budget it lacks.
        """
        row, b, columns = self._row(cell), self._budget(budget, "validation_accuracy"), self._columns
        return Record(
            self._hash(row),
            int(columns["params"][row]),
            tuple(columns["final_validation_accuracy"][row, b].tolist()),
            tuple(columns["final_test_accuracy"][row, b].tolist()),
            tuple(columns["final_train_accuracy"][row, b].tolist()),
            tuple(columns["final_training_time"][row, b].tolist()),
        )

    def runs(self, cell: Cell, metric: str, budget: float = 108) -> tuple[float, ...]:
        """The three values of a metric (one of `params`); raises as `query` does."""
        b = self._budget(budget, metric)
        if metric == "params":
            return (float(self._columns["params"][self._row(cell)]),)
        name = metric if metric.startswith("halfway_") else f"final_{metric}"
        if name not in self._columns:
            raise no_such_measure(metric, budget, self.measures)
        return tuple(self._columns[name][self._row(cell), b].tolist())

    def validation_accuracy(self, cell: Cell, budget: float = 108, run: int | None = None) -> float:
        """Fraction; of one run (0 to 2), or the mean of the three."""
        return value(self, cell, "validation_accuracy", budget, run)

    def test_accuracy(self, cell: Cell, budget: float = 108, run: int | None = None) -> float:
        """Fraction; of one run (0 to 2), or the mean of the three."""
        return value(self, cell, "test_accuracy", budget, run)

    def train_accuracy(self, cell: Cell, budget: float = 108, run: int | None = None) -> float:
        """Fraction; of one run (0 to 2), or the mean of the three."""
        return value(self, cell, "train_accuracy", budget, run)

    def training_time(self, cell: Cell, budget: float = 108, run: int | None = None) -> float:
        """Seconds; of one run (0 to 2), or the mean of the three."""
        return value(self, cell, "training_time", budget, run)

    def _budget(self, budget: float, metric: str) -> int:
        try:
            return self._budget_index[budget]
        except KeyError:
            raise no_such_measure(metric, budget, self.measures) from None

    def _row(self, cell: Cell) -> int:
        if isinstance(cell, Architecture) and cell.space == NASBench101.name and in_range(cell.genes):
            row = self._row_of_key(pack_genes(cell.genes))  # canonical genes, at a third of the cost
            if row is not None:
                return row
        key = look_up_key(cell)
        if isinstance(key, int):
            row = self._row_of_key(key)
            if row is None:
                row = self._row_of_hash(hash_of(key))  # an isomorphic copy perhaps
        else:
            row = self._row_of_hash(key)
        if row is None:
            raise not_in_table(key, len(self))
        return row

    def _row_of_key(self, key: int) -> int | None:
        place = bisect_left(self._search_cell, key)
        if place < len(self._search_cell) and self._search_cell[place] == key:
            row: int = self._search_row[place]
            if row >= len(self._search_row):
                raise DataError(f"{self.path}/search_row.npy is damaged: it leads to row {row}; {_ADVICE}")
            return row
        return None

    def _row_of_hash(self, text: str) -> int | None:
        high, low = int(text[:16], 16), int(text[16:], 16)
        row = bisect_left(self._hash_high, high)
        while row < len(self) and self._hash_high[row] == high:
            if self._hash_low[row] == low:
                return row
            row += 1
        return None

    def _hash(self, row: int) -> str:
        return f"{self._hash_high[row]:016x}{self._hash_low[row]:016x}"


def _read_meta(path: Path) -> dict[str, Any]:
    try:
        meta = json.loads((path / "meta.json").read_text(encoding="utf-8"))
    except OSError:
        raise DataError(
            f"{path}: not an imported NASBench-101 table (no readable meta.json); {_ADVICE}"
        ) from None
    except ValueError as error:
        raise DataError(f"{path}/meta.json is damaged ({error}); {_ADVICE}") from None
    if not isinstance(meta, dict) or meta.get("kind") != KIND:
        raise DataError(f"{path}/meta.json does not describe a NASBench-101 table; {_ADVICE}")
    if meta.get("schema") != SCHEMA:
        raise DataError(f"{path}: schema {meta.get('schema')!r}, this version reads {SCHEMA}; {_ADVICE}")
    needed = {"hash", "cell", "params", "search_cell", "search_row"}
    needed |= {prefix + metric for prefix in ("final_", "halfway_") for metric in METRICS}
    columns, budgets = meta.get("columns"), meta.get("budgets")
    if not isinstance(columns, dict) or needed - columns.keys() or not budgets:
        raise DataError(f"{path}/meta.json lacks columns or budgets; {_ADVICE}")
    if not isinstance(budgets, list) or not all(type(b) is int and b > 0 for b in budgets):
        raise DataError(
            f"{path}/meta.json is damaged: budgets are {budgets!r}, expected whole epochs; {_ADVICE}"
        )
    if not all(isinstance(about, dict) for about in columns.values()):
        raise DataError(f"{path}/meta.json is damaged: it does not describe every column; {_ADVICE}")
    return {**meta, "columns": {name: meta["columns"][name] for name in sorted(needed)}}


def _check_shapes(path: Path, columns: dict[str, NDArray[Any]], budgets: int) -> None:
    """Raise `DataError` unless the columns agree with each other and the budgets."""
    cells = len(columns["cell"])
    for name, values in columns.items():
        expected: tuple[int, ...] = (cells,)
        if name == "hash":
            expected = (cells, 2)
        elif name.startswith(("final_", "halfway_")):
            expected = (cells, budgets, RUNS)
        if values.shape != expected:
            raise DataError(
                f"{path}/{name}.npy: shape {list(values.shape)}, expected {list(expected)} for {cells} cells and "
                f"{budgets} budgets in meta.json; {_ADVICE}"
            )


def _map(path: Path, name: str, about: dict[str, Any]) -> NDArray[Any]:
    file = path / f"{name}.npy"
    try:
        mapped: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except (
        OSError,
        ValueError,
        EOFError,
        SyntaxError,
        TokenError,
        TypeError,
        OverflowError,
        MemoryError,
    ) as error:
        # NumPy reads a header by Python's parser, which raises various errors for a damaged one
        raise DataError(f"{file}: missing or damaged ({error}); {_ADVICE}") from None
    if not isinstance(mapped, np.ndarray):  # an archive of several
        raise DataError(f"{file}: expected one array; {_ADVICE}")
    if not mapped.flags.aligned:  # the header has another length, so numbers would be read at wrong offsets
        raise DataError(f"{file}: its header is damaged; {_ADVICE}")
    if list(mapped.shape) != about.get("shape") or mapped.dtype.str != about.get("dtype"):
        raise DataError(
            f"{file}: {mapped.dtype.str} of shape {list(mapped.shape)}, expected {about.get('dtype')} of shape "
            f"{about.get('shape')}; {_ADVICE}"
        )
    return mapped.view(np.ndarray)  # plain arrays are indexed faster than np.memmap
