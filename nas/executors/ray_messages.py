"""The messages between the search and the Ray process; nothing here needs Ray."""

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
    """The setup of a worker beside the evaluator; the search sends it once per worker.

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
    """First message to the bridge: the cluster to join and the evaluator to load.

    `folder` holds the session of a cluster started by the search (see `nas.executors.ray_folder`).
    """

    settings: RaySettings
    packed: bytes
    spec: WorkerSpec
    grows: bool  # whether machines may join later: then none need be large enough now
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """To the bridge: run this pickled trial on a worker with this share of a machine."""

    number: int
    packed: bytes
    share: Share


@dataclass(frozen=True, slots=True)
class Done:
    """From the bridge: the report of the trial with this number, from `pack_report`."""

    number: int
    report: bytes


def pack_report(result: Result) -> bytes:
    """A result without its trial, as JSON: reading it needs no module of the worker and runs no code."""
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
    """Last message from the bridge: the search cannot continue."""

    text: str


@dataclass(frozen=True, slots=True)
class Lost:
    """Last message from the bridge: the cluster is gone; it last answered this many seconds ago."""

    text: str
    silent_s: float
