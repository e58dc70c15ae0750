"""The search loop: order, limits, budgets, failures, interruption."""

from __future__ import annotations

import itertools
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_parts import Grid, Listed, Shuffled, interrupt_at, log_of, quick

import nas
from nas.core.errors import AlgorithmError, ConfigError, InfeasibleError, TooManyFailures
from nas.core.problem import Problem
from nas.core.records import Architecture, Result, Status, Trial
from nas.engine.loop import LoopSettings, Search, SearchState
from nas.executors import SerialExecutor, run_trial
from nas.runs.history import read_history

OBJECTIVES = ["error", "params", "madds"]

pytestmark = pytest.mark.usefixtures("no_plots")


def architectures(n: int) -> list[Architecture]:
    genes = itertools.islice(itertools.product(range(6), repeat=6), n)
    return [Architecture("grid", g) for g in genes]


def searched(executor: object, limits: list[str] = [], n: int = 40, **loop: object):  # noqa: B006
    algorithm = Listed(architectures(n))
    problem = Problem(Grid(), OBJECTIVES, quick, limits)
    search = Search(problem, algorithm, executor, LoopSettings(**loop))  # type: ignore[arg-type]
    return search.run(), algorithm


def test_an_ordered_search_tells_in_the_order_of_asking() -> None:
    state, _ = searched(Shuffled(quick, 4, seed=0), evaluations=30)
    assert [r.trial.id for r in state.results] == list(range(30))


def test_an_unordered_search_tells_as_results_arrive() -> None:
    state, _ = searched(Shuffled(quick, 4, seed=0), evaluations=30, ordered=False)
    told = [r.trial.id for r in state.results]
    assert sorted(told) == list(range(30))
    assert told != sorted(told)


def test_an_ordered_search_has_no_more_under_way_than_its_concurrency() -> None:
    most = 0

    class Counting(Shuffled):
        def submit(self, trial: Trial) -> None:
            nonlocal most
            super().submit(trial)
            most = max(most, len(self._waiting))

    searched(Counting(quick, 16, seed=0), evaluations=30, concurrency=3)
    assert most == 3


def test_candidates_that_break_a_cheap_limit_are_not_evaluated_and_cost_no_budget() -> None:
    executor = Shuffled(quick, 4, seed=0)
    state, algorithm = searched(executor, ["params <= 12"], n=1296, evaluations=15)
    assert all(sum(t.architecture.genes) <= 2 for t in executor.submitted)
    assert len(executor.submitted) == state.evaluated == 15
    assert state.counts[Status.INVALID] > 0
    assert [seen.ok for seen in algorithm.told].count(False) == state.counts[Status.INVALID]
    assert len(algorithm.told) == len(state.results)


def test_an_algorithm_with_only_infeasible_proposals_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Search, "RULED_OUT", 50)
    executor = Shuffled(quick, 4, seed=0)
    with pytest.raises(InfeasibleError, match=r"params <= 5: the last 50 candidates"):
        searched(executor, ["params <= 5"], n=2000, evaluations=15)
    assert executor.submitted == []


def test_candidates_that_violate_a_measured_limit_are_evaluated_but_not_on_the_front() -> None:
    result = nas.search(Grid(), OBJECTIVES, quick, budget=40, limits=["error <= 60"], algorithm="moead")
    assert (result.history["error"] > 60).any()
    assert (result.front["error"] <= 60).all()


def test_a_list_that_ends_exhausts_the_search() -> None:
    state, _ = searched(Shuffled(quick, 4, seed=0), n=12, evaluations=30)
    assert state.exhausted
    assert state.evaluated == 12


def test_a_spent_budget_is_not_exhaustion() -> None:
    state, _ = searched(Shuffled(quick, 4, seed=0), n=12, evaluations=12)
    assert not state.exhausted


def test_a_tiny_space_ends_as_exhausted_with_every_architecture_tried_once() -> None:
    result = nas.search(Grid(choices=3, genes=3), OBJECTIVES, quick, budget=1000, algorithm="random")
    assert result.state == "exhausted"
    assert result.history["architecture"].nunique() == len(result.history) == 27


def test_the_time_limit_stops_asking() -> None:
    problem = Problem(Grid(), OBJECTIVES, quick)

    def pass_time(state: SearchState) -> None:
        if state.evaluated == 6:
            state.earlier_seconds = 10.0

    state = Search(
        problem,
        Listed(architectures(40)),
        SerialExecutor(problem.measure()),
        LoopSettings(seconds=5.0),
        callbacks=[pass_time],
    ).run()
    assert 6 <= state.evaluated < 6 + LoopSettings().in_flight


