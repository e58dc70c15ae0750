"""From a published NASBench-101 file to the columns of a store (`table_layout`), every record checked."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.core.errors import DataError
from search_spaces.nasbench101.table_cells import hash_of, text_of, unpack
from search_spaces.nasbench101.table_layout import METRICS, RUNS, Columns, check_new, write_store
from search_spaces.nasbench101.tfrecord import ADVICE, Frame, RunRecord, decode_run, fault, read_frames

CELLS = 423_624  # pruned cells up to isomorphism, Ying et al. 2019, section 2
BUDGETS = (4, 12, 36, 108)  # epochs
_BUDGET_INDEX = {budget: i for i, budget in enumerate(BUDGETS)}
_CHUNK = 1 << 15  # records
_ALWAYS_HASHED = 1000  # hashing every cell would double the time of the import,
_HASH_EVERY = 100  # so all of the first and a hundredth of the others are checked

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The figures of an import."""

    out: Path
    records: int
    cells: int
    budgets: tuple[int, ...]
    source_bytes: int
    hashes_checked: int
    isomorphic_records: (
        int  # runs recorded with another vertex order than their cell's first run, whose order is kept
    )

    @property
    def whole(self) -> bool:
        """Whether every cell of the benchmark is present."""
        return self.cells == CELLS


def import_tfrecord(
    source: Path, out: Path, progress: Progress | None = None, *, partial: bool = False
) -> ImportReport:
    """Read `nasbench_only108.tfrecord` or `nasbench_full.tfrecord` into the new folder `out`.

    `progress` is called repeatedly with (bytes done, bytes in all). Every cell must have three runs at every
    budget of the file. All 423,624 cells must be present unless `partial` is true (a part; `ImportReport.whole` is
    then false).
    Raises `DataError` naming the record and byte offset when the file is truncated, corrupt or of another kind,
    `ConfigError` when `out` exists or cannot be written. Any error or interrupt leaves nothing at `out`.
    """
    source, out = Path(source), Path(out)
    check_new(out)
    collected = _collect(source, progress)
    columns, budgets = collected.columns()
    if not partial and len(columns["cell"]) != CELLS:
        raise DataError(
            f"{source}: {len(columns['cell']):,} cells in {collected.records:,} records, expected {CELLS:,}: "
            f"the file was cut off between two cells, or is only a part; {ADVICE}. "
            "To import a part on purpose: --partial (partial=True)"
        )
    report = ImportReport(
        out,
        collected.records,
        len(columns["cell"]),
        budgets,
        source.stat().st_size,
        collected.hashes_checked,
        collected.isomorphic,
    )
    about: dict[str, str | int | bool] = {
        "source": source.name,
        "source_bytes": report.source_bytes,
        "records": report.records,
    }
    write_store(out, columns, budgets, about)
    return report


def _collect(source: Path, progress: Progress | None) -> _Collected:
    collected = _Collected(source)
    total = source.stat().st_size if source.is_file() else 0
    for frame in read_frames(source):
        try:
            collected.add(frame, decode_run(frame.data))
        except (ValueError, RecursionError) as error:
            if isinstance(error, DataError):
                raise
            raise fault(source, frame.number, frame.offset, str(error)) from None
        if progress is not None and frame.number % _CHUNK == 0:
            progress(frame.offset, total)
    collected.flush()
    if progress is not None:
        progress(total, total)
    return collected


