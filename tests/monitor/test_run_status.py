"""The status of a run, from the search and from its log, during the run and afterwards."""

from __future__ import annotations

import itertools
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_parts import (
    QUICK_SETTINGS,
    Grid,
    Noting,
    Shuffled,
    hostile,
    interrupt_at,
    judgement,
    quick,
    rising,
)
from noisy_parts import ERROR, noisy
from sharing_notes import DECISION, Inherits, Sharing

import nas
from nas.cli import panel
from nas.core.objectives import Limit, objective
from nas.engine.loop import LoopSettings
from nas.engine.search_state import SearchState
from nas.monitor import Heading, LiveStatus, RunStatus
from nas.monitor.recorded import RecordedStatus
from nas.monitor.tally import RunTally, Told
from nas.runs.history import FILE
from nas.training import Halving

pytestmark = pytest.mark.usefixtures("no_plots")
OBJECTIVES = ["error", "params", "madds"]
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "limited": {"limits": ["error <= 60", "madds <= 70"]},
    "failing": {"evaluate": hostile, "loop": LoopSettings(max_failures=1.0)},
    "halving": {"evaluate": rising, "loop": LoopSettings(halving=Halving(1, 9, 3))},
    "repeats": {
        "algorithm": "sa-moead",
        "algorithm_settings": replace(QUICK_SETTINGS["sa-moead"], repeats=0.3),
    },
    "noting": {"algorithm": Noting},
    "sharing": {"algorithm": Sharing},
    "own trainings": {"evaluate": Inherits(), "budget": 44},
    "noisy": {"objectives": [ERROR, "params", "madds"], "evaluate": noisy, "budget": 25},
    "noisy halving": {
        "objectives": [ERROR, "params", "madds"],
        "evaluate": noisy,
        "loop": LoopSettings(halving=Halving(1, 9, 3)),
        "limits": ["error <= 60"],
    },
}
DEAR = ("repeats",)
BUDGET = 32


def search(out: Path | None, *callbacks: object, **changes: Any) -> nas.SearchResult:
    arguments = {"evaluate": quick, "budget": BUDGET, "out": out, "callbacks": callbacks} | changes
    return nas.search(Grid(), arguments.pop("objectives", OBJECTIVES), **{"algorithm": "moead", **arguments})


def findings(standing: RunStatus | None) -> RunStatus:
    """The part that does not depend on the time of reading."""
    assert standing is not None
    return replace(
        standing,
        heading=replace(standing.heading, algorithm="", out=""),
        seconds=0.0,
        rate=None,
        left=None,
        taken=0.0,
        ticking=True,
        last_result=None,
        workers=(),
        waiting=0,
        outcome="",
    )


@pytest.mark.parametrize("kind", [pytest.param(k, marks=pytest.mark.slow) if k in DEAR else k for k in KINDS])
def test_the_search_its_log_and_at_the_end_its_summary_agree(kind: str, tmp_path: Path) -> None:
    live, recorded = LiveStatus(), RecordedStatus(tmp_path / "run")
    pairs: list[tuple[RunStatus, RunStatus]] = []

    def look(state: SearchState) -> None:
        pairs.append((findings(live.now()), findings(recorded.look())))

    summary = search(tmp_path / "run", live, look, **KINDS[kind]).summary
    assert len(pairs) > KINDS[kind].get("budget", BUDGET)
    assert [told for told, _ in pairs] == [read for _, read in pairs]
    standing = RecordedStatus(tmp_path / "run").look()
    assert standing.hypervolume == pytest.approx(summary["hypervolume"], abs=1e-12)
    assert (standing.evaluated, standing.failed) == (summary["evaluations"], summary["failed"])
    assert standing.front_size == summary["front_size"]
    assert {b.objective: b.value for b in standing.best} == pytest.approx(summary["best"])
    assert standing.outcome == summary["state"] == "finished"
    assert standing.seconds == pytest.approx(summary["seconds"], abs=1e-3)
    short = RecordedStatus(tmp_path / "run", curve=False).look()
    assert len(standing.curve) > 10
    assert short.curve == ()
    assert findings(replace(short, curve=standing.curve)) == findings(standing)


