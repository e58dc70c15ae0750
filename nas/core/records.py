"""The values passed between parts: frozen, comparable, without behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.core.text import storable

FloatArray = NDArray[np.float64]

# Columns of a run's table besides the objectives; no objective may use such a name.
RESERVED = frozenset(
    "trial architecture status seconds reason worker seed budget asked_at started finished told "
    "told_seconds origin measurements".split()
)


@dataclass(frozen=True, slots=True)
class Architecture:
    """A point of a search space: the name of the space and one integer per gene.

    Hashable. In canonical form (`SearchSpace.canonical`) it is the key for duplicates and caches.
    """

    space: str
    genes: tuple[int, ...]


class Status(str, Enum):
    """The outcome of an evaluation. Only `OK` results have objective values."""

    OK = "ok"
    INVALID = "invalid"  # violates a cheap limit; never sent to a worker
    FAILED = "failed"  # the evaluator raised, or returned a value that is not a finite number
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    LOST = "lost"  # the worker died more often than retries allow


@dataclass(frozen=True, slots=True)
class Trial:
    """One evaluation to run.

    `id` counts from 0 in the order of asking; `seed` is drawn from the run's seed; `budget` is the fidelity (epochs, for
    trained networks), None for the evaluator's default. `choices` are the values of the parameters by name, for evaluators,
    in a space whose parameters have names.
    """

    id: int
    architecture: Architecture
    seed: int
    budget: float | None = None
    choices: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a trial.

    `values` holds every objective by name, in the user's units and directions, and further numbers from the evaluator; it
    is empty unless `status` is ok. `seconds` is the time on the worker. `error` is the reason in one line (followed by the
    end of the traceback) when `status` is not ok; otherwise it names reported values that were dropped because they are
    not finite numbers. Texts are made storable. `worker` names the worker; `started` and `finished` are its Unix times, 0.0
    if the trial never ran (seconds on the virtual clock with the executor `simulated`).
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
    """One part of a network, for display: `shape` is its output, (channels, height, width) or (classes,)."""

    kind: str  # stem, a block's kind, cell, head, neck or classifier
    text: str  # its distinctive settings, such as k3.5.7 s2 e4
    shape: tuple[int, ...]
    params: int
    madds: int


@dataclass(frozen=True, slots=True)
class WorkerState:
    """The state of a worker: its running trial (None: idle), and for how many seconds."""

    name: str
    trial: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Observation:
    """A result for an algorithm: all objectives minimised, limits folded into one number.

    `objectives` has shape (m,), in the order of the problem's objectives, NaN throughout when `ok` is false.
    `violation` is 0 when every limit is met, else the sum of relative excesses (inf when `ok` is false). `companions` are the
    companions of the objectives by name, in their own units and directions; those that were not reported are missing.
    `budget` is that of the trial.
    """

    architecture: Architecture
    objectives: FloatArray
    violation: float
    ok: bool
    companions: Mapping[str, float] = field(default_factory=dict)
    budget: float | None = None

    def __eq__(self, other: Any) -> bool:
        return (
            isinstance(other, Observation)
            and self.architecture == other.architecture
            and self.ok == other.ok
            and self.violation == other.violation
            and self.companions == other.companions
            and self.budget == other.budget
            and np.array_equal(self.objectives, other.objectives, equal_nan=True)
        )

    def __hash__(self) -> int:
        return hash(self.architecture)


@dataclass(frozen=True, slots=True)
class Note:
    """A record that an algorithm writes after `told` results.

    `kind` names its subject, such as ``surrogate``; a later note of the same `key` replaces an earlier one. A number
    that is not finite is stored as null and read back as NaN. Notes of kind ``surrogate`` have the values objective,
    chosen, rows, tau, tau_low, tau_high, tau_half, precision_tenth, coverage, calibration, rmse, reliable and text
    (see `surrogates.selector.Selection`).
    """

    told: int
    kind: str
    values: Mapping[str, float | int | str | bool] = field(default_factory=dict)

    @property
    def key(self) -> tuple[int, str, str]:
        """The identity of a note: number of results, kind, and objective ("" without one)."""
        return self.told, storable(self.kind), storable(str(self.values.get("objective", "")))
