"""The log of a run: one writer, recovery, refusals, and reading."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from engine_parts import Grid, log_of, quick

import nas
from nas.core.errors import HistoryError
from nas.core.records import Architecture, Result, Status, Trial
from nas.engine.loop import SearchState
from nas.runs.history import FILE, History, read_history
from nas.runs.log_file import LOCK_FILE

pytestmark = pytest.mark.usefixtures("no_plots")
OBJECTIVES = ["error", "params", "madds"]


def trial(number: int) -> Trial:
    return Trial(number, Architecture("grid", (number % 6, 1, 2, 3, 4, number // 6 % 6)), number + 50, 2.0)


def ok(number: int, **values: float) -> Result:
    return Result(trial(number), Status.OK, values or {"error": float(number)}, 1.5, "", "host:1", 10.0, 11.5)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    log = History(tmp_path / "run", Grid(), create=True)
    yield log
    log.close()


def test_records_round_trip(history: History, tmp_path: Path) -> None:
    failed = Result(trial(1), Status.FAILED, {}, 0.5, "ValueError: no", "host:2", 12.0, 12.5)
    for number in (0, 1):
        history.record_ask(trial(number))
    history.record_ask(None)
    history.record_result(failed)
    history.record_result(ok(0))
    history.record_tell(0, 3.25)
    history.close()
    again = History(tmp_path / "run", Grid(), create=False)
    trials = again.trials()
    assert trials == [trial(0), trial(1)]
    assert again.results(trials) == {0: ok(0), 1: failed}
    assert [(e.kind, e.trial) for e in again.events()] == [("ask", 0), ("ask", 1), ("ask", None), ("tell", 0)]
    assert again.seconds() == 3.25
    again.close()


def test_the_table_has_a_row_for_running_finished_and_failed_trials(history: History, tmp_path: Path) -> None:
    for number in range(3):
        history.record_ask(trial(number))
    history.record_result(Result(trial(1), Status.TIMEOUT, {}, 9.0, "too slow"))
    history.record_result(ok(2, error=1.0, extra=4.0))
    history.record_tell(2, 1.0)
    frame, _ = read_history(tmp_path / "run")
    assert list(frame["status"]) == ["running", "timeout", "ok"]
    assert frame["told"].isna().tolist() == [True, True, False]
    assert frame["extra"][2] == 4.0
    assert frame["reason"][1] == "too slow"


def test_a_run_can_be_read_before_its_first_result(history: History, tmp_path: Path) -> None:
    assert read_history(tmp_path / "run")[0].empty
    history.record_ask(trial(0))
    frame, _ = read_history(tmp_path / "run")
    assert list(frame["status"]) == ["running"]
    assert frame["told"].dtype == np.float64


def test_a_second_writer_is_refused(history: History, tmp_path: Path) -> None:
    history.record_ask(trial(0))
    with pytest.raises(HistoryError, match="another search is writing to this run"):
        History(tmp_path / "run", Grid(), create=False)
    history.close()
    History(tmp_path / "run", Grid(), create=False).close()


def test_a_second_writer_in_another_process_is_refused(history: History, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from engine_parts import Grid; from nas.runs.history import History\n"
        "History(Path(sys.argv[1]), Grid(), create=False)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "run")],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1] / "shared")},
    )  # fmt: skip
    assert "HistoryError" in done.stderr
    assert "another search is writing to this run" in done.stderr


def test_a_run_does_not_overwrite_another(history: History, tmp_path: Path) -> None:
    history.record_ask(trial(0))
    history.close()
    with pytest.raises(HistoryError, match="already holds a run"):
        History(tmp_path / "run", Grid(), create=True)
    assert len(read_history(tmp_path / "run")[0]) == 1


@pytest.mark.parametrize("left", ["empty file", "no trials"])
def test_the_files_of_a_search_killed_at_its_start_are_not_a_run(left: str, tmp_path: Path) -> None:
    if left == "empty file":
        (tmp_path / LOCK_FILE).touch()  # which is made first
        (tmp_path / FILE).touch()
    else:
        History(tmp_path, Grid(), create=True).close()
    log = History(tmp_path, Grid(), create=True)
    log.record_ask(trial(0))
    log.close()
    assert len(read_history(tmp_path)[0]) == 1


def changed(folder: Path, statement: str) -> None:
    db = sqlite3.connect(folder / FILE)
    with db:
        db.execute(statement)
    db.close()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    nas.search(Grid(), OBJECTIVES, quick, budget=30, out=tmp_path / "run", algorithm="moead")
    return tmp_path / "run"


def resume(run: Path, budget: int = 30) -> nas.SearchResult:
    return nas.search(Grid(), OBJECTIVES, quick, budget=budget, out=run, resume=True, algorithm="moead")


def test_a_newer_format_is_refused_with_advice(run: Path) -> None:
    changed(run, "UPDATE meta SET value = '3' WHERE key = 'schema'")
    for use in (read_history, resume):
        with pytest.raises(HistoryError, match="format version 3, but this version reads 1 to 2; update"):
            use(run)


def test_a_missing_run_is_reported(tmp_path: Path) -> None:
    for use in (read_history, resume):
        with pytest.raises(HistoryError, match=r"no run in .*history.sqlite is missing"):
            use(tmp_path)


def test_a_file_that_is_not_a_database_is_refused(run: Path) -> None:
    (run / FILE).write_bytes(b"not a database at all, " * 500)
    for use in (read_history, resume):
        with pytest.raises(HistoryError, match="damaged or not a run's history"):
            use(run)


def test_a_database_with_an_invalid_text_is_refused(run: Path) -> None:
    """SQLite's error message is then not valid text either."""
    content = (run / FILE).read_bytes()
    (run / FILE).write_bytes(content.replace(b"STRICT", b"ST\x80ICT", 1))
    for read in (nas.load_run, resume):
        with pytest.raises(HistoryError, match=r"not UTF-8; the file is damaged"):
            read(run)


