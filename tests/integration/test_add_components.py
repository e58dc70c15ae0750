"""One new component of each kind, in a separate package, used from YAML without editing anything else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nas.cli.app import app

pytestmark = pytest.mark.usefixtures("no_plots")
PARTS = '''
from dataclasses import dataclass

import numpy as np

import nas
from nas.algorithms.random_search import RandomSearch
from nas.executors.serial import SerialExecutor
from nas.training.data.digits import Digits
from nas.training.task import Classification
from surrogates.constant import Constant


class Space(nas.SearchSpace):
    name = "added"
    cardinalities = (4, 4, 4)

    def cost(self, architecture):
        return {"params": 100.0 + sum(architecture.genes), "madds": 1.0 + architecture.genes[0]}


class Evaluator:
    def __init__(self, space):
        self.space = space

    def __call__(self, trial):
        return {"error": float(sum((3 - g) ** 2 for g in trial.architecture.genes))}


def depth(architecture):
    return float(sum(architecture.genes))


@dataclass(frozen=True)
class Settings:
    pass


class Algorithm(RandomSearch):
    Settings = Settings


class Executor(SerialExecutor):
    def __init__(self, evaluate, required=frozenset()):
        super().__init__(evaluate, None, required=required)


class Tracker(nas.Callback):
    def __init__(self, file: str) -> None:
        self.file = file

    def told(self, state, result):
        with open(self.file, "a") as log:
            log.write(f"{len(state.results)}\\n")


class Surrogate(Constant):
    fits = 0

    def fit(self, X, y):
        type(self).fits += 1
        return super().fit(X, y)


@dataclass(frozen=True)
class Data:
    """The first digits alone."""

    most: int = 64

    def load(self):
        from dataclasses import replace

        from nas.training.data import MemoryPictures

        splits = Digits().load()
        train = MemoryPictures(splits.train.images[: self.most], splits.train.labels[: self.most])
        return replace(splits, train=train)

    def check(self):
        return Digits().check()


@dataclass(frozen=True, slots=True)
class Task(Classification):
    pass
'''
OWN = """
space: added_parts.parts:Space
objectives: [error, params, {name: depth, function: "added_parts.parts:depth"}]
evaluator: added_parts.parts:Evaluator
algorithm: added_parts.parts:Algorithm
executor: added_parts.parts:Executor
callbacks: [{name: "added_parts.parts:Tracker", file: told.txt}]
budget: 6
"""
PREDICTED = """
space: added_parts.parts:Space
objectives: [error, params]
evaluator: added_parts.parts:Evaluator
algorithm: {name: sa-moead, surrogate: "added_parts.parts:Surrogate", initial: 6}
executor: serial
budget: 14
concurrency: 1
"""
TRAINED = """
space: {name: nasbench101, stem_channels: 4, stacks: 1, cells_per_stack: 1}
objectives: [error, params]
evaluator:
  name: training
  data: {name: "added_parts.parts:Data", most: 48}
  task: added_parts.parts:Task
  recipe: {epochs: 1}
algorithm: random
executor: serial
budget: 2
"""


@pytest.fixture(scope="module", autouse=True)
def package(tmp_path_factory: pytest.TempPathFactory):
    """The package on the path."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "added_parts").mkdir()
    (folder / "added_parts" / "__init__.py").write_text("")
    (folder / "added_parts" / "parts.py").write_text(PARTS)
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(folder))
        patched.setattr("nas.report.plots.write_plots", lambda folder, table: [])
        yield


def search(config: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """The summary of a search by this config."""
    monkeypatch.chdir(here)
    (here / "search.yaml").write_text(config)
    done = CliRunner().invoke(app, ["search", "search.yaml", "--out", "run"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads((here / "run" / "summary.json").read_text())


def test_space_evaluator_objective_algorithm_executor_and_tracker(tmp_path: Path, monkeypatch) -> None:
    summary = search(OWN, tmp_path, monkeypatch)
    assert summary["ok"] == 6
    assert summary["algorithm"] == "Algorithm"
    assert set(summary["best"]) == {"error", "params", "depth"}
    assert (tmp_path / "told.txt").read_text().split() == list("123456")


def test_surrogate(tmp_path: Path, monkeypatch) -> None:
    from added_parts.parts import Surrogate

    before = Surrogate.fits
    assert search(PREDICTED, tmp_path, monkeypatch)["ok"] == 14
    assert Surrogate.fits > before


def test_data_set_and_task(tmp_path: Path, monkeypatch) -> None:
    assert search(TRAINED, tmp_path, monkeypatch)["ok"] == 2
