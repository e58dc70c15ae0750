"""Run trials on Ray workers: asynchronously, each in a process that can be killed without harm."""

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
from nas.core.plugins import modules_by_value
from nas.core.records import Result, Status, Trial, WorkerState
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
_GO_ON = "The results so far are safe: continue with --resume (resume=True)."


class RayExecutor:
    """One long-lived Ray worker per slot; the evaluator is sent once and unpacked once per worker.

    Trials beyond the free slots wait for the first idle worker, so submitting a few more trials than workers hides the
    time of the search's proposals.

    Failures of a candidate, and their results:
    - it raises, or returns wrong keys, NaN or non-numbers: `FAILED`, by `run_trial`, never repeated;
    - it runs past `timeout_s`: its process is killed and replaced, `TIMEOUT`;
    - it allocates more than `memory_bytes`: a `MemoryError` from the system's limit on private memory, then a new
      process, `OUT_OF_MEMORY`; likewise when Ray ends it because the machine is nearly full;
    - its process ends (signal, crash, `os._exit`) or its machine is lost: tried again on a new worker up to
      `retries` times, then `LOST`;
    - it prints gigabytes: the first and the last half megabyte of a trial are kept in a file beside Ray's logs on the
      worker's machine, emptied before each trial; nothing is forwarded to this process;
    - its result cannot be read here: `FAILED`, with the reason.

    A candidate that needs another share of a machine than the settings (`nas.core.evaluator.HasResources`) gets a
    worker of that size, for which the others make room.

    Replacing a worker takes about half a second, while the others continue. On a cluster that is joined, `workers` is a
    maximum: workers without a place start when machines join.

    A separate process speaks with Ray (`nas.executors.ray_bridge`). When it or the whole cluster is lost, the executor
    tries for up to `patience_s` seconds to start another, which gets the unfinished trials; then `collect` raises
    `ExecutorError`, and the run can be resumed. Any other end of a thread or process of the executor raises the same
    error with its reason. A cluster started by the search has its session in a private folder, which `close` removes.
    If this process is connected to a cluster already, the executor uses it. The constructor raises `ExecutorError` if
    Ray cannot be reached or started, if no worker can ever fit, or if the evaluator cannot be pickled; `collect` raises
    it if the evaluator cannot be unpacked on the workers.
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
        self._lock = threading.Lock()  # guards the unfinished trials and the link
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
        """Workers with a place and without a trial; a trial whose result waits for `collect` holds no worker.

        At least one worker counts as present, so that a search on a full cluster has a trial waiting.
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
        """All finished results, in the order in which they finished; [] at once when no trial is unfinished.

        Waits for the first at most `timeout` seconds. A `KeyboardInterrupt` passes through at once; `close` works after it.
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
        """The next message, or None after `timeout` seconds."""
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
        """The ready workers half a second ago, without trials whose results came since."""
        now = time.time()
        return [
            WorkerState(name, trial, max(0.0, now - since)) if trial in self._out else WorkerState(name)
            for name, trial, since in self._doing.workers
        ]

    def close(self) -> None:
        """Kill running trials, release the workers, and stop Ray if it was started here; may be called twice."""
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
        """Read messages from the pipe and make a new pipe when it breaks; runs on its own thread."""
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
        except BaseException as failure:  # if a thread ended silently, the search would never end
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
        """Start another process and send it the unfinished trials in the order of submission.

        Raises `ExecutorError` when `patience_s` is over, counted over all losses since the last result.
        """
        now = time.monotonic()
        self._lost_since = self._lost_since or now
        left = self._lost_since + self.settings.patience_s - now
        why = self._link.last_words()
        _LOG.warning("the connection to Ray was lost; trying to get it back for %.0f s", max(0.0, left))
        _LOG.debug("its last output: %s", why)
        if left <= 0:
            raise ExecutorError(
                f"Ray was lost for longer than patience_s={self.settings.patience_s:g} s. The results so far are safe: check "
                "that the cluster runs, then continue with --resume (resume=True)."
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
        _LOG.warning("Ray is back; %d trials were submitted again", len(self._out))


def _named(failure: BaseException) -> str:
    """`ValueError: message`, in one line."""
    return describe_failure(failure).splitlines()[0]


def _result_of(done: Done, trial: Trial) -> Result:
    """The result of the trial; FAILED if its report cannot be read."""
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
            "It must be picklable: open files, locks and connections inside the call."
        ) from failure
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)
    return packed
