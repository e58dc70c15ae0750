"""kill -9 of the search process: no result is lost, nothing is evaluated twice, the outcome is the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from engine_parts import log_of

from nas.runs.history import read_history

HERE = Path(__file__).resolve().parents[1] / "shared"


def killing(script: str, *arguments: object) -> dict[str, int]:
    """Run one of the scripts that kill searches; return its counts."""
    done = subprocess.run(
        [sys.executable, str(HERE / script), *map(str, arguments)],
        capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    outcome: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return outcome


def check_killed(folder: Path, kills: int, budget: int, case: str) -> None:
    outcome = killing("kill_driver.py", folder, kills, budget, case)
    assert outcome["kills"] == kills
    assert outcome["with_progress"] >= kills / 2, outcome  # not all of them while it starts
    assert len(read_history(folder / "run")[0]) == budget
    assert log_of(folder / "run") == log_of(folder / "whole")
    assert (folder / "run/front.csv").read_bytes() == (folder / "whole/front.csv").read_bytes()
    assert (folder / "run/plots/hypervolume.png").exists()


@pytest.mark.slow
def test_a_search_killed_twelve_times_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    check_killed(tmp_path, kills=12, budget=400, case="quick")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_search_killed_160_times_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    check_killed(tmp_path, kills=160, budget=4000, case="quick")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_training_search_killed_thirty_times_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    check_killed(tmp_path, kills=30, budget=120, case="digits")


@pytest.mark.slow
def test_a_kill_at_a_line_that_keeps_the_log_loses_and_repeats_nothing(tmp_path: Path) -> None:
    outcome = killing("kill_lines.py", tmp_path, "moead", 12)
    assert outcome["kills"] >= 10, outcome


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_kill_at_any_line_that_keeps_the_log_loses_and_repeats_nothing(tmp_path: Path) -> None:
    """At a third of the lines, in fresh searches and in resumed ones; NAS_KILL_LINES=0 kills at each, about five minutes."""
    lines = int(os.environ.get("NAS_KILL_LINES", "120"))
    outcome = killing("kill_lines.py", tmp_path, "moead", lines)
    assert outcome["kills"] >= (100 if lines else 300), outcome


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("case", ["sa-moead", "halving"])
def test_kills_at_many_lines_lose_nothing_of_notes_and_continued_trainings(case: str, tmp_path: Path) -> None:
    assert killing("kill_lines.py", tmp_path, case, 60)["kills"] >= 50
