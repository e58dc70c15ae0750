"""A signal that arrives while code of the user computes an exact objective."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

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
budget: 500
out: run
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_it_ends_the_search_and_no_architecture_is_blamed(name: str, tmp_path: Path) -> None:
    (tmp_path / "costs.py").write_text(COSTS.format(at=120, name=name))
    (tmp_path / "search.yaml").write_text(CONFIG)
    call = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from nas.cli import main; import sys; sys.argv = ['nas', 'search', 'search.yaml']; main()"  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", call], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 130, done.stdout + done.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["state"] == "interrupted"
    assert summary["evaluations"] < 500
    assert "leaves out" not in done.stdout + done.stderr
