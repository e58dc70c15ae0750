"""docs/start.md: the first search ends with a front to choose from, at any load, and the commands of the page work on its run."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.shared.commands import Done, nas_in

PAGE = Path(__file__).resolve().parents[2] / "docs" / "start.md"


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs `nas`."""
    return nas_in(monkeypatch, capsys)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_first_search_has_thirty_networks_and_a_front_of_eight_whatever_the_machine(
    command: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # no time at all, as on a machine that is much too busy
    done = command("search", "--set", "budget.seconds=0.001")
    assert done.code == 0, done.all
    assert done.out.startswith("Loading PyTorch and Ray ...\nSearching muxnet-tiny")
    summary = json.loads(Path("runs/first/summary.json").read_text(encoding="utf-8"))
    assert summary["evaluations"] >= 30
    assert len(pd.read_csv("runs/first/front.csv")) >= 8
    shown = re.findall(r"^    \.venv/bin/nas (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    front, resume = (shlex.split(line) for line in shown)
    assert command(*front).code == 0
    again = command(*resume, "--budget", str(summary["evaluations"] + 2))
    assert again.code == 0, again.all
    assert len(pd.read_csv("runs/first/front.csv")) >= 8