def test_failed_candidates_count_and_are_never_on_the_front() -> None:
    def some_fail(trial: Trial) -> dict[str, float]:
        if trial.id % 4 == 1:
            raise RuntimeError("bad layer")
        return dict(quick(trial))

    result = nas.search(Grid(), OBJECTIVES, some_fail, budget=40, algorithm="moead")
    failed = result.history[result.history["status"] == "failed"]
    assert len(failed) == result.summary["failed"] == 10
    assert result.summary["evaluations"] == 40
    assert not set(failed["architecture"]) & set(result.front["architecture"])
    assert failed["reason"].str.startswith("RuntimeError: bad layer").all()


def broken_from(first: int):
    def evaluate(trial: Trial) -> dict[str, float]:
        if trial.id >= first:
            raise RuntimeError("the data set is gone")
        return dict(quick(trial))

    return evaluate


def test_a_failing_search_stops_with_its_reason() -> None:
    with pytest.raises(
        TooManyFailures, match=r"11 of the last 20 .* 11 of them with: RuntimeError: the data"
    ) as e:
        nas.search(Grid(), OBJECTIVES, broken_from(30), budget=100, algorithm="moead")
    assert "test_loop.py, line " in str(e.value)


def test_a_search_that_never_worked_stops_after_ten() -> None:
    seen: list[int] = []
    with pytest.raises(TooManyFailures, match="10 of the last 10"):
        nas.search(
            Grid(),
            OBJECTIVES,
            broken_from(0),
            budget=100,
            callbacks=[lambda state: seen.append(state.evaluated)],
            algorithm="moead",
        )
    assert max(seen) == 10


def test_a_short_search_in_which_nothing_worked_is_an_error_too() -> None:
    with pytest.raises(TooManyFailures, match="every candidate failed"):
        nas.search(Grid(), OBJECTIVES, broken_from(0), budget=4, algorithm="random")


def test_the_user_can_allow_all_failures() -> None:
    loop = LoopSettings(evaluations=30, max_failures=1.0)
    result = nas.search(Grid(), OBJECTIVES, broken_from(0), loop=loop, algorithm="moead")
    assert result.summary["failed"] == 30
    assert result.front.empty


def test_a_stopped_search_continues_after_the_cause_is_fixed(tmp_path: Path) -> None:
    with pytest.raises(TooManyFailures):
        nas.search(Grid(), OBJECTIVES, broken_from(5), budget=60, out=tmp_path / "run", algorithm="moead")
    assert (tmp_path / "run/front.csv").exists()
    result = nas.search(
        Grid(), OBJECTIVES, quick, budget=60, out=tmp_path / "run", resume=True, algorithm="moead"
    )
    assert result.summary["evaluations"] == 60
    assert result.state == "finished"


def test_failures_of_an_earlier_session_do_not_stop_a_resumed_search(tmp_path: Path) -> None:
    class NewestFirst(Shuffled):
        def collect(self, timeout: float | None = None) -> list[Result]:
            return [run_trial(self._evaluate, self._waiting.pop())]

    def broken_but_first(trial: Trial) -> dict[str, float]:
        if trial.id == 0:
            signal.raise_signal(signal.SIGINT)
        raise RuntimeError("the data set is gone")

    loop = LoopSettings(evaluations=60, concurrency=15)
    newest_first = lambda evaluate, required: NewestFirst(evaluate, 15, 0)  # noqa: E731
    nas.search(
        Grid(),
        OBJECTIVES,
        broken_but_first,
        loop=loop,
        out=tmp_path,
        executor=newest_first,
        algorithm="moead",
    )
    assert (read_history(tmp_path)[0]["status"] == "failed").sum() == 14  # none of them told yet
    result = nas.search(Grid(), OBJECTIVES, quick, loop=loop, out=tmp_path, resume=True, algorithm="moead")
    assert (result.summary["ok"], result.summary["failed"]) == (46, 14)


