"""Noisy measurements: repeated measurements, and their means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from engine_parts import Grid, Shuffled, interrupt_at, log_of, quick, rising

import nas
from nas.algorithms.expectation import estimates
from nas.algorithms.noise import averaged, worth_repeating
from nas.algorithms.sa_moead import SAMOEAD, SAMOEADSettings
from nas.core.errors import ConfigError
from nas.core.objectives import Objective
from nas.core.problem import Problem
from nas.core.records import Architecture, Observation, Trial
from nas.engine.loop import LoopSettings, SearchState
from nas.pareto.archive import non_dominated
from nas.pareto.means import Means
from nas.runs.files import run_files
from nas.runs.run_folder import run_table
from nas.training import Halving

pytestmark = pytest.mark.usefixtures("no_plots")
OBJECTIVES = ["error", "params"]
REPEATING = SAMOEADSettings(initial=8, surrogate="rbf", whole_space=100, pool=100, growth=0.5, repeats=0.25)
ONCE = SAMOEADSettings(initial=8, surrogate="rbf", whole_space=100, pool=100, growth=0.5)


def noisy(trial: Trial) -> Mapping[str, float]:
    """An error of 10 to 60 with a deviation of 10, which depends on the trial's seed."""
    noise = np.random.default_rng(trial.seed).normal(0, 10)
    return {"error": 10 + sum((5 - g) ** 2 for g in trial.architecture.genes) / 3 + noise + 40}


