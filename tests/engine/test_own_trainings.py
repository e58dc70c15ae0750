"""A search by inherited values that trains some candidates itself: which ones, when, and how it resumes."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from engine_parts import QUICK_SETTINGS, Grid, Shuffled, interrupt_at

import nas
from nas.core.errors import ConfigError
from nas.core.records import Architecture, Trial
from nas.engine.loop import LoopSettings
from nas.executors import SimulatedSettings
from nas.runs.history import read_history
from nas.runs.reading import load_run
from nas.sharing.own_trainings import OwnTrainings
from nas.sharing.settings import FinalSettings, TrustSettings

EPOCHS = 5
FINAL, TRUST = FinalSettings(epochs=EPOCHS), TrustSettings()
pytestmark = pytest.mark.usefixtures("no_plots")
SPACE = Grid()


def costs(architecture: Architecture) -> tuple[float, ...]:
    return (float(SPACE.cost(architecture)["params"]),)


@dataclass(frozen=True)
class Sharing:
    """Own errors fall with the genes; inherited ones are 30 points higher and follow them, or chance if not `good`."""

    good: bool = True
    final: FinalSettings = FINAL
    trust: TrustSettings | None = TRUST
    failing: bool = False

    def __call__(self, trial: Trial) -> dict[str, float]:
        rng = np.random.default_rng(trial.architecture.genes)
        own = 60.0 - sum(trial.architecture.genes) + 5 * rng.normal()
        inherited = own + 30.0 + rng.normal() if self.good else 90.0 + rng.normal()
        values = {"inherited_error": inherited, "inherited_loss": inherited / 10}
        if not trial.budget:
            return {"error": inherited, "loss": inherited / 10, **values}
        if self.failing and rng.random() < 0.7:
            raise RuntimeError("out of luck")
        return {"error": own, "loss": own / 10, **values}

    def notice(self, rule: Any) -> str:
        return ""

    def rule(self, evaluations: int | None, seconds: float | None) -> OwnTrainings:
        return OwnTrainings(EPOCHS, self.final, self.trust, costs, evaluations, seconds)


def search(
    out: Path | None = None, budget: int = 120, stop: int | None = None, **more: Any
) -> nas.SearchResult:
    loop = LoopSettings(
        evaluations=budget, seed=3, concurrency=more.pop("concurrency", 4), **more.pop("loop", {})
    )
    settings: dict[str, Any] = {"evaluate": Sharing(), "callbacks": [interrupt_at(stop)], **more}
    return nas.search(SPACE, ["error", "params"], loop=loop, out=out, **{"algorithm": "moead", **settings})


def own(history: pd.DataFrame) -> pd.DataFrame:
    return history[history["budget"] == EPOCHS]


def without_times(history: pd.DataFrame) -> pd.DataFrame:
    return history[["trial", "architecture", "budget", "seed", "status", "error", "told"]]


def test_some_are_trained_for_the_trust_and_the_best_at_the_end() -> None:
    history = search().history
    trained = own(history)
    assert len(history) == 120
    assert len(trained) == 20
    assert list(trained["trial"].iloc[10:]) == list(range(110, 120))
    assert trained["trial"].iloc[0] >= 30
    inherited = history[history["budget"] == 0].set_index("architecture")
    assert set(trained["architecture"]) <= set(inherited.index)
    first = trained["params"].iloc[:10]
    assert first.is_monotonic_increasing
    before = inherited[inherited["told"] <= 30]
    assert first.iloc[0] <= before["params"].quantile(0.3)
    assert first.iloc[-1] >= before["params"].median()


def test_the_front_has_the_values_of_own_trainings_alone() -> None:
    found = search()
    values = own(found.history).set_index("architecture")["error"]
    assert len(found.front) > 2
    assert (found.front.set_index("architecture")["error"] == values[found.front["architecture"]]).all()
    assert found.front["error"].max() < 65


@pytest.mark.slow
@pytest.mark.parametrize(("algorithm", "stop"), [("moead", 34), ("moead", 114), ("sa-moead", 40)])
def test_an_interrupted_search_resumes_like_an_uninterrupted_one(
    algorithm: str, stop: int, tmp_path: Path
) -> None:
    same: dict[str, Any] = {"algorithm": algorithm, "algorithm_settings": QUICK_SETTINGS.get(algorithm)}
    same["budget"] = 60 if algorithm == "sa-moead" else 120
    whole = search(**same).history
    search(tmp_path / "run", stop=stop, **same)
    resumed = search(tmp_path / "run", resume=True, **same).history
    pd.testing.assert_frame_equal(without_times(resumed), without_times(whole))


def test_the_number_and_speed_of_the_workers_change_nothing() -> None:
    whole = search().history
    for seed in range(2):
        other = search(executor=lambda evaluate, required, s=seed: Shuffled(evaluate, 4, s)).history
        pd.testing.assert_frame_equal(without_times(other), without_times(whole))


def test_a_search_that_ends_before_the_trust_is_measured_says_so(caplog: pytest.LogCaptureFixture) -> None:
    rule = OwnTrainings(EPOCHS, FINAL, TrustSettings(networks=10, after=1000), costs, seconds=60.0)
    rng = np.random.default_rng(0)
    observed = [(SPACE.sample(rng), np.array([90.0 - i, 10.0 + i])) for i in range(12)]
    for _ in range(2):
        assert rule.finish(observed, set())
    assert [r.message for r in caplog.records] == [
        "the trust in inherited errors is not measured: the search ends after 12 evaluations, and measures it after 1000 (trust: {after: ...})"
    ]


def test_a_finished_search_goes_on_with_a_larger_budget(tmp_path: Path) -> None:
    first = search(tmp_path / "run").history
    more = search(tmp_path / "run", budget=180, resume=True).history
    pd.testing.assert_frame_equal(without_times(more.iloc[:120]), without_times(first))
    assert len(more) == 180
    assert len(own(more)) == 30
    assert list(own(more)["trial"].iloc[20:]) == list(range(170, 180))
    again = search(tmp_path / "run", budget=180, resume=True).history
    pd.testing.assert_frame_equal(without_times(again), without_times(more))


def test_inherited_values_that_add_nothing_are_left(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    useless = Sharing(good=False, trust=TrustSettings(threshold=0.2))
    with caplog.at_level(logging.WARNING):
        history = search(tmp_path / "run", evaluate=useless, stop=70).history
    *more, told = [r.getMessage() for r in caplog.records if "inherited errors" in r.getMessage()]
    assert all(m.endswith("given the costs: 10 more networks are trained before the decision.") for m in more)
    assert told.endswith("below the threshold of 0.2 given the costs: from here on candidates are trained.")
    trained = 10 * (1 + len(more))
    assert f"of {trained} networks" in told
    decided = own(history)["told"].iloc[trained - 1]
    assert (history[history["trial"] > decided + 8]["budget"] == EPOCHS).all()
    whole = search(evaluate=useless).history
    resumed = search(tmp_path / "run", evaluate=useless, resume=True).history
    pd.testing.assert_frame_equal(without_times(resumed), without_times(whole))
    table, _ = load_run(tmp_path / "run")
    notes = [note for note in table.notes if note.kind == "sharing"]
    assert not notes[-1].values["trusted"]


def test_the_surrogate_of_a_search_that_left_inherited_values_learns_own_ones() -> None:
    found = nas.search(
        SPACE,
        ["error"],
        evaluate=Sharing(good=False, trust=TrustSettings(networks=10, after=30, threshold=0.9)),
        algorithm="sa-moead",
        algorithm_settings=QUICK_SETTINGS["sa-moead"],
        budget=120,
        seed=1,
    )
    trained = own(found.history)["error"]
    mean = 60.0 - (np.array(SPACE.cardinalities) - 1).sum() / 2  # of the space
    assert trained.iloc[10:30].mean() < mean - 5.0


def test_the_measurement_is_recorded_and_the_search_goes_on(tmp_path: Path) -> None:
    search(tmp_path / "run")
    table, _ = load_run(tmp_path / "run")
    first, *_, last = [note.values for note in table.notes if note.kind == "sharing"]
    assert first["networks"] == 10
    assert last["networks"] == 20
    assert first["trusted"]
    assert first["tau_low"] < first["tau"] < first["tau_high"]
    assert first["bias_low"] < 31 < first["bias_high"] + 2
    assert "The search goes on with inherited values" in first["text"]


def test_a_stop_rule_counts_inherited_values_and_leaves_time_for_the_end() -> None:
    history = nas.search(
        SPACE,
        ["error", "params"],
        evaluate=Sharing(),
        algorithm="random",
        budget=2000,
        stop=[{"stalled": 60}],
        seed=1,
    ).history
    assert len(history) < 2000
    assert len(own(history)) == 20
    assert (own(history)["trial"].iloc[10:] >= len(history) - 10).all()


def test_a_time_limit_leaves_the_trainings_at_the_end() -> None:
    history = search(budget=10_000, loop={"seconds": 1e-6, "at_least": 60}).history
    assert len(history) == 60 + 3
    assert len(own(history)) == 13


class Timed(Sharing):
    """An inherited evaluation takes a second, a training ten."""

    def __call__(self, trial: Trial) -> dict[str, float]:
        return {**super().__call__(trial), "took": 10.0 if trial.budget else 1.0}


def test_a_time_limit_includes_the_end_which_takes_a_quarter_of_it_at_most() -> None:
    settings = SimulatedSettings(seconds="took", workers=1)
    history = search(
        budget=10_000,
        concurrency=1,
        evaluate=Timed(),
        executor="simulated",
        executor_settings=settings,
        loop={"seconds": 300.0},
    ).history
    assert len(own(history)) == 10 + 7
    assert (own(history)["trial"].iloc[10:] >= len(history) - 7).all()
    assert 290 <= history["finished"].max() <= 310
    assert 125 <= (history["budget"] == 0).sum() <= 135


@pytest.mark.parametrize("later", [100.0, 300.0, 600.0])
def test_the_trainings_at_the_end_follow_from_the_time_with_which_the_run_began(
    later: float, tmp_path: Path
) -> None:
    same: dict[str, Any] = {
        "budget": 10_000,
        "concurrency": 1,
        "evaluate": Timed(),
        "executor": "simulated",
        "executor_settings": SimulatedSettings(seconds="took", workers=1),
    }
    whole = search(**same, loop={"seconds": 300.0}).history
    search(tmp_path, **same, loop={"seconds": 300.0}, stop=len(whole) - 3)  # three of the end are missing
    history = search(tmp_path, **same, loop={"seconds": later}, resume=True).history
    assert without_times(history)[: len(whole)].equals(without_times(whole))
    assert len(own(history)) == (10 + 7 if later <= 300 else 10 + 7 + 7)


def test_failed_trainings_are_no_measurement(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = search(tmp_path / "run", evaluate=Sharing(failing=True), loop={"max_failures": 1.0})
    table, _ = load_run(tmp_path / "run")
    notes = [note.values for note in table.notes if note.kind == "sharing"]
    good = own(read_history(tmp_path / "run")[0]).query("status == 'ok'")
    assert len(own(found.history)) == 20
    assert all(note["networks"] <= len(good) for note in notes)
    (said,) = [r.message for r in caplog.records if r.name == "nas.data"]
    assert re.match(
        r"the trust in inherited errors is not measured: \d own trainings for it succeeded, and 8 are needed",
        said,
    )


@pytest.mark.parametrize("budget", [1, 4, 13, 24, 40])
def test_small_budgets_have_few_trainings(budget: int) -> None:
    history = search(budget=budget, algorithm="random").history
    assert len(history) == budget
    assert len(own(history)) == min(10, budget // 4) + (min(10, budget // 4) if budget >= 32 else 0)


@pytest.mark.parametrize("setting", [{"halving": {"first": 1, "last": 9}}, {"fidelity": 3.0}])
def test_a_second_rule_of_budgets_is_refused(setting: dict[str, Any]) -> None:
    (name,) = setting
    with pytest.raises(ConfigError, match=f"{name}: cannot be combined with the evaluator Sharing"):
        search(loop=setting)


def test_repeats_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"repeats and own trainings \(evaluator: final\) cannot be combined"
    ):
        search(algorithm="sa-moead", algorithm_settings={"repeats": 0.5})


def test_without_trust_only_the_end_is_trained() -> None:
    history = search(evaluate=Sharing(trust=None)).history
    assert list(own(history)["trial"]) == list(range(110, 120))


@pytest.mark.parametrize("concurrency", [8, 16, 40])
def test_many_trials_in_flight_stay_within_the_budget(concurrency: int) -> None:
    history = search(budget=40, concurrency=concurrency).history
    assert len(history) == 40
    assert len(own(history)) == 20


def test_a_search_that_ended_early_trains_nothing_twice_when_it_goes_on(tmp_path: Path) -> None:
    stopped: dict[str, Any] = {
        "evaluate": Sharing(),
        "algorithm": "random",
        "seed": 1,
        "out": tmp_path / "run",
    }
    first = nas.search(SPACE, ["error", "params"], budget=60, stop=[{"stalled": 4}], **stopped).history
    assert len(first) < 60
    more = nas.search(SPACE, ["error", "params"], budget=60, resume=True, **stopped).history
    assert len(more) <= 60
    assert own(more)["architecture"].is_unique
    table, _ = load_run(tmp_path / "run")
    decided = [note.values for note in table.notes if note.kind == "sharing" and note.values["text"]]
    assert all(values["networks"] in (10, 20) for values in decided)


def test_a_target_is_reached_by_own_trainings_alone() -> None:
    target = {"reached": "error <= 100"}
    history = nas.search(
        SPACE, ["error", "params"], evaluate=Sharing(), algorithm="random", budget=60, stop=[target], seed=1
    ).history
    assert len(own(history)) > 0
    assert history["budget"].iloc[:15].eq(0).all()


@dataclass(frozen=True)
class Alike(Sharing):
    """Networks that differ in the first three genes alone are the same function."""

    def __call__(self, trial: Trial) -> dict[str, float]:
        a = trial.architecture
        return super().__call__(replace(trial, architecture=Architecture(a.space, (0, 0, 0, *a.genes[3:]))))

    def rule(self, evaluations: int | None, seconds: float | None) -> OwnTrainings:
        return OwnTrainings(EPOCHS, self.final, None, lambda a: (1.0,), evaluations)


def test_the_same_function_is_trained_once_at_the_end() -> None:
    history = nas.search(SPACE, ["error"], evaluate=Alike(), algorithm="random", budget=200, seed=1).history
    assert len(own(history)) == 10
    assert own(history)["inherited_error"].is_unique
