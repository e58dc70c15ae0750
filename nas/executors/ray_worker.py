"""The Ray worker: one evaluator, loaded once, and one trial at a time."""

from __future__ import annotations

import os
import pickle
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import cloudpickle

from nas.core.evaluator import Evaluate
from nas.core.records import Trial
from nas.executors.capacity import Share
from nas.executors.output import Kept, keep_output
from nas.executors.ray_messages import WorkerSpec, pack_report
from nas.executors.threads import ThreadLimit
from nas.executors.worker import run_trial


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker that is ready: `name` is `address:pid`, `output` the file of its output, `node` Ray's id of its machine."""

    name: str
    output: str
    node: str


class Worker:
    """A process that holds the evaluator. The constructor is cheap; `load` may fail."""

    _evaluate: Evaluate
    _spec: WorkerSpec
    _info: WorkerInfo
    _threads: ThreadLimit
    _memory_at_start: int
    _kept: Kept

    def load(self, packed: bytes, spec: WorkerSpec) -> WorkerInfo:
        """Unpack the evaluator. Raises the errors of unpacking, such as a missing module."""
        node = ray.get_runtime_context().get_node_id()
        self._kept = keep_output(_log_folder())
        self._info = WorkerInfo(f"{ray.util.get_node_ip_address()}:{os.getpid()}", self._kept.path, node)
        self._spec = spec
        self._threads = ThreadLimit(spec.threads)
        self._threads.apply()  # before unpacking: the imported modules read the environment
        if os.path.isdir(spec.folder):
            os.chdir(spec.folder)
        sys.path.extend(entry for entry in spec.path if entry not in sys.path)
        self._evaluate = cloudpickle.loads(packed)
        self._memory_at_start = _private_memory()
        return self._info

    def run(self, packed: bytes) -> bytes:
        """Evaluate one pickled trial within the limits on threads and memory; return `pack_report` of its result."""
        trial: Trial = pickle.loads(packed)  # noqa: S301 (from the search)
        self._kept.begin()  # the output of one trial is kept, not that of all
        self._threads.apply()
        allowed = self._spec.memory_bytes
        before = _limit_memory(self._memory_at_start + allowed) if allowed is not None else None
        try:
            result = run_trial(self._evaluate, trial, self._spec.required, worker=self._info.name)
        finally:
            if before is not None:
                _limit_memory(before)  # Ray's own threads need room to send the result
        return pack_report(result)


def _log_folder() -> Path | None:
    """Where Ray keeps the logs of this process, which end with its session."""
    try:
        folder = Path(os.readlink("/proc/self/fd/1")).parent
    except OSError:  # not Linux
        return None
    return folder if folder.is_dir() else None


def _private_memory() -> int:
    """Bytes of private writable memory this process has mapped; 0 if the system does not report them."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _limit_memory(limit: int) -> int:
    """Set the soft limit on private writable memory and return the one before; -1 is none.

    Not the limit on address space: that counts the code of libraries, half a gigabyte for PyTorch, and the
    object store that all Ray processes share. Linux from 4.7 on; other systems count less, or nothing.
    """
    import resource  # not on Windows, where no limit is set either

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY and (limit == resource.RLIM_INFINITY or limit > hard):
        limit = hard
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    return soft


def actor_class(share: Share) -> Any:
    """The Ray actor for `Worker`, with its reserved resources. It never restarts by itself."""
    return ray.remote(num_cpus=share.cpus, num_gpus=share.gpus, max_restarts=0, max_task_retries=0)(Worker)
