"""Run trials in this process at once; a virtual clock gives their times on many workers."""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from nas.core.errors import ExecutorError
from nas.core.evaluator import Evaluate
from nas.core.records import Result, Status, Trial, WorkerState
from nas.executors.serial import run_here
from nas.executors.settings import SimulatedSettings
from nas.executors.threads import ThreadLimit


class SimulatedExecutor:
    """`settings.workers` logical workers on a virtual clock: a search of days in the time of its table look-ups.

    A trial starts when a worker is free, first come first served, and takes as many virtual seconds as the
    evaluator reports under `settings.seconds` (or `settings.seconds_per_trial`). Results come back in the order
    in which they end on that clock, and carry its times: `seconds`, `started` and `finished`, counted from 0 when
    the executor was made. `worker` is the logical worker. The search takes its own time from `now`, so that a
    time limit and the curves over time are virtual too. Deterministic, unless `settings.thinking` adds
    the real time that the search spends between the calls.

    With `settings.generational` there is a barrier: trials submitted while others run wait until all of them
    have ended, then one trial per worker starts; `free` is 0 meanwhile.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        settings: SimulatedSettings | None = None,
        *,
        required: frozenset[str] | None = None,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`stopwatch` measures the thinking, in seconds."""
        self.settings = settings or SimulatedSettings()
        self._stopwatch = stopwatch
        self._evaluate = evaluate
        key = self.settings.seconds
        self._required = required if key is None else frozenset(required or ()) | {key}
        self._waiting: deque[tuple[float, Trial]] = deque()  # with the time of submission
        self._running: list[tuple[float, int, Result]] = []  # a heap: when it ends, which started first
        self._workers = [(0.0, number) for number in range(self.settings.workers)]  # a heap: free from when
        self._started = 0  # trials so far
        self._time = 0.0
        self._threads = ThreadLimit(1)
        self._thinking_since: float | None = stopwatch() if self.settings.thinking else None
        self._closed = False

    def now(self) -> float:
        """Virtual seconds since this executor was made; never goes back."""
        since = self._thinking_since
        return self._time if since is None else self._time + self._stopwatch() - since

    @property
    def free(self) -> int:
        """Workers without a trial now; with a barrier, none before every result of the last batch is collected."""
        if self._closed or (self.settings.generational and self._running):
            return 0
        now = self.now()
        busy = sum(finish > now for finish, _, _ in self._running)
        return max(0, self.settings.workers - busy - len(self._waiting))

    def submit(self, trial: Trial) -> None:
        """Queue a trial now. Raises `ExecutorError` after `close`."""
        if self._closed:
            raise ExecutorError("submit: this executor is closed; make a new one")
        self._waiting.append((self.now(), trial))

    def collect(self, timeout: float | None = None) -> list[Result]:
        """Evaluate the trials that can start, advance the clock to the next end, and return the results that ended.

        [] when no trial is unfinished. `timeout` has no effect: virtual time passes at once. A `KeyboardInterrupt`
        passes through and leaves the trial in the queue.
        """
        with self._thinking_stopped():
            self._start_waiting()
            if not self._running:
                return []
            self._time = max(self._time, self._running[0][0])
            ended = []
            while self._running and self._running[0][0] <= self._time:
                ended.append(heapq.heappop(self._running)[2])
            return ended

    def workers(self) -> list[WorkerState]:
        """The trial of each logical worker at this virtual time."""
        now = self.now()
        running = {r.worker: r for _, _, r in list(self._running) if r.started <= now < r.finished}
        states = []
        for name in map(_name, range(self.settings.workers)):
            result = running.get(name)
            busy = None if result is None else WorkerState(name, result.trial.id, now - result.started)
            states.append(busy or WorkerState(name))
        return states

    def close(self) -> None:
        """Drop waiting trials and restore the process's threads; may be called twice."""
        self._closed = True
        self._waiting.clear()
        self._running.clear()
        self._threads.restore()

    @contextmanager
    def _thinking_stopped(self) -> Iterator[None]:
        """The clock stands still in real time while a candidate is evaluated here."""
        self._time = self.now()
        thinking, self._thinking_since = self._thinking_since is not None, None
        try:
            yield
        finally:
            self._thinking_since = self._stopwatch() if thinking else None

    def _start_waiting(self) -> None:
        """Give each trial that may start to the worker that is free first; its end is known at once."""
        if not self.settings.generational:
            while self._waiting:
                self._start_next(self._waiting[0][0])
        elif not self._running:
            batch = min(len(self._waiting), self.settings.workers)
            submitted = [at for at, _ in self._waiting][:batch]
            together = max([*submitted, *(free for free, _ in self._workers)])
            for _ in range(batch):
                self._start_next(together)

    def _start_next(self, earliest: float) -> None:
        trial = self._waiting[0][1]
        free, number = self._workers[0]
        self._threads.apply()
        result = self._timed(run_here(self._evaluate, trial, self._required), max(earliest, free), number)
        heapq.heapreplace(self._workers, (result.finished, number))
        heapq.heappush(self._running, (result.finished, self._started, result))
        self._started += 1
        self._waiting.popleft()

    def _timed(self, result: Result, start: float, number: int) -> Result:
        """The result with its times on the virtual clock."""
        seconds, key = self.settings.seconds_per_trial, self.settings.seconds
        if key is not None and result.ok:
            seconds = result.values[key]
            if seconds < 0:
                reason = f"evaluate returned {key}={seconds:g}; expected seconds, at least 0"
                result = Result(result.trial, Status.FAILED, error=reason)
                seconds = self.settings.seconds_per_trial
        return replace(result, seconds=seconds, worker=_name(number), started=start, finished=start + seconds)


def _name(number: int) -> str:
    return f"simulated:{number}"