def test_a_damaged_database_is_refused(run: Path) -> None:
    data = bytearray((run / FILE).read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    (run / FILE).write_bytes(bytes(data))
    for use in (read_history, resume):
        with pytest.raises(HistoryError, match="damaged"):
            use(run)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE results SET status = 'fine' WHERE trial = 3",
        """UPDATE results SET "values" = '{"error": ' WHERE trial = 3""",
        "DROP TABLE log",
    ],
)
def test_inconsistent_rows_are_refused(statement: str, run: Path) -> None:
    changed(run, statement)
    with pytest.raises(HistoryError, match="damaged"):
        resume(run)


def test_a_log_of_another_space_is_refused(run: Path) -> None:
    changed(run, "UPDATE trials SET architecture = '9-9' WHERE id = 4")
    with pytest.raises(HistoryError, match="does not belong to space 'grid'"):
        resume(run)


def test_a_log_that_the_algorithm_would_not_have_made_is_refused(run: Path) -> None:
    asked = read_history(run)[0]["architecture"].iloc[4]
    space = Grid()
    cost = space.cost(space.parse(asked))
    every = (Architecture("grid", genes) for genes in itertools.product(range(6), repeat=6))
    same = (space.format(a) for a in every if space.cost(a) == cost)  # so that only the replay notices
    other = next(text for text in same if text not in set(read_history(run)[0]["architecture"]))
    changed(run, f"UPDATE trials SET architecture = '{other}' WHERE id = 4")
    with pytest.raises(
        HistoryError, match=rf"the algorithm asked for .* where the log has {other} \(trial 4\)"
    ):
        resume(run)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.95])
def test_a_truncated_write_ahead_log_opens_with_its_complete_rows(share: float, tmp_path: Path) -> None:
    log = History(tmp_path / "run", Grid(), create=True)
    log.record_ask(trial(0))
    log._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for number in range(1, 31):
        log.record_ask(trial(number))
    shutil.copytree(tmp_path / "run", tmp_path / "copy")  # as a machine that goes down leaves it
    log.close()
    wal = tmp_path / "copy" / f"{FILE}-wal"
    (tmp_path / "copy" / f"{FILE}-shm").unlink()
    os.truncate(wal, int(wal.stat().st_size * share))
    frame, _ = read_history(tmp_path / "copy")
    assert list(frame["trial"]) == list(range(len(frame)))
    assert share * 20 <= len(frame) <= 31
    again = History(tmp_path / "copy", Grid(), create=False)
    assert len(again.trials()) == len(frame)
    again.record_ask(trial(len(frame)))
    again.close()


