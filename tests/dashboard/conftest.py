"""Runs to list, and a dashboard that a test serves."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from commands import Done, nas_in
from made_runs import make_runs

from nas.dashboard import Dashboard

Serve = Callable[[Path], Dashboard]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, `run`, and a copy of it as it was after twelve evaluations, `middle`."""
    return make_runs(tmp_path_factory.mktemp("made"))


@pytest.fixture
def runs(made: Path, tmp_path: Path) -> Path:
    """A folder of runs with one finished run, `first`."""
    shutil.copytree(made / "run", tmp_path / "runs" / "first")
    return tmp_path / "runs"


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves a folder on a thread, without the thread that follows the logs: a test refreshes the list itself."""
    with ExitStack() as stack:

        def served(folder: Path) -> Dashboard:
            found = Dashboard(folder)
            thread = threading.Thread(target=found.serve, daemon=True)
            stack.callback(found._server.server_close)
            stack.callback(thread.join, 10)
            stack.callback(found.stop)
            thread.start()
            found.runs.refresh()
            return found

        yield served


@pytest.fixture
def nas_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run `nas` with arguments in this process."""
    return nas_in(monkeypatch, capsys)
