"""A long silence is reported with the running trials; a time limit applies only after some evaluations."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from engine_parts import Grid, Listed, quick
from test_loop import architectures

import nas
from nas.core.errors import ConfigError
from nas.core.problem import Problem
from nas.core.records import Result, Status, Trial, WorkerState
from nas.engine.heartbeat import read_heartbeat
from nas.engine.loop import LoopSettings, Search, SearchState
from nas.executors import SerialExecutor, run_trial

pytestmark = pytest.mark.usefixtures("no_plots")
PATIENCE_S = 60.0


def problem() -> Problem:
    return Problem(Grid(), ["error", "params", "madds"], quick)


class Warned(logging.Handler):
    """Sets `event` at a warning of a silence."""

    def __init__(self) -> None:
        super().__init__()
        self.event, self.texts = threading.Event(), list[str]()

    def emit(self, record: logging.LogRecord) -> None:
        if "No result for" in record.getMessage():
            self.texts.append(record.getMessage())
            self.event.set()


@pytest.fixture
def warned():
    handler, log = Warned(), logging.getLogger("nas")
    log.addHandler(handler)
    yield handler
    log.removeHandler(handler)


class Hanging:
    """An executor whose third trial returns only after a warning."""

    free = 1

    def __init__(self, warned: Warned, state: list[SearchState]) -> None:
        self._warned, self._state = warned, state
        self._queue: list[Trial] = []
        self.troubles: list[str] = []

    def submit(self, trial: Trial) -> None:
        self._queue.append(trial)

    def collect(self, timeout: float | None = None) -> list[Result]:
        if self._queue[0].id == 2:
            assert self._warned.event.wait(PATIENCE_S)
            self.troubles.append(self._state[0].silence)
        return [run_trial(quick, self._queue.pop(0))]

    def workers(self) -> Sequence[WorkerState]:
        return [WorkerState("host:1", self._queue[0].id, 400.0)] if self._queue else []

    def close(self) -> None:
        pass


def test_a_long_silence_names_running_trials_with_worker_and_time(warned: Warned) -> None:
    states: list[SearchState] = []
    executor = Hanging(warned, states)
    settings = LoopSettings(evaluations=4, concurrency=2, quiet_s=0.2)
    search = Search(problem(), Listed(architectures(4)), executor, settings)
    states.append(search.state)
    state = search.run()
    assert len(state.results) == 4  # a warning ends nothing
    assert "trial 2 (0-0-0-0-0-2) on host:1 for 6 min 40 s" in warned.texts[0]
    assert "trial 3 (0-0-0-0-0-3), which waits for a worker" in warned.texts[0]
    assert "timeout_s" in warned.texts[0]
    assert executor.troubles[0] == warned.texts[0]  # where the panel finds it
    assert state.silence == ""


def test_a_candidate_that_hangs_in_this_process_is_named_with_its_line(
    warned: Warned, tmp_path: Path
) -> None:
    def evaluate(trial: Trial) -> Mapping[str, float]:
        if trial.id == 1:
            assert warned.event.wait(PATIENCE_S)
        return quick(trial)

    loop = LoopSettings(evaluations=2, quiet_s=0.2)
    nas.search(Grid(), ["error"], evaluate, algorithm="random", loop=loop, out=tmp_path / "run")
    assert "trial 1 (" in warned.texts[0]
    assert f"{Path(__file__)}, line" in warned.texts[0]


def test_without_a_setting_the_silence_is_ten_median_trials_and_at_least_five_minutes() -> None:
    search = Search(problem(), Listed(architectures(1)), SerialExecutor(quick), LoopSettings())
    watch = search._silence
    assert watch.longest_s == 300.0
    for seconds in (10.0, 80.0, 100.0):
        watch.arrived(Result(Trial(0, architectures(1)[0], 0), Status.OK, {}, seconds))
    assert watch.longest_s == 800.0


def test_a_warning_is_repeated_when_the_silence_has_doubled_and_not_before(warned: Warned) -> None:
    from nas.engine.silence import SilenceWatch

    now = [0.0]
    search = Search(problem(), Listed(architectures(1)), SerialExecutor(quick), LoopSettings())
    watch = SilenceWatch(search.state, clock=lambda: now[0])
    for at, count in ((299.0, 0), (301.0, 1), (599.0, 1), (603.0, 2), (1200.0, 2), (1207.0, 3)):
        now[0] = at
        watch.look()
        assert len(warned.texts) == count, at
    assert "No trial is running; the search itself is at " in warned.texts[0]


def test_another_process_can_read_the_silence(
    tmp_path: Path, warned: Warned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.engine.heartbeat.EVERY_S", 0.02)
    read: list[str] = []

    def evaluate(trial: Trial) -> Mapping[str, float]:
        give_up = time.monotonic() + PATIENCE_S
        while trial.id == 1 and not read:
            assert time.monotonic() < give_up
            beat = read_heartbeat(tmp_path / "run")
            read.extend([beat.silence] if beat is not None and beat.silence else [])
            time.sleep(0.01)
        return quick(trial)

    loop = LoopSettings(evaluations=2, quiet_s=0.1)
    nas.search(Grid(), ["error"], evaluate, algorithm="random", loop=loop, out=tmp_path / "run")
    assert read[0] in warned.texts


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), "soon", True])
def test_an_invalid_silence_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="quiet_s"):
        LoopSettings(quiet_s=value)  # type: ignore[arg-type]


class Slow(SerialExecutor):
    """Takes an hour a trial on a virtual clock."""

    passed = 0.0

    def now(self) -> float:
        return self.passed

    def collect(self, timeout: float | None = None) -> list[Result]:
        self.passed += 3600.0
        return super().collect(timeout)


@pytest.mark.parametrize(("at_least", "evaluated"), [(0, 1), (5, 5), (30, 12)])
def test_a_time_limit_counts_once_the_least_number_of_evaluations_was_made(
    at_least: int, evaluated: int
) -> None:
    settings = LoopSettings(evaluations=12, seconds=140.0, at_least=at_least, concurrency=1)
    state = Search(problem(), Listed(architectures(40)), Slow(quick), settings).run()
    assert len(state.results) == evaluated


def test_the_first_search_makes_thirty_evaluations_at_any_load() -> None:
    from nas.config.assemble import built_in_config
    from nas.config.schema import check_config, read_config

    path = built_in_config("muxnet-tiny")
    assert path is not None
    budget = check_config(read_config(path)).budget
    assert (budget.evaluations, budget.seconds, budget.at_least) == (70, 140, 30)


@pytest.mark.parametrize("value", [-1, 2.5, True, None])
def test_an_invalid_least_number_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="at_least"):
        LoopSettings(at_least=value)  # type: ignore[arg-type]
