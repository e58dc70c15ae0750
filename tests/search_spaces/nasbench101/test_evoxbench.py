"""EvoXBench's problems on NASBench-101: the scale, and one training drawn by the trial's seed."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nas.config.assemble import assemble
from nas.config.schema import check_config
from nas.core.errors import ConfigError
from nas.core.records import Trial
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import Box, hypervolume
from search_spaces.nasbench101 import NASBench101
from search_spaces.nasbench101.evoxbench import PROBLEMS, ResampledTraining, one_training
from search_spaces.nasbench101.table import load_table
from search_spaces.nasbench101.table_evaluator import TableEvaluator
from search_spaces.nasbench101.table_interface import Table

BEST = "02e5a0247bbdcf2860b7e96f74961594"


@pytest.fixture(scope="module")
def competition(shared_data: Path) -> Table:
    return load_table(shared_data / "nasbench101_cec")


@pytest.fixture(scope="module")
def raw(shared_data: Path) -> pd.DataFrame:
    frame = pd.read_parquet(shared_data / "nasbench101_cec" / "cells.parquet")
    return frame.assign(error=100 * frame["test_error"])


@pytest.mark.parametrize(("name", "cells", "best"), [("C10/MOP1", 43, 0.95080), ("C10/MOP2", 66, 0.92654)])
def test_the_known_cells_have_the_recorded_front_and_hypervolume(
    raw: pd.DataFrame, name: str, cells: int, best: float
) -> None:
    scale = PROBLEMS[name]
    points = scale.normalise(raw[list(scale.objectives)].to_numpy(dtype=np.float64))
    front = points[non_dominated(points)]
    assert len(front) == cells
    assert np.allclose(front.min(axis=0), 0.0)
    assert np.allclose(front.max(axis=0), 1.0)
    m = len(scale.objectives)
    assert hypervolume(front, Box(np.zeros(m), np.ones(m))) == pytest.approx(best, abs=5e-6)


def test_a_training_is_drawn_by_the_trials_seed(competition: Table) -> None:
    table = competition
    evaluate = one_training(table)
    assert isinstance(evaluate, ResampledTraining)
    cell = NASBench101().parse(table.cells()[5])
    values = [evaluate(Trial(0, cell, seed)) for seed in range(200)]
    assert evaluate(Trial(7, cell, 3)) == values[3]
    assert {v["test_error"] for v in values} == {values[0]["test_error"]}
    differences = np.array([v["error"] - v["test_error"] for v in values])
    assert len(set(differences)) > 50
    assert differences.mean() == pytest.approx(-0.78, abs=0.1)  # percentage points, as on record
    assert set(differences.round(9)) <= set(evaluate.differences.round(9))


def test_the_noise_is_that_of_every_training_on_record(competition: Table) -> None:
    assert len(ResampledTraining(competition).differences) == 486


def test_the_five_vertex_table_gives_its_one_training_of_four_epochs(shared_data: Path) -> None:
    table = load_table(shared_data / "nasbench101_5v")
    evaluate = one_training(table)
    assert evaluate == TableEvaluator(table, budget=4)
    with pytest.raises(ConfigError, match="validation_accuracy"):
        ResampledTraining(table)


def test_the_evaluator_travels_as_a_path(competition: Table) -> None:
    evaluate = ResampledTraining(competition)
    cell = NASBench101().parse(evaluate.table.cells()[0])
    assert evaluate.differences.size
    copied = pickle.loads(pickle.dumps(evaluate))  # noqa: S301 (pickled a line above)
    assert copied(Trial(0, cell, 1)) == evaluate(Trial(0, cell, 1))


def test_a_config_names_the_problem(raw: pd.DataFrame, shared_data: Path) -> None:
    path = str(shared_data / "nasbench101_cec")
    flops = {"name": "flops", "function": "search_spaces.nasbench101.evoxbench:flops", "cheap": True}
    values = {
        "space": {"name": "nasbench101-table", "path": path},
        "objectives": ["error", "params", flops],
        "evaluator": {"name": "nasbench101-evoxbench", "path": path},
    }
    problem = assemble(check_config(values)).problem
    assert problem.names == PROBLEMS["C10/MOP2"].objectives
    best = raw.set_index("module_hash").loc[BEST]
    cell = problem.space.parse(f"{best['adjacency']}-{best['ops']}")
    assert problem.cheap_values(cell) == {"params": best["params"], "flops": best["flops"]}
    assert problem.evaluate is not None
    assert problem.evaluate(Trial(0, cell, 0))["test_error"] == pytest.approx(best["error"])
