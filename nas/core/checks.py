"""Shared checks of arguments: each error names the argument, what was expected and what arrived."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Iterable
from dataclasses import fields
from numbers import Real
from typing import TYPE_CHECKING

from nas.core.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_NUMBER = re.compile(r"(int|float)(\|None)?")
_NUMBERS = re.compile(r"tuple\[(int|float)(,(int|float|\.\.\.))*\](\|None)?")


def did_you_mean(word: str, known: Iterable[str], similarity: float = 0.5) -> str:
    """A hint with the nearest known word, or nothing if none has at least this similarity."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=similarity)
    return f" (did you mean {close[0]!r}?)" if close else ""


def check_positive(name: str, value: float) -> None:
    """Raise `ConfigError` unless the value is a number above zero."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise ConfigError(f"{name}: expected a number above 0, got {value!r}")


def check_not_negative(name: str, value: float) -> None:
    """Raise `ConfigError` unless the value is a finite number of at least zero."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value < math.inf:
        raise ConfigError(f"{name}: expected a finite number of at least 0, got {value!r}")


LONGEST = 1e9  # seconds, thirty years: timers and dates fail beyond


def check_seconds(name: str, value: float) -> None:
    """Raise `ConfigError` unless the value is a number of seconds above zero, at most `LONGEST`."""
    check_positive(name, value)
    if value > LONGEST:
        raise ConfigError(
            f"{name}: expected at most {LONGEST:g} seconds, got {value!r}; leave it out for no limit"
        )


MOST_THREADS = 4096


def check_threads(value: object) -> None:
    """Raise `ConfigError` unless the value is a number of threads that a machine can have."""
    check_whole("threads", value)
    if isinstance(value, int) and value > MOST_THREADS:
        raise ConfigError(f"threads: expected at most {MOST_THREADS}, got {value}")


def check_whole(name: str, value: object, at_least: int = 1, at_most: int | None = None) -> None:
    """Raise `ConfigError` unless the value is a whole number of at least `at_least` (and at most `at_most`)."""
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise ConfigError(f"{name}: expected a whole number of at least {at_least}, got {value!r}")
    if at_most is not None and value > at_most:
        raise ConfigError(f"{name}: expected at most {at_most}, got {value}")


def check_fraction(name: str, value: float) -> None:
    """Raise `ConfigError` unless the value lies in [0, 1]."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ConfigError(f"{name}: expected a number from 0 to 1, got {value!r}")


def check_numbers(where: str, settings: DataclassInstance) -> None:
    """Raise `ConfigError` unless every field annotated as a number, or as a tuple of numbers, holds one.

    It checks types alone, so that later comparisons cannot fail; a whole number may be a float such as 5.0. The annotations are
    texts, as `from __future__ import annotations` leaves them.
    """
    for field in fields(settings):
        kind, value = str(field.type).replace(" ", ""), getattr(settings, field.name)
        found = _NUMBER.fullmatch(kind) or _NUMBERS.fullmatch(kind)
        if found is None or (value is None and kind.endswith("|None")):
            continue
        whole, several = found[1] == "int", kind.startswith("tuple")
        values = value if several and isinstance(value, (list, tuple)) else (value,)
        if (several and values is not value) or not all(is_number(one, whole) for one in values):
            what = f"{'whole ' * whole}number"
            what = f"a list of {what}s" if several else f"a {what}"
            raise ConfigError(f"{where}: {field.name}: expected {what}, got {value!r}")


def is_number(value: object, whole: bool = False) -> bool:
    """Whether the value is a number, with `whole` a whole one (5.0 too); true and false are none."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    return not whole or (math.isfinite(value) and math.floor(value) == value)


def check_known(name: str, value: str, known: Collection[str]) -> None:
    """Raise `ConfigError` unless the value is one of the known words."""
    if value not in known:
        raise ConfigError(
            f"{name}: unknown {value!r}{did_you_mean(str(value), known)}; known: {', '.join(known)}"
        )
