"""Shared by the tests of a comparison: its config, its components, and all its runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nas.compare.driving import Progress, run_missing
from nas.compare.figures import Drawing
from nas.compare.folder import remember
from nas.compare.runs import Comparison

TINY = '<svg xmlns="http://www.w3.org/2000/svg"/>'  # in the place of a figure, which takes a second to draw


def write_tiny_figures(folder: Path, found: Sequence[Drawing]) -> None:
    """Stands in for the drawing where a test is about something else."""
    folder.mkdir(parents=True, exist_ok=True)
    for drawing in found:
        (folder / f"{drawing.stem}.svg").write_text(TINY)


Compare = Callable[..., Comparison]

PARTS = '''
import os
import time
from pathlib import Path

from nas.core.records import Trial
from nas.testing.toy import ToySpace, toy_error


def noisy(trial):
    """A noisy error, and its value without noise."""
    error = toy_error(trial)["error"]
    return {"error": error + 0.01 * (trial.seed % 7), "test_error": error, "training_seconds": 60.0 + trial.id}


def by_two_processes(trial):
    """As `noisy`, once a second process of the cluster evaluates."""
    folder = Path(__file__).parent
    cluster = os.getppid()
    (folder / f"process-{cluster}-{os.getpid()}").touch()
    while len(list(folder.glob(f"process-{cluster}-*"))) < 2:
        time.sleep(0.01)
    return noisy(trial)


def accuracy(architecture):
    return 100.0 - toy_error(Trial(0, architecture, 0))["error"]


def fails_now_and_then(trial):
    if trial.id % 5 == 3:
        raise ValueError("on purpose")
    return noisy(trial)


def broken(trial):
    raise ValueError("broken for good")
'''


def config(**changes: Any) -> dict[str, Any]:
    """A comparison of two problems, of which some keys may be others."""
    values = {
        "problems": [two_objectives(), one_objective()],
        "algorithms": ["moead", {"name": "nsga2", "label": "NSGA-II <10>", "population": 10}, "random"],
        "budget": 24,
        "seeds": 4,
        "initial": 6,
        "targets": [0.8, 1.0],
        "executor": "serial",
    }
    return {**values, **changes}


def two_objectives(**changes: Any) -> dict[str, Any]:
    return {
        "name": "error & params",
        "space": "nas.testing.toy:ToySpace",
        "objectives": ["error", "params"],
        "evaluator": "parts.py:noisy",
        "report": {"error": "test_error"},
        "time": "training_seconds",
        "reference": {"enumerate": True},
        **changes,
    }


def one_objective(**changes: Any) -> dict[str, Any]:
    return {
        "name": "error",
        "space": "nas.testing.toy:ToySpace",
        "objectives": ["error"],
        "evaluator": "parts.py:noisy",
        "report": "test_error",
        "targets": [3.0, 0.1],
        **changes,
    }


def make_runs(comparison: Comparison) -> Progress:
    """All that `nas compare` does before it reports."""
    comparison.check()
    remember(comparison)
    return run_missing(comparison, lambda progress: None)
