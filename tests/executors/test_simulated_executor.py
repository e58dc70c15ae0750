"""The executor on a virtual clock: schedules worked out by hand, and whole searches whose time is virtual."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nas
from nas.algorithms.random_search import RandomSearch
from nas.core.errors import ConfigError, ExecutorError
from nas.core.executor import HasClock
from nas.core.records import Architecture, Observation, Result, Status, Trial
from nas.core.space import SearchSpace
from nas.engine.loop import LoopSettings
from nas.executors import SimulatedExecutor, SimulatedSettings

pytestmark = pytest.mark.usefixtures("no_plots")

DAY = 86_400.0


def taking(*seconds: float) -> list[Trial]:
    """Trials in order, each of which takes so long."""
    return [Trial(i, Architecture("toy", (int(s),)), seed=i) for i, s in enumerate(seconds)]


def timed(trial: Trial) -> Mapping[str, float]:
    return {"error": 1.0, "train_seconds": float(trial.architecture.genes[0])}


def executor(workers: int = 2, **changes: object) -> SimulatedExecutor:
    settings = SimulatedSettings(workers, **{"seconds": "train_seconds", **changes})  # type: ignore[arg-type]
    return SimulatedExecutor(timed, settings)


def drain(run: SimulatedExecutor) -> list[Result]:
    results: list[Result] = []
    while arrived := run.collect():
        results += arrived
    return results


def schedule(run: SimulatedExecutor, *seconds: float) -> dict[int, tuple[float, float]]:
    """When each trial started and ended, in the order in which they came back."""
    for trial in taking(*seconds):
        run.submit(trial)
    return {r.trial.id: (r.started, r.finished) for r in drain(run)}


def test_each_trial_starts_on_the_worker_that_is_free_first() -> None:
    assert schedule(executor(2), 5, 1, 2, 4, 1) == {1: (0, 1), 2: (1, 3), 0: (0, 5), 4: (5, 6), 3: (3, 7)}


def test_results_come_back_in_virtual_order_and_ties_in_the_order_of_starting() -> None:
    assert list(schedule(executor(4), 3, 1, 3, 2)) == [1, 3, 0, 2]


def test_a_barrier_holds_what_waits_until_all_that_run_have_ended() -> None:
    assert schedule(executor(2, generational=True), 5, 1, 2, 4, 1) == {
        1: (0, 1),
        0: (0, 5),
        2: (5, 7),
        3: (5, 9),
        4: (9, 10),
    }


def test_behind_a_barrier_no_worker_is_free_until_the_whole_batch_is_collected() -> None:
    run = executor(2, generational=True)
    first, second = taking(5, 1)
    run.submit(first)
    assert run.free == 1
    run.submit(second)
    run.collect()
    assert run.free == 0
    run.collect()
    assert run.free == 2


def test_a_trial_submitted_later_starts_no_earlier_than_the_clock() -> None:
    run = executor(2)
    long, short, late = taking(5, 1, 2)
    run.submit(long)
    run.submit(short)
    assert run.collect()[0].trial == short
    assert run.now() == 1
    assert run.free == 1
    run.submit(late)
    assert run.free == 0
    (result,) = run.collect()
    assert (result.trial, result.started, result.finished, result.seconds) == (late, 1, 3, 2)


def test_a_fixed_time_needs_no_reported_one() -> None:
    run = executor(1, seconds=None, seconds_per_trial=10)
    assert schedule(run, 1, 1) == {0: (0, 10), 1: (10, 20)}


def test_a_result_names_the_logical_worker() -> None:
    run = executor(3)
    for trial in taking(1, 2, 3):
        run.submit(trial)
    assert [r.worker for r in drain(run)] == ["simulated:0", "simulated:1", "simulated:2"]


def test_a_failed_candidate_takes_the_fixed_time() -> None:
    def raises(trial: Trial) -> Mapping[str, float]:
        raise ValueError("no such layer")

    run = SimulatedExecutor(raises, SimulatedSettings(seconds="train_seconds", seconds_per_trial=7))
    run.submit(taking(1)[0])
    (result,) = run.collect()
    assert (result.status, result.finished) == (Status.FAILED, 7)
    assert "no such layer" in result.error


@pytest.mark.parametrize(
    ("reported", "said"),
    [
        ({"error": 1.0, "train_second": 5.0}, "'train_seconds' missing ('train_second' may be meant"),
        ({"error": 1.0, "train_seconds": -5.0}, "train_seconds=-5; expected seconds, at least 0"),
    ],
    ids=["missing", "negative"],
)
def test_a_candidate_without_a_valid_time_has_failed(reported: dict[str, float], said: str) -> None:
    run = SimulatedExecutor(lambda trial: reported, SimulatedSettings(seconds="train_seconds"))
    run.submit(taking(1)[0])
    (result,) = run.collect()
    assert result.status is Status.FAILED
    assert result.values == {}
    assert said in result.error


def test_required_names_are_checked() -> None:
    run = SimulatedExecutor(timed, required=frozenset({"latency"}))
    run.submit(taking(1)[0])
    assert "'latency' missing" in run.collect()[0].error


def test_thinking_passes_on_the_clock_while_trials_run() -> None:
    run = executor(1, thinking=True)
    first, second = taking(1000, 1000)
    time.sleep(0.02)
    run.submit(first)
    (result,) = run.collect()
    assert 0.02 <= result.started < 100
    time.sleep(0.02)
    run.submit(second)
    assert run.collect()[0].started >= result.finished + 0.02


def test_evaluating_here_takes_no_extra_virtual_time() -> None:
    def slow(trial: Trial) -> Mapping[str, float]:
        time.sleep(0.3)
        return timed(trial)

    run = SimulatedExecutor(slow, SimulatedSettings(2, "train_seconds", thinking=True))
    for trial in taking(0, 0):
        run.submit(trial)
    run.collect()
    assert run.now() < 0.3


def test_an_interrupt_passes_through_and_the_trial_still_waits() -> None:
    def interrupt(trial: Trial) -> Mapping[str, float]:
        signal.raise_signal(signal.SIGINT)

    run = SimulatedExecutor(interrupt, SimulatedSettings(1))
    run.submit(taking(1)[0])
    with pytest.raises(KeyboardInterrupt):
        run.collect()
    assert run.free == 0


def test_closing_twice_is_harmless_and_submitting_afterwards_is_an_error() -> None:
    run = executor()
    run.submit(taking(1)[0])
    run.close()
    run.close()
    assert run.free == 0
    assert run.collect() == []
    with pytest.raises(ExecutorError, match="closed"):
        run.submit(taking(1)[0])


@pytest.mark.parametrize(
    "wrong",
    [
        {"workers": 0},
        {"seconds": 5},
        {"seconds": ""},
        {"seconds_per_trial": 0},
        {"generational": 1},
        {"thinking": "yes"},
    ],
    ids=str,
)
def test_a_wrong_setting_is_named(wrong: dict[str, object]) -> None:
    (name,) = wrong
    with pytest.raises(ConfigError, match=f"{name}: expected"):
        SimulatedSettings(**wrong)  # type: ignore[arg-type]


class Cells(SearchSpace):
    name = "cells"
    cardinalities = (4,) * 6


def recorded(trial: Trial) -> Mapping[str, float]:
    """An error and a training time of hours that differ from network to network."""
    rng = np.random.default_rng(trial.architecture.genes)
    return {
        "error": float(sum(trial.architecture.genes) + rng.random()),
        "train_seconds": 3600 * float(rng.lognormal()),
    }


HOURS = SimulatedSettings(8, "train_seconds")


def searched(out: Path | None, settings: SimulatedSettings = HOURS, **loop: object) -> nas.SearchResult:
    choices = {"evaluations": 60, "ordered": False, **loop}
    return nas.search(
        Cells(), ["error"], recorded, algorithm="regularized-evolution", executor="simulated",
        executor_settings=settings, loop=LoopSettings(**choices), out=out,  # type: ignore[arg-type]
    )  # fmt: skip


def test_the_executor_gives_a_search_its_time() -> None:
    assert isinstance(executor(), HasClock)


def test_curves_and_history_of_a_search_are_in_virtual_time(tmp_path: Path) -> None:
    searched(tmp_path / "run")
    history = pd.read_parquet(tmp_path / "run/history.parquet").sort_values("told")
    curves = pd.read_csv(tmp_path / "run/curves.csv")
    assert history["told_seconds"].tolist() == pytest.approx(history["finished"].tolist())
    assert curves["seconds"].tolist() == pytest.approx(history["finished"].tolist(), rel=1e-3)
    assert history["finished"].max() > 2 * 3600


def test_an_unordered_search_repeats_to_the_last_digit(tmp_path: Path) -> None:
    first, again = (searched(tmp_path / name) for name in ("first", "again"))
    pd.testing.assert_frame_equal(
        first.history.drop(columns="asked_at"), again.history.drop(columns="asked_at")
    )


def test_a_time_limit_counts_virtual_seconds() -> None:
    limited = searched(None, evaluations=10_000, seconds=DAY).history
    assert limited["finished"].max() > DAY
    assert limited["started"].max() <= DAY
    assert 8 * 24 / 4 < len(limited) < 8 * 24 * 2  # an hour or two each, on eight workers


def test_a_resumed_search_continues_in_virtual_time(tmp_path: Path) -> None:
    before = searched(tmp_path / "run", seconds=DAY, evaluations=10_000)
    after = nas.search(
        Cells(), ["error"], recorded, algorithm="regularized-evolution", executor="simulated",
        executor_settings=HOURS, out=tmp_path / "run", resume=True,
        loop=LoopSettings(10_000, seconds=2 * DAY, ordered=False),
    )  # fmt: skip
    assert after.summary["seconds"] > 2 * DAY > before.summary["seconds"]
    assert after.history.sort_values("told")["told_seconds"].is_monotonic_increasing


def test_without_a_barrier_the_same_evaluations_end_sooner() -> None:
    ends = {
        barrier: searched(None, SimulatedSettings(8, "train_seconds", generational=barrier))
        .history["finished"]
        .max()
        for barrier in (False, True)
    }
    assert ends[False] < 0.8 * ends[True]


def test_behind_a_barrier_a_batch_is_asked_for_after_all_results_of_the_last() -> None:
    told_at_ask: list[int] = []

    class Watched(RandomSearch):
        told = 0

        def ask(self, n: int) -> list[Architecture]:
            told_at_ask.append(self.told)
            return super().ask(n)

        def tell(self, observations: Sequence[Observation]) -> None:
            self.told += len(observations)

    nas.search(
        Cells(), ["error"], recorded, algorithm=Watched, executor="simulated",
        executor_settings=SimulatedSettings(4, "train_seconds", generational=True),
        loop=LoopSettings(12, ordered=False),
    )  # fmt: skip
    assert told_at_ask == [0] * 4 + [4] * 4 + [8] * 4
