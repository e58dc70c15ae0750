"""Run trials in this process, one after the other; no Ray, no copies, easy to debug."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from nas.errors import ExecutorError
from nas.executors.settings import SerialSettings
from nas.executors.threads import ThreadLimit
from nas.executors.worker import TimeUp, run_trial
from nas.interfaces import Evaluate
from nas.records import Result, Trial, WorkerState


class SerialExecutor:
    """One slot, in this process: `submit` queues, `collect` runs the oldest trial and returns its result.

    From the first trial to `close` the process is held to one thread of numerical work, as a Ray worker is,
    so that both give the same values. What the evaluator prints is shown.

    The time limit uses an alarm signal. It needs the main thread of a system with `setitimer`, and takes
    effect when the interpreter next runs a bytecode: it ends Python loops, sleeps and waits, but not a single
    long call into compiled code, nor an evaluator that catches `BaseException`. Elsewhere it is not enforced;
    the Ray executor's limit kills the process and always holds. There is no memory limit here, and an
    evaluator that ends its process ends the search.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        settings: SerialSettings | None = None,
        *,
        required: frozenset[str] | None = None,
    ) -> None:
        self.settings = settings or SerialSettings()
        self._evaluate = evaluate
        self._required = None if required is None else frozenset(required)
        self._queue: deque[Trial] = deque()
        self._threads = ThreadLimit(1)
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self._running: tuple[int, float] | None = None  # the trial under way, and since when
        self._closed = False

    @property
    def free(self) -> int:
        """1 while nothing waits, else 0."""
        return 0 if self._queue or self._closed else 1

    def submit(self, trial: Trial) -> None:
        """Queue a trial. Raises `ExecutorError` after `close`."""
        if self._closed:
            raise ExecutorError("submit: this executor is closed; make a new one")
        self._queue.append(trial)

    def collect(self, timeout: float | None = None) -> list[Result]:
        """Run the oldest waiting trial and return its result; [] when nothing waits.

        `timeout` has no effect: the trial runs to its end here. A `KeyboardInterrupt` passes through and
        leaves the trial in the queue.
        """
        if not self._queue:
            return []
        self._threads.apply()
        self._running = self._queue[0].id, time.monotonic()
        try:
            result = run_trial(self._limited, self._queue[0], self._required, worker=self._worker)
        finally:
            self._running = None
        self._queue.popleft()
        return [result]

    def workers(self) -> list[WorkerState]:
        """This process, with the trial that `collect` runs just now."""
        running = self._running
        if running is None:
            return [WorkerState(self._worker)]
        return [WorkerState(self._worker, running[0], time.monotonic() - running[1])]

    def _limited(self, trial: Trial) -> Mapping[str, float]:
        with _alarm(
            self.settings.timeout_s
        ):  # inside what run_trial guards, so that a late alarm cannot escape
            return self._evaluate(trial)

    def close(self) -> None:
        """Forget what waits and give the process its threads back; may be called twice."""
        self._closed = True
        self._queue.clear()
        self._threads.restore()


@contextmanager
def _alarm(seconds: float | None) -> Iterator[None]:
    """Raise `TimeUp` in the body after so many seconds, where the system and the thread allow it."""
    possible = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if seconds is None or not possible:
        yield
        return

    def ring(signum: int, frame: FrameType | None) -> None:
        raise TimeUp

    handler_before = signal.signal(signal.SIGALRM, ring)
    left_before, every_before = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        finally:
            signal.signal(signal.SIGALRM, handler_before)
        if left_before:  # an alarm of someone else (a test's time limit, say) goes on, a little late
            signal.setitimer(signal.ITIMER_REAL, left_before, every_before)
