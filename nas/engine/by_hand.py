"""The executor of a study, whose trials the user evaluates."""

from __future__ import annotations

from collections import deque

from nas.core.records import Result, Trial


class ByHand:
    """The executor of a study: a queue of trials for the user."""

    def __init__(self) -> None:
        self._waiting: deque[Trial] = deque()

    @property
    def free(self) -> int:
        """Always 1: the queue is unbounded."""
        return 1

    def submit(self, trial: Trial) -> None:
        """Queue a trial for `take`."""
        self._waiting.append(trial)

    def take(self) -> Trial | None:
        """Remove and return the oldest trial in the queue."""
        return self._waiting.popleft() if self._waiting else None

    def withdraw(self, number: int) -> None:
        """Remove a trial that was told before it was taken."""
        self._waiting = deque(t for t in self._waiting if t.id != number)

    def collect(self, timeout: float | None = None) -> list[Result]:
        """Return nothing: results come from the user."""
        return []

    def close(self) -> None:
        """Do nothing."""