class _Collected:
    """The records so far, in columns: about 60 bytes a record and 150 a cell."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self.records = self.hashes_checked = self.isomorphic = 0
        self._row: dict[bytes, int] = {}  # module hash -> cell, in order of appearance
        self._cells = array("I")  # packed, and the parameters, by cell
        self._params = array("q")
        self._rows = array("I")  # cell, budget and place in the file, by record
        self._budgets = array("B")
        self._offsets = array("Q")
        self._pending = array("d")
        self._chunks: list[tuple[NDArray[np.float64], NDArray[np.float32]]] = []

    def add(self, frame: Frame, run: RunRecord) -> None:
        """Take one record. Raises `ValueError` when it contradicts itself or the records before it."""
        if run.epochs not in _BUDGET_INDEX:
            raise ValueError(f"{run.epochs} epochs, expected one of {BUDGETS}")
        key = bytes.fromhex(run.module_hash)
        if len(run.module_hash) != 32 or len(key) != 16:  # fromhex passes over spaces
            raise ValueError(f"module hash {run.module_hash!r}: expected 32 hex digits")
        row = self._row.get(key)
        if row is None:
            row = self._row[key] = len(self._cells)
            self._cells.append(run.cell)
            self._params.append(run.params)
            if row < _ALWAYS_HASHED or row % _HASH_EVERY == 0:
                self._check_hash(run)
        elif run.cell != self._cells[row]:
            self._check_hash(run)
            self.isomorphic += 1
        elif run.params != self._params[row]:
            raise ValueError(f"{run.params:,} parameters, but an earlier run has {self._params[row]:,}")
        if run.params < 0:
            raise ValueError("the number of trainable parameters is missing or negative")
        self._rows.append(row)
        self._budgets.append(_BUDGET_INDEX[run.epochs])
        self._offsets.append(frame.offset)
        self._pending.extend(run.values)
        self.records += 1
        if self.records % _CHUNK == 0:
            self.flush()

    def _check_hash(self, run: RunRecord) -> None:
        self.hashes_checked += 1
        if (computed := hash_of(run.cell)) != run.module_hash:
            raise ValueError(
                f"module hash {run.module_hash} does not belong to its cell {text_of(unpack(run.cell))}, which has {computed}"
            )

    def flush(self) -> None:
        """Check the ranges of the pending numbers and store them."""
        values = np.array(self._pending).reshape(-1, 2 * len(METRICS))
        start = self.records - len(values)
        del self._pending[:]
        upper = np.array([np.inf, 1.0, 1.0, 1.0] * 2)
        wrong = ~(np.isfinite(values) & (values >= 0.0) & (values <= upper))
        if wrong.any():
            place, column = (int(i) for i in np.argwhere(wrong)[0])
            name = METRICS[column % len(METRICS)]
            raise self._fault(
                start + place,
                f"{name} is {values[place, column]} ({'absent' if np.isnan(values[place, column]) else 'present'}), "
                f"expected {'seconds' if name == 'training_time' else 'a fraction from 0 to 1'}",
            )
        self._chunks.append((values[:, :4].copy(), values[:, 4:].astype(np.float32)))

    def _fault(self, record: int, what: str) -> DataError:
        return fault(self.source, record, self._offsets[record], what)

    def columns(self) -> tuple[dict[str, NDArray[np.generic]], tuple[int, ...]]:
        """The store's columns, cells in ascending order of hash, and the budgets. Raises `DataError`."""
        cells = len(self._cells)
        hashes = np.frombuffer(b"".join(self._row), dtype=">u8").reshape(cells, 2).astype(np.uint64)
        by_hash = np.lexsort((hashes[:, 1], hashes[:, 0]))
        rank = np.empty(cells, dtype=np.int64)
        rank[by_hash] = np.arange(cells)
        present, budget = np.unique(np.array(self._budgets), return_inverse=True)
        order = self._order(rank, budget, len(present))
        columns: dict[str, NDArray[np.generic]] = {
            "hash": hashes[by_hash],
            "cell": np.array(self._cells)[by_hash].astype(np.uint32),
            "params": np.array(self._params)[by_hash],
        }
        self._check_distinct(columns["cell"])
        for j, metric in enumerate(METRICS):
            columns[f"final_{metric}"] = np.concatenate([c[0][:, j] for c in self._chunks])[order]
            columns[f"halfway_{metric}"] = np.concatenate([c[1][:, j] for c in self._chunks])[order]
        self._check_copies(columns, order)
        return columns, tuple(BUDGETS[int(b)] for b in present)

    def _order(self, rank: NDArray[np.int64], budget: NDArray[np.intp], budgets: int) -> NDArray[np.intp]:
        """The record number of every (cell, budget, run); runs in the order of the file."""
        group = rank[np.array(self._rows)] * budgets + budget
        counts = np.bincount(group, minlength=len(rank) * budgets)
        if counts.max() > RUNS:
            members = np.flatnonzero(group == counts.argmax())
            raise self._fault(
                int(members[RUNS]),
                f"run {RUNS + 1} of a cell that has {RUNS} at this budget: a record is in the file twice",
            )
        order = np.argsort(group, kind="stable")
        if counts.min() < RUNS:
            last = self._last_of_incomplete(counts, group)
            raise self._fault(
                last,
                f"its cell has {counts.min()} to {counts.max()} runs at the budgets of this file, expected {RUNS} "
                "at each: records are missing, the file is cut off or incomplete",
            )
        return order.reshape(len(rank), budgets, RUNS)

    def _last_of_incomplete(self, counts: NDArray[np.intp], group: NDArray[np.int64]) -> int:
        """The last record of a cell that lacks runs."""
        budgets = len(counts) // len(self._cells)
        cell = int(counts.argmin()) // budgets
        return int(np.flatnonzero(group // budgets == cell)[-1])

    def _check_distinct(self, cells: NDArray[np.generic]) -> None:
        unique, counts = np.unique(cells, return_counts=True)
        if len(unique) < len(cells):
            text = text_of(unpack(int(unique[counts.argmax()])))
            raise DataError(f"{self.source}: the cell {text} stands under two module hashes; {ADVICE}")

    def _check_copies(self, columns: Columns, order: NDArray[np.intp]) -> None:
        """Two runs of a cell never agree in all eight measured numbers, seconds among them."""
        for a, b in ((0, 1), (0, 2), (1, 2)):
            same = np.ones(order.shape[:2], dtype=bool)
            for name, values in columns.items():
                if name.startswith(("final_", "halfway_")):
                    same &= values[:, :, a] == values[:, :, b]
            if same.any():
                row, budget = (int(i) for i in np.argwhere(same)[0])
                first, second = sorted((int(order[row, budget, a]), int(order[row, budget, b])))
                raise self._fault(second, f"a copy of record {first:,}, expected {RUNS} different runs")
