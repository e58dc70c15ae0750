"""A pool of Ray workers without a barrier: a worker gets its next trial when it finishes one.

One thread owns everything that changes here. Others only put calls into its inbox: the pipe to the search when
it submits, Ray when a worker is ready or done, the watch when machines come and go. So a worker gets its next
trial within a millisecond or two of finishing one, and nothing needs a lock.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError

from nas.core.errors import ExecutorError
from nas.core.records import Architecture, Result, Status, Trial
from nas.executors.address import is_local, refused
from nas.executors.capacity import Node, Share, check_room, room
from nas.executors.output import last_lines
from nas.executors.ray_messages import Doing, Done, Failed, Lost, Room, Start, Work, pack_report, status_of
from nas.executors.ray_watch import Watch, alive_nodes
from nas.executors.ray_worker import WorkerInfo, actor_class
from nas.executors.worker import clip, describe_failure, one_line

_LOG = logging.getLogger(__name__)
_STARTS = 3  # times that every worker may die before its first trial until the pool gives up
_LAST_OUTPUT_S = 2.0  # longest wait for the last output of a process that died
_TICK_S = 1.0  # between checks whether Ray answers
_SILENCE_S = 10.0  # without an answer before it counts as silence
_DOING_S = 0.5  # between two reports of the workers' activity
_SAY_S = 60.0  # between warnings of the same kind
_HUNGRY_S = 1.0  # after which others make room for a worker of another size that finds none


@dataclass(frozen=True, slots=True, eq=False)
class _Attempt:
    """A trial on its way: `deaths` workers died of it before; times are 0 until it runs."""

    work: Work
    deaths: int = 0
    started: float = 0.0  # by the clock of the day
    begun: float = 0.0  # by the clock that cannot jump
    deadline: float | None = None


@dataclass(slots=True, eq=False)
class _Slot:
    """A place for one worker process. `info` is None until that process is ready; `actor` while it makes room."""

    share: Share
    actor: Any = None
    info: WorkerInfo | None = None
    attempt: _Attempt | None = None
    asked: float = 0.0  # when its process was asked for


class WorkerPool:
    """Runs trials on up to `settings.workers` processes and hands every result to `deliver`.

    `deliver` is called on the pool's thread with `Done` for each trial; with `Room` at first and whenever machines come or go, with `Doing` now and then; or, once
    and last, with `Failed` when no worker can be started, or `Lost` when the cluster at `head` is gone.
    """

    def __init__(self, start: Start, head: str, deliver: Callable[[Any], None]) -> None:
        self._settings = start.settings
        self._share = start.settings.share
        self._load_arguments = (ray.put(start.packed), start.spec)
        self._head = head
        self._own_cluster = is_local(start.settings.address)
        self._deliver = deliver
        self._waiting: deque[_Attempt] = deque()  # for workers of the usual size
        self._unusual: deque[_Attempt] = deque()  # for others
        self._unjudged: list[
            tuple[float, Callable[[], None]]
        ] = []  # deaths that may mean the end of the cluster
        self._nodes: Sequence[Node] = alive_nodes()
        if not start.grows:
            check_room(self._nodes, self._share)
        self._slots = [_Slot(self._share) for _ in range(self._settings.workers)]
        self._room = -1
        self._failed_starts = 0  # since a worker came up
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._heard = self._last_ready = self._said_stuck = time.monotonic()
        self._said_silent = False
        self._doing = Doing(())  # as last reported
        self._said_doing = 0.0  # when that was looked at
        self._crowded = False  # whether room is being made for a worker of another size
        self._target: str | None = None  # on which machine
        self._tell_room()
        self._unanswered = ""  # why the last question to Ray failed
        self._watch = Watch(
            lambda *answer: self._inbox.put(partial(self._on_nodes, *answer)),
            lambda reason: self._inbox.put(partial(self._on_no_answer, reason)),
        )
        self._thread = threading.Thread(target=self._main, name="nas-ray-pool", daemon=True)
        self._thread.start()

    def submit(self, work: Work) -> None:
        """Run the trial as soon as a worker is idle, after those submitted before."""
        self._inbox.put(partial(self._queue(work.share).append, _Attempt(work)))

    def _queue(self, share: Share) -> deque[_Attempt]:
        return self._waiting if share == self._share else self._unusual

    def stop(self) -> None:
        """End the threads, then every worker process and its children; may be called twice."""
        self._watch.stop()
        self._inbox.put(None)
        self._thread.join(timeout=30.0)
        for slot in self._slots:
            self._kill(slot)

    def _main(self) -> None:
        try:
            while self._handle_events():
                self._stop_overdue()
                self._check_silence()
                self._make_room()
                self._start_missing()
                self._feed()
                self._tell_doing()
                self._check_stuck()
        except ExecutorError as failure:
            self._deliver(Failed(str(failure)))
        except BaseException as failure:  # Ray raises anything while its cluster goes away
            silent = time.monotonic() - self._heard
            self._deliver(Lost(f"the pool of Ray workers stopped: {failure!r}", silent))

    def _handle_events(self) -> bool:
        """Wait for an event, then handle all queued ones; False after a request to stop."""
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
        return min(_TICK_S, max(0.0, min(deadlines, default=float("inf")) - time.monotonic()))

    def _on_nodes(self, nodes: Sequence[Node], gone: bool, asked: float) -> None:
        """Ray answered what was `asked` then: these machines are there, and this process's own is `gone` or not."""
        if gone:
            self._lose("the Ray node of this machine, which connects to the cluster, has died")
        if self._said_silent:
            _LOG.warning("Ray answers again")
        self._heard, self._said_silent, self._unanswered = time.monotonic(), False, ""
        self._nodes = nodes
        self._tell_room()
        judged = [judge for died, judge in self._unjudged if died <= asked]
        self._unjudged = [(died, judge) for died, judge in self._unjudged if died > asked]
        for judge in judged:
            judge()

    def _on_no_answer(self, reason: str) -> None:
        """Asking Ray failed. That counts as silence: it may answer again."""
        if not self._unanswered:
            _LOG.debug("asking Ray failed: %s", reason)
        self._unanswered = reason

    def _tell_room(self) -> None:
        fits = int(min(self._settings.workers, room(self._nodes, self._share)))
        if fits != self._room:
            if fits < self._settings.workers:
                _LOG.warning(
                    "the Ray cluster has room for %d of %d workers now; the others start when machines join",
                    fits,
                    self._settings.workers,
                )
            self._room = fits
            self._deliver(Room(fits))

    def _tell_doing(self) -> None:
        """Report the workers' trials if they changed; seldom, since results come by the thousand."""
        now = time.monotonic()
        if now - self._said_doing < _DOING_S:
            return
        self._said_doing = now
        ready = [(s.info.name, s.attempt) for s in self._slots if s.info is not None]
        doing = Doing([(n, a.work.number, a.started) if a is not None else (n, None, 0.0) for n, a in ready])
        if doing != self._doing:
            self._doing = doing
            self._deliver(doing)

    def _check_silence(self) -> None:
        """Wait while Ray may only be halted; once nothing listens any more, the cluster is lost."""
        silent = time.monotonic() - self._heard
        if silent < _SILENCE_S:
            return
        if not self._said_silent:
            self._said_silent = True
            _LOG.warning(
                "Ray has not answered for %.0f s%s; waiting up to %g s (patience_s)",
                silent,
                f" ({self._unanswered})" if self._unanswered else "",
                self._settings.patience_s,
            )
        why = refused(self._head)
        if why is not None:
            self._lose(f"the Ray cluster at {self._head} is gone: {why}")
        if silent > self._settings.patience_s:
            self._lose(f"the Ray cluster at {self._head} has been silent for {silent:.0f} s")

    def _lose(self, text: str) -> None:
        self._deliver(Lost(text, time.monotonic() - self._heard))
        raise ExecutorError(text)  # not reached by a search, which ends this process at the word before

    def _make_room(self) -> None:
        """While a worker of another size waits for a place, free one machine for it.

        Idle workers there end, and those that become idle; no worker of the usual size starts meanwhile, since it
        would take the place.
        """
        now = time.monotonic()
        hungry = next((s for s in self._slots if self._is_hungry(s, now)), None)
        self._crowded = hungry is not None
        if hungry is None:
            self._target = None
            return
        if self._target not in [n.id for n in self._nodes]:
            large = [n for n in self._nodes if room([n], hungry.share) >= 1]
            if not large:
                self._crowded = False  # a machine must join; the present workers continue
                return
            self._target = min(large, key=lambda n: (self._busy_on(n.id), n.id)).id
        for slot in self._slots:
            usual, idle = slot.share == self._share, slot.attempt is None
            if (
                usual
                and idle
                and slot.actor is not None
                and (slot.info is None or slot.info.node == self._target)
            ):
                self._kill(slot)

    def _is_hungry(self, slot: _Slot, now: float) -> bool:
        waits = slot.actor is not None and slot.info is None
        return waits and slot.share != self._share and now - slot.asked > _HUNGRY_S

    def _busy_on(self, node: str) -> int:
        return sum(s.attempt is not None and s.info is not None and s.info.node == node for s in self._slots)

    def _start_missing(self) -> None:
        """A process for every slot that has none, but none of the usual size while room is made for another."""
        for slot in self._slots:
            if slot.actor is None and not (self._crowded and slot.share == self._share):
                self._start(slot)

    def _start(self, slot: _Slot) -> None:
        """Start a process for the slot in the background; `_on_loaded` follows. The other slots continue."""
        slot.actor = actor_class(slot.share).remote()
        slot.asked = time.monotonic()
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
            slot.info, self._failed_starts = done.result(), 0
            return
        if isinstance(failure, RayTaskError):
            raise ExecutorError(
                f"the evaluator cannot be loaded on a Ray worker: {one_line(str(failure.cause or failure))}. Its "
                "modules must be importable there; a module loaded from a path is sent with ship_by_value."
            ) from failure
        self._unjudged.append((time.monotonic(), partial(self._start_failed, slot, actor, failure)))
        self._watch.wake()

    def _start_failed(self, slot: _Slot, actor: Any, failure: BaseException) -> None:
        """Handle the death of a process before its first trial; give up when all die repeatedly."""
        if slot.actor is not actor:
            return
        self._kill(slot)
        self._failed_starts += 1
        if self._failed_starts >= _STARTS * max(1, self._room) and not any(s.info for s in self._slots):
            raise ExecutorError(
                f"{self._failed_starts} Ray workers died before they were ready, and none came up: "
                f"{one_line(str(failure))}"
            ) from failure

    def _feed(self) -> None:
        """Give waiting trials, in their order, to idle workers of the size that they need."""
        for slot in self._slots:
            if slot.info is None or slot.attempt is not None:
                continue
            if slot.share == self._share:
                if self._waiting:
                    self._give(slot, self._waiting.popleft())
                continue
            attempt = next((a for a in self._unusual if a.work.share == slot.share), None)
            if attempt is None:
                self._resize(slot, self._share)
            else:
                self._unusual.remove(attempt)
                self._give(slot, attempt)
        for share in dict.fromkeys(a.work.share for a in self._unusual):
            self._provide(share)

    def _provide(self, share: Share) -> None:
        """Turn usual slots that have nothing to do into ones of this size, as many as wait for it."""
        waiting = sum(a.work.share == share for a in self._unusual)
        coming = sum(s.share == share and s.attempt is None for s in self._slots)
        spare = [s for s in self._slots if s.share == self._share and s.attempt is None]
        spare.sort(key=lambda s: s.info is not None)  # those that have no process yet first
        for slot in spare[: max(0, waiting - coming)]:
            self._resize(slot, share)

    def _resize(self, slot: _Slot, share: Share) -> None:
        self._kill(slot)
        slot.share = share

    def _give(self, slot: _Slot, old: _Attempt) -> None:
        limit = self._settings.timeout_s
        begun = time.monotonic()
        deadline = None if limit is None else begun + limit
        slot.attempt = attempt = replace(old, started=time.time(), begun=begun, deadline=deadline)
        # bytes, in both directions, cost a tenth of Ray's own pickling
        self._when_done(slot.actor.run.remote(old.work.packed), partial(self._on_done, slot, attempt))

    def _on_done(self, slot: _Slot, attempt: _Attempt, done: Future[bytes]) -> None:
        failure = done.exception()
        if slot.attempt is not attempt:
            return  # it was stopped for its time limit, and has its result
        if failure is None:
            slot.attempt = None
            self._take_report(slot, attempt, done.result())
        elif isinstance(failure, RayTaskError):  # run_trial raises nothing, but memory may end outside it
            status = Status.OUT_OF_MEMORY if isinstance(failure.cause, MemoryError) else Status.FAILED
            self._end(slot, attempt, status, describe_failure(failure.cause).splitlines()[0])
        elif isinstance(failure, OutOfMemoryError):
            reason = "ended by Ray because its machine ran out of memory"
            self._end(slot, attempt, Status.OUT_OF_MEMORY, reason)
        else:
            self._unjudged.append((time.monotonic(), partial(self._retry, slot, attempt, failure)))
            self._watch.wake()

    def _take_report(self, slot: _Slot, attempt: _Attempt, report: bytes) -> None:
        """Pass on the worker's report of the trial; end a process whose report cannot be read."""
        try:
            suspect = self._is_suspect(status_of(report))
        except Exception:
            suspect = True
        self._deliver(Done(attempt.work.number, report))
        if suspect:
            self._kill(slot)

    def _is_suspect(self, status: Status) -> bool:
        """Whether the process may be damaged: half an import, or memory that the next trial would miss.

        Under a memory limit any failure may be memory running out in disguise.
        """
        limited = self._settings.memory_bytes is not None
        return status is Status.OUT_OF_MEMORY or (limited and status is Status.FAILED)

    def _retry(self, slot: _Slot, attempt: _Attempt, failure: BaseException) -> None:
        """Handle the death of the process: the trial goes to the front of the queue, since the machine may be at fault.

        Decided once Ray has answered since: the end of the whole cluster does not count against the trial.
        """
        if slot.attempt is not attempt:
            return  # its time was up meanwhile
        deaths = attempt.deaths + 1
        if deaths > self._settings.retries:
            reason = f"the worker process died {deaths} times (retries={self._settings.retries}); last: "
            self._end(slot, attempt, Status.LOST, f"{reason}{_why(failure)}{self._printed(slot)}")
            return
        _LOG.warning("trial %d: its worker died (%s); trying again", attempt.work.number, _why(failure))
        self._queue(attempt.work.share).appendleft(_Attempt(attempt.work, deaths))
        self._kill(slot)

    def _printed(self, slot: _Slot) -> str:
        """The end of the output of the slot's process if readable here; else the location of the output."""
        if slot.info is None:
            return ""
        end = last_lines(slot.info.output, _LAST_OUTPUT_S)
        where = "" if self._own_cluster else f" ({slot.info.output} on {slot.info.name})"
        return f"\nIts last output{where}:\n{end}" if end or where else ""

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
        seconds = time.monotonic() - attempt.begun
        self._kill(slot)
        trial = Trial(attempt.work.number, Architecture("", ()), 0)  # which the search knows itself
        result = Result(
            trial, status, {}, seconds, clip(reason), worker, attempt.started, attempt.started + seconds
        )
        self._deliver(Done(attempt.work.number, pack_report(result)))

    @staticmethod
    def _kill(slot: _Slot) -> None:
        """End the slot's process; another is started in its place in due course."""
        actor, slot.actor, slot.info, slot.attempt = slot.actor, None, None, None
        if actor is None or not ray.is_initialized():
            return
        try:
            ray.kill(actor, no_restart=True)
        except (RayError, ValueError) as failure:  # already dead
            _LOG.debug("could not kill a worker: %r", failure)

    def _check_stuck(self) -> None:
        """Warn that no worker has a place; give up when no machine has room for longer than `patience_s`."""
        now = time.monotonic()
        if any(slot.info for slot in self._slots):
            self._last_ready = self._said_stuck = now
            return
        if room(self._nodes, self._share) < 1 and now - self._last_ready > self._settings.patience_s:
            check_room(self._nodes, self._share)
        if now - self._said_stuck > _SAY_S:
            self._said_stuck = now
            _LOG.warning(
                "no Ray worker has started for %.0f s; is the cluster busy with other jobs? Each needs %s.",
                now - self._last_ready,
                self._share,
            )


def _why(failure: BaseException) -> str:
    """The relevant part of Ray's page-long message about a dead process."""
    text = one_line(str(failure)) if isinstance(failure, RayActorError) else repr(failure)
    for mark in ("Worker exit detail:", "The actor is dead because"):
        if mark in str(failure):
            text = str(failure).split(mark, 1)[1]
            break
    return one_line(text.split("Some common causes", 1)[0])[:300]
