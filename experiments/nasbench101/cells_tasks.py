"""The problems in the configs beside this file, and their text in reports."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import pandas as pd

import nas
from nas.compare.config import ProblemPart, check_comparison
from nas.compare.runs import Comparison
from nas.config.schema import read_config
from nas.core.records import FloatArray, Trial
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import Box
from search_spaces.nasbench101.table import Measure, Table, load_table
from search_spaces.nasbench101.table_evaluator import TableEvaluator, TabularNASBench101, mean_of_runs

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("NAS_SHARED_DATA", HERE.parents[2] / "shared" / "data"))
CONFIGS = ("accuracy", "fronts", "evoxbench", "preference", "full", "moead")
EPOCHS = 108 / 4  # assumed time of 108 epochs, in multiples of the recorded four
TEST, VALIDATION = "mean test error after 108 epochs", "validation error"
TEST_201 = "mean test error after 200 epochs"
TEXTS = {  # by prefix of a task's name: title, searched, reported
    "5v-final": ("NASBench-101, five vertices, 108 epochs", TEST, TEST),
    "5v-short": ("NASBench-101, five vertices, 4 epochs", f"{VALIDATION} of one training of 4 epochs", TEST),
    "5v C10": ("{problem}, five vertices", f"{VALIDATION} of one training of 4 epochs", TEST),
    "13k-": ("NASBench-101, 13,462 cells, 108 epochs", f"{VALIDATION} of one training of 108 epochs, its noise resampled", TEST),
    "13k C10": ("{problem}, 13,462 cells", f"{VALIDATION} of one training of 108 epochs, its noise resampled", TEST),
    "full-": ("NASBench-101", f"{VALIDATION} of one recorded training of 108 epochs", TEST),
    "full C10": ("{problem}", f"{VALIDATION} of one recorded training of 108 epochs", TEST),
    "nb201-cifar10-final": ("NAS-Bench-201, CIFAR-10, 200 epochs", TEST_201, TEST_201),
    "nb201-cifar10-": ("NAS-Bench-201, CIFAR-10", f"{VALIDATION} of the 12-epoch schedule", TEST_201),
    "nb201-cifar100-": ("NAS-Bench-201, CIFAR-100", f"{VALIDATION} of the 12-epoch schedule", TEST_201),
    "nb201-imagenet16-": ("NAS-Bench-201, ImageNet-16-120", f"{VALIDATION} of the 12-epoch schedule", TEST_201),
}  # fmt: skip
TIMED = ("5v", "full")  # tasks whose evaluator returns `train_seconds`


@dataclass(frozen=True)
class Task:
    """A problem whose value `test_error` replaces the error in every report.

    `searched` and `reported` describe the objectives of the search and of the report. `scale` is the published ideal and
    nadir of the reported objectives, if any; else those of the true front are used, and the reference point is a tenth
    of the range beyond the nadir. Times, where the evaluator has any, are `train_seconds`.
    """

    name: str
    title: str
    problem: nas.Problem
    searched: str
    reported: str
    scale: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    timed: bool = False

    @property
    def names(self) -> list[str]:
        """The searched objectives, by column of a run's history."""
        return [objective.name for objective in self.problem.objectives]

    @property
    def columns(self) -> list[str]:
        """The reported objectives, by column of a run's history: the test error, then the exact objectives."""
        return ["test_error", *self.names[1:]]

    @cached_property
    def everything(self) -> pd.DataFrame:
        """Every architecture of the space with its text and reported objectives."""
        space, measure, rows = self.problem.space, self.problem.measure(), []
        for architecture in space.enumerate():  # type: ignore[attr-defined]
            found = {**measure(Trial(0, architecture, 0)), **self.problem.cheap_values(architecture)}
            row = {"architecture": space.format(architecture)}
            rows.append(row | {name: found[name] for name in self.columns})
        return pd.DataFrame(rows)

    @cached_property
    def truth(self) -> FloatArray:
        """The true front of the reported objectives, (k, m), minimised."""
        points = self.everything[self.columns].to_numpy(dtype=np.float64)
        return np.asarray(points[non_dominated(points)], dtype=np.float64)

    @cached_property
    def box(self) -> Box:
        """Where hypervolume is measured."""
        if self.scale is not None:
            return Box(np.array(self.scale[0], dtype=np.float64), np.array(self.scale[1], dtype=np.float64))
        ideal, nadir = self.truth.min(axis=0), self.truth.max(axis=0)
        return Box(ideal, nadir + 0.1 * (nadir - ideal))


@cache
def problems(data: Path) -> dict[str, tuple[Comparison, ProblemPart]]:
    """Every problem of the configs by its name, the tables looked for in `data`."""
    found = {}
    for name in CONFIGS:
        values = read_config(HERE / f"{name}.yaml")
        for problem in values["problems"]:
            for part in (problem["space"], problem["evaluator"]):
                if isinstance(part, dict) and part["path"].startswith("../shared/data/"):
                    part["path"] = str(data / Path(part["path"]).name)
        comparison = Comparison(check_comparison(values), HERE, HERE)
        found.update({part.name: (comparison, part) for part in comparison.config.problems})
    return found


@cache
def load(name: str, data: Path) -> Task:
    """The task of that name, made once per process."""
    comparison, part = problems(data)[name]
    title, searched, reported = next(texts for start, texts in TEXTS.items() if name.startswith(start))
    task = Task(
        name,
        title.format(problem=name.partition(" ")[2]),
        comparison.problem_of(part),
        searched,
        reported,
        timed=name.startswith(TIMED),
    )
    if not part.reference.ideal:
        return task
    ideal, nadir = (tuple(p[c] for c in task.columns) for p in (part.reference.ideal, part.reference.point))
    return replace(task, scale=(ideal, nadir))


@dataclass(frozen=True)
class KnownCells:
    """A table without the cells whose final test error is unknown."""

    whole: Table

    @property
    def measures(self) -> Sequence[Measure]:
        """Those of the whole table."""
        return self.whole.measures

    @cached_property
    def _cells(self) -> tuple[str, ...]:
        return tuple(c for c in self.whole.cells() if self.whole.runs(c, "test_accuracy", 108))

    def cells(self) -> Sequence[str]:
        """The text form of every cell that is left."""
        return self._cells

    def __contains__(self, cell: object) -> bool:
        return cell in self.whole and bool(self.whole.runs(cell, "test_accuracy", 108))  # type: ignore[arg-type]

    def runs(self, cell: object, metric: str, budget: float = 108) -> tuple[float, ...]:
        """As in the whole table."""
        return self.whole.runs(cell, metric, budget)  # type: ignore[arg-type]


def known_cells(path: str) -> TabularNASBench101:
    """The cells of the table at `path` with a known final test error."""
    return TabularNASBench101(KnownCells(load_table(path)))


@dataclass(frozen=True)
class FinalErrors:
    """A search of final test errors in the table at `path`, with the time that 108 epochs would take after the recorded four."""

    path: str

    @cached_property
    def _look_up(self) -> tuple[TableEvaluator, TableEvaluator]:
        table = load_table(self.path)
        return TableEvaluator(table, "test_accuracy", 108, mean_of_runs), TableEvaluator(table, budget=4)

    def __call__(self, trial: Trial) -> Mapping[str, float]:
        final, short = self._look_up
        return {**final(trial), "train_seconds": EPOCHS * short(trial)["train_seconds"]}
