"""Warn when no result arrives for long, and name the running trials: a candidate may hang."""

from __future__ import annotations

import logging
import os
import statistics
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from types import TracebackType

from nas.core.records import Result, Status
from nas.core.space import text_of
from nas.core.text import duration
from nas.core.timer import RepeatingTimer
from nas.core.tracebacks import is_own
from nas.engine.search_state import SearchState

_LOG = logging.getLogger(__name__)
LEAST_S = 300.0  # default: the shortest reported silence
TIMES = 10.0  # default: reported silence in multiples of the median trial
_RECENT = 100  # trials in the median
_SHOWN = 8  # most running trials in a warning
_TICK_S = 5.0


class SilenceWatch:
    """Context manager that warns after `quiet_s` seconds without a result, and again whenever the silence doubles.

    Default for `quiet_s`: ten times the median time of recent trials, at least five minutes. The watch has its own thread,
    so it also reports a candidate that hangs in this process. The last warning stays in `state.silence` until a result
    arrives.
    """

    def __init__(self, state: SearchState, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._state = state
        self._clock = clock
        self._seconds: deque[float] = deque(maxlen=_RECENT)
        self._heard = clock()
        self._next: float | None = None  # length of the silence at the next warning
        self._main = threading.get_ident()
        quiet = state.settings.quiet_s
        tick = _TICK_S if quiet is None else min(_TICK_S, quiet / 4)
        self._every = RepeatingTimer(tick, self.look)

    def __enter__(self) -> SilenceWatch:
        self._main = threading.get_ident()
        for result in self._state.results[-_RECENT:]:
            self._learn(result)
        self._heard = self._clock()
        self._every.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._every.stop()
        self._state.silence = ""

    def arrived(self, result: Result) -> None:
        """A result arrived: reset the silence."""
        self._learn(result)
        self._heard, self._next = self._clock(), None
        if self._state.silence:
            self._state.silence = ""

    def _learn(self, result: Result) -> None:
        if result.status is not Status.INVALID and result.seconds > 0:
            self._seconds.append(result.seconds)

    @property
    def longest_s(self) -> float:
        """Seconds of silence before the first warning."""
        if self._state.settings.quiet_s is not None:
            return self._state.settings.quiet_s
        usual = list(self._seconds)
        return max(LEAST_S, TIMES * statistics.median(usual)) if usual else LEAST_S

    def look(self) -> None:
        """Warn if the silence is long enough."""
        silent = self._clock() - self._heard
        if silent < (self.longest_s if self._next is None else self._next):
            return
        self._next = 2 * silent
        self._state.silence = self._describe(silent)
        _LOG.warning("%s", self._state.silence)

    def _describe(self, silent: float) -> str:
        usual = list(self._seconds)
        of = f" (the median trial took {_clock(statistics.median(usual))})" if usual else ""
        running = self._running()
        if not running:
            said = f"No trial is running; the search itself is at {self._place()}."
        else:
            more = f"; and {len(running) - _SHOWN} more" if len(running) > _SHOWN else ""
            said = f"Running: {'; '.join(running[:_SHOWN])}{more}."
            said += (
                " If one of them hangs, stop the search (Ctrl-C), set the executor's timeout_s and resume: "
            )
            said += "docs/reliability.md#a-candidate-that-hangs."
        return f"No result for {_clock(silent)}{of}. {said}"

    def _running(self) -> list[str]:
        """Each running trial: its architecture, worker and time."""
        state = self._state
        waiting, texts = dict(state.in_flight), []
        for worker in state.workers():
            trial = None if worker.trial is None else waiting.pop(worker.trial, None)
            if trial is not None:
                here = f", at {self._place()}" if worker.name.endswith(f":{os.getpid()}") else ""
                texts.append(
                    f"trial {trial.id} ({text_of(state.problem.space, trial.architecture)}) on {worker.name} "
                    f"for {_clock(worker.seconds)}{here}"
                )
        for trial in waiting.values():
            texts.append(
                f"trial {trial.id} ({text_of(state.problem.space, trial.architecture)}), which waits for a worker"
            )
        return texts

    def _place(self) -> str:
        """The current line of the search's thread: the innermost line of user code, if any."""
        frame = sys._current_frames().get(self._main)
        if frame is None:
            return "an unknown line"
        frames = traceback.extract_stack(frame)
        own = [f for f in frames if is_own(f.filename)]
        at = (own or frames)[-1]
        return f"{at.filename}, line {at.lineno}, in {at.name}"


def _clock(seconds: float) -> str:
    """A duration for display, with two digits below ten seconds."""
    return f"{seconds:.2g} s" if seconds < 10 else duration(seconds)
