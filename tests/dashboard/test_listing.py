"""The list of runs: their states and numbers, what is read again, and damaged folders."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nas.core.errors import ConfigError
from nas.dashboard import finding, listing, tracking
from nas.dashboard.finding import Finder, stamp_of
from nas.dashboard.listing import RunList
from nas.dashboard.tracking import TrackedRun, sketch
from nas.monitor.recorded import RecordedStatus
from nas.report import read_source
from nas.runs.files import HEARTBEAT, LOG, SUMMARY


def rows(listed: RunList) -> dict[str, dict[str, Any]]:
    """The rows by name, after a refresh."""
    assert listed.refresh()
    return {row["name"]: row for row in listed.changes()["runs"]}


def beat(folder: Path, **changes: Any) -> None:
    """Write a heartbeat of this process into a run, changed so."""
    values = json.loads((folder / HEARTBEAT).read_text())
    (folder / HEARTBEAT).write_text(json.dumps(values | changes))


def content(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file with its time and content."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_finished_run_has_the_numbers_of_its_table(runs: Path) -> None:
    row = rows(RunList(runs))["first"]
    source = read_source(runs / "first")
    assert (row["state"], row["detail"], row["live"]) == ("finished", "", False)
    assert (row["algorithm"], row["space"], row["seed"]) == ("moead", "toy", 0)
    assert (row["evaluated"], row["planned"], row["failed"]) == (30, 30, 0)
    assert row["front_size"] == len(source.table.front)
    assert row["hypervolume"] == pytest.approx(source.table.hypervolume, abs=1e-5)
    assert row["best"][0]["value"] == pytest.approx(source.table.front["error"].min())
    assert 2 <= len(row["sketch"]) <= 32
    assert row["changed"] == pytest.approx((runs / "first" / LOG).stat().st_mtime)


def test_the_front_of_a_run_is_that_of_its_table(runs: Path) -> None:
    listed = RunList(runs)
    row = rows(listed)["first"]
    (front,) = listed.fronts([row["id"], "unknown"])
    table = read_source(runs / "first").table.front
    assert [o["name"] for o in front["objectives"]] == ["error", "params", "madds"]
    assert sorted(front["architectures"]) == sorted(table["architecture"])
    known = {text: point for text, point in zip(front["architectures"], front["points"], strict=True)}
    for _, row in table.iterrows():
        assert known[row["architecture"]] == pytest.approx([row["error"], row["params"], row["madds"]])


def test_a_folder_that_is_a_run_is_listed_alone(runs: Path) -> None:
    assert list(rows(RunList(runs / "first"))) == ["first"]


def test_runs_are_found_some_levels_deep_and_no_deeper(made: Path, tmp_path: Path) -> None:
    within = tmp_path.joinpath(*"abcde")
    shutil.copytree(made / "run", within / "run")
    shutil.copytree(made / "run", within / "f" / "run")
    assert list(rows(RunList(tmp_path))) == [str((within / "run").relative_to(tmp_path))]


def test_a_folder_within_a_run_is_no_run(made: Path, runs: Path) -> None:
    shutil.copytree(made / "run", runs / "first" / "inner")
    assert list(rows(RunList(runs))) == ["first"]


def test_a_run_that_appears_is_listed_and_one_that_goes_is_not(made: Path, tmp_path: Path) -> None:
    listed = RunList(tmp_path)
    assert rows(listed) == {}
    shutil.copytree(made / "run", tmp_path / "deep" / "new")
    (id_,) = [row["id"] for row in rows(listed).values()]
    since = listed.changes()["changes"]
    shutil.rmtree(tmp_path / "deep" / "new")
    listed.refresh()
    assert listed.changes(since)["runs"] == []
    assert listed.changes(since)["gone"] == [id_]
    assert listed.run(id_) is None


def test_a_missing_folder_and_a_file_are_errors(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="nowhere does not exist; expected a folder of runs"):
        RunList(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="file is a file; expected a folder of runs"):
        RunList(tmp_path / "file")


def test_a_live_search_is_running_and_comes_first(made: Path, runs: Path) -> None:
    shutil.copytree(made / "middle", runs / "live")  # its heartbeat is of this process, which is there
    beat(runs / "live", beat=2e9, host=os.uname().nodename)
    row = rows(RunList(runs))["live"]
    assert (row["state"], row["live"], row["evaluated"]) == ("running", True, 12)


def test_a_killed_search_is_crashed_with_its_last_sign_of_life(made: Path, runs: Path) -> None:
    shutil.copytree(made / "middle", runs / "dead")
    beat(runs / "dead", pid=2**22 + 1, process_started=1.0)
    row = rows(RunList(runs))["dead"]
    assert (row["state"], row["live"], row["evaluated"]) == ("crashed", False, 12)
    assert row["detail"].startswith(f"its search (pid {2**22 + 1} on ")
    assert f"nas search --resume {runs / 'dead'}" in row["detail"]
    assert row["alive"] == pytest.approx((runs / "dead" / HEARTBEAT).stat().st_mtime)


def test_an_interrupted_search_is_stopped(runs: Path) -> None:
    summary = json.loads((runs / "first" / SUMMARY).read_text())
    (runs / "first" / SUMMARY).write_text(json.dumps(summary | {"state": "interrupted"}))
    row = rows(RunList(runs))["first"]
    assert (row["state"], row["detail"]) == ("stopped", "interrupted")


def test_a_run_without_summary_and_heartbeat_is_stopped(runs: Path) -> None:
    (runs / "first" / SUMMARY).unlink()
    row = rows(RunList(runs))["first"]
    assert row["state"] == "stopped"
    assert row["detail"].startswith("no search writes to it")


def test_a_search_elsewhere_with_a_wrong_clock_is_running_once_it_beats_again(made: Path, runs: Path) -> None:
    shutil.copytree(made / "middle", runs / "far")
    beat(runs / "far", host="elsewhere", beat=1000.0)
    listed = RunList(runs)
    assert rows(listed)["far"]["state"] == "crashed"
    beat(runs / "far", host="elsewhere", beat=1002.0)
    run = listed.run(rows(listed)["far"]["id"])
    assert run is not None
    run._due = 0.0
    run.refresh()
    assert run.row.state == "running"


def test_a_run_of_an_earlier_version_is_listed(runs: Path) -> None:
    for table in ("notes", "parameters", "files"):
        _change(runs / "first", f"DROP TABLE {table}")
    _change(runs / "first", "UPDATE meta SET value = '1' WHERE key = 'schema'")
    _change(
        runs / "first", "UPDATE meta SET value = json_remove(value, '$.loop.at_least') WHERE key = 'config'"
    )
    row = rows(RunList(runs))["first"]
    assert (row["state"], row["evaluated"]) == ("finished", 30)
    assert row["front_size"] > 1


def test_a_search_that_began_a_moment_ago_is_starting(made: Path, runs: Path) -> None:
    shutil.copytree(made / "middle", runs / "new")
    beat(runs / "new", beat=2e9)
    for name in (LOG, f"{LOG}-wal", f"{LOG}-shm"):
        (runs / "new" / name).unlink(missing_ok=True)
    (runs / "new" / LOG).touch()
    listed = RunList(runs)
    row = rows(listed)["new"]
    assert (row["state"], row["live"], row["evaluated"]) == ("starting", True, 0)


DAMAGE = {
    "garbage": lambda folder: (folder / LOG).write_bytes(b"nonsense" * 1000),
    "empty": lambda folder: (folder / LOG).write_bytes(b""),
    "truncated": lambda folder: (folder / LOG).write_bytes((folder / LOG).read_bytes()[:9000]),
    "missing": lambda folder: (folder / LOG).unlink(),
    "foreign": lambda folder: _foreign(folder / LOG),
    "newer": lambda folder: _change(folder, "UPDATE meta SET value = '99' WHERE key = 'schema'"),
    "no mapping": lambda folder: _change(folder, "UPDATE results SET \"values\" = '[1, 2]'"),
    "no config": lambda folder: _change(folder, "UPDATE meta SET value = '[]' WHERE key = 'config'"),
    "linked": lambda folder: _linked(folder / LOG),
    "linked summary": lambda folder: _linked(folder / SUMMARY),
    "pipe": lambda folder: _pipe(folder / HEARTBEAT),
    "a folder": lambda folder: ((folder / LOG).unlink(), (folder / LOG).mkdir()),
}


def _foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE mine (x)")
    db.close()


def _change(folder: Path, statement: str) -> None:
    with sqlite3.connect(folder / LOG) as db:
        db.execute(statement)
    db.close()


def _linked(path: Path) -> None:
    away = path.rename(path.parent.parent.parent / path.name)
    path.symlink_to(away)


def _pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_run_is_listed_with_the_reason_beside_the_others(made: Path, runs: Path, kind: str) -> None:
    shutil.copytree(made / "run", runs / "damaged")
    DAMAGE[kind](runs / "damaged")
    found = rows(RunList(runs))
    assert found["damaged"]["state"] == "unreadable"
    assert found["damaged"]["detail"]
    assert found["first"]["state"] == "finished"


def test_links_to_folders_are_not_followed(made: Path, runs: Path) -> None:
    (runs / "link").symlink_to(made / "run")
    (runs / "circle").symlink_to(runs)
    assert list(rows(RunList(runs))) == ["first"]


def test_a_run_that_is_repaired_is_read_again(made: Path, runs: Path) -> None:
    log = (runs / "first" / LOG).read_bytes()
    (runs / "first" / LOG).write_bytes(b"nonsense" * 1000)
    listed = RunList(runs)
    assert rows(listed)["first"]["state"] == "unreadable"
    (runs / "first" / LOG).write_bytes(log)
    assert rows(listed)["first"]["state"] == "finished"


def test_an_unchanged_log_is_not_read_again(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    look = RecordedStatus.look
    monkeypatch.setattr(RecordedStatus, "look", lambda self: looks.append(1) or look(self))
    listed = RunList(runs)
    before = rows(listed)
    assert rows(listed) == before
    assert len(looks) == 1
    os.utime(runs / "first" / LOG, ns=(1, 1))
    listed.refresh()
    assert len(looks) == 2


def test_an_unchanged_folder_is_not_listed_again(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.utime(runs, (1e9, 1e9))
    os.utime(runs / "first", (1e9, 1e9))
    finder = Finder(runs)
    assert finder.find() == [runs / "first"]
    monkeypatch.setattr(finding.os, "scandir", None)
    assert finder.find() == [runs / "first"]


def test_too_many_folders_are_reported(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "MOST_FOLDERS", 1)
    listed = RunList(runs)
    listed.refresh()
    assert listed.changes()["complete"] is False


def test_changes_are_those_since_a_number(made: Path, runs: Path) -> None:
    shutil.copytree(made / "run", runs / "second")
    listed = RunList(runs)
    assert set(rows(listed)) == {"first", "second"}
    number = listed.changes()["changes"]
    assert listed.changes(number)["runs"] == []
    (runs / "second" / SUMMARY).unlink()
    listed.refresh()
    assert [row["name"] for row in listed.changes(number)["runs"]] == ["second"]
    assert listed.changes(number + 1000)["whole"]


def test_reading_stops_in_time_and_goes_on_with_the_last_changed(made: Path, runs: Path) -> None:
    shutil.copytree(made / "run", runs / "old")
    for path in (runs / "old").rglob("*"):
        os.utime(path, (1e9, 1e9))
    listed = RunList(runs)
    assert not listed.refresh(seconds=0.0)
    assert {row["state"] for row in listed.changes()["runs"]} == {"not read yet"}
    assert listed.changes()["unread"] == 2
    first = TrackedRun.refresh
    with pytest.MonkeyPatch.context() as patch:
        order: list[str] = []
        patch.setattr(
            TrackedRun, "refresh", lambda run, stamp: order.append(run.row.name) or first(run, stamp)
        )
        assert listed.refresh()
    assert order == ["first", "old"]


def test_reading_goes_on_however_long_it_takes_to_find_the_runs(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = RunList(runs)
    clock = iter([0.0, 100.0, 110.0])  # before and after the search for runs, at the only one
    monkeypatch.setattr(listing, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert listed.refresh(seconds=1.0)


def test_nothing_is_written_to_the_runs(made: Path, runs: Path) -> None:
    shutil.copytree(made / "middle", runs / "dead")
    beat(runs / "dead", pid=2**22 + 1, process_started=1.0)
    before = content(runs)
    listed = RunList(runs)
    rows(listed)
    rows(listed)
    assert content(runs) == before


def test_texts_of_a_run_are_printable_and_short(runs: Path) -> None:
    config = json.dumps("\u202e<b>" + "x" * 5000)
    _change(
        runs / "first",
        f"UPDATE meta SET value = json_set(value, '$.space', json('{config}')) WHERE key = 'config'",
    )
    row = rows(RunList(runs))["first"]
    assert row["space"].startswith("\\u202e<b>xxx")
    assert len(row["space"]) == 200


def test_long_fronts_are_thinned(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "MOST_POINTS", 3)
    listed = RunList(runs)
    row = rows(listed)["first"]
    (front,) = listed.fronts([row["id"]])
    assert len(front["points"]) == len(front["architectures"]) == 3
    assert front["left_out"] == row["front_size"] - 3


def test_a_sketch_spans_its_axes_and_is_logarithmic_for_wide_ranges() -> None:
    import numpy as np

    assert sketch(np.array([[1.0, 1e6], [2.0, 1e4], [3.0, 1e2]])) == [(0, 100), (50, 50), (100, 0)]
    assert sketch(np.array([[1.0, 5.0], [1.0, 5.0]])) == [(50, 50), (50, 50)]
    assert sketch(np.empty((0, 2))) == []
    assert sketch(np.array([[1.0], [2.0]])) == []


def test_a_large_summary_is_not_read(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "_MOST_BYTES", 10)
    assert "summary.json is too large" in stamp_of(runs / "first").problem
