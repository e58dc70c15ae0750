"""Runs to list, and a dashboard that a test serves."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from commands import Done, nas_in

import nas
from nas.dashboard import Dashboard
from nas.engine.search_state import SearchState
from nas.testing import ToySpace, toy_error

Serve = Callable[[Path], Dashboard]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, `run`, and a copy of it as it was after twelve evaluations, `middle`."""
    folder = tmp_path_factory.mktemp("made")

    def copy(state: SearchState) -> None:
        if state.evaluated == 12:
            shutil.copytree(folder / "run", folder / "middle")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.report.plots.write_plots", lambda folder, table: [])
        nas.search(
            ToySpace(), ["error", "params", "madds"], algorithm="moead", evaluate=toy_error, budget=30,
            out=folder / "run", callbacks=[copy],
        )  # fmt: skip
    return folder


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
