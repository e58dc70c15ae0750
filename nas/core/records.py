"""The values that travel between the parts: frozen, comparable, free of behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.core.text import storable

FloatArray = NDArray[np.float64]

# Columns that a run's table has besides the objectives; no objective may have such a name.
RESERVED = frozenset(
    [
        "trial",
        "architecture",
        "status",
        "seconds",
        "reason",
        "worker",
        "seed",
        "budget",
        "asked_at",
        "started",
        "finished",
        "told",
        "told_seconds",
        "origin",
        "measurements",
    ]
)


@dataclass(frozen=True, slots=True)
class Architecture:
    """One point of a search space: the space's name and one integer a gene.

    Hashable. Once canonical (`SearchSpace.canonical`) it is the key for duplicates and caches.
    """

    space: str
    genes: tuple[int, ...]


class Status(str, Enum):
    """How an evaluation ended. Only `OK` results carry objective values that anyone may learn from."""

    OK = "ok"
    INVALID = "invalid"  # breaks a limit that is known before training; never sent to a worker
    FAILED = "failed"  # the evaluator raised, or returned something that is no finite number
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    LOST = "lost"  # the worker died more often than the retries allow


@dataclass(frozen=True, slots=True)
class Trial:
    """One evaluation to make.

    `id` counts from 0 in the order of asking; `seed` is the trial's own seed, drawn from the run's;
    `budget` is the fidelity (epochs, for networks that are trained), None for the evaluator's default.
    """

    id: int
    architecture: Architecture
    seed: int
    budget: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a trial.

    `values` holds every objective by name, in the user's own units and direction, and any further numbers
    that the evaluator reported; it is empty unless `status` is ok. `seconds` is the time on the worker.
    `error` is the reason in one line (with the end of the traceback below it) when `status` is not ok; when it is ok,
    it names reported values that were left out because they are no finite numbers. Texts are made storable.
    `worker` names where it ran; `started` and `finished` are Unix times on that worker, 0.0 if it never ran (with
    the executor `simulated`, seconds on its virtual clock).
    """

    trial: Trial
    status: Status
    values: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    error: str = ""
    worker: str = ""
    started: float = 0.0
    finished: float = 0.0

    def __post_init__(self) -> None:
        for name, text in (("error", self.error), ("worker", self.worker)):
            if not text.isascii() or "\0" in text:
                object.__setattr__(self, name, storable(text))

    @property
    def ok(self) -> bool:
        return self.status is Status.OK


@dataclass(frozen=True, slots=True)
class Block:
    """One part of a network, for people: `shape` is what leaves it, (channels, height, width) or (classes,)."""

    kind: str  # stem, a block's kind, cell, head, neck or classifier
    text: str  # what distinguishes it, such as k3.5.7 s2 e4
    shape: tuple[int, ...]
    params: int
    madds: int


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What a worker does now: the number of the trial that it runs (None: it is idle), and for how many seconds."""

    name: str
    trial: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Observation:
    """A result as an algorithm sees it: every objective minimised, limits folded into one number.

    `objectives` has shape (m,), in the order of the problem's objectives, NaN throughout when `ok` is false.
    `violation` is 0 when every limit is met, else the sum of relative excesses (inf when `ok` is false).
    """

    architecture: Architecture
    objectives: FloatArray
    violation: float
    ok: bool

    def __eq__(self, other: Any) -> bool:
        return (
            isinstance(other, Observation)
            and self.architecture == other.architecture
            and self.ok == other.ok
            and self.violation == other.violation
            and np.array_equal(self.objectives, other.objectives, equal_nan=True)
        )

    def __hash__(self) -> int:
        return hash(self.architecture)


@dataclass(frozen=True, slots=True)
class Note:
    """Something that an algorithm wishes to have on record after so many told results.

    `kind` says what it is about, such as ``surrogate``; a later note of the same `key` replaces an earlier one. A
    number that is not finite is stored as null and read back as NaN. Notes of kind ``surrogate`` have the
    values objective, chosen, rows, tau, tau_low, tau_high, coverage, calibration, rmse, reliable and text
    (see `surrogates.selector.Selection`).
    """

    told: int
    kind: str
    values: Mapping[str, float | int | str | bool] = field(default_factory=dict)

    @property
    def key(self) -> tuple[int, str, str]:
        """What is noted once: after how many results, of what kind, about which objective ("" without one)."""
        return self.told, storable(self.kind), storable(str(self.values.get("objective", "")))
