"""Small files in the published format, with results that a test can predict."""

from __future__ import annotations

from pathlib import Path

from search_spaces.nasbench101.cell import parse_cell
from search_spaces.nasbench101.hashing import cell_hash
from search_spaces.nasbench101.table_cells import pack
from search_spaces.nasbench101.table_import import ImportReport, import_tfrecord
from search_spaces.nasbench101.table_store import NASBench101Table
from search_spaces.nasbench101.tfrecord import RunRecord
from search_spaces.nasbench101.tfrecord_write import write_tfrecord

CELLS = ("1-", "101-0", "110101-22", "1111111101-200", "100110100001001010101-02001")
PARAMS = {text: 1000 + i for i, text in enumerate(CELLS)}


def accuracy(text: str, budget: int, run: int, step: int = 0) -> float:
    """The made-up accuracy: distinct for every cell, budget, run and metric (`step`), a multiple of 1/9984."""
    return (1000 * CELLS.index(text) + 5 * budget + 10 * run + step) / 9984


def a_run(text: str, budget: int = 108, run: int = 0) -> RunRecord:
    """One record: time 100 budget + run seconds; train, validation, test accuracy with steps 0, 1, 2; halves less."""
    values = [accuracy(text, budget, run, step) for step in range(3)]
    halves = [v / 2 for v in values]
    seconds = 100.0 * budget + run
    cell = parse_cell(text)
    return RunRecord(
        cell_hash(cell), budget, pack(cell), PARAMS[text], (seconds, *values, seconds / 2, *halves)
    )


def all_runs(cells: tuple[str, ...] = CELLS, budgets: tuple[int, ...] = (108,)) -> list[RunRecord]:
    return [a_run(text, budget, run) for text in cells for budget in budgets for run in range(3)]


def import_runs(folder: Path, runs: list[RunRecord]) -> ImportReport:
    """Write the runs to a file in `folder` and import them to `folder / 'store'`."""
    write_tfrecord(folder / "runs.tfrecord", runs)
    return import_tfrecord(folder / "runs.tfrecord", folder / "store", partial=True)


def make_table(folder: Path, budgets: tuple[int, ...] = (4, 108)) -> NASBench101Table:
    return NASBench101Table.open(import_runs(folder, all_runs(budgets=budgets)).out)
