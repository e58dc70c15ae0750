"""The front of a run by the expected values of noisy objectives."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from engine_parts import Keeping, interrupt_at
from noisy_parts import COLUMNS, ERROR, noisy, search

import nas
from nas.algorithms.sa_moead import SAMOEADSettings
from nas.core.errors import HistoryError
from nas.core.objectives import Objective
from nas.core.records import Trial
from nas.pareto.archive import non_dominated
from nas.pareto.decision import minimised
from nas.runs.expected import ExpectedValues
from nas.training import Halving

pytestmark = pytest.mark.usefixtures("no_plots")
QUICK = SAMOEADSettings(initial=8, surrogate="rbf", whole_space=100, pool=100, growth=0.5)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> nas.SearchResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.report.plots.write_plots", lambda folder, table: [])
        return search(tmp_path_factory.mktemp("noisy") / "run")


def test_the_front_has_the_measured_and_the_expected_value_with_an_interval(run: nas.SearchResult):
    assert run.out is not None
    front = pd.read_csv(run.out / "front.csv")
    assert list(front) == COLUMNS
    measured = run.history.set_index("architecture")["error"]
    assert front["error"].tolist() == pytest.approx(measured[front["architecture"]].tolist())
    assert (front["error_low"] < front["error_expected"]).all()
    assert (front["error_expected"] < front["error_high"]).all()
    assert list(run.front) == COLUMNS


def test_expected_values_decide_which_architectures_are_on_it_and_their_order(run: nas.SearchResult):
    front = run.front
    expected = front[["error_expected", "params"]].to_numpy()
    assert len(non_dominated(expected)) == len(front) > 1
    assert front["error_expected"].is_monotonic_increasing
    measured = run.history.iloc[non_dominated(run.history[["error", "params"]].to_numpy())]
    assert set(front["architecture"]) != set(measured["architecture"])


def test_the_front_is_nearer_to_the_truth_than_that_of_measured_values(run: nas.SearchResult):
    true = [20 + sum((5 - int(g)) ** 2 for g in text.split("-")) / 3 for text in run.front["architecture"]]
    off = {c: np.abs(run.front[c] - true).mean() for c in ("error", "error_expected")}
    assert off["error_expected"] < off["error"]


def test_a_run_read_from_its_folder_or_held_in_memory_has_the_same_front(run: nas.SearchResult):
    assert run.out is not None
    table, _ = nas.load_run(run.out)
    pd.testing.assert_frame_equal(table.front, run.front)
    pd.testing.assert_frame_equal(search().front, run.front)


@pytest.mark.parametrize("algorithm", ["random", "sa-moead"])
def test_a_run_that_was_interrupted_ends_with_the_same_front(tmp_path: Path, algorithm: str):
    given = {"algorithm": algorithm, "algorithm_settings": QUICK if algorithm == "sa-moead" else None}
    search(tmp_path / "whole", **given)
    search(tmp_path / "run", callbacks=[interrupt_at(23)], **given)
    assert list(pd.read_csv(tmp_path / "run" / "front.csv")) == COLUMNS
    search(tmp_path / "run", resume=True, **given)
    assert (tmp_path / "run" / "front.csv").read_bytes() == (tmp_path / "whole" / "front.csv").read_bytes()


def test_with_a_noise_of_zero_the_front_is_that_of_measured_values(tmp_path: Path):
    exact = search(tmp_path / "exact", dataclasses.replace(ERROR, noise=0))
    plain = search(tmp_path / "plain", Objective("error", "%", best=0.0))
    assert list(exact.front) == ["architecture", "error", "params"]
    assert (tmp_path / "exact" / "front.csv").read_bytes() == (tmp_path / "plain" / "front.csv").read_bytes()
    assert plain.front["architecture"].tolist() == exact.front["architecture"].tolist()


def test_a_noise_that_is_given_widens_the_interval():
    def widths(noise: float) -> pd.Series:
        front = search(objective=Objective("error", noise=noise)).front
        return front["error_high"] - front["error_low"]

    assert widths(6.0).mean() > 2 * widths(1.0).mean()


def test_the_interval_of_a_percentage_stays_between_0_and_100():
    def bad(trial: Trial) -> Mapping[str, float]:
        error = 99.0 - trial.id
        return {"error": error, "loss": error / 40}

    wide = dataclasses.replace(ERROR, noise=30.0)
    front = search(objective=wide, evaluate=bad, budget=5).front
    assert front["error_high"].max() == 100.0
    free = search(objective=dataclasses.replace(wide, unit=""), evaluate=bad, budget=5).front
    assert free["error_high"].max() > 100.0


def test_an_objective_to_maximise_has_its_ends_in_order():
    gain = Objective("gain", maximize=True, companions=["loss"])
    front = search(
        objective=gain, evaluate=lambda t: {"gain": 99 - noisy(t)["error"], "loss": noisy(t)["loss"]}
    ).front
    assert (front["gain_low"] < front["gain_expected"]).all()
    assert (front["gain_expected"] < front["gain_high"]).all()
    assert front["gain_expected"].is_monotonic_decreasing


def test_limits_hold_for_expected_values():
    assert search(limits=["error <= 40"]).front["error_expected"].max() <= 40


def test_of_several_budgets_only_the_highest_is_on_the_front(tmp_path: Path):
    def trained(trial: Trial) -> Mapping[str, float]:
        assert trial.budget is not None
        return {name: value + 20 / trial.budget for name, value in noisy(trial).items()}

    result = search(
        tmp_path / "run", evaluate=trained, loop=nas.LoopSettings(halving=Halving(1, 9)), budget=60
    )
    highest = result.history[result.history["budget"] == 9]["architecture"]
    assert set(result.front["architecture"]) <= set(highest)
    assert (result.front["budget"] == 9).all() if "budget" in result.front else True


def test_a_choice_by_preference_sees_expected_values(run: nas.SearchResult):
    objectives = [ERROR, Objective("params", cheap=True)]
    assert minimised(run.front, objectives)[:, 0].tolist() == run.front["error_expected"].tolist()


def test_the_weights_of_the_networks_on_the_front_are_kept(tmp_path: Path):
    class Noisy(Keeping):
        def __call__(self, trial: Trial) -> Mapping[str, float]:
            super().__call__(dataclasses.replace(trial, budget=1.0))
            return noisy(trial)

        def keeping(self, folder: str | None, horizon: float | None) -> Noisy:
            return Noisy(folder, horizon)

    result = search(tmp_path / "run", evaluate=Noisy(), budget=16)
    index = json.loads((tmp_path / "run" / "weights" / "index.json").read_text())
    assert set(index) == set(result.front["architecture"])


def test_expected_values_of_more_results_than_the_log_has_are_not_used():
    stored = ExpectedValues(("error",), {"a": [1.0, 0.5, 2.0]}, 7).as_meta()
    assert ExpectedValues.from_meta({"expected": stored}, 6) is None
    assert ExpectedValues.from_meta({}, 7) is None
    found = ExpectedValues.from_meta(json.loads(json.dumps({"expected": stored})), 7)
    assert found is not None
    assert found.values["a"] == [1.0, 0.5, 2.0]


@pytest.mark.parametrize(
    "wrong", [{"names": ["error"]}, {"names": ["e"], "values": {"a": [1]}, "results": 1}, [1]]
)
def test_damaged_expected_values_are_an_error(wrong: Any):
    with pytest.raises(HistoryError, match="expected values in the log are damaged"):
        ExpectedValues.from_meta({"expected": wrong}, 1)


def test_an_algorithm_without_a_model_has_the_expected_front_too(run: nas.SearchResult):
    assert run.summary["algorithm"] == "random"
    assert run.summary["front_size"] == len(run.front)