def test_a_run_can_be_read_while_it_runs(tmp_path: Path) -> None:
    seen: list[tuple[int, str, tuple[int, ...]]] = []

    def look(state: SearchState) -> None:
        frame, meta = read_history(tmp_path / "run")
        points = nas.load_run(tmp_path / "run")[0].points
        seen.append((int(frame["told"].notna().sum()), meta["identity"]["space"], points.shape))

    nas.search(
        Grid(), OBJECTIVES, quick, budget=20, out=tmp_path / "run", callbacks=[look], algorithm="moead"
    )
    assert seen == [(told, "grid", (told, 3)) for told in range(21)]


def test_twenty_thousand_trials_are_read_measured_and_exported(tmp_path: Path) -> None:
    nas.search(Grid(), OBJECTIVES, quick, budget=30, out=tmp_path / "run", algorithm="moead")
    db = sqlite3.connect(tmp_path / "run" / FILE)
    with db:
        rng = np.random.default_rng(0)
        for i in range(30, 20_000):
            db.execute("INSERT INTO trials VALUES (?, ?, 1, NULL, 0)", (i, f"another {i}"))
            values = dict(zip(OBJECTIVES, rng.random(3) * 100, strict=True))
            db.execute("INSERT INTO results VALUES (?, 'ok', ?, 1, '', '', 0, 0)", (i, json.dumps(values)))
            db.execute(
                "INSERT INTO log (event, trial, seconds) VALUES ('ask', ?, NULL), ('tell', ?, ?)", (i, i, i)
            )
    db.close()
    table, _ = nas.load_run(tmp_path / "run")
    assert len(table.told) == 20_000
    assert np.all(np.diff(table.curve) >= 0)


def test_history_errors_when_the_disk_is_full_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = History._open

    def small(self: History, create: bool) -> None:
        whole(self, create)
        self._db.execute("PRAGMA max_page_count = 12")  # SQLite then raises its error of a full disk

    monkeypatch.setattr(History, "_open", small)
    with pytest.raises(HistoryError, match="the disk is full: make room, then continue with --resume"):
        nas.search(Grid(), OBJECTIVES, quick, budget=200, out=tmp_path / "run", algorithm="moead")
    done = (read_history(tmp_path / "run")[0]["status"] == "ok").sum()
    assert done > 20
    assert (tmp_path / "run/front.csv").exists()
    monkeypatch.setattr(History, "_open", whole)
    evaluated: list[int] = []

    def count(t: Trial):
        evaluated.append(t.id)
        return quick(t)

    nas.search(Grid(), OBJECTIVES, count, budget=200, out=tmp_path / "run", resume=True, algorithm="moead")
    assert len(evaluated) == 200 - done
    nas.search(Grid(), OBJECTIVES, quick, budget=200, out=tmp_path / "undisturbed", algorithm="moead")
    assert log_of(tmp_path / "run") == log_of(tmp_path / "undisturbed")


@pytest.fixture
def without_rights() -> Iterator[Path]:
    """A finished run in a folder that this process, made an ordinary user where it was root, cannot write to."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    nas.search(Grid(), OBJECTIVES, quick, budget=20, out=folder / "run", algorithm="moead")
    for path in (folder, folder / "run"):
        path.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        for path in (folder, folder / "run"):
            path.chmod(0o755)
        shutil.rmtree(folder)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="rights of folders work otherwise here")
def test_a_folder_without_the_right_to_write_is_named(without_rights: Path) -> None:
    with pytest.raises(HistoryError, match=r"Permission denied.*check the permissions of the folder"):
        nas.search(Grid(), OBJECTIVES, quick, budget=20, out=without_rights / "new", algorithm="moead")
    with pytest.raises(HistoryError, match=r"Permission denied.*check the permissions of the folder"):
        resume(without_rights / "run")


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="rights of folders work otherwise here")
def test_a_run_in_a_folder_without_the_right_to_write_can_be_read(without_rights: Path) -> None:
    assert len(nas.load_run(without_rights / "run")[0].front) > 0
