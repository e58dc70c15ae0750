"""The problems of these experiments: what is searched, what is measured for it, and what is reported in its place."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path

import numpy as np
import pandas as pd

import nas
from nas.core.evaluator import Evaluate
from nas.core.objectives import objective
from nas.core.records import FloatArray, Trial
from nas.core.space import SearchSpace
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import Box
from search_spaces.nasbench101 import NASBench101
from search_spaces.nasbench101.evoxbench import PROBLEMS, flops, one_training
from search_spaces.nasbench101.table import Measure, Table, load_table
from search_spaces.nasbench101.table_evaluator import TableEvaluator, TabularNASBench101, mean_of_runs
from search_spaces.nasbench201 import NASBench201
from search_spaces.nasbench201.table import Measure as Measure201
from search_spaces.nasbench201.table import NASBench201Evaluator, NASBench201Table

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("NAS_SHARED_DATA", HERE.parents[2] / "shared" / "data"))
FULL = Path(os.environ.get("NASBENCH101_TABLE", HERE.parents[1] / "tables" / "nb101"))  # `nas data import`
FLOPS = nas.Objective("flops", "operations", function=flops, cheap=True, best=0.0)
EPOCHS = 108 / 4  # trainings of 108 epochs are taken to last so many times the recorded four


@dataclass(frozen=True)
class Task:
    """A space, objectives and an evaluator whose value `test_error` stands in the error's place in every report.

    `searched` and `reported` say in words what the search sees and what is reported. `scale` are the ideal and the nadir
    of the reported objectives where somebody published them; else those of the true front are taken, and the reference
    point lies a tenth of the range beyond the nadir. Times, where the evaluator has any, are `train_seconds`.
    """

    name: str
    title: str
    space: SearchSpace
    objectives: tuple[nas.Objective | str, ...]
    evaluate: Evaluate
    searched: str
    reported: str
    scale: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    timed: bool = False

    @property
    def columns(self) -> list[str]:
        """What is reported, by column of a run's history: the test error, then the exact objectives."""
        return ["test_error", *(objective(o).name for o in self.objectives[1:])]

    @property
    def names(self) -> list[str]:
        """What is searched, by column of a run's history."""
        return [objective(o).name for o in self.objectives]

    @cached_property
    def everything(self) -> pd.DataFrame:
        """Every architecture of the space with its text and what is reported of it."""
        problem, rows = nas.Problem(self.space, self.objectives, self.evaluate), []
        for architecture in self.space.enumerate():  # type: ignore[attr-defined]
            found = {**self.evaluate(Trial(0, architecture, 0)), **problem.cheap_values(architecture)}
            row = {"architecture": self.space.format(architecture)}
            rows.append(row | {name: found[name] for name in self.columns})
        return pd.DataFrame(rows)

    @cached_property
    def truth(self) -> FloatArray:
        """The true front of what is reported, (k, m), minimised."""
        points = self.everything[self.columns].to_numpy(dtype=np.float64)
        return np.asarray(points[non_dominated(points)], dtype=np.float64)

    @cached_property
    def box(self) -> Box:
        """Where hypervolume is measured."""
        if self.scale is not None:
            return Box(np.array(self.scale[0], dtype=np.float64), np.array(self.scale[1], dtype=np.float64))
        ideal, nadir = self.truth.min(axis=0), self.truth.max(axis=0)
        return Box(ideal, nadir + 0.1 * (nadir - ideal))


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


@dataclass(frozen=True)
class WithFullTimes:
    """A search of final test errors, with the time that 108 epochs would take after the recorded four."""

    table: Table

    @cached_property
    def _look_up(self) -> tuple[TableEvaluator, TableEvaluator]:
        final = TableEvaluator(self.table, "test_accuracy", 108, mean_of_runs)
        return final, TableEvaluator(self.table, budget=4)

    def __call__(self, trial: Trial) -> Mapping[str, float]:
        final, short = self._look_up
        return {**final(trial), "train_seconds": EPOCHS * short(trial)["train_seconds"]}


TEST, VALIDATION = "mean test error after 108 epochs", "validation error"


def _five(data: Path) -> tuple[TabularNASBench101, KnownCells]:
    table = KnownCells(load_table(data / "nasbench101_5v"))
    return TabularNASBench101(table), table


def five_final(objectives: Sequence[nas.Objective | str], data: Path) -> Task:
    """The 2,516 known cells of at most five vertices, searched on what is reported: the final test error."""
    space, table = _five(data)
    name = f"5v-final-{len(objectives)}"
    return Task(
        name,
        "NASBench-101, five vertices, 108 epochs",
        space,
        tuple(objectives),
        WithFullTimes(table),
        TEST,
        TEST,
        timed=True,
    )


