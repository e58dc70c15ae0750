"""What executors tell of their workers."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Mapping

import pytest

from nas.core.executor import HasWorkers
from nas.core.records import Architecture, Trial, WorkerState
from nas.executors import EXECUTORS, RaySettings, SerialExecutor, SimulatedExecutor, SimulatedSettings


def trial(number: int, seconds: float = 0.0) -> Trial:
    return Trial(number, Architecture("toy", (int(seconds),)), seed=number)


def timed(trial: Trial) -> Mapping[str, float]:
    return {"error": 1.0, "train_seconds": float(trial.architecture.genes[0])}


def test_this_process_is_busy_while_it_evaluates_and_idle_before_and_after() -> None:
    seen: list[list[WorkerState]] = []

    def evaluate(trial: Trial) -> Mapping[str, float]:
        other = threading.Thread(target=lambda: seen.append(executor.workers()))
        other.start()
        other.join()
        return {"error": 1.0}

    executor = SerialExecutor(evaluate)
    executor.submit(trial(7))
    assert [w.trial for w in executor.workers()] == [None]
    executor.collect()
    ((during,),) = seen
    assert during.trial == 7
    assert during.seconds >= 0
    assert [(w.name, w.trial) for w in executor.workers()] == [(during.name, None)]


def test_this_process_is_idle_after_ctrl_c_in_a_trial() -> None:
    def interrupt(trial: Trial) -> Mapping[str, float]:
        signal.raise_signal(signal.SIGINT)

    executor = SerialExecutor(interrupt)
    executor.submit(trial(0))
    with pytest.raises(KeyboardInterrupt):
        executor.collect()
    assert executor.workers()[0].trial is None


def test_simulated_workers_are_reported_at_the_moment_of_their_clock() -> None:
    executor = SimulatedExecutor(timed, SimulatedSettings(3, seconds="train_seconds"))
    for number, seconds in enumerate((10, 4)):
        executor.submit(trial(number, seconds))
    executor.collect()  # the second trial ends, after 4 virtual seconds
    assert executor.workers() == [
        WorkerState("simulated:0", 0, 4.0),
        WorkerState("simulated:1"),
        WorkerState("simulated:2"),
    ]


def until_told(executor: HasWorkers, wanted: dict[int, int]) -> list[WorkerState]:
    """The workers once as many are busy with these trials as wanted; how many run each."""
    give_up = time.monotonic() + 600
    while time.monotonic() < give_up:
        states = list(executor.workers())
        busy = [state.trial for state in states if state.trial is not None]
        if {number: busy.count(number) for number in busy} == wanted and len(states) == 2:
            return states
        time.sleep(0.05)
    raise AssertionError(list(executor.workers()))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ray_reports_busy_workers_with_their_trials_and_idle_ones() -> None:
    pytest.importorskip("ray")

    def wait(trial: Trial) -> Mapping[str, float]:
        time.sleep(3600 if trial.id == 1 else 0)
        return {"error": 1.0}

    executor = EXECUTORS["ray"](wait, RaySettings(workers=2))
    try:
        assert isinstance(executor, HasWorkers)
        executor.submit(trial(0))
        executor.submit(trial(1))
        states = until_told(executor, {1: 1})
        assert len({state.name for state in states}) == 2
        (busy,) = [state for state in states if state.trial == 1]
        assert 0 <= busy.seconds < 3600
        (done,) = executor.collect(600.0)
        assert done.trial.id == 0
    finally:
        executor.close()


@pytest.mark.parametrize("name", ["serial", "simulated"])
def test_a_closed_executor_can_still_be_asked(name: str) -> None:
    executor = EXECUTORS[name](timed)
    executor.submit(trial(0))
    executor.close()
    assert isinstance(executor, HasWorkers)
    assert all(state.trial is None for state in executor.workers())
