"""The status of a search in this process, readable from any thread."""

from __future__ import annotations

import threading
import time

from nas.core.records import Note, Result
from nas.engine.callbacks import Callback
from nas.engine.expected import ExpectedFront
from nas.engine.search_state import SearchState
from nas.engine.work import trains, workers_of
from nas.monitor.records import Heading, RunStatus
from nas.monitor.tally import Expected, RunTally, Told
from nas.runs.notes import SURROGATE
from nas.runs.sharing_quality import SHARING


class LiveStatus(Callback):
    """A callback that gives the status of the search at any moment; it processes results only on request."""

    def __init__(self, algorithm: str = "") -> None:
        """`algorithm` is the name to show; the search's state does not hold it."""
        self._algorithm = algorithm
        self._state: SearchState | None = None
        self._tally: RunTally | None = None
        self._taken = 0  # results in the tally
        self._front: ExpectedFront | None = None  # the newest, and the one in the tally
        self._shown: ExpectedFront | None = None
        self._times: list[float] = []  # search time of each result of this session
        self._before = 0  # results of earlier sessions
        self._last_result: float | None = None
        self._outcome = ""
        self._lock = threading.Lock()

    def begin(self, state: SearchState) -> None:
        """Read the results of earlier sessions."""
        settings = state.settings
        heading = Heading(
            state.problem.space.name,
            self._algorithm,
            settings.seed,
            settings.evaluations,
            settings.seconds,
            "" if state.out is None else str(state.out),
            settings.at_least,
            dict(getattr(state.problem.evaluate, "original", None) or {}),
        )
        tally = RunTally(heading, state.problem.objectives, state.problem.limits, state.initial)
        for result in state.imported:
            tally.begin_with(
                result.trial.architecture, result.trial.budget, state.problem.observe(result).objectives
            )
        with self._lock:
            self._state, self._tally = state, tally
            self._before, self._taken, self._times = len(state.results), 0, []
            self._front, self._shown = state.expected, None

    def told(self, state: SearchState, result: Result) -> None:
        """Record the time of the result."""
        self._front = state.expected  # here, since other threads only read
        self._times.append(state.seconds)
        self._last_result = time.time()

    def end(self, state: SearchState, outcome: str) -> None:
        """Record how the search ended."""
        self._front = state.expected
        self._outcome = outcome

    def now(self) -> RunStatus | None:
        """The status of the search; None before it begins. May be called on any thread."""
        with self._lock:
            state, tally = self._state, self._tally
            if state is None or tally is None:
                return None
            seconds = state.seconds
            self._catch_up(state, tally)
            workers, waiting = workers_of(state)
            return tally.status(
                seconds,
                workers=workers,
                waiting=waiting,
                trains=trains(state),
                checked=state.problem.checked if state.problem.slow_costs else 0,
                notes=state.newest(SURROGATE) + _on_sharing(state),
                ticking=state.clock is time.monotonic,
                last_result=self._last_result,
                outcome=self._outcome,
                trouble=state.silence,
            )

    def _catch_up(self, state: SearchState, tally: RunTally) -> None:
        there = self._before + len(self._times)  # results with a time
        for place in range(self._taken, there):
            result = state.results[place]
            seen = state.problem.observe(result)
            tally.take(
                Told(
                    result.trial.architecture,
                    result.trial.budget,
                    seen.objectives if seen.ok else None,
                    result.status.value,
                    result.error,
                    self._times[place - self._before] if place >= self._before else None,
                )
            )
        self._taken = there
        if self._front is not None and self._front is not self._shown:
            self._shown = self._front
            noisy = self._shown.noisy
            values = {a: point[noisy] for a, point in self._shown.points.items()}
            tally.expect(Expected(noisy, values, self._shown.budget))


def _on_sharing(state: SearchState) -> list[Note]:
    """All notes on inherited errors; most searches have none."""
    return [note for note in state.notes if note.kind == SHARING] if state.newest(SHARING) else []