def search(
    out: Path | None = None, settings: SAMOEADSettings = REPEATING, **changes: Any
) -> nas.SearchResult:
    arguments: dict[str, Any] = {"evaluate": noisy, "budget": 40, "seed": 3, "algorithm": "sa-moead"}
    arguments["loop"] = LoopSettings(concurrency=3)
    arguments |= {"space": Grid(), "objectives": OBJECTIVES, "algorithm_settings": settings, "out": out}
    return nas.search(**({"algorithm": "moead", **arguments | changes}))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> nas.SearchResult:
    """A noisy search of 40 evaluations, a quarter of those after the first 8 repeated."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.report.plots.write_plots", lambda folder, table: [])
        return search(tmp_path_factory.mktemp("noisy") / "run")


def seen(objectives: list[float], genes: tuple[int, ...] = (0,) * 6) -> Observation:
    return Observation(Architecture("grid", genes), np.array(objectives), 0.0, ok=True)


def rows(*values: tuple[str, str, float, float]) -> pd.DataFrame:
    return pd.DataFrame(values, columns=["architecture", "status", "error", "budget"])


def test_the_first_measurement_is_its_own_mean_and_later_ones_are_averaged():
    means = Means()
    found = [means.add("a", np.array([x, -x]))[0] for x in (0.1, 0.4, 0.1)]
    assert found[0] == 0.1
    assert found[1:] == pytest.approx([0.25, 0.2])
    assert (means.count("a"), means.count("b")) == (3, 0)


def test_observations_of_one_architecture_become_one_whose_violation_is_that_of_the_mean():
    problem = Problem(Grid(), ["error", "params"], quick, ["error <= 5"])
    first, second = seen([2.0, 10.0]), seen([10.0, 10.0])
    (mean,) = averaged(problem, [first, second])
    assert mean.objectives.tolist() == [6.0, 10.0]
    assert mean.violation == pytest.approx(problem.violation(np.array([6.0, 10.0])))
    assert mean.violation > 0


def test_observations_that_are_single_stay_the_same_objects():
    problem = Problem(Grid(), ["error", "params"], quick)
    known = [seen([1.0, 2.0]), seen([2.0, 1.0], (1,) * 6)]
    assert [a is b for a, b in zip(averaged(problem, known), known, strict=True)] == [True, True]


def told(rows: pd.DataFrame) -> pd.DataFrame:
    frame = rows.assign(told=np.arange(float(len(rows))), told_seconds=0.0)
    return run_table(frame, [Objective("error")], [], 2).told


def test_running_means_are_those_of_successes_at_the_same_budget():
    table = rows(
        ("a", "ok", 1.0, 1), ("b", "ok", 5.0, 1), ("a", "failed", np.nan, 1), ("a", "ok", 3.0, 1),
        ("a", "ok", 7.0, 9), ("a", "ok", 5.0, 1),
    )  # fmt: skip
    found = told(table)
    assert found["error"].to_numpy() == pytest.approx([1, 5, np.nan, 2, 7, 3], nan_ok=True)
    assert found["measurements"].tolist() == [1, 1, 0, 2, 1, 3]
    assert table["error"][3] == 3.0  # the table itself is as it was


def test_running_means_without_a_budget_are_taken_as_well():
    assert told(rows(("a", "ok", 1.0, np.nan), ("a", "ok", 2.0, np.nan)))["error"].tolist() == [1.0, 1.5]


FRONT = np.array([[0.0, 10.0], [1.0, 9.0], [2.0, 2.0], [10.0, 0.0]])


def test_the_member_measured_least_is_measured_again():
    assert worth_repeating(FRONT, [2, 1, 2, 2]) == 1


def test_of_members_measured_as_often_the_one_that_the_front_depends_on_most_is_measured_again():
    assert worth_repeating(FRONT, [1, 1, 1, 1]) == 2


def test_a_front_of_one_member_can_be_measured_again():
    assert worth_repeating(np.array([[3.0, 4.0]]), [7]) == 0


def test_the_share_that_was_set_is_measured_again(run: nas.SearchResult):
    counts = Counter(run.history["architecture"])
    assert sum(n - 1 for n in counts.values()) == 8  # of the 32 after the initial design
    assert len(run.history) == 40


def test_no_repeat_is_in_the_initial_design(run: nas.SearchResult):
    again = run.history["architecture"].duplicated()
    assert not again[:8].any()


def test_each_measurement_of_an_architecture_has_its_own_seed(run: nas.SearchResult):
    assert run.history["seed"].is_unique


def test_only_members_of_the_front_are_measured_again():
    problem = Problem(Grid(), OBJECTIVES, noisy)
    algorithm = SAMOEAD(problem, np.random.default_rng(0), REPEATING)
    known: dict[Architecture, list[np.ndarray]] = {}
    observed: list[Observation] = []
    repeats = 0
    for number in range(40):
        (asked,) = algorithm.ask(1)
        if asked in known:
            repeats += 1
            front = estimates(problem, observed)
            every = list(known) if front is None else list(front.architectures)
            points = np.array([np.mean(known[a], axis=0) for a in every]) if front is None else front.mean
            near = points[every.index(asked)] - [
                5.0,
                0.0,
            ]  # the algorithm's models may have learned a little earlier
            assert not ((points <= near).all(axis=1) & (points < near).any(axis=1)).any()
        values = {**noisy(Trial(number, asked, number)), **problem.cheap_values(asked)}
        known.setdefault(asked, []).append(np.array([values[n] for n in OBJECTIVES]))
        observed.append(Observation(asked, known[asked][-1], 0.0, ok=True))
        algorithm.tell(observed[-1:])
    assert repeats == 8


def test_the_front_has_each_architecture_once_with_the_mean_of_its_measurements(run: nas.SearchResult):
    mean = run.history.groupby("architecture")[OBJECTIVES].mean()
    counts = run.history["architecture"].value_counts()
    assert run.front["architecture"].is_unique
    assert run.front["error"].tolist() == pytest.approx(mean["error"][run.front["architecture"]].tolist())
    assert run.front["measurements"].tolist() == counts[run.front["architecture"]].tolist()
    assert run.front["measurements"].max() > 1
    assert len(non_dominated(run.front[["error_expected", "params"]].to_numpy())) == len(run.front)


def test_the_history_keeps_every_single_measurement(run: nas.SearchResult):
    for _, row in run.history.iterrows():
        trial = Trial(int(row["trial"]), Grid().parse(row["architecture"]), int(row["seed"]))
        assert row["error"] == noisy(trial)["error"]


def test_the_front_shown_while_a_search_runs_is_the_one_that_it_ends_with():
    last: list[SearchState] = []
    result = search(callbacks=[last.append])
    shown = {Grid().format(r.trial.architecture) for r in last[-1].front.items}
    assert shown == set(result.front["architecture"])
    assert sorted(last[-1].front.points[:, 0]) == pytest.approx(sorted(result.front["error_expected"]))


def test_the_expected_values_of_lucky_measurements_are_higher(run: nas.SearchResult):
    lucky = run.front[run.front["measurements"] == 1].nsmallest(3, "error")
    assert (lucky["error_expected"] - lucky["error"]).mean() > 0


def test_without_repeats_nothing_is_measured_again(tmp_path: Path):
    result = search(tmp_path / "run", ONCE)
    assert result.history["architecture"].is_unique
    assert "error_expected" not in result.front
    assert "measurements" not in result.front


def test_a_stopped_run_with_repeats_ends_like_an_uninterrupted_one(run: nas.SearchResult, tmp_path: Path):
    assert run.out is not None
    assert search(tmp_path / "run", callbacks=[interrupt_at(27)]).state == "interrupted"
    search(tmp_path / "run", resume=True)
    assert log_of(tmp_path / "run") == log_of(run.out)
    assert (tmp_path / "run" / "front.csv").read_bytes() == (run.out / "front.csv").read_bytes()


def test_the_outcome_does_not_depend_on_the_order_in_which_workers_finish(run: nas.SearchResult):
    shuffled = search(executor=lambda evaluate, required: Shuffled(evaluate, 5, 1))
    assert shuffled.history["architecture"].tolist() == run.history["architecture"].tolist()


def test_a_file_of_an_earlier_version_is_removed(tmp_path: Path):
    search(tmp_path / "run", ONCE, budget=12)
    files = run_files(tmp_path / "run")
    files.write_text("front_posterior.csv", "architecture\n")
    search(tmp_path / "run", ONCE, budget=13, resume=True)
    assert not (tmp_path / "run" / "front_posterior.csv").exists()


def test_repeats_and_halving_together_are_refused():
    with pytest.raises(ConfigError, match="repeats and halving cannot be combined"):
        search(evaluate=rising, loop=LoopSettings(halving=Halving(1, 9)))


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_a_share_outside_zero_to_one_is_refused(share: float):
    with pytest.raises(ConfigError, match="repeats"):
        SAMOEADSettings(repeats=share)
