"""Assertions shared by several checks."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

from nas.core.records import Architecture
from nas.core.space import SearchSpace


def ensure(holds: bool, sentence: str) -> None:
    """Raise `AssertionError` with the sentence unless the claim holds (also under `python -O`)."""
    if not holds:
        raise AssertionError(sentence)


def check_architecture(space: SearchSpace, architecture: Architecture, method: str) -> None:
    """The architecture is of this space, plain, valid, and its canonical form is stable."""
    ensure(
        isinstance(architecture, Architecture) and architecture.space == space.name,
        f"{method} must return an Architecture of space {space.name!r}, got {architecture!r}",
    )
    ensure(
        all(type(gene) is int for gene in architecture.genes),
        f"{method}: genes must be plain Python ints (they are hashed and stored), got {architecture.genes!r}",
    )
    ensure(
        space.is_valid(architecture), f"{method} returned {architecture.genes}, for which is_valid is False"
    )
    canonical = space.canonical(architecture)
    ensure(
        canonical.space == space.name and space.is_valid(canonical),
        f"canonical({architecture.genes}) is {canonical.genes}, for which is_valid is False",
    )
    ensure(
        space.canonical(canonical) == canonical,
        f"canonical is not idempotent: {architecture.genes} becomes {canonical.genes}, which becomes "
        f"{space.canonical(canonical).genes}",
    )


def check_number(value: Any, what: str) -> None:
    """The value is a number and finite."""
    try:
        finite = not isinstance(value, str) and math.isfinite(float(value))
    except (TypeError, ValueError):
        finite = False
    ensure(finite, f"{what} must be a finite number, got {value!r}")


def check_pickle(value: Any, what: str) -> Any:
    """Return the copy that a worker would get."""
    pickler = import_module("cloudpickle")  # untyped; the one that Ray's workers use
    try:
        return pickler.loads(pickler.dumps(value))
    except Exception as error:
        raise AssertionError(
            f"{what} cannot be sent to a worker: pickling it raised {type(error).__name__}: {error}"
        ) from error
