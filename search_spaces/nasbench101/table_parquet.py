"""The smaller public tables (Parquet) behind the interface of the full one; see docs/nasbench101-data.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from nas.core.errors import ArchitectureError, DataError
from nas.core.records import FloatArray
from search_spaces.nasbench101.cell import parse_cell
from search_spaces.nasbench101.table_cells import hash_of, pack
from search_spaces.nasbench101.table_interface import (
    Cell,
    FolderTable,
    Measure,
    look_up_key,
    no_such_measure,
    not_in_table,
)
from search_spaces.parquet_file import read_frame


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


class ParquetTable(FolderTable):
    """A table held in memory, for the folders with thousands of cells. Pickles as its path."""

    def __init__(self, path: Path, hashes: Sequence[str], texts: Sequence[str], columns: Sequence[Column]):
        self.path = path
        self.measures = tuple(c.measure for c in columns)
        self._texts = tuple(texts)
        self._hashes = tuple(hashes)
        self._rows: dict[int | str, int] = {h: i for i, h in enumerate(hashes)}
        self._rows.update((pack(parse_cell(text)), i) for i, text in enumerate(texts))
        self._columns = {(c.metric, c.budget): c.values for c in columns}

    def __reduce__(self) -> tuple[Any, ...]:
        return load_parquet, (str(self.path),)

    def __repr__(self) -> str:
        return f"ParquetTable({str(self.path)!r}, cells={len(self)})"

    def __len__(self) -> int:
        return len(self._texts)

    def cells(self) -> Sequence[str]:
        """The text form of every cell, in ascending order of module hash."""
        return self._texts

    def hash_of(self, cell: Cell) -> str:
        """The module hash of a cell of the table."""
        return self._hashes[self._row(cell)]

    def runs(self, cell: Cell, metric: str, budget: float = 108) -> tuple[float, ...]:
        """The values on record, empty when unknown.

        Raises `ArchitectureError` for a cell outside the table, `ConfigError` for a metric or budget it lacks.
        """
        values = self._columns.get((metric, float(budget)))
        if values is None:
            raise no_such_measure(metric, budget, self.measures)
        row = values[self._row(cell)]
        return tuple(row[~np.isnan(row)].tolist())

    def _row(self, cell: Cell) -> int:
        key = look_up_key(cell)
        row = self._rows.get(key)
        if row is None and isinstance(key, int):
            row = self._rows.get(hash_of(key))  # an isomorphic copy perhaps
        if row is None:
            raise not_in_table(key, len(self))
        return row


def load_parquet(path: str | Path) -> ParquetTable:
    """Read a folder of the five-vertex or the competition's table, distinguished by their columns.

    Raises `DataError` when it is neither, or damaged.
    """
    path = Path(path).absolute()
    for file, reader in (("cells_108epochs.parquet", _five_vertices), ("cells.parquet", _competition)):
        if (path / file).is_file():
            try:
                return reader(path)
            except DataError:
                raise
            except (ValueError, TypeError, LookupError, ArithmeticError, pa.ArrowException) as error:
                # content of the wrong kind, which fails only on use
                reason = f"{type(error).__name__}: {error}".splitlines()[0]
                raise DataError(
                    f"{path / file}, or the file beside it, is damaged ({reason}); get it again"
                ) from None
    raise DataError(
        f"{path}: expected a folder with cells_108epochs.parquet and records.parquet, or with cells.parquet and "
        "val_error_samples.parquet"
    )


def _five_vertices(path: Path) -> ParquetTable:
    cells = _read_cells(path / "cells_108epochs.parquet", ("test_error_108",))
    named = {
        "train_accuracy": ("train_accuracy", "fraction"),
        "val_accuracy": ("validation_accuracy", "fraction"),
        "test_accuracy": ("test_accuracy", "fraction"),
        "training_time_s": ("training_time", "s"),
        "energy_kwh": ("energy", "kWh"),
    }
    file = path / "records.parquet"
    records = _read(file, ("campaign", "epochs", *named), fractions=tuple(named)[:3])
    # The second campaign trained the 91 smallest cells again on another day: its runs do not repeat these.
    records = records[records["campaign"] == "5v"]
    if records.duplicated(["module_hash", "epochs"]).any():
        raise DataError(f"{file}: a cell of campaign 5v has several records at the same epoch, expected one")
    hashes = cells["module_hash"].tolist()
    mean = Column("test_accuracy", 108.0, "fraction", 1.0 - _matrix(cells["test_error_108"]), averaged=3)
    columns = [*_exact(cells), mean]
    for epochs, rows in records.groupby("epochs"):
        by_hash = rows.set_index("module_hash").reindex(hashes)
        for column, (metric, unit) in named.items():
            columns.append(Column(metric, float(str(epochs)), unit, _matrix(by_hash[column])))
    return ParquetTable(path, hashes, _texts(cells), columns)


def _competition(path: Path) -> ParquetTable:
    cells = _read_cells(path / "cells.parquet", ("test_error",))
    file = path / "val_error_samples.parquet"
    samples = _read(file, ("val_error",), fractions=("val_error",))
    hashes = cells["module_hash"].tolist()
    if strange := sorted(set(samples["module_hash"]) - set(hashes)):
        raise DataError(f"{file}: {len(strange)} hashes are not in cells.parquet, such as {strange[0]}")
    row = {h: i for i, h in enumerate(hashes)}
    rows = [row[h] for h in samples["module_hash"]]
    runs = samples.groupby("module_hash").cumcount().tolist()
    validation = np.full((len(cells), max(runs, default=0) + 1), np.nan)
    validation[rows, runs] = 1.0 - samples["val_error"].to_numpy(dtype=np.float64)
    columns = [
        *_exact(cells),
        Column("test_accuracy", 108.0, "fraction", 1.0 - _matrix(cells["test_error"]), averaged=3),
        Column("validation_accuracy", 108.0, "fraction", validation),
    ]
    return ParquetTable(path, hashes, _texts(cells), columns)


def _exact(cells: pd.DataFrame) -> list[Column]:
    return [Column(name, 108.0, "", _matrix(cells[name])) for name in ("params", "flops")]


def _matrix(column: pd.Series[Any]) -> FloatArray:
    return column.to_numpy(dtype=np.float64, na_value=np.nan).reshape(-1, 1)


def _texts(cells: pd.DataFrame) -> list[str]:
    return (cells["adjacency"] + "-" + cells["ops"]).tolist()


def _read_cells(file: Path, errors: tuple[str, ...]) -> pd.DataFrame:
    cells = _read(file, ("adjacency", "ops", "params", "flops", *errors), fractions=errors)
    if cells["module_hash"].duplicated().any():
        raise DataError(f"{file}: some module hash has several rows, expected one row per cell")
    for text in _texts(cells):
        try:
            parse_cell(text)
        except ArchitectureError as error:
            raise DataError(f"{file}: {error}") from None
    return cells


def _read(file: Path, columns: Sequence[str], fractions: Sequence[str]) -> pd.DataFrame:
    """A file with these columns and the hash, in order of the hash; `fractions` lie in 0 to 1 or are unknown."""
    try:
        frame = read_frame(file)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{file}: missing or damaged ({str(error).splitlines()[0]}); fetch it again"
        ) from None
    if missing := sorted({"module_hash", *columns} - set(frame.columns)):
        raise DataError(f"{file}: no columns {', '.join(missing)}; has {', '.join(map(str, frame.columns))}")
    for name in fractions:
        values = _matrix(frame[name])
        if ((values < 0.0) | (values > 1.0)).any():
            raise DataError(f"{file}: column {name} has values outside 0 to 1")
    return frame.sort_values("module_hash", kind="stable")
