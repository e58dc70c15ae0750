"""Search by look-up: the evaluator's protocols, and the space cut down to a table."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
from table_files import CELLS, accuracy, make_table

from nas.core.errors import ConfigError, EvaluationError
from nas.core.records import Trial
from nas.core.space import HasCost, HasEnumeration, HasVariation
from search_spaces.nasbench101 import NASBench101
from search_spaces.nasbench101.table import NASBench101Table, load_table
from search_spaces.nasbench101.table_evaluator import TableEvaluator, TabularNASBench101, mean_of_runs

SPACE = NASBench101()


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> NASBench101Table:
    return make_table(tmp_path_factory.mktemp("table"))


def trial(text: str, seed: int = 0, budget: float | None = None) -> Trial:
    return Trial(0, SPACE.parse(text), seed, budget)


def percent(*accuracies: float) -> float:
    return 100 * (1 - sum(accuracies) / len(accuracies))


def test_the_noisy_protocol_gives_one_recorded_run_with_its_own_time(table: NASBench101Table):
    evaluate = TableEvaluator(table)
    seen = set()
    for seed in range(60):
        values = evaluate(trial("110101-22", seed))
        run = int(values["train_seconds"]) - 10800
        assert values["error"] == percent(accuracy("110101-22", 108, run, 1))
        seen.add(run)
    assert seen == {0, 1, 2}


def test_the_same_seed_gives_the_same_run(table: NASBench101Table):
    evaluate = TableEvaluator(table)
    assert all(evaluate(trial("1-", s)) == evaluate(trial("1-", s)) for s in range(20))


def test_the_mean_protocol_ignores_the_seed(table: NASBench101Table):
    evaluate = TableEvaluator(table, choose=mean_of_runs)
    expected = percent(*(accuracy("101-0", 108, r, 1) for r in range(3)))
    for seed in range(5):
        values = evaluate(trial("101-0", seed))
        assert values["error"] == pytest.approx(expected, abs=1e-12)
        assert values["train_seconds"] == 10801.0


def test_the_reported_error_is_the_mean_test_error_at_the_full_budget(table: NASBench101Table):
    values = TableEvaluator(table, budget=4)(trial("101-0"))
    assert values["test_error"] == pytest.approx(percent(*(accuracy("101-0", 108, r, 2) for r in range(3))))
    assert values["train_seconds"] in {400.0, 401.0, 402.0}


def test_a_trial_s_own_budget_comes_first(table: NASBench101Table):
    evaluate = TableEvaluator(table, choose=mean_of_runs)
    assert evaluate(trial("1-", budget=4)) == TableEvaluator(table, budget=4, choose=mean_of_runs)(
        trial("1-")
    )


def test_a_cell_outside_the_table_is_a_failed_candidate(table: NASBench101Table):
    with pytest.raises(EvaluationError, match="110101-20 is not in the table"):
        TableEvaluator(table)(trial("110101-20"))


@pytest.mark.parametrize(
    "settings",
    [{"budget": 36}, {"metric": "validation"}, {"metric": "training_time"}, {"metric": "a_accuracy"}],
)
def test_missing_table_values_are_named_when_the_evaluator_is_made(
    table: NASBench101Table, settings: dict[str, object]
):
    with pytest.raises(ConfigError, match="metric="):
        TableEvaluator(table, **settings)  # type: ignore[arg-type]


def test_the_evaluator_travels_as_a_path(table: NASBench101Table):
    evaluate = TableEvaluator(table, budget=4)
    assert len(pickle.dumps(evaluate)) < 1500
    assert copy.deepcopy(evaluate)(trial("1-", 3)) == evaluate(trial("1-", 3))


def test_five_vertices_at_four_epochs_report_the_final_test_error(shared_data: Path):
    table = load_table(shared_data / "nasbench101_5v")
    evaluate, searched_on_test = (
        TableEvaluator(table, budget=4),
        TableEvaluator(table, metric="test_accuracy"),
    )
    missing = 0
    for cell in table.cells()[::5]:
        values = evaluate(trial(cell))
        if "test_error" not in values:
            missing += 1
            with pytest.raises(EvaluationError, match="unknown"):
                searched_on_test(trial(cell))
        else:
            assert values["test_error"] == searched_on_test(trial(cell))["error"]
        assert values["train_seconds"] > 0
    assert missing <= 16


def test_the_tabular_space_yields_cells_of_the_table_only(shared_data: Path):
    table = load_table(shared_data / "nasbench101_5v")
    space, rng = TabularNASBench101(table), np.random.default_rng(0)
    for _ in range(100):
        first, second = space.sample(rng), space.sample(rng)
        for a in (first, space.mutate(first, rng), space.crossover(first, second, rng)):
            assert a in table
            assert space.is_valid(space.canonical(a))


def test_the_tabular_space_refuses_cells_outside(shared_data: Path):
    space = TabularNASBench101(load_table(shared_data / "nasbench101_5v"))
    assert not space.is_valid(SPACE.parse(CELLS[-1]))


def test_the_tabular_space_samples_uniformly(table: NASBench101Table):
    space, rng = TabularNASBench101(table), np.random.default_rng(0)
    drawn = [space.format(space.sample(rng)) for _ in range(1000)]
    assert {drawn.count(c) > 150 for c in CELLS} == {True}


def test_the_tabular_space_is_walked_through(table: NASBench101Table):
    space = TabularNASBench101(table)
    assert sorted(space.format(a) for a in space.enumerate()) == sorted(CELLS)


def test_a_cell_without_neighbours_in_the_table_still_varies(table: NASBench101Table):
    space, rng = TabularNASBench101(table), np.random.default_rng(0)
    a = space.parse(CELLS[-1])
    assert space.mutate(a, rng) in table
    assert space.crossover(a, a, rng) in table


def test_the_tabular_space_keeps_the_abilities_and_costs_of_the_full_one(table: NASBench101Table):
    space = TabularNASBench101(table)
    assert isinstance(space, HasVariation)
    assert isinstance(space, HasCost)
    assert isinstance(space, HasEnumeration)
    a = space.parse("110101-22")
    assert space.cost(a) == SPACE.cost(a)


def test_the_tabular_space_travels_as_a_path(table: NASBench101Table):
    space = TabularNASBench101(table)
    assert len(list(space.enumerate())) == 5
    assert len(pickle.dumps(space)) < 600
    assert copy.deepcopy(space) == space
    assert hash(space) == hash(TabularNASBench101(table))
    assert space != SPACE