def test_the_front_and_the_best_of_a_noisy_objective_are_marked_as_expected(tmp_path: Path) -> None:
    live = LiveStatus()
    result = search(tmp_path / "run", live, **KINDS["noisy"])
    recorded = RecordedStatus(tmp_path / "run")
    assert recorded.front() is None
    recorded.look()
    found = recorded.front()
    assert found is not None
    assert found.architectures == tuple(result.front["architecture"])
    assert found.values == pytest.approx(result.front[["error_expected", "params", "madds"]].to_numpy())
    standing = live.now()
    assert standing is not None
    best = {b.objective: b for b in standing.best}
    assert best["error"].expected
    assert not best["params"].expected
    assert best["error"].value == pytest.approx(result.front["error_expected"].min())
    assert "error" in str(panel._best(standing, 80)[0])
    assert "% expected" in str(panel._best(standing, 80)[0])


def test_results_of_a_warm_start_are_on_the_front_and_not_evaluations(tmp_path: Path) -> None:
    search(tmp_path / "earlier", seed=1)
    live = LiveStatus()
    summary = search(tmp_path / "run", live, warm_start=tmp_path / "earlier", budget=20).summary
    for standing in (live.now(), RecordedStatus(tmp_path / "run").look()):
        assert standing is not None
        assert standing.evaluated == 20
        assert standing.front_size == summary["front_size"]
        assert standing.hypervolume == pytest.approx(summary["hypervolume"], abs=1e-12)


