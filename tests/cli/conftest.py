"""Run the command line in this process, in a folder with a user's components."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Done, built, nas_in

PARTS = '''
import os
import signal
import time

import numpy as np

import nas


class Space(nas.SearchSpace):
    """Six genes of six choices."""

    name = "mine"
    cardinalities = (6,) * 6

    def __init__(self, scale: int = 1) -> None:
        self.scale = scale

    def cost(self, architecture):
        genes = architecture.genes
        return {"params": float(self.scale * (10 + sum(genes))), "madds": float(genes[0] + 1)}


class Evaluator:
    """Something quick, or slow."""

    def __init__(self, space, sleep: float = 0.0) -> None:
        self.sleep = sleep

    def __call__(self, trial):
        time.sleep(self.sleep)
        noise = np.random.default_rng(trial.seed).random()
        return {"error": float(sum((5 - g) ** 2 for g in trial.architecture.genes) + noise)}


def broken(trial):
    return {"error": np.sqroot(2.0)}


def latency(architecture):
    return architecture.depht


def not_a_number(architecture):
    return float("nan")


class Sampleless(Space):
    def sample(self, rng):
        return rng.integer(3)


class Careless:
    def __init__(self, space):
        self.x = undefined_name


def no_algorithm(problem):
    return 1


number = 3
'''

CONFIG = """
space: parts.py:Space
evaluator: parts.py:Evaluator
executor: serial
budget: 20
algorithm: {name: moead, population: 6}
out: run
"""


Nas = Callable[..., Done]


def write_config(folder: Path) -> None:
    """Write search.yaml and parts.py to a folder."""
    (folder / "search.yaml").write_text(CONFIG)
    (folder / "parts.py").write_text(PARTS)


def without_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the plots and the page of a search, which take longer than the search."""
    monkeypatch.setattr("nas.report.plots.write_plots", lambda folder, table: [])
    monkeypatch.setattr("nas.cli.searching.report_at_the_end", lambda result, space: None)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with search.yaml and parts.py in it."""
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished `nas search search.yaml`; tests copy it."""
    from nas.cli.search_config import Flags
    from nas.cli.searching import run_search

    folder = tmp_path_factory.mktemp("finished")
    write_config(folder)
    flags = Flags(None, None, None, None, None, None, None, folder / "run", ())
    with pytest.MonkeyPatch.context() as patched:
        without_drawings(patched)
        run_search(folder / "search.yaml", flags, None)
    return folder / "run"


@pytest.fixture
def finished_run(finished: Path, folder: Path) -> Path:
    """A copy of the finished run, `run` in the working directory; its code is elsewhere."""
    return Path(shutil.copytree(finished, folder / "run"))


@pytest.fixture
def nas_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Nas:
    """Run `nas` with arguments, like its console script, without plots and the page of a search."""
    without_drawings(monkeypatch)
    return nas_in(monkeypatch, capsys)


@pytest.fixture(autouse=True)
def _built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Typer's runner takes the built commands too, if it looks them up by this name."""
    monkeypatch.setattr("typer.testing._get_command", built, raising=False)
