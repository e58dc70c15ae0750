"""Companions: further values of an evaluation that reach the algorithm."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from engine_parts import Grid, interrupt_at, quick

import nas
from nas.algorithms.random_search import RandomSearch
from nas.core.errors import ConfigError, HistoryError
from nas.core.objectives import Objective
from nas.core.problem import Problem
from nas.core.records import Architecture, Observation, Result, Status, Trial
from nas.training import Halving

pytestmark = pytest.mark.usefixtures("no_plots")
ERROR = Objective("error", "%", best=0.0, companions=("loss", "soft"))


def measured(trial: Trial) -> Mapping[str, Any]:
    """An error with a loss, and a soft value that is NaN or missing in some trials."""
    error = quick(trial)["error"] / (trial.budget or 1.0)
    soft = {0: {"soft": math.nan}, 1: {}}.get(trial.id % 3, {"soft": error / 3})
    return {"error": error, "loss": error / 50, **soft, "unrelated": 7.0}


def declaring(companions: Any) -> Any:
    """`measured`, with an attribute `companions`."""
    evaluate = functools.partial(measured)
    evaluate.companions = companions  # type: ignore[attr-defined]
    return evaluate


class Recording(RandomSearch):
    """Random search that keeps what it is told, over all instances."""

    told: ClassVar[list[Observation]] = []

    def tell(self, observations: Sequence[Observation]) -> None:
        super().tell(observations)
        type(self).told += observations


@pytest.fixture
def told() -> list[Observation]:
    Recording.told = []
    return Recording.told


def search(out: Path | None = None, evaluate: Any = measured, **changes: Any) -> nas.SearchResult:
    arguments: dict[str, Any] = {"algorithm": Recording, "budget": 9, "executor": "serial", "out": out}
    return nas.search(Grid(), [ERROR, "params"], evaluate, **arguments | changes)


def test_the_algorithm_receives_the_companions_that_an_evaluation_reported(told: list[Observation]):
    search()
    for number, seen in enumerate(told):
        expected = {"loss": seen.objectives[0] / 50}
        if number % 3 == 2:
            expected["soft"] = seen.objectives[0] / 3
        assert seen.companions == expected


def test_a_companion_that_is_missing_or_nan_does_not_make_a_trial_fail(told: list[Observation]):
    result = search()
    assert (result.history["status"] == "ok").all()
    assert len(told) == 9


def test_a_resumed_search_tells_the_same_companions(tmp_path: Path, told: list[Observation]):
    search()
    whole = list(told)
    search(tmp_path / "run", callbacks=[interrupt_at(5)])
    told.clear()
    search(tmp_path / "run", resume=True)
    assert told == whole


@pytest.mark.parametrize("table", [False, True])
def test_a_warm_start_tells_the_companions_of_the_earlier_run(
    tmp_path: Path, told: list[Observation], table: bool
):
    search(tmp_path / "run", csv=True)
    whole = list(told)
    told.clear()
    source = tmp_path / "run" / "history.csv" if table else tmp_path / "run"
    search(warm_start=str(source), budget=1, seed=1)
    assert [seen.companions for seen in told[:9]] == [seen.companions for seen in whole]


def test_companions_reach_the_algorithm_in_a_search_with_halving(told: list[Observation]):
    search(loop=nas.LoopSettings(halving=Halving(1, 9)), budget=20)
    assert len(told) > 3
    assert all(seen.companions["loss"] == seen.objectives[0] / 50 for seen in told)


@pytest.mark.slow
def test_companions_come_from_the_workers_of_ray(told: list[Observation]):
    pytest.importorskip("ray")
    search(executor="ray", budget=3)
    assert all("loss" in seen.companions for seen in told)


@pytest.mark.parametrize(
    ("companions", "found"),
    [
        (("loss", "error"), ("loss",)),
        (["loss"], ("loss",)),
        ({"error": ["loss", "soft"], "other": ["x"]}, ("loss", "soft")),
        ({"other": ["x"]}, ()),
        (None, ()),
    ],
)
def test_an_evaluator_declares_the_companions_of_the_values_that_it_measures(companions: Any, found: Any):
    latency = Objective("ms", function=lambda a: 1.0)
    problem = Problem(Grid(), ["error", "params", latency], declaring(companions))
    assert [o.companions for o in problem.objectives] == [found, (), ()]
    assert problem.companions == found


def test_companions_of_an_objective_replace_those_of_the_evaluator():
    for own in (("soft",), ()):
        problem = Problem(Grid(), [Objective("error", companions=own)], declaring(["loss"]))
        assert problem.objectives[0].companions == own


@pytest.mark.parametrize("companions", ["loss", 3, [1], {"error": "loss"}])
def test_an_evaluator_with_other_companions_is_refused(companions: Any):
    with pytest.raises(ConfigError, match="evaluator: companions: expected"):
        Problem(Grid(), ["error"], declaring(companions))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"companions": "loss"}, "objective 'error': companions: expected a list of names"),
        ({"companions": ["error"]}, "its own companion"),
        ({"noise": -1.0}, "objective 'error': noise: expected a finite number of at least 0"),
        ({"noise": math.inf}, "noise: expected a finite number"),
        ({"noise": 0.5, "cheap": True}, "a cheap objective is exact"),
        ({"companions": ["loss"], "cheap": True}, "a cheap objective is exact"),
    ],
)
def test_a_wrong_noise_or_companion_of_an_objective_is_refused(settings: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        Objective("error", **settings)


def test_an_objective_with_companions_or_noise_is_noisy_unless_its_noise_is_zero():
    assert Objective("error", companions=["loss"]).noisy
    assert Objective("error", noise=0.5).noisy
    assert not Objective("error").noisy
    assert not Objective("error", companions=["loss"], noise=0).noisy


def test_a_companion_that_is_never_reported_is_logged_once(caplog: pytest.LogCaptureFixture):
    wrong = Objective("error", companions=("los",))
    with caplog.at_level(logging.WARNING, logger="nas"):
        nas.search(Grid(), [wrong], quick, algorithm="random", budget=4, executor="serial")
    lines = [r.getMessage() for r in caplog.records if "companions" in r.getMessage()]
    assert lines == ["trial 0: values lack the companions los; the evaluation returned error (logged once)"]


def test_a_resumed_search_keeps_its_noise_and_companions(tmp_path: Path):
    search(tmp_path / "run", callbacks=[interrupt_at(5)])
    with pytest.raises(HistoryError, match="noise"):
        nas.search(Grid(), ["error", "params"], measured, algorithm=Recording, budget=9, out=tmp_path / "run", resume=True)  # fmt: skip


def test_companions_in_a_table_of_results_keep_their_sign_and_unit():
    problem = Problem(Grid(), [Objective("accuracy", maximize=True, companions=["loss"])], measured)
    trial = Trial(0, Architecture("grid", (0,) * 6), 1)
    seen = problem.observe(Result(trial, Status.OK, {"accuracy": 80.0, "loss": 0.5}))
    assert (seen.objectives.tolist(), seen.companions) == ([-80.0], {"loss": 0.5})
    assert seen != Observation(seen.architecture, np.array([-80.0]), 0.0, ok=True)
    failed = problem.observe(Result(trial, Status.FAILED))
    assert failed.companions == {}
