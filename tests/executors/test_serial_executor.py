"""The executor that runs in this process."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping

import numpy as np
import pytest

import nas
from nas.core.errors import ConfigError, ExecutorError
from nas.core.records import Architecture, Status, Trial
from nas.executors import EXECUTORS, SETTINGS, RaySettings, SerialExecutor, SerialSettings
from nas.testing.toy import ToySpace


def trial(number: int) -> Trial:
    return Trial(number, Architecture("toy", (number,)), seed=number)


def number_of(trial: Trial) -> Mapping[str, float]:
    return {"error": float(trial.id)}


def hang(trial: Trial) -> Mapping[str, float]:
    while True:
        try:
            time.sleep(5)
        except Exception:
            continue


def test_trials_run_in_the_order_of_submission() -> None:
    executor = SerialExecutor(number_of)
    for number in (2, 0, 1):
        executor.submit(trial(number))
    collected = [executor.collect()[0].trial.id for _ in range(3)]
    assert collected == [2, 0, 1]


def test_the_one_slot_is_free_when_nothing_waits() -> None:
    executor = SerialExecutor(number_of)
    assert executor.free == 1
    executor.submit(trial(0))
    assert executor.free == 0
    executor.collect()
    assert executor.free == 1


def test_collecting_when_nothing_waits_gives_nothing() -> None:
    assert SerialExecutor(number_of).collect() == []


def test_a_hanging_candidate_is_stopped_and_the_next_runs() -> None:
    executor = SerialExecutor(lambda t: hang(t) if t.id == 0 else number_of(t), SerialSettings(timeout_s=1.0))
    executor.submit(trial(0))
    executor.submit(trial(1))
    (stopped,) = executor.collect()
    assert stopped.status is Status.TIMEOUT
    assert "time limit" in stopped.error
    assert executor.collect()[0].ok


def test_the_time_limit_leaves_an_alarm_of_someone_else_set() -> None:
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    pending = signal.setitimer(signal.ITIMER_REAL, 60.0)
    try:
        executor = SerialExecutor(number_of, SerialSettings(timeout_s=30))
        executor.submit(trial(0))
        executor.collect()
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 30 < left <= 60
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *pending)


def test_an_interrupt_passes_through_and_the_trial_still_waits() -> None:
    def interrupt(trial: Trial) -> Mapping[str, float]:
        signal.raise_signal(signal.SIGINT)

    executor = SerialExecutor(interrupt)
    executor.submit(trial(0))
    with pytest.raises(KeyboardInterrupt):
        executor.collect()
    assert executor.free == 0
    executor.close()


def test_required_names_are_checked() -> None:
    executor = SerialExecutor(number_of, required=frozenset({"latency"}))
    executor.submit(trial(0))
    assert executor.collect()[0].status is Status.FAILED


def test_evaluations_use_one_thread_until_the_executor_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        executor = SerialExecutor(
            lambda t: {"torch": torch.get_num_threads(), "omp": int(os.environ["OMP_NUM_THREADS"])}
        )
        executor.submit(trial(0))
        assert executor.collect()[0].values == {"torch": 1.0, "omp": 1.0}
        executor.close()
        assert torch.get_num_threads() == 3
        assert os.environ["OMP_NUM_THREADS"] == "5"
    finally:
        torch.set_num_threads(before)


def test_closing_twice_is_harmless_and_submitting_afterwards_is_an_error() -> None:
    executor = SerialExecutor(number_of)
    executor.submit(trial(0))
    executor.close()
    executor.close()
    assert executor.free == 0
    assert executor.collect() == []
    with pytest.raises(ExecutorError, match="closed"):
        executor.submit(trial(1))


def test_every_executor_has_settings_under_the_same_name() -> None:
    assert set(EXECUTORS) == set(SETTINGS) == {"serial", "ray", "simulated"}


def test_the_executors_package_does_not_load_ray_or_torch() -> None:
    import subprocess

    code = "import sys, nas.executors; sys.exit(any(m in sys.modules for m in ('ray', 'torch')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"workers": 0},
        {"workers": True},
        {"workers": 1.5},
        {"retries": -1},
        {"timeout_s": 0},
        {"timeout_s": float("nan")},
        {"memory_bytes": 0},
        {"memory_bytes": 1e9},
        {"cpus_per_trial": 1.5},
        {"gpus_per_trial": -1},
        {"connect_timeout_s": None},
    ],
    ids=str,
)
def test_a_wrong_setting_is_named(wrong: dict[str, object]) -> None:
    (name,) = wrong
    with pytest.raises(ConfigError, match=name):
        RaySettings(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("where", ["in the candidate", "before the search"])
def test_candidates_and_users_may_have_numpy_raise(where: str) -> None:
    def evaluate(trial: Trial) -> dict[str, float]:
        np.seterr(all="raise")
        return {"error": float(sum(trial.architecture.genes))}

    with np.errstate(all="raise" if where == "before the search" else "ignore"):
        before = np.geterr()
        found = nas.search(ToySpace(), ["error", "params"], evaluate, algorithm="nsga2", budget=12)
        assert np.geterr() == before
    assert found.summary["ok"] == 12
