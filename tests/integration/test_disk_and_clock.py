"""Full disks, removed folders, jumping clocks, locked files: a clear error or a wait, never damage."""

from __future__ import annotations

import logging
import os
import random
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from engine_parts import Grid, log_of, quick

import nas
from nas.core.errors import HistoryError
from nas.engine.loop import LoopSettings, SearchState
from nas.runs.history import FILE, read_history

OBJECTIVES = ["error", "params", "madds"]
BUDGET = 60
pytestmark = pytest.mark.usefixtures("no_plots")


def search(out: Path, *callbacks: Callable[[SearchState], None], **more: object) -> nas.SearchResult:
    return nas.search(
        Grid(),
        OBJECTIVES,
        quick,
        out=out,
        callbacks=callbacks,
        **({"algorithm": "moead", **{"budget": BUDGET} | more}),
    )  # type: ignore[arg-type]


def at(evaluated: int, act: Callable[[], object]) -> Callable[[SearchState], None]:
    """Call a function once, after a number of evaluations."""

    def callback(state: SearchState) -> None:
        if state.evaluated == evaluated and state.arrived == evaluated:
            act()

    return callback


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same search, undisturbed."""
    out = tmp_path_factory.mktemp("undisturbed") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.report.plots.write_plots", lambda folder, table: [])
        search(out)
    return out


def check_same(out: Path, whole: Path) -> None:
    assert log_of(out) == log_of(whole)
    assert (out / "front.csv").read_bytes() == (whole / "front.csv").read_bytes()


@pytest.mark.parametrize("room", [150_000, 300_000, 700_000])
def test_a_file_size_limit_stops_a_search_that_can_be_resumed_later(
    room: int, whole: Path, tmp_path: Path
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))  # as a quota; for root as well
    try:
        with pytest.raises(HistoryError, match=r"disk error|cannot write the results|cannot be written"):
            search(tmp_path / "run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    evaluated = (read_history(tmp_path / "run")[0]["status"] == "ok").sum()
    assert evaluated > 0
    search(tmp_path / "run", resume=True)
    check_same(tmp_path / "run", whole)


def test_a_folder_removed_in_the_middle_is_noticed_and_its_log_saved(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(
        HistoryError, match=r"run was removed or replaced while the search ran; the log was saved"
    ) as e:
        search(run, at(20, lambda: shutil.rmtree(run)))
    (copy,) = tmp_path.glob("run-rescued-*")
    assert f"--resume {copy}" in str(e.value)
    assert (read_history(copy)[0]["status"] == "ok").sum() >= 20
    search(copy, resume=True)
    check_same(copy, whole)


def test_a_replacement_of_the_folder_is_left_alone(tmp_path: Path) -> None:
    run = tmp_path / "run"

    def replace() -> None:
        shutil.move(run, tmp_path / "moved")
        run.mkdir()
        (run / FILE).write_text("somebody's")

    with pytest.raises(HistoryError, match="removed or replaced"):
        search(run, at(20, replace))
    assert [p.name for p in run.iterdir()] == [FILE]
    assert (run / FILE).read_text() == "somebody's"
    assert (read_history(tmp_path / "moved")[0]["status"] == "ok").sum() >= 20


def test_a_folder_removed_with_all_above_it_is_an_error_too(tmp_path: Path) -> None:
    run = tmp_path / "above" / "run"
    with pytest.raises(HistoryError, match="removed or replaced while the search ran; the log could not be"):
        search(run, at(20, lambda: shutil.rmtree(run.parent)))


@pytest.fixture
def ordinary_user() -> Iterator[Path]:
    """A folder of an ordinary user, which this process is while the test runs."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    root = os.geteuid() == 0
    if root:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        (folder / "run").chmod(0o755)
        shutil.rmtree(folder)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="rights of folders work otherwise here")
def test_a_folder_made_read_only_in_the_middle_keeps_its_log(ordinary_user: Path) -> None:
    run = ordinary_user / "run"
    with pytest.raises(
        HistoryError, match=r"cannot write the results: .*Permission denied.* The log is complete"
    ):
        search(run, at(20, lambda: run.chmod(0o555)))
    run.chmod(0o755)
    search(run, resume=True)
    search(ordinary_user / "whole")
    check_same(run, ordinary_user / "whole")


