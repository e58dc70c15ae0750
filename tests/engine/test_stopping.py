"""Rules and callbacks that end a search before its budget is spent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_parts import Grid, quick

import nas
from nas.core.errors import ConfigError
from nas.engine.stopping import StopRule, stop_rules
from nas.training import Halving

pytestmark = pytest.mark.usefixtures("no_plots")


def search(**changes: Any) -> nas.SearchResult:
    arguments: dict[str, Any] = {"space": Grid(), "objectives": ["error", "params"], "evaluate": quick}
    serial = nas.LoopSettings(concurrency=1)
    return nas.search(
        **(
            {
                "algorithm": "moead",
                **arguments | {"budget": 200, "algorithm": "random", "seed": 3, "loop": serial} | changes,
            }
        )
    )


def growths(result: nas.SearchResult) -> list[int]:
    """The evaluations, counted from 1, at which the hypervolume grew."""
    assert result.table is not None
    curve = result.table.curve
    return [i + 1 for i in range(len(curve)) if curve[i] > (curve[i - 1] if i else 0.0)]


def test_a_search_that_stalls_for_n_evaluations_ends_as_finished_with_the_reason() -> None:
    found = search(stop=[{"stalled": 12}])
    assert found.state == "finished"
    assert found.summary["stopped_by"] == "stalled: the hypervolume has not grown for 12 evaluations"
    grown = growths(found)
    assert len(found.history) == max(grown[-1], 2) + 12 < 200
    assert max(b - a for a, b in zip([2, *grown[2:]], grown[2:], strict=False)) <= 12


def test_without_a_rule_nothing_stops_and_the_summary_records_none() -> None:
    found = search(budget=20)
    assert found.summary["stopped_by"] is None
    assert len(found.history) == 20


def test_a_target_is_reached_by_one_member_that_meets_every_condition() -> None:
    found = search(stop=[nas.Reached("error <= 30, params <= 28")])
    assert found.state == "finished"
    met = found.front[(found.front["error"] <= 30) & (found.front["params"] <= 28)]
    assert len(met) == 1
    assert str(found.summary["stopped_by"]).startswith(
        f"reached: error <= 30, params <= 28 by {met['architecture'].iloc[0]} (error = "
    )
    assert found.history.iloc[-1]["architecture"] == met["architecture"].iloc[0]


def test_two_members_that_meet_one_condition_each_reach_nothing() -> None:
    found = search(stop=[nas.Reached("error <= 10, params <= 14")])
    assert found.front["error"].min() <= 10
    assert found.front["params"].min() <= 14
    assert found.summary["stopped_by"] is None
    assert len(found.history) == 200


def test_a_target_of_a_maximised_objective_is_in_its_own_direction() -> None:
    def right(trial: nas.Trial) -> dict[str, float]:
        return {"accuracy": 100.0 - quick(trial)["error"]}

    found = search(objectives=["accuracy", "params"], evaluate=right, stop=[{"reached": "accuracy >= 80"}])
    assert found.front["accuracy"].max() >= 80
    assert found.history["accuracy"].iloc[:-1].max() < 80


def test_an_infeasible_member_does_not_reach_the_target() -> None:
    plain = search(budget=60, stop=[nas.Reached("error <= 30")])
    limited = search(budget=60, limits=["error >= 31"], stop=[nas.Reached("error <= 30")])
    assert plain.summary["stopped_by"]
    assert limited.summary["stopped_by"] is None


def test_a_warm_start_may_have_reached_the_target_already(tmp_path: Path) -> None:
    search(budget=60, out=tmp_path / "earlier")
    found = search(budget=60, warm_start=tmp_path / "earlier", stop=[nas.Reached("error <= 60")])
    assert len(found.history) == 0
    assert found.summary["stopped_by"].startswith("reached: error <= 60")


def at(evaluations: int, *reason: str) -> Callable[[nas.SearchState], None]:
    def callback(state: nas.SearchState) -> None:
        if state.evaluated >= evaluations:
            state.request_stop(*reason)

    return callback


def test_a_callback_can_stop_a_search_with_its_reason() -> None:
    found = search(callbacks=[at(7, "the plot looks\ngood")])
    assert (found.state, len(found.history)) == ("finished", 7)
    assert found.summary["stopped_by"] == "callback: the plot looks good"
    assert search(callbacks=[at(1)]).summary["stopped_by"] == "callback: asked to stop"


def test_running_trials_are_awaited_and_passed_on() -> None:
    found = search(callbacks=[at(5)], loop=nas.LoopSettings(concurrency=4))
    assert len(found.history) == 8
    assert set(found.history["status"]) == {"ok"}
    assert found.history["told"].notna().all()


def test_a_callback_class_can_stop_a_search() -> None:
    class Enough(nas.Callback):
        def told(self, state: nas.SearchState, result: nas.Result) -> None:
            state.request_stop(f"trial {result.trial.id} is enough")

    assert search(callbacks=[Enough()]).summary["stopped_by"] == "callback: trial 0 is enough"


@pytest.mark.parametrize("resumed", [{"stop": []}, {"stop": [{"stalled": 60}]}])
@pytest.mark.parametrize("concurrency", [1, 5])
def test_a_run_continues_with_other_rules_like_an_uninterrupted_one(
    resumed: dict[str, Any], concurrency: int, tmp_path: Path
) -> None:
    same: dict[str, Any] = {"algorithm": "moead", "loop": nas.LoopSettings(concurrency=concurrency)}
    whole = search(**same, budget=60)
    cut = search(**same, budget=60, stop=[{"stalled": 4}], out=tmp_path / "run")
    assert cut.summary["stopped_by"]
    assert len(cut.history) < 55
    again = search(**same, budget=60, out=tmp_path / "run", resume=True, **resumed)
    assert list(again.history["architecture"]) == list(whole.history["architecture"])
    assert again.summary["stopped_by"] is None


def test_a_run_stopped_by_a_callback_continues_on_resume(tmp_path: Path) -> None:
    search(callbacks=[at(5)], out=tmp_path / "run", budget=12)
    assert len(search(out=tmp_path / "run", budget=12, resume=True).history) == 12


def test_a_resumed_run_stops_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    rules = [nas.Stalled(12)]
    whole = search(stop=rules)

    def cut(state: nas.SearchState) -> None:
        if state.evaluated == len(whole.history) - 5:
            raise KeyboardInterrupt

    search(stop=rules, out=tmp_path / "run", callbacks=[cut])
    again = search(stop=rules, out=tmp_path / "run", resume=True)
    assert list(again.history["architecture"]) == list(whole.history["architecture"])
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["stop"] == ["stalled: 12"]


def test_candidates_that_fail_count_as_evaluations_without_growth() -> None:
    def mostly_broken(trial: nas.Trial) -> dict[str, float]:
        if trial.id > 4:
            raise ValueError
        return quick(trial)

    found = search(
        evaluate=mostly_broken, stop=[nas.Stalled(6)], loop=nas.LoopSettings(concurrency=1, max_failures=1)
    )
    assert "stalled" in found.summary["stopped_by"]
    assert len(found.history) <= 5 + 6


def test_halving_and_stopping_go_together() -> None:
    loop = nas.LoopSettings(concurrency=1, halving=Halving(1, 3, 3))
    found = search(loop=loop, stop=[{"stalled": 10}])
    assert found.summary["stopped_by"]


def test_a_front_at_a_higher_budget_starts_the_count_again_although_its_hypervolume_is_smaller() -> None:
    def worse(trial: nas.Trial) -> dict[str, float]:
        assert trial.budget is not None
        return {"error": quick(trial)["error"] + 9 * trial.budget}

    loop = nas.LoopSettings(concurrency=1, halving=Halving(1, 3, 3))
    found = search(loop=loop, evaluate=worse, stop=[{"stalled": 12}])
    at_first = next(i + 1 for i, budget in enumerate(found.history["budget"]) if budget == 3)
    assert len(found.history) >= at_first + 12
    assert "stalled" in found.summary["stopped_by"]


@pytest.mark.parametrize(
    ("stop", "said"),
    [
        ("stalled", "expected a list of rules"),
        ([3], "expected a list of rules"),
        ([{}], "expected a list of rules"),
        ([{"staled": 3}], r"unknown rule 'staled' \(did you mean 'stalled'\?\); known: stalled, reached"),
        ([{"stalled": 0}], "at least 1, got 0"),
        ([{"stalled": True}], "at least 1, got True"),
        ([{"stalled": "3"}], "at least 1, got '3'"),
        ([{"reached": "error"}], "reached: limit 'error': expected 'objective <= number'"),
        ([{"reached": ""}], "expected conditions such as"),
        ([{"reached": "error <= 2,"}], "expected 'objective <= number'"),
        ([{"reached": 2}], "expected conditions such as"),
        ([{"reached": "eror <= 2"}], r"'eror' is not an objective of this search \(did you mean 'error'\?\)"),
        ([nas.Stalled], "expected a list of rules"),
    ],
)
def test_an_invalid_rule_is_refused_before_any_work(stop: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        search(stop=stop, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_one_rule_needs_no_list() -> None:
    assert stop_rules(nas.Stalled(3)) == stop_rules({"stalled": 3}) == (nas.Stalled(3),)


def test_failures_before_there_is_a_hypervolume_count_as_well() -> None:
    def broken(trial: nas.Trial) -> dict[str, float]:
        raise ValueError

    loop = nas.LoopSettings(concurrency=1, max_failures=1)
    assert len(search(evaluate=broken, stop=nas.Stalled(7), loop=loop).history) == 7


def test_with_a_warm_start_the_first_result_counts_only_if_it_improves_the_front(tmp_path: Path) -> None:
    search(budget=60, out=tmp_path / "earlier")
    found = search(
        warm_start=tmp_path / "earlier",
        stop=nas.Stalled(3),
        evaluate=lambda trial: {"error": 500.0 + trial.id},
    )
    assert len(found.history) == 3


def test_a_run_in_a_folder_may_stop_before_its_first_ask(tmp_path: Path) -> None:
    found = search(callbacks=[at(0)], out=tmp_path / "run")
    assert (found.state, len(found.history)) == ("finished", 0)
    assert len(search(out=tmp_path / "run", resume=True, budget=5).history) == 5


def test_one_mapping_may_hold_several_rules() -> None:
    assert stop_rules([{"stalled": 3, "reached": "error <= 2"}]) == (
        nas.Stalled(3),
        nas.Reached("error <= 2"),
    )


def test_a_custom_rule_that_raises_is_reported_and_dropped(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(StopRule):
        def start(self, state: nas.SearchState) -> Callable[[], str]:
            return lambda: str(1 / 0)

    assert len(search(budget=9, stop=[Broken()]).history) == 9
    assert "rule Broken: ZeroDivisionError" in caplog.text


def test_a_rule_may_serve_two_searches() -> None:
    rule = nas.Stalled(12)
    assert len(search(stop=[rule]).history) == len(search(stop=[rule]).history)
