"""A run folder that version 0.1.0 made: every command reads it, and the search continues.

`run_0_1_0/` has its files (`history.sql` is a dump of `history.sqlite`) without plots and kept weights; it is never changed.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from commands import Done, nas_in

import nas as package
from nas.runs.history import FILE

pytestmark = pytest.mark.usefixtures("no_plots")

STORED = Path(__file__).parent / "run_0_1_0"
EVALUATIONS = 12


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy of the run."""
    folder = tmp_path / "old"
    shutil.copytree(STORED, folder)
    db = sqlite3.connect(folder / FILE)
    db.executescript((folder / "history.sql").read_text(encoding="utf-8"))
    db.close()
    (folder / "history.sql").unlink()
    return folder


@pytest.fixture
def nas(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """A command that must succeed; returns its output."""
    command = nas_in(monkeypatch, capsys)

    def run(*arguments: object) -> str:
        done: Done = command(*map(str, arguments))
        assert done.code == 0, done.err
        return done.out

    return run


def test_its_front_is_printed_and_reported(run: Path, nas: Callable[..., str]) -> None:
    shown = json.loads(nas("front", run, "--json"))
    stored = pd.read_csv(STORED / "front.csv")
    assert [row["architecture"] for row in shown] == stored["architecture"].tolist()
    assert [row["error"] for row in shown] == pytest.approx(stored["error"].tolist())
    nas("report", run)
    assert stored["architecture"][0] in (run / "report.html").read_text(encoding="utf-8")


def test_its_status_is_printed(run: Path, nas: Callable[..., str]) -> None:
    assert f"{EVALUATIONS}/{EVALUATIONS} evaluated" in nas("watch", run, "--once")


@pytest.mark.slow
def test_a_network_of_it_is_exported(run: Path, nas: Callable[..., str]) -> None:
    nas("export", run, "--train", "--epochs", 2, "--no-onnx")
    (folder,) = (run / "export").iterdir()
    assert {"network.py", "weights.pt"} <= {path.name for path in folder.iterdir()}


@pytest.mark.slow
def test_its_search_continues(run: Path, nas: Callable[..., str]) -> None:
    before = package.load_run(run)[0].frame
    nas("search", "--resume", run, "--budget", EVALUATIONS + 2)
    after = package.load_run(run)[0].frame
    assert len(after) == EVALUATIONS + 2
    assert after["error"].tolist()[:EVALUATIONS] == before["error"].tolist()
