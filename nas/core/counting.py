"""The search space of the current search, available to code that trains a candidate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_COUNTED: ContextVar[object] = ContextVar("nas_counted_space", default=None)


def counted_space() -> object:
    """The space whose `cost` the running search reports; None outside a search."""
    return _COUNTED.get()


@contextmanager
def counting(space: object) -> Iterator[None]:
    """Check networks trained in this block against this space's `cost` (None: no check)."""
    token = _COUNTED.set(space)
    try:
        yield
    finally:
        _COUNTED.reset(token)
