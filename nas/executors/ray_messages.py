"""What the search and the process that speaks with Ray say to each other; nothing here needs Ray."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nas.core.records import Result, Status, Trial
from nas.executors.capacity import Share
from nas.executors.settings import RaySettings


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What a worker must know beside the evaluator; sent from the search once a worker.

    `folder` and `path` are the search's working directory and `sys.path`, so that modules which it can import can be
    imported on the worker, where the same files exist.
    """

    required: frozenset[str] | None
    threads: int
    memory_bytes: int | None
    folder: str
    path: Sequence[str]


@dataclass(frozen=True, slots=True)
class Start:
    """First message to the bridge: what to join, and what the workers shall load.

    `folder` is where a cluster of the search's own has its session (see `nas.executors.ray_folder`).
    """

    settings: RaySettings
    packed: bytes
    spec: WorkerSpec
    grows: bool  # whether machines may join later: then it is no error that none is large enough now
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """To the bridge: run this trial, which comes pickled and goes so to a worker with this share of a machine."""

    number: int
    packed: bytes
    share: Share


@dataclass(frozen=True, slots=True)
class Done:
    """From the bridge: what came of the trial with this number, as `pack_report` writes it."""

    number: int
    report: bytes


def pack_report(result: Result) -> bytes:
    """A result without its trial, as JSON: whoever reads it needs nothing that only the worker has, and runs no code."""
    return json.dumps(
        {
            "status": result.status.value,
            "values": {str(key): float(value) for key, value in result.values.items()},
            "seconds": result.seconds,
            "error": result.error,
            "worker": result.worker,
            "started": result.started,
            "finished": result.finished,
        }
    ).encode("ascii")


def status_of(report: bytes) -> Status:
    """The status in a report. Raises `ValueError` or another error for one that cannot be read."""
    return Status(json.loads(report)["status"])


def unpack_report(report: bytes, trial: Trial) -> Result:
    """The result of this trial. Raises `ValueError` or another error for a report that cannot be read."""
    found: dict[str, Any] = json.loads(report)
    return Result(
        trial,
        Status(found["status"]),
        {str(key): float(value) for key, value in found["values"].items()},
        float(found["seconds"]),
        str(found["error"]),
        str(found["worker"]),
        float(found["started"]),
        float(found["finished"]),
    )


@dataclass(frozen=True, slots=True)
class Room:
    """From the bridge: how many workers with the usual share fit on the cluster's machines now, at least one."""

    workers: int


@dataclass(frozen=True, slots=True)
class Doing:
    """From the bridge, now and then: the workers that are ready, with their trials and since when (Unix time)."""

    workers: Sequence[tuple[str, int | None, float]]


@dataclass(frozen=True, slots=True)
class Said:
    """From the bridge: a line for the search's log."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Failed:
    """From the bridge, its last: the search cannot go on as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Lost:
    """From the bridge, its last: the cluster went away, and was last heard of so many seconds ago."""

    text: str
    silent_s: float
