"""docs/start.md: the first search trains its networks at any load, and the commands of the page work on its run.

CI runs `make search` itself, and checks the size of its front.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.shared.commands import Done, nas_in

PAGE = Path(__file__).resolve().parents[2] / "docs" / "start.md"


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs `nas`."""
    return nas_in(monkeypatch, capsys)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_first_search_has_thirty_networks_in_no_time_and_the_commands_of_the_page_run(
    command: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    quick = ("--executor", "serial", "--set", "evaluator.recipe={epochs: 1, max_pictures: 64}")
    done = command("search", *quick, "--set", "budget.seconds=0.001")  # as on a machine that is far too busy
    assert done.code == 0, done.all
    assert done.err.startswith("Loading PyTorch and Ray ...\n")
    assert "Searching muxnet-tiny" in done.out
    assert evaluations() == 30
    shown = re.findall(r"^    \.venv/bin/nas (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    front, resume = (shlex.split(line) for line in shown)
    assert command(*front).code == 0
    again = command(*resume, "--budget", "32", "--executor", "serial")
    assert again.code == 0, again.all
    assert evaluations() == 32


def evaluations() -> int:
    """The number of networks that the first search has trained."""
    summary = json.loads(Path("runs/first/summary.json").read_text(encoding="utf-8"))
    return int(summary["evaluations"])
