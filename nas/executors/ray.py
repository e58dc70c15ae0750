"""Run trials on Ray workers: asynchronously, each in a process that may be killed without harm."""

from __future__ import annotations

import logging
import math
import os
import pickle
import queue
import sys
import threading
import time
from dataclasses import replace

import cloudpickle

from nas.core.errors import ExecutorError
from nas.core.evaluator import Evaluate, HasResources
from nas.core.records import Result, Status, Trial, WorkerState
from nas.core.shipping import modules_by_value
from nas.executors.address import check_address, is_local
from nas.executors.ray_folder import SessionFolder
from nas.executors.ray_link import connect
from nas.executors.ray_messages import (
    Doing,
    Done,
    Failed,
    Lost,
    Room,
    Said,
    Start,
    Work,
    WorkerSpec,
    unpack_report,
)
from nas.executors.settings import RaySettings
from nas.executors.worker import describe_failure

_LOG = logging.getLogger(__name__)
_SLICE_S = 0.2
_GO_ON = "Results so far are safe: go on with --resume (resume=True)."


class RayExecutor:
    """One long-lived Ray worker a slot; the evaluator is sent once and unpacked once a worker.

    Trials beyond the free slots wait and go to whichever worker is idle first, so keeping a few more
    submitted than there are workers hides the time that the search takes to think.

    What a candidate may do, and what comes of it:
    - raise, return the wrong keys, NaN or no number: `FAILED`, by `run_trial`, never repeated;
    - run past `timeout_s`: its process is killed and replaced, `TIMEOUT`;
    - allocate more than `memory_bytes`: a clean `MemoryError` from the system's limit on private memory, then
      a fresh process, `OUT_OF_MEMORY`; so too when Ray ends it because the machine is nearly full;
    - end its process (signal, crash, `os._exit`), or lose its machine: tried again on a fresh worker up to
      `retries` times, then `LOST`;
    - print gigabytes: the first and the last half megabyte of a trial are in a file beside Ray's logs on the worker's
      machine, emptied before each trial; nothing is forwarded to this process;
    - send a result that cannot be read here: `FAILED`, with the reason;
    - need another part of a machine than the settings say (`nas.core.evaluator.HasResources`): it gets a worker of that
      size, for which the others make room.

    Replacing a worker takes about half a second, while the others go on. On a cluster that is joined, `workers` is a
    ceiling: those that have no place yet start when machines join, without further ado.

    A process of its own speaks with Ray (`nas.executors.ray_bridge`). When it or the whole cluster is lost, another
    takes its place for up to `patience_s` seconds, and gets what was out; then `collect` raises `ExecutorError`, and the run
    can be resumed. Whatever else ends a thread or a process of the executor does the same: `collect` raises `ExecutorError` with
    the reason. A cluster of the search's own has its session in a private folder, which `close` removes. If this process is connected to a cluster already, that one is used. Raises `ExecutorError` when made if
    Ray cannot be reached or started, if no worker can ever fit, or if the evaluator cannot be pickled; and
    from `collect` if it cannot be unpacked on the workers.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        settings: RaySettings | None = None,
        *,
        required: frozenset[str] | None = None,
    ) -> None:
        self.settings = settings or RaySettings()
        check_address(self.settings.address)
        self._evaluate = evaluate
        spec = WorkerSpec(
            required=None if required is None else frozenset(required),
            threads=max(1, int(self.settings.cpus_per_trial)),
            memory_bytes=self.settings.memory_bytes,
            folder=os.getcwd(),
            path=tuple(os.path.abspath(entry) for entry in sys.path),
        )
        address = _connected_to() or self.settings.address
        grows = not is_local(self.settings.address)
        packed = _pack(evaluate)
        self._folder = SessionFolder() if is_local(address) else None
        inside = None if self._folder is None else str(self._folder.path)
        self._start = Start(replace(self.settings, address=address), packed, spec, grows, inside)
        self._results: queue.SimpleQueue[Result | ExecutorError] = queue.SimpleQueue()
        self._failure: ExecutorError | None = None
        self._out: dict[int, tuple[Trial, Work]] = {}  # submitted, no result yet
        self._lock = threading.Lock()  # of what is out and the link that knows of it
        self._closed = False
        self._held = () if self._folder is None else (self._folder.descriptor,)  # by the bridge as well
        try:
            self._link, first = connect(
                self._start, self.settings.connect_timeout_s, lambda: True, held=self._held
            )
        except BaseException:
            self._remove_folder()
            raise
        self._room = first.workers
        self._doing = Doing(())
        self._lost_since: float | None = None
        self._reader = threading.Thread(target=self._read, name="nas-ray-link", daemon=True)
        self._reader.start()

    @property
    def free(self) -> int:
        """Workers without a trial, of those that have a place now; a trial whose result waits for `collect` holds none.

        At least one worker counts as there, so that a search whose cluster is full has something waiting.
        """
        return 0 if self._closed else max(0, max(1, self._room) - len(self._out))

    def submit(self, trial: Trial) -> None:
        """Queue a trial; returns at once. Raises `ExecutorError` after `close`, `ConfigError` for impossible needs."""
        if self._closed:
            raise ExecutorError("submit: this executor is closed; make a new one")
        needs = self._evaluate.resources(trial) if isinstance(self._evaluate, HasResources) else {}
        work = Work(trial.id, pickle.dumps(trial), self.settings.share.wanted_by(needs))
        with self._lock:
            self._out[trial.id] = trial, work
            self._link.send(work)

    def collect(self, timeout: float | None = None) -> list[Result]:
        """All finished results, in the order in which they finished; [] at once when no trial is out.

        Waits for the first, at most `timeout` seconds. A `KeyboardInterrupt` passes through at once,
        and `close` works after it.
        """
        if self._failure is not None:
            raise self._failure
        if self._closed or (not self._out and self._results.empty()):
            return []
        results: list[Result] = []
        arrived = self._next(timeout)
        while arrived is not None:
            if isinstance(arrived, ExecutorError):
                self._failure = arrived
                break
            results.append(arrived)
            arrived = self._next(0.0)
        if self._failure is not None and not results:
            raise self._failure
        return results

    def _next(self, timeout: float | None) -> Result | ExecutorError | None:
        """What was delivered next, or None after `timeout` seconds."""
        give_up = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            # In slices: a signal that arrives just before a wait begins is not seen until that wait ends.
            wait = max(0.0, min(_SLICE_S, give_up - time.monotonic()))
            try:
                return self._results.get(timeout=wait)
            except queue.Empty:
                if not self._reader.is_alive() and self._results.empty() and not self._closed:
                    return ExecutorError(f"the thread that reads from Ray ended without a reason. {_GO_ON}")
                if time.monotonic() >= give_up:
                    return None

    def workers(self) -> list[WorkerState]:
        """The workers that are ready, as they were half a second ago; results that came since then are taken off."""
        now = time.time()
        return [
            WorkerState(name, trial, max(0.0, now - since)) if trial in self._out else WorkerState(name)
            for name, trial, since in self._doing.workers
        ]

    def close(self) -> None:
        """Kill what runs, release the workers, and stop Ray if it was started here; may be called twice."""
        if self._closed:
            return
        self._closed = True
        try:
            with self._lock:
                self._link.close()
            self._reader.join(timeout=5.0)
        finally:
            self._remove_folder()

    def _remove_folder(self) -> None:
        if self._folder is not None:
            self._folder.remove()

    def _read(self) -> None:
        """Take what comes through the pipe, and make a new one when it breaks; on a thread of its own."""
        try:
            while not self._closed:
                try:
                    message = self._link.receive()
                except (EOFError, OSError):
                    if not self._closed:
                        self._reconnect()
                    continue
                self._take(message)
        except ExecutorError as failure:
            self._results.put(failure)
        except (
            BaseException
        ) as failure:  # a thread that ended in silence would leave the search waiting for ever
            _LOG.debug("the thread that reads from Ray ended", exc_info=failure)
            if not self._closed:
                text = f"the thread that reads from Ray ended: {_named(failure)}. {_GO_ON}"
                self._results.put(ExecutorError(text))

    def _take(self, message: object) -> None:
        if isinstance(message, Done):
            self._lost_since = None
            with self._lock:
                if message.number in self._out:  # else it was handed out twice, around a loss
                    self._results.put(_result_of(message, self._out[message.number][0]))
                    del self._out[message.number]
        elif isinstance(message, Room):
            self._room = message.workers
        elif isinstance(message, Doing):
            self._doing = message
        elif isinstance(message, Said):
            _LOG.log(message.level, "%s", message.text)
        elif isinstance(message, Lost):
            _LOG.warning("%s", message.text)
            self._lost_since = self._lost_since or time.monotonic() - message.silent_s
        elif isinstance(message, Failed):
            raise ExecutorError(message.text)

    def _reconnect(self) -> None:
        """Have another process take over, and give it what was out in the order of submission.

        Raises `ExecutorError` when the patience is at an end, which without any result goes on from one loss to the next.
        """
        now = time.monotonic()
        self._lost_since = self._lost_since or now
        left = self._lost_since + self.settings.patience_s - now
        why = self._link.last_words()
        _LOG.warning("the connection to Ray was lost; trying to get it back for %.0f s", max(0.0, left))
        _LOG.debug("its last words: %s", why)
        if left <= 0:
            raise ExecutorError(
                f"Ray was lost for longer than patience_s={self.settings.patience_s:g} s. Results so far are safe: see "
                "that the cluster runs, then go on with --resume (resume=True)."
            )
        self._link.close(0.0)
        link, first = connect(self._start, left, lambda: not self._closed, held=self._held)
        with self._lock:
            self._link, self._room = link, first.workers
            if self._closed:
                link.close()
                return
            for _, work in self._out.values():
                link.send(work)
        _LOG.warning("Ray is back; %d trials were handed out again", len(self._out))


def _named(failure: BaseException) -> str:
    """`ValueError: what it said`, in one line."""
    return describe_failure(failure).splitlines()[0]


def _result_of(done: Done, trial: Trial) -> Result:
    """What came of the trial; one whose report cannot be read has failed, whoever's fault that is."""
    try:
        return unpack_report(done.report, trial)
    except Exception as failure:
        reason = f"its worker's result cannot be read: {_named(failure)}"
        return Result(trial, Status.FAILED, error=reason)


def _connected_to() -> str | None:
    """The cluster that this process is connected to already, if it is."""
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return None
    return str(ray.get_runtime_context().gcs_address)


def _pack(evaluate: Evaluate) -> bytes:
    """The evaluator as bytes. Bytes rather than an object in Ray's store, whose arrays would be read-only."""
    modules = modules_by_value()
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        packed: bytes = cloudpickle.dumps(evaluate)
    except Exception as failure:
        raise ExecutorError(
            f"the evaluator cannot be sent to Ray workers: {_named(failure)}. "
            "It must be picklable: open files, locks and connections inside the call, not before it."
        ) from failure
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)
    return packed