def test_a_clock_that_jumps_changes_neither_durations_nor_the_outcome(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, rng = time.time, random.Random(0)
    monkeypatch.setattr(time, "time", lambda: real() + rng.choice([-1e7, -100.0, 0.0, 3600.0, 1e7]))
    search(tmp_path / "run", at(20, _interrupt), loop=LoopSettings(evaluations=BUDGET, seconds=600.0))
    result = search(tmp_path / "run", resume=True, loop=LoopSettings(evaluations=BUDGET, seconds=600.0))
    assert result.state == "finished"
    check_same(tmp_path / "run", whole)
    table = result.history
    assert table["seconds"].between(0.0, 60.0).all()
    assert np.allclose(table["finished"] - table["started"], table["seconds"], atol=1e-3)
    assert (table["told_seconds"].diff().dropna() >= 0).all()
    assert 0.0 <= result.summary["seconds"] < 600.0


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_a_run_whose_clock_jumped_can_be_drawn(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: -5.0)
        search(tmp_path / "run")
    from nas.report.plots_progress import hypervolume_figure

    table, _ = nas.load_run(tmp_path / "run")
    hypervolume_figure(table)


def holding(run: Path) -> sqlite3.Connection:
    """A connection of another process with an open write transaction."""
    db = sqlite3.connect(run / FILE, isolation_level=None, check_same_thread=False)
    db.execute("BEGIN IMMEDIATE")
    return db


def test_the_search_waits_for_a_locked_log_with_a_message(
    whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def hold() -> None:
        db = holding(tmp_path / "run")
        threading.Timer(1.5, db.close).start()

    with caplog.at_level(logging.WARNING, "nas.runs.log_file"):
        search(tmp_path / "run", at(20, hold))
    assert "locked by another process; waiting, at most 60 s" in caplog.text
    check_same(tmp_path / "run", whole)


@pytest.mark.slow
def test_a_permanently_locked_log_stops_the_search_which_can_be_resumed(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.runs.log_file.PATIENCE_S", 0.7)
    held: list[sqlite3.Connection] = []
    with pytest.raises(
        HistoryError, match="locked; another process locks it: stop that process, then try again"
    ):
        search(tmp_path / "run", at(20, lambda: held.append(holding(tmp_path / "run"))))
    with pytest.raises(HistoryError, match="another process locks it"):
        search(tmp_path / "run", resume=True)
    held[0].close()
    search(tmp_path / "run", resume=True)
    check_same(tmp_path / "run", whole)


TOGETHER = """
import os, sys, time
from pathlib import Path
from engine_parts import Grid, quick
import nas, nas.runs.log_file, nas.report.plots
nas.report.plots.write_plots = lambda folder, table: []
nas.runs.log_file.LOCKS = sys.argv[2] == "locks"
nas.search(Grid(), ["error", "params"], quick, budget=20, algorithm="moead")
for round in range(6):
    begin, children = time.monotonic() + 0.05, []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            time.sleep(max(0.0, begin - time.monotonic()))
            try:
                folder = Path(sys.argv[1]) / str(round)
                nas.search(Grid(), ["error", "params", "madds"], quick, budget=60, out=folder, algorithm="moead")
                os._exit(0)
            except nas.NasError as error:
                print(error, flush=True)
                os._exit(error.exit_code)
            finally:
                os._exit(1)
        children.append(child)
    print(round, sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children), flush=True)
"""


def go_on_or_begin(run: Path) -> None:
    """Resume a run; begin it if it is still empty."""
    try:
        search(run, resume=True)
    except HistoryError as error:
        said = str(error)
    else:
        return
    assert re.search("start it again|start the search again|is missing", said), said
    search(run)


@pytest.mark.slow
@pytest.mark.parametrize("locks", ["locks", "a file system without"])
def test_searches_started_together_on_one_folder_do_no_damage(
    locks: str, whole: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TOGETHER, str(tmp_path), locks], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).resolve().parents[1] / "shared"), os.environ.get("PYTHONPATH", "")])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    codes = [line.split(" ", 1)[1] for line in done.stdout.splitlines() if line[:1].isdigit()]
    assert len(codes) == 6
    if locks == "locks":
        assert set(codes) == {"[0, 4, 4]"}, done.stdout
        assert "another search is writing" in done.stdout or "already holds a run" in done.stdout
    else:
        assert not any("1" in code for code in codes), done.stdout  # each ends, or says why not
    for number in range(6):  # nobody's run may be left where locks are missing; never a broken one
        go_on_or_begin(tmp_path / str(number))
        check_same(tmp_path / str(number), whole)
