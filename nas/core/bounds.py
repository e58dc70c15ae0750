"""Bounds on the tries of a loop and on the time of a search.

A loop that repeats until it finds something counts its tries with `attempts`; other long work calls `check_time`
regularly. Both stop when the time limit of the search on this thread expires (`time_limit`), or when an enclosing
`tries_at_most` is exhausted. Counts do not depend on the machine, so a search without a time limit is deterministic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from nas.core.errors import ConfigError, NasError

DRAWS = 200_000  # random draws for one valid architecture; at 1 valid in 10,000, fails once in 5e8 samples


class TimeUp(NasError):
    """The search's time limit expired during an operation; the loop catches this."""


class SamplingError(ConfigError):
    """No valid architecture was found within the bound on random draws."""


class TriesUsedUp(NasError):
    """The tries of an enclosing `tries_at_most` are exhausted."""


class _Tries:
    def __init__(self, left: int) -> None:
        self.left = left


_EXPIRED: ContextVar[Callable[[], bool] | None] = ContextVar("nas_time_limit", default=None)
_TRIES: ContextVar[_Tries | None] = ContextVar("nas_tries", default=None)


@contextmanager
def time_limit(expired: Callable[[], bool] | None) -> Iterator[None]:
    """Make `check_time` raise `TimeUp` in this block (on this thread) once `expired()` is true; None: no limit."""
    token = _EXPIRED.set(expired)
    try:
        yield
    finally:
        _EXPIRED.reset(token)


def check_time() -> None:
    """Raise `TimeUp` when the current time limit has expired."""
    expired = _EXPIRED.get()
    if expired is not None and expired():
        raise TimeUp("the time limit of the search was reached")


@contextmanager
def tries_at_most(most: int) -> Iterator[None]:
    """Allow all loops in this block `most` tries in total; the next raises `TriesUsedUp`."""
    outer = _TRIES.get()
    own = _Tries(most if outer is None else min(most, outer.left))
    given = own.left
    token = _TRIES.set(own)
    try:
        yield
    finally:
        _TRIES.reset(token)
        if outer is not None:
            outer.left -= given - own.left


def check_tries() -> None:
    """Raise `TriesUsedUp` when the enclosing block has no tries left; call it after you catch an inner `TriesUsedUp`."""
    tries = _TRIES.get()
    if tries is not None and tries.left <= 0:
        raise TriesUsedUp("the tries allowed here are used up")


def attempts(most: int, failure: Callable[[], Exception], at_once: int = 1) -> Iterator[int]:
    """Count 0, 1, ... to `most` - 1, then raise `failure()`; each count uses `at_once` tries.

    Raises `TimeUp` and `TriesUsedUp` in between.
    """
    tries = _TRIES.get()
    for number in range(most):
        check_time()
        if tries is not None:
            if tries.left < at_once:
                raise TriesUsedUp("the tries allowed here are used up")
            tries.left -= at_once
        yield number
    raise failure()


def no_valid_sample(space: str, draws: int) -> SamplingError:
    """Return the error for a `sample` whose random draws found no valid architecture."""
    return SamplingError(
        f"space {space!r}: sample found no valid architecture in {draws:,} random draws of its genes; override "
        "sample(rng) so that it draws valid architectures directly, make is_valid accept more, or let canonical map "
        "invalid combinations to valid ones"
    )
