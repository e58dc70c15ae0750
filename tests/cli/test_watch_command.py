"""`nas watch`: a run followed from outside, in any state."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from made_runs import make_runs, search

import nas
from nas.cli.panel import line
from nas.cli.watching import run_watch
from nas.core.errors import HistoryError
from nas.engine.heartbeat import FILE as PULSE
from nas.engine.heartbeat import Heartbeat
from nas.engine.search_state import SearchState
from nas.monitor import RunStatus
from nas.monitor.recorded import RecordedStatus
from nas.runs import log_file
from nas.runs.history import FILE
from nas.testing import toy_error

pytestmark = pytest.mark.usefixtures("no_plots")
Orphan = Callable[..., Path]
NAS = "import sys; from nas.cli import main; sys.argv[0] = 'nas'; main()"


def slow(trial: nas.Trial) -> dict[str, float]:
    time.sleep(0.03)
    return toy_error(trial)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, `run`, and with a copy as it was in its middle, `middle`."""
    return make_runs(tmp_path_factory.mktemp("made"))


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A finished run."""
    return Path(shutil.copytree(made / "run", tmp_path / "run"))


@pytest.fixture
def orphan(made: Path, tmp_path: Path) -> Orphan:
    """Makes a run that its search left in the middle, with a sign of life that is changed so."""

    def make(**changes: Any) -> Path:
        folder = Path(shutil.copytree(made / "middle", tmp_path / "orphan"))
        values = json.loads((folder / PULSE).read_text())
        (folder / PULSE).write_text(json.dumps(values | changes))
        return folder

    return make


def test_once_shows_a_finished_run(run: Path, nas_command) -> None:
    done = nas_command("watch", str(run), "--once")
    assert done.code == 0
    assert "toy, moead, seed 0" in done.out
    assert "30/30 evaluated, 0 running, 0 failed" in done.out
    assert "finished after" in done.out


def test_watching_a_finished_run_ends_at_once(run: Path, nas_command) -> None:
    done = nas_command("watch", str(run))
    assert done.code == 0
    time_of_day = len("hh:mm:ss")
    (told,) = done.out.splitlines()
    assert told[time_of_day:] == line(RecordedStatus(run).look())[time_of_day:]
    assert done.out.rstrip().endswith("finished")


def test_a_run_is_followed_from_before_its_beginning_to_its_end(
    tmp_path: Path, nas_command, monkeypatch: pytest.MonkeyPatch
) -> None:
    permits, told = threading.Semaphore(0), threading.Semaphore(0)

    def evaluate(trial: nas.Trial) -> dict[str, float]:
        assert permits.acquire(timeout=100)
        return toy_error(trial)

    def count(state: SearchState) -> None:
        if state.results:
            told.release()

    def sleep(seconds: float) -> None:
        """Between two looks: the search begins, then makes six evaluations more."""
        if not thread.is_alive() and not (tmp_path / "run").exists():
            thread.start()
        more = range(min(6, next(left)))
        for _ in more:
            permits.release()
        for _ in more:
            assert told.acquire(timeout=100)
        if not more:
            pause(0.1)

    left, pause = iter([*range(30, 0, -6), *[0] * 10_000]), time.sleep
    thread = threading.Thread(target=lambda: search(tmp_path / "run", count, evaluate=evaluate), daemon=True)
    monkeypatch.setattr("nas.cli.watching.time", SimpleNamespace(sleep=sleep))
    done = nas_command("watch", str(tmp_path / "run"), "--every", "0.1")
    thread.join()
    assert done.code == 0
    lines = done.out.splitlines()
    assert "waiting for it" in lines[0]
    counts = [int(text.split()[1].split("/")[0]) for text in lines if " evaluated," in text]
    assert counts == sorted(counts)
    assert {6, 12, 18, 24} <= set(counts)
    assert counts[-1] == 30
    assert lines[-1].endswith("finished")


def test_nothing_is_written_to_the_folder(run: Path, nas_command) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in run.iterdir()}
    nas_command("watch", str(run), "--once")
    assert {path.name: path.stat().st_mtime_ns for path in run.iterdir()} == before


def test_once_on_a_folder_without_a_run_is_an_error(tmp_path: Path, nas_command) -> None:
    done = nas_command("watch", str(tmp_path / "nowhere"), "--once")
    assert done.code == 4
    assert "no run in" in done.sentence


@pytest.mark.parametrize("every", ["0", "-1", "nan", "1e9"])
def test_an_invalid_interval_is_refused(every: str, run: Path, nas_command) -> None:
    done = nas_command("watch", str(run), "--every", every)
    assert done.code == 2
    assert "--every: expected seconds from 0.1 to 86400" in done.sentence


@pytest.mark.slow
def test_a_search_shows_the_work_of_its_worker(tmp_path: Path) -> None:
    seen: list[RunStatus] = []
    thread = threading.Thread(target=lambda: search(tmp_path / "run", evaluate=slow, budget=120))
    thread.start()
    try:
        give_up = time.monotonic() + 100
        while time.monotonic() < give_up and not any(w.trial for s in seen for w in s.workers):
            time.sleep(0.1)
            if (tmp_path / "run" / PULSE).exists():
                try:
                    seen.append(RecordedStatus(tmp_path / "run").look())
                except HistoryError:  # it has only just begun
                    continue
    finally:
        thread.join()
    (work,) = seen[-1].workers
    assert work.worker.endswith(f":{os.getpid()}")
    assert work.architecture.count("-") == 5
    assert seen[-1].waiting == 7


def test_a_search_that_was_killed_is_found_dead(orphan: Orphan) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    folder = orphan(pid=ended.pid)
    standing = RecordedStatus(folder).look()
    assert f"the search process (pid {ended.pid}) exited without finishing the run" in standing.trouble
    assert f"nas search --resume {folder}" in standing.trouble
    assert standing.evaluated == 12
    assert not standing.outcome
    assert standing.last_result == pytest.approx(time.time(), abs=60)


def test_another_process_with_the_same_number_is_not_taken_for_the_search(orphan: Orphan) -> None:
    folder = orphan(process_started=1.0)
    assert "exited without finishing the run" in RecordedStatus(folder).look().trouble


def test_a_silent_search_on_another_machine_is_reported(orphan: Orphan) -> None:
    folder = orphan(host="elsewhere", beat=time.time() - 300)
    assert "on elsewhere) sent its last heartbeat 300 s ago" in RecordedStatus(folder).look().trouble


def test_a_search_with_news_is_not_in_trouble_for_any_clock(orphan: Orphan) -> None:
    folder = orphan(host="elsewhere", beat=time.time() - 900)
    recorded = RecordedStatus(folder)
    assert recorded.look().trouble
    values = json.loads((folder / PULSE).read_text())
    (folder / PULSE).write_text(json.dumps(values | {"beat": values["beat"] + 2}))
    assert not recorded.look().trouble


def test_a_run_without_a_sign_of_life_is_shown_with_what_to_do(orphan: Orphan) -> None:
    folder = orphan()
    (folder / PULSE).unlink()
    standing = RecordedStatus(folder).look()
    assert "no search writes to this run" in standing.trouble
    assert standing.evaluated == 12


@pytest.mark.parametrize("text", ["", "{", "[]", '{"host": 3}', '{"workers": 3}'])
def test_a_damaged_sign_of_life_counts_as_none(text: str, orphan: Orphan) -> None:
    folder = orphan()
    (folder / PULSE).write_text(text)
    assert "no search writes to this run" in RecordedStatus(folder).look().trouble


def test_the_sign_of_life_goes_when_the_search_ends(run: Path) -> None:
    assert not (run / PULSE).exists()


def test_a_folder_that_took_the_place_of_the_run_gets_no_sign_of_life(tmp_path: Path) -> None:
    def replace(state: SearchState) -> None:
        if state.evaluated == 12 and not (tmp_path / "away").exists():
            (tmp_path / "run").rename(tmp_path / "away")
            (tmp_path / "run").mkdir()

    with pytest.raises(HistoryError, match="was removed or replaced"):
        search(tmp_path / "run", replace)
    assert list((tmp_path / "run").iterdir()) == []


def test_a_log_that_another_process_holds_is_shown_as_it_was_before(made: Path, run: Path) -> None:
    shutil.copy(made / "middle" / PULSE, run / PULSE)  # of this process, which is there
    recorded = RecordedStatus(run)
    recorded.look()
    holder = sqlite3.connect(run / FILE, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    holder.execute("INSERT INTO log (event, trial) VALUES ('ask', NULL)")
    try:
        with pytest.raises(HistoryError, match="locked"):
            recorded.look()
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    assert recorded.look().evaluated == 30


def test_reading_a_run_that_was_killed_changes_nothing_in_its_folder(orphan: Orphan) -> None:
    folder = orphan(pid=2**22 + 1, process_started=1.0)
    with sqlite3.connect(folder / FILE) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("INSERT INTO log (event, trial) VALUES ('ask', NULL)")
        writer.commit()
        log = (folder / f"{FILE}-wal").read_bytes()
    writer.close()
    (folder / f"{FILE}-wal").write_bytes(
        log
    )  # a kill leaves it; its index may be lost on the way to another machine
    before = {
        path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir() if path.is_file()
    }
    assert RecordedStatus(folder).look().crashed
    after = {
        path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir() if path.is_file()
    }
    assert before.keys() == after.keys()
    assert before == after


def test_a_folder_that_goes_away_is_waited_for(
    orphan: Orphan, tmp_path: Path, nas_command, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = orphan()
    acts = iter(
        [
            lambda: folder.rename(tmp_path / "away"),
            lambda: None,
            lambda: (tmp_path / "away").rename(folder),
            lambda: (folder / PULSE).unlink(),
            lambda: (folder / "summary.json").write_text('{"state": "interrupted"}'),
        ]
    )
    monkeypatch.setattr("nas.cli.watching.time.sleep", lambda seconds: next(acts)())
    done = nas_command("watch", str(folder), "--every", "1")
    assert done.code == 0
    lines = done.out.splitlines()
    assert "is missing" in " ".join(lines[1:4])
    assert lines[-1].endswith("interrupted")


def test_a_run_of_another_machine_is_read_from_a_copy_with_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = RecordedStatus(tmp_path / "run")
    counts: list[tuple[int, float]] = []
    wanted: list[tuple[int, float]] = []

    def look(state: SearchState) -> None:
        here = RecordedStatus(tmp_path / "run").look()
        wanted.append((here.evaluated, here.hypervolume))
        with monkeypatch.context() as patch:
            patch.setattr(Heartbeat, "elsewhere", True)
            there = away.look()
        counts.append((there.evaluated, there.hypervolume))

    search(tmp_path / "run", look)
    assert counts == wanted
    assert counts[-1][0] == 30


def changing(monkeypatch: pytest.MonkeyPatch, run: Path, times: int) -> None:
    """Move the write-ahead log to the file during each of the next copies."""
    left = [times]
    copy = shutil.copyfile

    def copying(source: Path, target: Path, **how: Any) -> None:
        copy(source, target, **how)
        if left[0] > 0 and source == run / FILE:
            left[0] -= 1
            with sqlite3.connect(run / FILE) as db:
                db.execute("INSERT OR REPLACE INTO meta VALUES ('touched', ?)", (str(left[0]),))
                db.commit()
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    monkeypatch.setattr(log_file.shutil, "copyfile", copying)


def test_a_copy_in_whose_middle_the_log_was_moved_is_made_again(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changing(monkeypatch, run, 2)
    (tmp_path / "place").mkdir()
    with sqlite3.connect(log_file.copy_to_read(run / FILE, tmp_path / "place")) as db:
        assert db.execute("SELECT value FROM meta WHERE key = 'touched'").fetchone() == ("0",)


def test_a_log_that_changes_in_every_copy_is_left_for_later(
    orphan: Orphan, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = orphan()
    monkeypatch.setattr(Heartbeat, "elsewhere", True)
    changing(monkeypatch, folder, 100)
    with pytest.raises(HistoryError, match="changes faster than it can be copied"):
        RecordedStatus(folder).look()


def test_results_are_not_read_again_without_a_change(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = RecordedStatus(run)
    first = recorded.look()
    monkeypatch.setattr(RecordedStatus, "_opened", lambda self, pulse: pytest.fail("opened again"))
    assert recorded.look().evaluated == first.evaluated


@pytest.mark.slow
def test_ctrl_c_ends_the_watching_without_a_traceback(tmp_path: Path) -> None:
    watching = subprocess.Popen(
        [sys.executable, "-c", NAS, "watch", str(tmp_path / "nowhere")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert watching.stdout is not None
    assert "waiting for it" in watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=110)
    assert watching.returncode == 130
    assert "Traceback" not in out + err


def test_in_a_terminal_the_panel_stays_when_the_run_is_over(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rich.console import Console

    console = Console(force_terminal=True, width=90, height=30, color_system=None)
    monkeypatch.setattr("nas.cli.watching.output", lambda: console)
    run_watch(run, None, once=False)
    said = capsys.readouterr().out
    assert "30/30 evaluated" in said
    assert "finished after" in said.rpartition("╭")[2]
