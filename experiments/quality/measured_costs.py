"""Tables whose costs only an evaluation knows: spaces without `cost`, so that no surrogate learns from costs, and evaluators that return them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nas.core.records import Trial
from nas.core.task_spec import TaskSpec
from search_spaces.nasbench201 import NASBench201
from search_spaces.nasbench201.table_config import table_evaluator

sys.path.append(str(Path(__file__).resolve().parent))  # for `nas compare`, which loads this file alone
from five_vertices import Errors, FiveVertexCells, cells

HIDDEN = frozenset({"cost", "blocks"})


@dataclass(frozen=True)
class NASBench201WithoutCosts(NASBench201):
    """NAS-Bench-201 with its encodings and without `cost`."""

    lacks = HIDDEN


class FiveVertexCellsWithoutCosts(FiveVertexCells):
    """The five-vertex cells with their encodings and without `cost`."""

    lacks = HIDDEN


@cache
def cells_without_costs(path: str) -> FiveVertexCellsWithoutCosts:
    """As `five_vertices.cells`."""
    found = FiveVertexCellsWithoutCosts.__new__(FiveVertexCellsWithoutCosts)
    found.__dict__.update(cells(path).__dict__)
    return found


class NASBench201Measured:
    """The table as an evaluator that also returns `params` and `madds` of the networks of the table's data set."""

    def __init__(self, path: str, dataset: str = "cifar10", split: str = "val", epochs: int = 12) -> None:
        self._table = table_evaluator(path, dataset, split, epochs)
        self._space = NASBench201().for_task(self._table.task_spec())

    def task_spec(self) -> TaskSpec:
        return self._table.task_spec()

    def __call__(self, trial: Trial) -> Mapping[str, float]:
        return {**self._table(trial), **self._space.cost(trial.architecture)}


@dataclass(frozen=True)
class CellsMeasured:
    """`five_vertices.Errors` with `params` and `madds`."""

    path: str

    def __call__(self, trial: Trial) -> dict[str, float]:
        return {**Errors(self.path)(trial), **cells(self.path).cost(trial.architecture)}
