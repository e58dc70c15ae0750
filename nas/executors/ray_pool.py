"""A pool of Ray workers that is fed as results arrive, with no barrier.

One thread owns everything that changes here. Others only put calls into its inbox: the search when it
submits, Ray when a worker is ready or done. So a worker gets its next trial within a millisecond or two
of finishing one, even while the search is busy thinking, and nothing needs a lock.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError

from nas.errors import ExecutorError
from nas.executors.ray_worker import WorkerInfo, WorkerSpec, actor_class
from nas.executors.settings import RaySettings
from nas.executors.worker import clip, one_line
from nas.records import Result, Status, Trial

_LOG = logging.getLogger(__name__)
_STARTS = 3  # a worker that dies this often before its first trial will not come up the next time either
_PATIENCE_S = 60.0  # between warnings that no worker has room to start


@dataclass(frozen=True, slots=True, eq=False)
class _Attempt:
    """A trial on its way: `deaths` workers died of it before; times are 0 until it runs."""

    trial: Trial
    deaths: int = 0
    started: float = 0.0
    deadline: float | None = None


@dataclass(slots=True, eq=False)
class _Slot:
    """A place for one worker process. `info` is None until that process is ready."""

    actor: Any = None
    info: WorkerInfo | None = None
    attempt: _Attempt | None = None
    failed_starts: int = 0


class WorkerPool:
    """Runs trials on `settings.workers` processes and hands every result to `deliver`.

    `deliver` is called on the pool's thread with a `Result` or, once and last, with an `ExecutorError` when
    no worker can be started. `packed` refers to the pickled evaluator in Ray's object store.
    """

    def __init__(
        self,
        settings: RaySettings,
        packed: Any,
        spec: WorkerSpec,
        deliver: Callable[[Result | ExecutorError], None],
    ) -> None:
        self._settings = settings
        self._load_arguments = (packed, spec)
        self._deliver = deliver
        self._actor_class = actor_class(settings.cpus_per_trial, settings.gpus_per_trial)
        self._waiting: deque[_Attempt] = deque()
        self._slots = [_Slot() for _ in range(settings.workers)]
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._last_ready = time.monotonic()
        self._thread = threading.Thread(target=self._main, name="nas-ray-pool", daemon=True)
        self._thread.start()

    def submit(self, trial: Trial) -> None:
        """Run the trial as soon as a worker is idle, after those submitted before."""
        self._inbox.put(partial(self._waiting.append, _Attempt(trial)))

    def stop(self) -> None:
        """End the thread, then every worker process with whatever it runs; may be called twice."""
        self._inbox.put(None)
        self._thread.join(timeout=30.0)
        for slot in self._slots:
            self._kill(slot)

    def _main(self) -> None:
        try:
            for slot in self._slots:
                self._start(slot)
            while self._handle_events():
                self._stop_overdue()
                self._feed()
                self._warn_when_stuck()
        except ExecutorError as failure:
            self._deliver(failure)
        except Exception as failure:  # the search must hear of it rather than wait for ever
            _LOG.exception("the pool of Ray workers stopped")
            self._deliver(ExecutorError(f"the pool of Ray workers stopped: {failure!r}"))

    def _handle_events(self) -> bool:
        """Wait for the next event and handle all that are there; False when told to stop."""
        try:
            event = self._inbox.get(timeout=self._time_to_deadline())
            while True:
                if event is None:
                    return False
                event()
                event = self._inbox.get_nowait()
        except queue.Empty:
            return True

    def _time_to_deadline(self) -> float:
        deadlines = [s.attempt.deadline for s in self._slots if s.attempt and s.attempt.deadline is not None]
        return min(_PATIENCE_S, max(0.0, min(deadlines, default=float("inf")) - time.monotonic()))

    def _start(self, slot: _Slot) -> None:
        """Begin to start a process for the slot; `_on_loaded` follows, the other slots go on meanwhile."""
        slot.info, slot.attempt = None, None
        slot.actor = self._actor_class.remote()
        self._when_done(
            slot.actor.load.remote(*self._load_arguments), partial(self._on_loaded, slot, slot.actor)
        )

    def _when_done(self, reference: Any, handle: Callable[[Future[Any]], None]) -> None:
        """Have the pool's thread call `handle` when Ray has the outcome."""
        future: Future[Any] = reference.future()
        future.add_done_callback(lambda done: self._inbox.put(partial(handle, done)))

    def _on_loaded(self, slot: _Slot, actor: Any, done: Future[WorkerInfo]) -> None:
        failure = done.exception()
        if slot.actor is not actor:
            return  # news of a process that was given up
        if failure is None:
            slot.info, slot.failed_starts, self._last_ready = done.result(), 0, time.monotonic()
            return
        if isinstance(failure, RayTaskError):
            raise ExecutorError(
                f"the evaluator cannot be loaded on a Ray worker: {one_line(str(failure.cause or failure))}. Its "
                "modules must be importable there; a module loaded from a path is sent with ship_by_value."
            ) from failure
        slot.failed_starts += 1
        if slot.failed_starts >= _STARTS:
            raise ExecutorError(
                f"a Ray worker died {_STARTS} times before it was ready: {one_line(str(failure))}"
            ) from failure
        self._restart(slot)

    def _feed(self) -> None:
        """Give every idle worker the next waiting trial."""
        for slot in self._slots:
            if not self._waiting:
                return
            if slot.info is None or slot.attempt is not None:
                continue
            old = self._waiting.popleft()
            limit = self._settings.timeout_s
            deadline = None if limit is None else time.monotonic() + limit
            slot.attempt = attempt = _Attempt(old.trial, old.deaths, time.time(), deadline)
            self._when_done(slot.actor.run.remote(attempt.trial), partial(self._on_done, slot, attempt))

    def _on_done(self, slot: _Slot, attempt: _Attempt, done: Future[Result]) -> None:
        failure = done.exception()
        if slot.attempt is not attempt:
            return  # it was stopped for its time limit, and has its result
        if failure is None:
            slot.attempt = None
            result = done.result()
            self._deliver(result)
            if self._is_suspect(result.status):
                self._restart(slot)
        elif isinstance(failure, RayTaskError):  # run_trial raises nothing, but memory may end outside it
            status = Status.OUT_OF_MEMORY if isinstance(failure.cause, MemoryError) else Status.FAILED
            self._end(slot, attempt, status, one_line(repr(failure.cause)))
        elif isinstance(failure, OutOfMemoryError):
            reason = "ended by Ray because its machine ran out of memory"
            self._end(slot, attempt, Status.OUT_OF_MEMORY, reason)
        else:
            self._retry(slot, attempt, failure)

    def _is_suspect(self, status: Status) -> bool:
        """Whether the process may be damaged: half an import, or memory that the next trial would miss.

        Under a memory limit any failure may be memory running out in disguise.
        """
        limited = self._settings.memory_bytes is not None
        return status is Status.OUT_OF_MEMORY or (limited and status is Status.FAILED)

    def _retry(self, slot: _Slot, attempt: _Attempt, failure: BaseException) -> None:
        """The process died; that may be the machine's fault, so the trial gets another, at the front."""
        deaths = attempt.deaths + 1
        if deaths > self._settings.retries:
            output = slot.info.output if slot.info else "its log"
            reason = f"the worker process died {deaths} times (retries={self._settings.retries}); last: "
            self._end(slot, attempt, Status.LOST, f"{reason}{_why(failure)}\nWhat it printed: {output}")
            return
        _LOG.warning("trial %d: its worker died (%s); trying again", attempt.trial.id, _why(failure))
        self._waiting.appendleft(_Attempt(attempt.trial, deaths))
        self._restart(slot)

    def _stop_overdue(self) -> None:
        now = time.monotonic()
        for slot in self._slots:
            attempt = slot.attempt
            if attempt is not None and attempt.deadline is not None and attempt.deadline <= now:
                reason = f"stopped after timeout_s={self._settings.timeout_s:g} s, the time limit"
                self._end(slot, attempt, Status.TIMEOUT, reason)

    def _end(self, slot: _Slot, attempt: _Attempt, status: Status, reason: str) -> None:
        """Report a trial that its worker could not report, and replace that worker."""
        worker = slot.info.name if slot.info else ""
        now = time.time()
        seconds = max(0.0, now - attempt.started)
        self._restart(slot)
        self._deliver(Result(attempt.trial, status, {}, seconds, clip(reason), worker, attempt.started, now))

    def _restart(self, slot: _Slot) -> None:
        self._kill(slot)
        self._start(slot)

    @staticmethod
    def _kill(slot: _Slot) -> None:
        actor, slot.actor = slot.actor, None
        if actor is None or not ray.is_initialized():
            return
        try:
            ray.kill(actor, no_restart=True)
        except (RayError, ValueError) as failure:  # already dead
            _LOG.debug("could not kill a worker: %r", failure)

    def _warn_when_stuck(self) -> None:
        now = time.monotonic()
        if any(slot.info for slot in self._slots):
            self._last_ready = now
        elif now - self._last_ready > _PATIENCE_S:
            self._last_ready = now
            _LOG.warning(
                "no Ray worker has started for %.0f s; is the cluster busy with other jobs? Each needs "
                "%g CPUs and %g GPUs.",
                _PATIENCE_S,
                self._settings.cpus_per_trial,
                self._settings.gpus_per_trial,
            )


def _why(failure: BaseException) -> str:
    """The telling part of Ray's page-long message about a dead process."""
    text = one_line(str(failure)) if isinstance(failure, RayActorError) else repr(failure)
    for mark in ("Worker exit detail:", "The actor is dead because"):
        if mark in str(failure):
            text = str(failure).split(mark, 1)[1]
            break
    return one_line(text.split("Some common causes", 1)[0])[:300]