def test_failures_are_grouped_by_their_words_most_frequent_first() -> None:
    def fails(trial: nas.Trial) -> dict[str, float]:
        if trial.id % 4 == 1:
            raise RuntimeError(f"layer {trial.id} is too wide")
        if trial.id == 6:
            return {"error": float("nan")}
        return dict(quick(trial))

    live = LiveStatus()
    search(None, live, evaluate=fails)
    standing = live.now()
    assert standing is not None
    (first, times), (second, once) = standing.failures
    assert (times, once) == (BUDGET // 4, 1)
    assert first == "failed: RuntimeError: layer 1 is too wide"
    assert "error=nan" in second


def test_a_resumed_run_with_undone_tells_is_read_again(tmp_path: Path) -> None:
    shuffled = lambda evaluate, required: Shuffled(evaluate, 4, 0)  # noqa: E731
    recorded = RecordedStatus(tmp_path / "run")
    search(tmp_path / "run", interrupt_at(23), executor=shuffled)
    assert recorded.look().outcome == "interrupted"
    seen: list[tuple[RunStatus, RunStatus]] = []

    def look(state: SearchState) -> None:
        fresh = RecordedStatus(tmp_path / "run").look()
        seen.append((findings(recorded.look()), findings(fresh)))

    search(tmp_path / "run", look, executor=shuffled, resume=True)
    assert [going_on for going_on, _ in seen] == [fresh for _, fresh in seen]
    assert recorded.look().evaluated == BUDGET


def test_each_result_is_read_from_the_log_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[object] = []
    take = RunTally.take

    def counting(self: RunTally, told: Told) -> None:
        taken.append(told.key)
        take(self, told)

    monkeypatch.setattr(RunTally, "take", counting)
    recorded = RecordedStatus(tmp_path / "run")
    search(tmp_path / "run", lambda state: recorded.look())
    assert recorded.look().evaluated == len(taken) == BUDGET


def test_another_run_in_the_same_place_is_read_from_its_beginning(tmp_path: Path) -> None:
    recorded = RecordedStatus(tmp_path / "run")
    search(tmp_path / "run")
    assert recorded.look().evaluated == BUDGET
    (tmp_path / "run").rename(tmp_path / "old")
    other = search(tmp_path / "run", budget=25, seed=9).summary
    standing = recorded.look()
    assert standing.evaluated == standing.heading.evaluations == 25
    assert standing.hypervolume == pytest.approx(other["hypervolume"])


def test_the_newest_evaluation_of_a_surrogate_is_read(tmp_path: Path) -> None:
    search(tmp_path / "run", algorithm=Noting)
    (judged,) = RecordedStatus(tmp_path / "run").look().surrogates
    wanted = judgement(30)
    assert (judged.tau, judged.low, judged.high) == (wanted["tau"], wanted["tau_low"], wanted["tau_high"])
    assert judged.text == wanted["text"]


def test_the_newest_quality_of_inherited_errors_is_read_with_the_decision(tmp_path: Path) -> None:
    live = LiveStatus()
    search(tmp_path / "run", live, algorithm=Sharing, budget=23)
    recorded = RecordedStatus(tmp_path / "run").look()
    for standing in (live.now(), recorded):
        assert standing is not None
        assert standing.sharing is not None
        assert (standing.sharing.told, standing.sharing.networks, standing.sharing.tau.value) == (20, 8, 0.3)
        assert (standing.sharing.text, standing.sharing.trusted) == (DECISION, False)
        assert standing.surrogates == ()


def test_a_search_without_inherited_errors_has_no_quality_of_them(tmp_path: Path) -> None:
    live = LiveStatus()
    search(tmp_path / "run", live, algorithm=Noting)
    now = live.now()
    assert now is not None
    assert now.sharing is RecordedStatus(tmp_path / "run").look().sharing is None


def test_a_log_of_the_first_format_is_read(tmp_path: Path) -> None:
    search(tmp_path / "run")
    with sqlite3.connect(tmp_path / "run" / FILE) as db:
        db.execute("DROP TABLE notes")
        db.execute("UPDATE meta SET value = '1' WHERE key = 'schema'")
    assert RecordedStatus(tmp_path / "run").look().evaluated == BUDGET


def tally(evaluations: int = 100, seconds: float | None = None) -> RunTally:
    heading = Heading("toy", "random", 0, evaluations, seconds)
    return RunTally(heading, [objective("error")], [Limit.parse("error <= 90")], initial=2)


def tell(to: RunTally, values: list[float], every: float = 2.0) -> None:
    for number, value in enumerate(values):
        to.take(Told(number, None, np.array([value]), "ok", seconds=every * (number + 1)))


def test_the_pace_is_that_of_the_last_results() -> None:
    slowing = tally()
    tell(slowing, [50.0] * 20, every=2.0)
    assert slowing.status(40.0).rate == pytest.approx(30.0)
    assert slowing.status(40.0).left == pytest.approx(80 * 2.0)


def test_the_pace_falls_without_results() -> None:
    stuck = tally()
    tell(stuck, [50.0] * 20)
    rates = [stuck.status(seconds).rate for seconds in (40.0, 60.0, 400.0)]
    assert all(a > b for a, b in itertools.pairwise(rates))  # type: ignore[operator]


def test_a_time_limit_bounds_the_time_left() -> None:
    limited = tally(seconds=60.0)
    tell(limited, [50.0] * 20)
    assert limited.status(40.0).left == pytest.approx(20.0)
    assert limited.status(61.0).left is None


def test_a_pace_needs_three_results() -> None:
    young = tally()
    tell(young, [50.0, 40.0])
    assert young.status(10.0).rate is None


def test_the_curve_keeps_its_length_and_ends_with_the_present() -> None:
    long = tally(10_000)
    tell(long, [90.0 - i / 100 for i in range(5_000)])
    curve = long.status(1.0).curve
    assert RunTally.CURVE <= len(curve) <= 2 * RunTally.CURVE + 1
    assert curve[-1] == long.hypervolume
    assert all(a <= b for a, b in itertools.pairwise(curve))


def test_a_result_that_violates_a_limit_is_not_on_the_front() -> None:
    limited = tally()
    tell(limited, [95.0, 99.0])
    standing = limited.status(1.0)
    assert (standing.evaluated, standing.failed, standing.front_size) == (2, 0, 0)
    assert standing.best == ()


def test_a_trial_that_no_worker_ran_is_not_an_evaluation() -> None:
    ruled_out = tally()
    ruled_out.take(Told(0, None, None, "invalid", "breaks a limit"))
    standing = ruled_out.status(1.0)
    assert (standing.evaluated, standing.failed, standing.failures) == (0, 0, ())


def test_results_of_a_warm_start_have_expected_values_too(tmp_path: Path) -> None:
    search(tmp_path / "earlier", seed=1, **KINDS["noisy"] | {"budget": 15})
    live, recorded = LiveStatus(), RecordedStatus(tmp_path / "run")
    pairs: list[tuple[RunStatus, RunStatus]] = []

    def look(state: SearchState) -> None:
        pairs.append((findings(live.now()), findings(recorded.look())))

    given = KINDS["noisy"] | {"budget": 15, "warm_start": tmp_path / "earlier"}
    result = search(tmp_path / "run", live, look, **given)
    assert [told for told, _ in pairs] == [read for _, read in pairs]
    assert recorded.look().front_size == len(result.front) == live.now().front_size  # type: ignore[union-attr]
    assert recorded.look().hypervolume == pytest.approx(result.summary["hypervolume"])
    assert (result.front["origin"] != "").any()
    assert (result.front["error_low"] < result.front["error_high"]).all()
