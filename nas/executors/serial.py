"""Run trials in this process, one after the other; no Ray, no copies, easy to debug."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import NoReturn

import numpy as np

from nas.core.errors import ExecutorError
from nas.core.evaluator import Evaluate
from nas.core.records import Result, Status, Trial, WorkerState
from nas.executors.settings import SerialSettings
from nas.executors.threads import ThreadLimit
from nas.executors.worker import TimeUp, run_trial

_LOG = logging.getLogger(__name__)


class SerialExecutor:
    """One slot, in this process: `submit` queues, `collect` runs the oldest trial and returns its result.

    From the first trial to `close` the process uses one thread for numerical work, like a Ray worker, so that both
    give the same values. The evaluator's output is shown.

    The time limit uses an alarm signal, and takes effect when the interpreter next runs a bytecode: it ends Python loops,
    sleeps and waits, but not a single long call into compiled code, nor an evaluator that catches
    `BaseException`. In a thread other than the main one, where no signal arrives, it does not interrupt sleeps and waits
    either: it takes effect after them, and the constructor logs a warning. The Ray executor kills the process, so its
    limit always holds. There is no memory limit here. `os._exit` in an evaluator makes its
    trial `LOST`, as on Ray; an evaluator that ends the process by a signal ends the search.
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
        if self.settings.timeout_s is not None and not _has_alarm():
            _LOG.warning(
                "timeout_s=%g: this search does not run in the main thread, so the executor 'serial' cannot cut a sleep, a wait or a "
                "call into compiled code short; such a candidate times out only after it. Run the search in the main "
                "thread, or use the executor 'ray', to end it at once.",
                self.settings.timeout_s,
            )

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
            result = run_here(self._limited, self._queue[0], self._required, worker=self._worker)
        finally:
            self._running = None
        self._queue.popleft()
        return [result]

    def workers(self) -> list[WorkerState]:
        """This process, with the trial that `collect` is running."""
        running = self._running
        if running is None:
            return [WorkerState(self._worker)]
        return [WorkerState(self._worker, running[0], time.monotonic() - running[1])]

    def _limited(self, trial: Trial) -> Mapping[str, float]:
        # inside the guard of run_trial, so that a late alarm cannot escape
        with _time_limit(self.settings.timeout_s):
            return self._evaluate(trial)

    def close(self) -> None:
        """Drop waiting trials and restore the process's threads; may be called twice."""
        self._closed = True
        self._queue.clear()
        self._threads.restore()


@contextmanager
def _time_limit(seconds: float | None) -> Iterator[None]:
    """Raise `TimeUp` in the body after `seconds`: by an alarm signal, or between two bytecodes if no signal arrives."""
    if seconds is None:
        yield
    elif _has_alarm():
        with _alarm(seconds):
            yield
    else:
        with _thrown(seconds):
            yield


def _has_alarm() -> bool:
    """Whether the system and this thread have alarm signals."""
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
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
        if left_before:  # another alarm (such as a test's time limit) continues, a little late
            signal.setitimer(signal.ITIMER_REAL, left_before, every_before)


@contextmanager
def _thrown(seconds: float) -> Iterator[None]:
    """Let the interpreter raise `TimeUp` in this thread between two bytecodes."""
    raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
    thread, lock, over = ctypes.c_ulong(threading.get_ident()), threading.Lock(), threading.Event()

    def ring() -> None:
        with lock:
            if not over.is_set():
                raise_in(thread, ctypes.py_object(TimeUp))

    timer = threading.Timer(seconds, ring)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:  # a pending one arrives in these lines at the latest, still inside the guard of run_trial
        try:
            timer.cancel()
        finally:
            with lock:
                over.set()
                raise_in(thread, None)


def run_here(
    evaluate: Evaluate, trial: Trial, required: frozenset[str] | None = None, *, worker: str = ""
) -> Result:
    """As `run_trial`, for a candidate that must not end this process: one that calls `os._exit` is `LOST`."""
    with _exit_caught() as codes, np.errstate():  # restores the candidate's np.seterr
        result = run_trial(evaluate, trial, required, worker=worker)
    if not codes:
        return result
    reason = f"the candidate ended its process: os._exit({codes[0]!r})"
    return replace(result, status=Status.LOST, values={}, error=reason)


class _ProcessEnded(BaseException):
    """Raised in place of the end of the process."""


@contextmanager
def _exit_caught() -> Iterator[list[int]]:
    """Turn `os._exit` in this thread into an exception; the list holds the codes that it was called with.

    Forked children and other threads are not affected.
    """
    leave, process, thread = os._exit, os.getpid(), threading.get_ident()
    codes: list[int] = []

    def caught(status: int) -> NoReturn:
        if os.getpid() != process or threading.get_ident() != thread:
            leave(status)
        codes.append(status)
        raise _ProcessEnded(status)

    os._exit = caught
    try:
        yield codes
    finally:
        os._exit = leave
