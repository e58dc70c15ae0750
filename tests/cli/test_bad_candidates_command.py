"""Candidates that misbehave, from the command line to the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nas.runs.history import read_history

MISBEHAVING = """

import ctypes


class Misbehaving(Evaluator):
    def __call__(self, trial):
        if trial.id == 3:
            raise ValueError("no such layer")
        if trial.id == 5:
            return {"error": float("nan")}
        if trial.id == 7:
            time.sleep(600)
        if trial.id == 9:
            return {"error": float(np.ones(10**9).sum())}
        if trial.id == 11:
            ctypes.string_at(0)
        if trial.id == 13:
            print("x" * 5_000_000)
        return super().__call__(trial)


class Picky(Evaluator):
    def __call__(self, trial):
        if trial.architecture.genes[2] == 5:
            raise ValueError(f"no kernel for {trial.seed}")
        return super().__call__(trial)
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_search_on_ray_ends_well_and_lists_failures(folder: Path, nas_command) -> None:
    with (folder / "parts.py").open("a") as parts:
        parts.write(MISBEHAVING)
    done = nas_command(
        "search", "search.yaml", "--executor", "ray", "--budget", "30", "--set", "evaluator.name=parts.py:Misbehaving",
        "--set", "executor.timeout_s=10", "--set", "executor.memory_bytes=500000000", "--set", "executor.retries=0",
    )  # fmt: skip
    assert done.code == 0, done.err
    said = " ".join(done.out.split())
    assert "Finished: 30 evaluated, 5 failed" in said
    for reason in (
        "1 x failed: ValueError: no such layer",
        "1 x failed: evaluate returned error=nan; expected a finite number",
        "1 x timeout: stopped after timeout_s=10 s",
        "1 x out_of_memory: MemoryError",
        "1 x lost: the worker process died 1 times",
    ):
        assert reason in said
    assert "xxxx" not in done.out
    assert json.loads((folder / "run/summary.json").read_text())["statuses"]["ok"] == 25
    assert nas_command("front", "run").code == 0


def test_a_search_with_too_many_failures_stops_and_names_their_common_part(folder: Path, nas_command) -> None:
    with (folder / "parts.py").open("a") as parts:
        parts.write(MISBEHAVING)
    done = nas_command(
        "search", "search.yaml", "--budget", "400", "--set", "algorithm=random",
        "--set", "evaluator=parts.py:Picky", "--set", "max_failures=0.25",
    )  # fmt: skip
    assert done.code == 6
    assert "of them with: ValueError: no kernel for" in done.sentence
    assert "have gene 2 = 5, as none of" in done.sentence
    assert "parts.py, line" in done.sentence
    assert "continue with --resume" in done.sentence
    assert (read_history(folder / "run")[0]["status"] == "failed").sum() >= 4
