"""The thread that follows the logs."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from nas.dashboard import watcher
from nas.dashboard.listing import RunList
from nas.dashboard.watcher import Watcher


def test_it_reads_runs_that_appear(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "_SWEEP_S", 0.01)
    monkeypatch.setattr(watcher, "_EVERY_S", 0.01)
    runs, found = RunList(tmp_path), threading.Event()
    refresh = runs.refresh

    def noticed(seconds: float) -> bool:
        complete = refresh(seconds)
        if any(row["state"] == "finished" for row in runs.changes()["runs"]):
            found.set()
        return complete

    monkeypatch.setattr(runs, "refresh", noticed)
    with Watcher(runs):
        shutil.copytree(made / "run", tmp_path / "run")
        assert found.wait(60)


def test_it_rests_while_nobody_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "_PATIENCE_S", -1.0)
    for name in ("_EVERY_S", "_SWEEP_S", "_SHARE"):
        monkeypatch.setattr(watcher, name, 0.0)
    looked = threading.Semaphore(0)
    runs = RunList(tmp_path)
    monkeypatch.setattr(runs, "refresh", lambda seconds: looked.release() or True)
    with Watcher(runs) as following:
        assert looked.acquire(timeout=60)
        assert not looked.acquire(timeout=0.2)
        following.asked()
        assert looked.acquire(timeout=60)


def test_it_goes_on_while_a_share_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "_SWEEP_S", 0.0)
    monkeypatch.setattr(watcher, "_EVERY_S", 0.0)
    monkeypatch.setattr(watcher, "_SHARE", 0)
    runs, again = RunList(tmp_path), threading.Event()
    tries: list[int] = []

    def refresh(seconds: float) -> bool:
        tries.append(1)
        if len(tries) > 2:
            again.set()
        raise OSError("stale handle")

    monkeypatch.setattr(runs, "refresh", refresh)
    with Watcher(runs):
        assert again.wait(60)
