"""The contract of an executor: `submit` and `collect`, and optional abilities as protocols."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from nas.core.records import Result, Trial, WorkerState


class Executor(Protocol):
    """Runs trials on workers. Constructed with the function to run; results return in any order."""

    @property
    def free(self) -> int:
        """Number of trials that can start now."""

    def submit(self, trial: Trial) -> None: ...

    def collect(self, timeout: float | None = None) -> list[Result]:
        """Wait for at least one finished result, at most `timeout` seconds; return all (possibly none)."""

    def close(self) -> None:
        """Stop running trials and release the workers; repeated calls are harmless."""


@runtime_checkable
class HasClock(Protocol):
    """An executor with a virtual clock, which replaces the wall clock in the search."""

    def now(self) -> float:
        """Seconds since a fixed moment; never decreases."""


@runtime_checkable
class HasWorkers(Protocol):
    """An executor that reports the state of each worker."""

    def workers(self) -> Sequence[WorkerState]:
        """One entry per worker, in a stable order; may be called on another thread."""
