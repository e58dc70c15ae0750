"""What the search and the process that speaks with Ray say to each other; nothing here needs Ray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    """First message to the bridge: what to join, and what the workers shall load."""

    settings: RaySettings
    packed: bytes
    spec: WorkerSpec
    grows: bool  # whether machines may join later: then it is no error that none is large enough now


@dataclass(frozen=True, slots=True)
class Work:
    """To the bridge: run this trial, which comes pickled and goes so to a worker with this share of a machine.

    What comes back are the bytes of a pickled `Result`.
    """

    number: int
    packed: bytes
    share: Share


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
