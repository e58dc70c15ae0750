"""A signal that arrives while code of the user computes an exact objective."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import interruptible

COSTS = """
import os
import signal

calls = []


def size(architecture):
    calls.append(architecture)
    if len(calls) == {at}:
        os.kill(os.getpid(), signal.{name})
    return float(sum(architecture.genes))
"""
CONFIG = """
space: nasbench201
objectives: [{name: size, function: costs.py:size, cheap: true}, madds]
evaluator: null
executor: serial
algorithm: random
budget: 200
out: run
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_it_ends_the_search_and_no_architecture_is_blamed(
    name: str, tmp_path: Path, nas_command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "costs.py").write_text(COSTS.format(at=60, name=name))
    (tmp_path / "search.yaml").write_text(CONFIG)
    with interruptible():
        done = nas_command("search", "search.yaml")
    assert done.code == 130, done.out + done.err
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["state"] == "interrupted"
    assert summary["evaluations"] < 200
    assert "leaves out" not in done.out + done.err
