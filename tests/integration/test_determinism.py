"""The outcome depends on the seed and the logical concurrency, not on when results arrive."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_parts import QUICK_SETTINGS, Grid, Shuffled, log_of, quick

import nas
from nas.algorithms import ALGORITHMS
from nas.engine.loop import LoopSettings, trial_seed

OBJECTIVES = ["error", "params", "madds"]
pytestmark = pytest.mark.usefixtures("no_plots")


def run(out: Path, executor: object = "serial", algorithm: str = "moead", budget: int = 80, **loop: object):
    objectives = ["error"] if algorithm == "regularized-evolution" else OBJECTIVES
    return nas.search(
        Grid(),
        objectives,
        quick,
        algorithm=algorithm,
        algorithm_settings=QUICK_SETTINGS.get(algorithm),
        executor=executor,
        out=out,
        loop=LoopSettings(evaluations=budget, seed=4, **loop),
    )


def shuffled(workers: int, seed: int):
    return lambda evaluate, required: Shuffled(evaluate, workers, seed)


@pytest.mark.parametrize(
    "algorithm", [pytest.param(name, marks=[pytest.mark.slow] * (name == "sa-moead")) for name in ALGORITHMS]
)
def test_results_out_of_order_change_neither_the_trials_nor_the_front(algorithm: str, tmp_path: Path) -> None:
    run(tmp_path / "serial", algorithm=algorithm, budget=40)
    run(tmp_path / "shuffled", shuffled(4, seed=1), algorithm, budget=40)
    assert log_of(tmp_path / "shuffled") == log_of(tmp_path / "serial")
    assert (tmp_path / "shuffled/front.csv").read_bytes() == (tmp_path / "serial/front.csv").read_bytes()


@pytest.mark.parametrize("seed", range(2))
def test_a_space_that_runs_out_gives_the_same_trials_in_any_order_of_arrival(seed: int) -> None:
    def trials(executor: object) -> list[str]:
        result = nas.search(
            Grid(choices=3, genes=3),
            OBJECTIVES,
            quick,
            executor=executor,
            budget=60,
            seed=2,
            algorithm="nsga2",
        )
        assert result.state == "exhausted"
        return list(result.history["architecture"])

    assert trials(shuffled(4, seed)) == trials("serial")


def test_another_seed_gives_other_trials(tmp_path: Path) -> None:
    first = nas.search(Grid(), OBJECTIVES, quick, budget=30, seed=1, algorithm="moead").history[
        "architecture"
    ]
    second = nas.search(Grid(), OBJECTIVES, quick, budget=30, seed=2, algorithm="moead").history[
        "architecture"
    ]
    assert list(first) != list(second)


def test_another_concurrency_may_give_other_trials_but_a_free_executor_does_not(tmp_path: Path) -> None:
    logs = []
    for workers, concurrency in ((1, 8), (8, 8), (8, 2)):
        out = tmp_path / f"{workers}-{concurrency}"
        run(out, shuffled(workers, seed=workers), concurrency=concurrency)
        logs.append([row[1] for row in log_of(out)])
    assert logs[0] == logs[1]
    assert logs[0] != logs[2]


def test_trial_seeds_are_stable_from_version_to_version() -> None:
    assert [trial_seed(0, n) for n in range(3)] == [1896895516, 926699317, 56766092]


def test_trial_seeds_differ_between_trials_and_between_runs() -> None:
    seeds = {trial_seed(run, number) for run in range(20) for number in range(500)}
    assert len(seeds) > 9_990  # of 10,000 drawn from 2**31
    assert all(0 <= seed < 2**31 for seed in seeds)
