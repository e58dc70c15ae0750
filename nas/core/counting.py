"""The space that a search counts with, known to whoever trains a network while a candidate is measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_COUNTED: ContextVar[object] = ContextVar("nas_counted_space", default=None)


def counted_space() -> object:
    """The space whose `cost` the running search reports; None outside of a search."""
    return _COUNTED.get()


@contextmanager
def counting(space: object) -> Iterator[None]:
    """Let whatever is trained within be checked against this space's `cost` (None: no check)."""
    token = _COUNTED.set(space)
    try:
        yield
    finally:
        _COUNTED.reset(token)
