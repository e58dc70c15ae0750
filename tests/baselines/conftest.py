"""A tiny run on digits, and the command."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nas.config.assemble import assemble
from nas.config.schema import check_config
from nas.core.files import absolute
from nas.engine.run import run
from tests.shared.commands import Done, nas_in
from tests.shared.shrink_parts import NETWORK

SMALL = {
    "space": "muxnet-tiny",
    "algorithm": "random",
    "evaluator": {"name": "training", "recipe": {"epochs": 1, "max_pictures": 128}},
    "executor": "serial",
    "budget": 4,
}


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of four networks, without plots."""
    out = tmp_path_factory.mktemp("finished") / "run"
    run(replace(assemble(check_config(SMALL), Path.cwd()), out=out, plots=False))
    return out


@pytest.fixture
def drawn() -> None:
    """For tests of the plot and the page, which take longer than a small training."""


@pytest.fixture(autouse=True)
def without_plots(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr("nas.baselines.compare.write_baselines_plot", lambda *given: None)
        monkeypatch.setattr("nas.report.plots.write_plots", lambda folder, table: [])
        monkeypatch.setattr("nas.report.writing.write_report", lambda run: Path(run) / "report.html")


@pytest.fixture
def folder(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the run, `runs/a` in the working folder, with `my_net.py` beside `runs`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    shutil.copytree(finished, "runs/a")
    Path("my_net.py").write_text(NETWORK)
    return absolute("runs/a")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs `nas`."""
    return nas_in(monkeypatch, capsys)
