"""Shared parts of the tests of shrink runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nas.training import Recipe
from nas.training.data import Digits
from nas.training.feed import prepare
from nas.training.loop import Training
from tests.shared.commands import Done, nas_in
from tests.shared.shrink_parts import NETWORK, Plain


@pytest.fixture(autouse=True)
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plots take most of the time of a short search."""
    monkeypatch.setattr("nas.report.plots.write_plots", lambda folder, table: None)


@pytest.fixture(scope="session")
def trained() -> Plain:
    """A network trained for two epochs on the digits."""
    torch.manual_seed(0)
    network, recipe = Plain(), Recipe(epochs=2, lr=0.1, warmup_epochs=0.0, channels_last=False)
    prepared = prepare(Digits(), recipe, torch.device("cpu"), None)
    training = Training(network, recipe, epochs=2, seed=0, device=torch.device("cpu"))
    for _ in range(2):
        training.epoch(prepared.train)
    return network.eval()


@pytest.fixture
def folder(trained: Plain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with `my_net.py` and `trained.pt`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    Path("my_net.py").write_text(NETWORK)
    torch.save(trained.state_dict(), "trained.pt")
    return tmp_path


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs `nas`."""
    return nas_in(monkeypatch, capsys)
