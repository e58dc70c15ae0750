"""Tables of NASBench-101 for configs: the path of the table and plain settings."""

from __future__ import annotations

from nas.core.checks import check_known
from search_spaces.nasbench101.evoxbench import ResampledTraining, one_training
from search_spaces.nasbench101.table import load_table
from search_spaces.nasbench101.table_evaluator import (
    Choose,
    TableEvaluator,
    TabularNASBench101,
    mean_of_runs,
    random_run,
)

CHOICES: dict[str, Choose] = {"random": random_run, "mean": mean_of_runs}


def tabular_space(path: str) -> TabularNASBench101:
    """The NASBench-101 cells that a table holds (a folder from `nas data import`, or of Parquet files)."""
    return TabularNASBench101(load_table(path))


def table_evaluator(
    path: str, metric: str = "validation_accuracy", budget: float = 108, run: str = "random"
) -> TableEvaluator:
    """Look NASBench-101 cells up in the table at `path`; `run` is "random" (one training, as in a real search) or "mean".

    `metric` and `budget` (epochs) set the searched value; see `TableEvaluator` for the reported ones.
    """
    check_known("run", run, CHOICES)
    return TableEvaluator(load_table(path), metric, budget, CHOICES[run])


def evoxbench_evaluator(path: str) -> TableEvaluator | ResampledTraining:
    """One training of a cell, drawn at random, as in EvoXBench's C10/MOP1 and C10/MOP2; scored on mean test error.

    The quality of the noise depends on the table at `path`; see `evoxbench.one_training`.
    """
    return one_training(load_table(path))
