"""NASBench-101 results as tables: the imported benchmark and the smaller public ones, behind one interface."""

from __future__ import annotations

from pathlib import Path

from nas.core.errors import DataError
from search_spaces.nasbench101.table_import import ImportReport, import_tfrecord
from search_spaces.nasbench101.table_interface import Cell, Measure, Table, value
from search_spaces.nasbench101.table_parquet import ParquetTable, load_parquet
from search_spaces.nasbench101.table_store import NASBench101Table, Record

__all__ = [
    "Cell", "ImportReport", "Measure", "NASBench101Table", "ParquetTable", "Record", "Table",
    "import_tfrecord", "load_parquet", "load_table", "value",
]  # fmt: skip


def load_table(path: str | Path) -> NASBench101Table | ParquetTable:
    """Open the table in a folder: an imported store, or one of the Parquet tables.

    Raises `DataError` when the table is missing or damaged.
    """
    path = Path(path)
    if (path / "meta.json").is_file():
        return NASBench101Table.open(path)
    if path.is_dir() and any(path.glob("*.parquet")):
        return load_parquet(path)
    hint = (
        "import a .tfrecord file first" if path.is_file() else "expected a folder with meta.json or *.parquet"
    )
    raise DataError(f"{path}: not a NASBench-101 table; {hint} (docs/nasbench101-data.md)")
