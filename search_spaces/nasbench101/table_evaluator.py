"""A table in place of training: look-up evaluation, and the space cut down to a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from nas.core.errors import ArchitectureError, ConfigError, EvaluationError
from nas.core.records import Architecture, Trial
from nas.core.task_spec import TaskSpec
from search_spaces.nasbench101.space import NASBench101
from search_spaces.nasbench101.table_interface import Table, value

PUBLISHED = TaskSpec(3, 10, (32, 32))  # CIFAR-10, the training data of the published networks
_TRIES = 1000  # about half of all mutants are inside the five-vertex table

Choose = Callable[[int, int], "int | None"]  # (trial seed, number of runs) -> run, or None for their mean


def random_run(seed: int, runs: int) -> int | None:
    """The noisy protocol in common use: one of the recorded runs, by the trial's own seed."""
    return int(np.random.default_rng(seed).integers(runs))


def mean_of_runs(seed: int, runs: int) -> int | None:
    """The noise-free protocol: the mean of the recorded runs."""
    return None


@dataclass(frozen=True)
class TableEvaluator:
    """Evaluates a candidate by looking it up (an `nas.core.evaluator.Evaluate`).

    Returns `accuracy` and `error`, in percent: 100 `metric` and 100 (1 - `metric`) at `budget` epochs (or the trial's own budget), of the run that
    `choose` picks. Further, where the table has them: `test_error`, percent, the mean test accuracy at
    `report_budget`, for reporting only, unless it is searched on; `train_seconds` as recorded for that run
    (the mean if single times are not on record). A table without validation accuracy is searched on
    `metric="test_accuracy"`: a search on the test set, which every report must state.

    Raises `ConfigError` for a metric and budget that the table lacks; `EvaluationError` (a failed
    candidate) for a cell that is outside the table or whose value is unknown.
    """

    table: Table
    metric: str = "validation_accuracy"
    budget: float = 108
    choose: Choose = random_run
    report_budget: float = 108

    def __post_init__(self) -> None:
        if not self.metric.endswith("accuracy"):
            raise ConfigError(f"metric={self.metric!r}: expected an accuracy, such as 'validation_accuracy'")
        if (self.metric, float(self.budget)) not in self._held:
            self.table.runs(
                self.table.cells()[0], self.metric, self.budget
            )  # raises, naming the existing ones

    def task_spec(self) -> TaskSpec:
        """The published task."""
        return PUBLISHED

    @cached_property
    def _held(self) -> frozenset[tuple[str, float]]:
        return frozenset((m.metric, float(m.budget)) for m in self.table.measures)

    def __call__(self, trial: Trial) -> Mapping[str, float]:
        cell, budget = trial.architecture, self.budget if trial.budget is None else trial.budget
        try:
            runs = self.table.runs(cell, self.metric, budget)
            if not runs:
                raise EvaluationError(
                    f"{self.metric} of this cell at {budget:g} epochs is unknown in the table"
                )
            run = self.choose(trial.seed, len(runs))
            found = runs[run] if run is not None else sum(runs) / len(runs)
            values = {"error": 100.0 * (1.0 - found), "accuracy": 100.0 * found}
            if ("test_accuracy", float(self.report_budget)) in self._held:
                tests = self.table.runs(cell, "test_accuracy", self.report_budget)
                if tests:
                    values["test_error"] = 100.0 * (1.0 - sum(tests) / len(tests))
            if ("training_time", float(budget)) in self._held:
                single = run if len(self.table.runs(cell, "training_time", budget)) == len(runs) else None
                values["train_seconds"] = value(self.table, cell, "training_time", budget, single)
        except ArchitectureError as error:
            raise EvaluationError(str(error)) from None
        return values


@dataclass(frozen=True, init=False)
class TabularNASBench101(NASBench101):
    """NASBench-101 without the cells that a table lacks: every architecture it yields can be looked up.

    Draws uniformly from the table's cells; varies as the full space does, repeated until the child is inside (a cell
    whose variants all seem to be outside gives a random cell of the table). The network is the benchmark's own.
    """

    table: Table = field(kw_only=True)

    def __init__(self, table: Table) -> None:
        super().__init__()
        object.__setattr__(self, "table", table)
        object.__setattr__(self, "size", len(table.cells()))

    def __reduce__(self) -> tuple[Any, ...]:
        return TabularNASBench101, (self.table,)

    @cached_property
    def _cells(self) -> Sequence[str]:
        return self.table.cells()

    def is_valid(self, architecture: Architecture) -> bool:
        """Whether the genes describe a cell of the table."""
        return super().is_valid(architecture) and architecture in self.table

    def sample(self, rng: np.random.Generator) -> Architecture:
        """A cell of the table, each equally likely."""
        return self.parse(self._cells[int(rng.integers(len(self._cells)))])

    def uniform_sampler(self) -> Callable[[np.random.Generator], Architecture]:
        """`sample`, which is uniform here."""
        return self.sample

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """A mutant inside the table."""
        vary = super().mutate
        return self._inside(lambda: vary(architecture, rng), rng)

    def crossover(self, first: Architecture, second: Architecture, rng: np.random.Generator) -> Architecture:
        """A child inside the table."""
        vary = super().crossover
        return self._inside(lambda: vary(first, second, rng), rng)

    def enumerate(self) -> Iterator[Architecture]:
        """Every cell of the table once."""
        return (self.parse(text) for text in self._cells)

    def _inside(self, vary: Callable[[], Architecture], rng: np.random.Generator) -> Architecture:
        for _ in range(_TRIES):
            child = vary()
            if child in self.table:
                return child
        return self.sample(rng)
