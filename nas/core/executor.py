"""What runs trials: submit and collect, and the optional abilities as protocols."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from nas.core.records import Result, Trial, WorkerState


class Executor(Protocol):
    """Runs trials somewhere. Made with the function to run; results come back in any order."""

    @property
    def free(self) -> int:
        """How many more trials can start at once."""
        ...

    def submit(self, trial: Trial) -> None: ...

    def collect(self, timeout: float | None = None) -> list[Result]:
        """Finished results; waits for at least one, at most `timeout` seconds (then possibly none)."""
        ...

    def close(self) -> None:
        """Stop what runs and release the workers; may be called twice."""
        ...


@runtime_checkable
class HasClock(Protocol):
    """An executor with a clock of its own, by which a search counts its time instead of the wall clock's."""

    def now(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...


@runtime_checkable
class HasWorkers(Protocol):
    """An executor that can tell what each of its workers does."""

    def workers(self) -> Sequence[WorkerState]:
        """One entry a worker that is there, in a steady order; may be called on another thread than the rest."""
        ...