def test_file_errors_do_not_hide_why_a_search_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_export(*arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("nas.engine.record.write_tables", no_export)
    with pytest.raises(TooManyFailures):
        nas.search(Grid(), OBJECTIVES, broken_from(0), budget=60, out=tmp_path, algorithm="moead")


@pytest.mark.parametrize("folder", [None, "run"])
def test_ctrl_c_returns_the_results_so_far(folder: str | None, tmp_path: Path) -> None:
    out = None if folder is None else tmp_path / folder
    result = nas.search(
        Grid(), OBJECTIVES, quick, budget=60, out=out, callbacks=[interrupt_at(17)], algorithm="moead"
    )
    assert result.state == result.summary["state"] == "interrupted"
    assert result.summary["evaluations"] == 17
    assert len(result.front) > 0


def test_ctrl_c_during_an_evaluation_keeps_those_before_it(tmp_path: Path) -> None:
    def evaluate(trial: Trial) -> dict[str, float]:
        if trial.id == 23:
            signal.raise_signal(signal.SIGINT)
        return dict(quick(trial))

    result = nas.search(Grid(), OBJECTIVES, evaluate, budget=60, out=tmp_path / "run", algorithm="moead")
    assert result.state == "interrupted"
    assert result.summary["ok"] == 23
    again = nas.search(
        Grid(), OBJECTIVES, quick, budget=60, out=tmp_path / "run", resume=True, algorithm="moead"
    )
    nas.search(Grid(), OBJECTIVES, quick, budget=60, out=tmp_path / "undisturbed", algorithm="moead")
    assert again.state == "finished"
    assert log_of(tmp_path / "run") == log_of(tmp_path / "undisturbed")


def test_callbacks_see_every_result_after_tell() -> None:
    seen: list[int] = []
    nas.search(
        Grid(),
        OBJECTIVES,
        quick,
        budget=25,
        callbacks=[lambda state: seen.append(state.evaluated)],
        algorithm="moead",
    )
    assert sorted(set(seen)) == list(range(26))
    assert seen == sorted(seen)


def test_the_state_holds_the_front_that_the_result_has() -> None:
    states: list[SearchState] = []
    result = nas.search(Grid(), OBJECTIVES, quick, budget=50, callbacks=[states.append], algorithm="moead")
    front = {Grid().format(r.trial.architecture) for r in states[-1].front.items}
    assert front == set(result.front["architecture"])


def test_the_fidelity_reaches_every_trial_as_a_float() -> None:
    budgets = set()

    def evaluate(trial: Trial) -> dict[str, float]:
        budgets.add(repr(trial.budget))
        return dict(quick(trial))

    nas.search(Grid(), OBJECTIVES, evaluate, loop=LoopSettings(evaluations=20, fidelity=3), algorithm="moead")
    assert budgets == {"3.0"}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("evaluations", 0), ("evaluations", 2.5), ("evaluations", True), ("concurrency", 0), ("seed", -1),
        ("seed", 2**63), ("seed", 1.0), ("seconds", 0), ("seconds", -1.0), ("max_failures", 1.5), ("fidelity", 0),
        ("seconds", float("nan")), ("evaluations", "many"),
    ],
)  # fmt: skip
def test_invalid_loop_settings_are_named(setting: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"^{setting}: expected .*, got {value!r}"):
        LoopSettings(**{setting: value})  # type: ignore[arg-type]


def test_a_maximised_objective_is_maximised() -> None:
    result = nas.search(Grid(), ["params", nas.Objective("gain", maximize=True)],
                        lambda trial: {"gain": float(trial.architecture.genes[0])}, budget=60, algorithm="moead")  # fmt: skip
    best = result.history.loc[result.history["gain"].idxmax(), "gain"]
    assert result.front["gain"].max() == best == result.summary["best"]["gain"]
    assert np.all(np.diff(result.front.sort_values("params")["gain"]) > 0)


def test_whole_numbers_of_other_types_are_genes_and_others_are_refused(tmp_path: Path) -> None:
    def asking(*genes: Any) -> Any:
        return lambda problem, rng, settings: Listed([nas.Architecture("grid", genes)])

    kwargs: Any = {"space": Grid(), "objectives": ["error"], "evaluate": quick, "budget": 2}
    found = nas.search(algorithm=asking(*np.arange(6)), out=tmp_path / "run", **kwargs)
    assert list(found.history["architecture"]) == ["0-1-2-3-4-5"]
    again = nas.search(algorithm=asking(*np.arange(6)), out=tmp_path / "run", resume=True, **kwargs)
    assert list(again.history["architecture"]) == ["0-1-2-3-4-5"]
    with pytest.raises(AlgorithmError, match="expected whole numbers as genes"):
        nas.search(algorithm=asking(0.0, 1.0, 2.0, 3.0, 4.0, 5.0), **kwargs)
