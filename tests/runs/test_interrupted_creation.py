"""Logs whose creation was interrupted, and logs that lost rows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from engine_parts import Grid, quick

import nas
from nas.core.errors import ForeignFileError, HistoryError
from nas.runs.files import APPLICATION, asked, check_new
from nas.runs.history import FILE, read_history

pytestmark = pytest.mark.usefixtures("no_plots")


def change(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / FILE, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


def search(folder: Path) -> None:
    nas.search(Grid(), ["error", "params"], quick, budget=12, out=folder, algorithm="random")


def test_a_log_without_tables_is_begun_again_if_it_has_our_mark(tmp_path: Path) -> None:
    change(tmp_path, f"PRAGMA application_id={APPLICATION}", "PRAGMA journal_mode=WAL")
    assert not asked(tmp_path)
    search(tmp_path)
    assert asked(tmp_path)
    assert len(read_history(tmp_path)[0]) == 12


def test_a_database_without_tables_of_another_program_is_foreign(tmp_path: Path) -> None:
    change(tmp_path, "PRAGMA journal_mode=WAL")
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(ForeignFileError, match=FILE):
        check_new(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("DELETE FROM results WHERE trial < 5", "a told trial has no result"),
        ("DELETE FROM trials WHERE id = 3", "a trial is missing"),
    ],
)
def test_a_log_that_lost_rows_is_not_read(lost: str, said: str, tmp_path: Path) -> None:
    search(tmp_path / "run")
    change(tmp_path / "run", lost)
    with pytest.raises(HistoryError, match=f"is damaged: {said}; restore it from a copy"):
        read_history(tmp_path / "run")
