"""Run trials on Ray workers: asynchronously, each in a process that may be killed without harm."""

from __future__ import annotations

import math
import os
import queue
import sys
import time

import ray
from ray import cloudpickle

from nas.errors import ExecutorError
from nas.executors.ray_cluster import Cluster
from nas.executors.ray_pool import WorkerPool
from nas.executors.ray_worker import WorkerSpec
from nas.executors.settings import RaySettings
from nas.executors.shipping import modules_by_value
from nas.executors.worker import one_line
from nas.interfaces import Evaluate
from nas.records import Result, Trial

_SLICE_S = 0.2


class RayExecutor:
    """One long-lived Ray worker a slot; the evaluator is sent once and unpacked once a worker.

    Trials beyond the free slots wait here and go to whichever worker is idle first, so keeping a few more
    submitted than there are workers hides the time that the search takes to think.

    What a candidate may do, and what comes of it:
    - raise, return the wrong keys, NaN or no number: `FAILED`, by `run_trial`, never repeated;
    - run past `timeout_s`: its process is killed and replaced, `TIMEOUT`;
    - allocate more than `memory_bytes`: a clean `MemoryError` from the system's limit on private memory, then
      a fresh process, `OUT_OF_MEMORY`; so too when Ray ends it because the machine is nearly full;
    - end its process (signal, crash, `os._exit`), or lose its machine: tried again on a fresh worker up to
      `retries` times, then `LOST`;
    - print megabytes: they go to a file beside Ray's logs on the worker's machine, emptied before each trial;
      nothing is forwarded to this process.

    Replacing a worker takes about half a second, while the others go on. Raises `ExecutorError` when made if Ray
    cannot be reached or started, if the workers can never fit, or if the evaluator cannot be pickled; and
    from `collect` if it cannot be unpacked on the workers.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        settings: RaySettings | None = None,
        *,
        required: frozenset[str] = frozenset(),
    ) -> None:
        self.settings = settings or RaySettings()
        packed = _pack(evaluate)
        spec = WorkerSpec(
            required=frozenset(required),
            threads=max(1, int(self.settings.cpus_per_trial)),
            memory_bytes=self.settings.memory_bytes,
            folder=os.getcwd(),
            path=tuple(os.path.abspath(entry) for entry in sys.path),
        )
        self._results: queue.SimpleQueue[Result | ExecutorError] = queue.SimpleQueue()
        self._failure: ExecutorError | None = None
        self._submitted = 0
        self._collected = 0
        self._closed = False
        self._cluster = Cluster(self.settings, len(packed))
        self._pool = WorkerPool(self.settings, ray.put(packed), spec, self._results.put)

    @property
    def free(self) -> int:
        """Workers without a trial; a trial whose result waits for `collect` holds none."""
        if self._closed:
            return 0
        running = self._submitted - self._collected - self._results.qsize()
        return max(0, self.settings.workers - running)

    def submit(self, trial: Trial) -> None:
        """Queue a trial; returns at once. Raises `ExecutorError` after `close`."""
        if self._closed:
            raise ExecutorError("submit: this executor is closed; make a new one")
        self._submitted += 1
        self._pool.submit(trial)

    def collect(self, timeout: float | None = None) -> list[Result]:
        """All finished results, in the order in which they finished; [] at once when no trial is out.

        Waits for the first, at most `timeout` seconds. A `KeyboardInterrupt` passes through at once,
        and `close` works after it.
        """
        if self._failure is not None:
            raise self._failure
        if self._closed or self._submitted == self._collected:
            return []
        results: list[Result] = []
        arrived = self._next(timeout)
        while arrived is not None:
            if isinstance(arrived, ExecutorError):
                self._failure = arrived
                break
            results.append(arrived)
            self._collected += 1
            arrived = self._next(0.0)
        if self._failure is not None and not results:
            raise self._failure
        return results

    def _next(self, timeout: float | None) -> Result | ExecutorError | None:
        """What the pool delivered next, or None after `timeout` seconds."""
        give_up = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            # In slices: a signal that arrives just before a wait begins is not seen until that wait ends.
            wait = max(0.0, min(_SLICE_S, give_up - time.monotonic()))
            try:
                return self._results.get(timeout=wait)
            except queue.Empty:
                if time.monotonic() >= give_up:
                    return None

    def close(self) -> None:
        """Kill what runs, release the workers, and stop Ray if it was started here; may be called twice."""
        self._closed = True
        self._pool.stop()
        self._cluster.close()


def _pack(evaluate: Evaluate) -> bytes:
    """The evaluator as bytes. Bytes rather than an object in Ray's store, whose arrays would be read-only."""
    modules = modules_by_value()
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        packed: bytes = cloudpickle.dumps(evaluate)
    except Exception as failure:
        raise ExecutorError(
            f"the evaluator cannot be sent to Ray workers: {one_line(f'{type(failure).__name__}: {failure}')}. "
            "It must be picklable: open files, locks and connections inside the call, not before it."
        ) from failure
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)
    return packed
