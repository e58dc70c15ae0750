"""The smaller public tables (Parquet) behind the interface of the full one; see docs/nasbench101-data.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nas.errors import ArchitectureError, DataError
from nas.records import FloatArray
from search_spaces.nasbench101.cell import parse_cell
from search_spaces.nasbench101.table_cells import hash_of, pack
from search_spaces.nasbench101.table_interface import (
    Cell,
    Measure,
    look_up_key,
    no_such_measure,
    not_in_table,
)


@dataclass(frozen=True)
class Column:
    """One measure's values, shape (cells, runs), NaN where unknown."""

    metric: str
    budget: float
    unit: str
    values: FloatArray
    averaged: int = 1

    @property
    def measure(self) -> Measure:
        known = int(np.isfinite(self.values).any(axis=1).sum())
        return Measure(self.metric, self.budget, self.unit, self.values.shape[1], self.averaged, known)


class ParquetTable:
    """A table held in memory, for the folders with thousands of cells. Pickles as its path."""

    def __init__(self, path: Path, hashes: Sequence[str], texts: Sequence[str], columns: Sequence[Column]):
        self.path = path
        self.measures = tuple(c.measure for c in columns)
        self._texts = tuple(texts)
        self._hashes = tuple(hashes)
        self._row: dict[int | str, int] = {h: i for i, h in enumerate(hashes)}
        self._row.update((pack(parse_cell(text)), i) for i, text in enumerate(texts))
        self._columns = {(c.metric, c.budget): c.values for c in columns}

    def __reduce__(self) -> tuple[Any, ...]:
        return load_parquet, (str(self.path),)

    def __repr__(self) -> str:
        return f"ParquetTable({str(self.path)!r}, cells={len(self)})"

    def __len__(self) -> int:
        return len(self._texts)

    def __contains__(self, cell: object) -> bool:
        try:
            self._find(cell)  # type: ignore[arg-type]
        except ArchitectureError:
            return False
        return True

    def cells(self) -> Sequence[str]:
        """The text form of every cell, in ascending order of module hash."""
        return self._texts

    def hash_of(self, cell: Cell) -> str:
        """The module hash of a cell of the table."""
        return self._hashes[self._find(cell)]

    def runs(self, cell: Cell, metric: str, budget: float = 108) -> tuple[float, ...]:
        """The values on record, empty when unknown.

        Raises `ArchitectureError` for a cell outside the table, `ConfigError` for a metric or budget it lacks.
        """
        values = self._columns.get((metric, float(budget)))
        if values is None:
            raise no_such_measure(metric, budget, self.measures)
        row = values[self._find(cell)]
        return tuple(row[~np.isnan(row)].tolist())

    def _find(self, cell: Cell) -> int:
        key = look_up_key(cell)
        row = self._row.get(key)
        if row is None and isinstance(key, int):
            row = self._row.get(hash_of(key))  # an isomorphic copy perhaps
        if row is None:
            raise not_in_table(key, len(self))
        return row


def load_parquet(path: str | Path) -> ParquetTable:
    """Read a folder of the five-vertex or the competition's table, told apart by their columns.

    Raises `DataError` when it is neither, or damaged.
    """
    path = Path(path).absolute()
    for file, reader in (("cells_108epochs.parquet", _five_vertices), ("cells.parquet", _competition)):
        if (path / file).is_file():
            return reader(path)
    raise DataError(
        f"{path}: expected a folder with cells_108epochs.parquet and records.parquet, or with cells.parquet and "
        "val_error_samples.parquet"
    )


def _five_vertices(path: Path) -> ParquetTable:
    cells = _read(path / "cells_108epochs.parquet", ("test_error_108", "params", "flops"))
    records = _read(
        path / "records.parquet",
        (
            "campaign",
            "epochs",
            "train_accuracy",
            "val_accuracy",
            "test_accuracy",
            "training_time_s",
            "energy_kwh",
        ),
    )
    # The second campaign repeats the 91 smallest cells on another day: its runs are no repeats of these ones.
    records = records[records["campaign"] == "5v"]
    hashes = cells["module_hash"].tolist()
    mean = Column("test_accuracy", 108.0, "fraction", 1.0 - _matrix(cells["test_error_108"]), averaged=3)
    columns = [*_exact(cells), mean]
    named = {
        "train_accuracy": ("train_accuracy", "fraction"),
        "val_accuracy": ("validation_accuracy", "fraction"),
        "test_accuracy": ("test_accuracy", "fraction"),
        "training_time_s": ("training_time", "s"),
        "energy_kwh": ("energy", "kWh"),
    }
    for epochs, rows in records.groupby("epochs"):
        by_hash = rows.set_index("module_hash").reindex(hashes)
        for column, (metric, unit) in named.items():
            columns.append(Column(metric, float(str(epochs)), unit, _matrix(by_hash[column])))
    return ParquetTable(path, hashes, _texts(cells), columns)


def _competition(path: Path) -> ParquetTable:
    cells = _read(path / "cells.parquet", ("test_error", "params", "flops"))
    samples = _read(path / "val_error_samples.parquet", ("val_error",), cell=False)
    row = {h: i for i, h in enumerate(cells["module_hash"])}
    runs = samples.groupby("module_hash").cumcount()
    validation = np.full((len(cells), int(runs.max()) + 1), np.nan)
    validation[samples["module_hash"].map(row), runs] = 1.0 - samples["val_error"]
    columns = [
        *_exact(cells),
        Column("test_accuracy", 108.0, "fraction", 1.0 - _matrix(cells["test_error"]), averaged=3),
        Column("validation_accuracy", 108.0, "fraction", validation),
    ]
    return ParquetTable(path, cells["module_hash"].tolist(), _texts(cells), columns)


def _exact(cells: pd.DataFrame) -> list[Column]:
    return [Column(name, 108.0, "", _matrix(cells[name])) for name in ("params", "flops")]


def _matrix(column: pd.Series[Any]) -> FloatArray:
    return column.to_numpy(dtype=np.float64, na_value=np.nan).reshape(-1, 1)


def _texts(cells: pd.DataFrame) -> list[str]:
    return (cells["adjacency"] + "-" + cells["ops"]).tolist()


def _read(file: Path, columns: Sequence[str], cell: bool = True) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(file)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{file}: missing or damaged ({str(error).splitlines()[0]}); fetch it again"
        ) from None
    needed = {"module_hash", *columns, *(("adjacency", "ops") if cell else ())}
    if missing := sorted(needed - set(frame.columns)):
        raise DataError(f"{file}: no columns {', '.join(missing)}; has {', '.join(map(str, frame.columns))}")
    return frame.sort_values("module_hash", kind="stable")