def five_short(objectives: Sequence[nas.Objective | str], data: Path, problem: str | None = None) -> Task:
    """The same cells, searched on the validation error of one training of four epochs."""
    space, table = _five(data)
    name = f"5v-short-{len(objectives)}" if problem is None else f"5v {problem}"
    seen = f"{VALIDATION} of one training of 4 epochs"
    title = "NASBench-101, five vertices, 4 epochs" if problem is None else f"{problem}, five vertices"
    return Task(
        name,
        title,
        space,
        tuple(objectives),
        one_training(table),
        seen,
        TEST,
        _published(problem),
        timed=True,
    )


def competition(objectives: Sequence[nas.Objective | str], data: Path, problem: str | None = None) -> Task:
    """The 13,462 cells of the competition's table, with the noise of single trainings drawn anew."""
    table = load_table(data / "nasbench101_cec")
    name = f"13k-{len(objectives)}" if problem is None else f"13k {problem}"
    seen = f"{VALIDATION} of one training of 108 epochs, its noise resampled"
    title = "NASBench-101, 13,462 cells, 108 epochs" if problem is None else f"{problem}, 13,462 cells"
    return Task(
        name,
        title,
        TabularNASBench101(table),
        tuple(objectives),
        one_training(table),
        seen,
        TEST,
        _published(problem),
    )


def full(objectives: Sequence[nas.Objective | str], data: Path, problem: str | None = None) -> Task:
    """All 423,624 cells, one of their recorded trainings drawn by the trial's seed."""
    table = load_table(FULL)
    name = f"full-{len(objectives)}" if problem is None else f"full {problem}"
    seen = f"{VALIDATION} of one recorded training of 108 epochs"
    title = "NASBench-101" if problem is None else problem
    space = NASBench101()
    return Task(
        name,
        title,
        space,
        tuple(objectives),
        one_training(table),
        seen,
        TEST,
        _published(problem),
        timed=True,
    )


def nasbench201(
    objectives: Sequence[nas.Objective | str], data_set: str, data: Path, final: bool = False
) -> Task:
    """The 15,625 cells of NAS-Bench-201, reported after 200 epochs on test.

    Searched by a schedule of 12 epochs on validation; with `final`, by what is reported.
    """
    table = NASBench201Table.open(data / "nasbench201")
    reported = Measure201(data_set, "test", 200)
    evaluate = NASBench201Evaluator(table, reported if final else Measure201(data_set), reported)
    title = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet16": "ImageNet-16-120"}[data_set]
    name = f"nb201-{data_set}{'-final' * final}-{len(objectives)}"
    said = "mean test error after 200 epochs"
    return Task(
        name,
        f"NAS-Bench-201, {title}" + ", 200 epochs" * final,
        NASBench201(),
        tuple(objectives),
        evaluate,
        said if final else f"{VALIDATION} of the 12-epoch schedule",
        said,
    )


def _published(problem: str | None) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    return None if problem is None else (PROBLEMS[problem].ideal, PROBLEMS[problem].nadir)


ONE: tuple[nas.Objective | str, ...] = ("error",)
TWO = (*ONE, "params")
THREE = (*TWO, "madds")
MOP: dict[str, tuple[nas.Objective | str, ...]] = {"C10/MOP1": TWO, "C10/MOP2": (*TWO, FLOPS)}
DATA_SETS = ("cifar10", "cifar100", "imagenet16")

ACCURACY: dict[str, Callable[[Path], Task]] = {
    "5v-final-1": partial(five_final, ONE),
    "5v-short-1": partial(five_short, ONE),
    "13k-1": partial(competition, ONE),
    **{f"nb201-{d}-1": partial(nasbench201, ONE, d) for d in DATA_SETS},
    "full-1": partial(full, ONE),
}
FRONTS: dict[str, Callable[[Path], Task]] = {
    "5v-final-2": partial(five_final, TWO),
    "5v-final-3": partial(five_final, THREE),
    "nb201-cifar10-2": partial(nasbench201, TWO, "cifar10"),
    "nb201-cifar10-3": partial(nasbench201, THREE, "cifar10"),
}
EVOXBENCH: dict[str, Callable[[Path], Task]] = {
    **{f"5v {p}": partial(five_short, o, problem=p) for p, o in MOP.items()},
    **{f"13k {p}": partial(competition, o, problem=p) for p, o in MOP.items()},
    **{f"full {p}": partial(full, o, problem=p) for p, o in MOP.items()},
}
PREFERENCE: dict[str, Callable[[Path], Task]] = {
    "nb201-cifar10-final-3": partial(nasbench201, THREE, "cifar10", final=True),
}
TASKS = {**ACCURACY, **FRONTS, **EVOXBENCH, **PREFERENCE}


def available(names: Sequence[str]) -> list[str]:
    """Those whose table is there; the full one is looked for in `$NASBENCH101_TABLE`, else in `tables/nb101`."""
    return [n for n in names if not n.startswith("full") or FULL.is_dir()]


@cache
def load(name: str, data: Path) -> Task:
    """The task of that name, made once in a process."""
    return TASKS[name](data)
