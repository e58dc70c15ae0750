"""The problems C10/MOP1 and C10/MOP2 of EvoXBench on NASBench-101: their FLOPs, scale and noisy protocol.

Lu, Cheng, Jin, Tan and Deb, "Neural architecture search as multiobjective optimization benchmarks: problem formulation and
performance assessment", IEEE TEVC 2023. An evaluation during the search returns the validation error of one training
drawn at random; the result is scored on mean test error. The scale was recovered from cells that are on file
both raw and normalised, and reproduces the published hypervolumes to four digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nas.core.errors import ConfigError, EvaluationError
from nas.core.records import Architecture, FloatArray, Trial
from nas.core.task_spec import TaskSpec
from search_spaces.nasbench101.cell import MAXPOOL, Cell, columns, from_genes
from search_spaces.nasbench101.cost import Skeleton, network_cost, vertex_channels
from search_spaces.nasbench101.table_evaluator import PUBLISHED, TableEvaluator, mean_of_runs
from search_spaces.nasbench101.table_interface import Table

EPOCHS = 108


@dataclass(frozen=True)
class Scale:
    """How a problem's objectives are normalised, (f - ideal) / (nadir - ideal); the reference point is 1 in each.

    Errors are in percent, as everywhere in this package.
    """

    objectives: tuple[str, ...]
    ideal: tuple[float, ...]
    nadir: tuple[float, ...]

    def normalise(self, points: FloatArray) -> FloatArray:
        """Points (n, m), minimised, with the ideal at 0 and the nadir, which is the reference point, at 1."""
        ideal, nadir = np.array(self.ideal), np.array(self.nadir)
        return np.asarray((points - ideal) / (nadir - ideal), dtype=np.float64)


PROBLEMS: dict[str, Scale] = {
    "C10/MOP1": Scale(("error", "params"), (100 * 1702 / 29952, 227_274), (100 * 4594 / 29952, 32_426_634)),
    "C10/MOP2": Scale(
        ("error", "params", "flops"),
        (100 * 1702 / 29952, 227_274, 80_619_530),
        (100 * 4724 / 29952, 32_426_634, 9_545_033_738),
    ),
}


def flops(architecture: Architecture) -> int:
    """Operations of the benchmark's network by EvoXBench's convention; for the objective `flops` of a config."""
    return operations(from_genes(architecture.genes), Skeleton())


def operations(cell: Cell, skeleton: Skeleton) -> int:
    """Twice the multiply-adds of the convolutions, plus the operations of poolings, additions and the classifier.

    Nine for each output of a max-pooling in a cell, four for each of one between stacks, one for each element that is
    added and for each that is averaged at the end; twice the classifier's weights and one for each of its biases.
    """
    _, madds = network_cost(cell, skeleton)
    last, classes = skeleton.stages[-1][1], skeleton.num_classes
    inside = 0
    for _, width, pixels in skeleton.stages:
        channels = vertex_channels(cell, width)
        for v, column in enumerate(columns(*cell[:2])):
            if v == 0:
                continue
            inner = v < cell.num_vertices - 1
            # the vertices that feed the output are joined, not added
            summands = bin(column).count("1") if inner else (column & 1) + bool(column & ~1)
            pooled = 9 if inner and cell.ops[v - 1] == MAXPOOL else 0
            inside += pixels * channels[v] * (pooled + max(summands - 1, 0))
    between = sum(4 * entering * pixels for entering, _, pixels in skeleton.stages[1:])
    averaged = last * skeleton.stages[-1][2]
    return 2 * madds + skeleton.cells_per_stack * inside + between + averaged + classes


@dataclass(frozen=True)
class ResampledTraining:
    """One training's validation error where only the mean test error of a cell is on record (an `Evaluate`).

    Adds to the cell's mean test error (percent) the difference between a single validation error and the mean test
    error, drawn by the trial's seed from the cells for which both are on record. Returns `error`, `accuracy` and, for the
    report, `test_error`. Raises `ConfigError` for a table without such cells.
    """

    table: Table

    def __post_init__(self) -> None:
        if len(self.differences) == 0:
            raise ConfigError(
                "table: no cell has both a validation and a test accuracy at 108 epochs to estimate noise from"
            )

    def task_spec(self) -> TaskSpec:
        """The published task."""
        return PUBLISHED

    @cached_property
    def differences(self) -> FloatArray:
        """Validation error of a training minus mean test error, percentage points, one for each on record."""
        found = []
        for cell in self.table.cells():
            single = self.table.runs(cell, "validation_accuracy", EPOCHS)
            if single:
                tests = self.table.runs(cell, "test_accuracy", EPOCHS)
                found += [100.0 * (sum(tests) / len(tests) - one) for one in single if tests]
        return np.array(found)

    @cached_property
    def _mean(self) -> TableEvaluator:
        return TableEvaluator(self.table, "test_accuracy", EPOCHS, mean_of_runs)

    def __call__(self, trial: Trial) -> Mapping[str, float]:
        test_error = self._mean(trial)["test_error"]
        if not np.isfinite(test_error):
            raise EvaluationError("the mean test error of this cell is unknown in the table")
        drawn = np.random.default_rng(trial.seed).integers(len(self.differences))
        error = test_error + float(self.differences[drawn])
        return {"error": error, "accuracy": 100.0 - error, "test_error": test_error}


def one_training(table: Table) -> TableEvaluator | ResampledTraining:
    """The noisy protocol, as close as the table allows; `test_error` is the score.

    With the imported benchmark a validation error of 108 epochs, of one of three recorded trainings. With a table that
    has those of some cells only, `ResampledTraining`. With the five-vertex table, which has none, the validation error of
    the one recorded training of four epochs: a poorer signal without noise.
    """
    held = {(m.metric, m.budget): m for m in table.measures}
    full = held.get(("validation_accuracy", float(EPOCHS)))
    if full is None:
        return TableEvaluator(table, budget=max(b for name, b in held if name == "validation_accuracy"))
    return TableEvaluator(table) if full.known == len(table.cells()) else ResampledTraining(table)
