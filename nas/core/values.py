"""An evaluator's return value as finite numbers by name."""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np

from nas.core.checks import did_you_mean
from nas.core.errors import EvaluationError
from nas.core.interrupts import is_interrupt
from nas.core.text import class_name, one_line, repr_of, storable

T = TypeVar("T")
_LEFT_OUT_LIMIT = 3000  # characters of the sentence on dropped values
_NAME_LIMIT = 200  # characters of a value's name
_SHOWN = 60  # most characters of a value in a message
_SIZED = (str, bytes, list, tuple, set, frozenset, dict)
_NAMED = 12  # most names in a message


@dataclass(frozen=True, slots=True)
class Reported:
    """The returned finite numbers by name, and a sentence on the values that were dropped and why ("" for none)."""

    values: dict[str, float]
    left_out: str = ""


def reported(returned: Any, required: frozenset[str] | None = None) -> Reported:
    """Convert the evaluator's mapping to floats.

    NumPy scalars, arrays and tensors of one element, `Decimal` and `Fraction` count as numbers; bool and complex do not. Each
    name in `required` must have a finite number, or `EvaluationError` names it and its value. Any other value is dropped
    unless it is a finite number under a text. With `required` None, every value is required.
    """
    if not isinstance(returned, Mapping):
        wanted = ", ".join(sorted(required or ())) or "names"
        raise EvaluationError(
            f"evaluate returned {describe(returned)}; expected a mapping from {wanted} to finite numbers"
        )
    try:
        items = list(returned.items())
    except BaseException as error:
        if is_interrupt(error):
            raise
        raise EvaluationError(
            f"evaluate returned {describe(returned)}, whose items() fails with {class_name(error)}; "
            "expected a mapping from names to finite numbers"
        ) from error
    values: dict[str, float] = {}
    wrong: dict[str, str] = {}
    for key, value in items:
        if not isinstance(key, str):
            if required is None:
                raise EvaluationError(f"evaluate returned the key {describe(key)}; expected a text")
            wrong[f"key {describe(key)}"] = "not a text"
            continue
        name = storable(key, _NAME_LIMIT)
        number = value if type(value) is float and math.isfinite(value) else _number(value)
        if number is not None:
            if name not in values:
                values[name] = number
        elif required is None or name in required:
            raise EvaluationError(f"evaluate returned {name}={describe(value)}; expected a finite number")
        else:
            wrong[name] = _kind(value)
    missing = sorted((required or frozenset()) - values.keys())
    if missing:
        raise EvaluationError(_missing_message(missing, list(values)))
    return Reported(values, _left_out(wrong))


def absent_message(names: Sequence[str], values: Mapping[str, float]) -> str:
    """A sentence on companions that an evaluation did not report; "" without names."""
    if not names:
        return ""
    hints = "".join(did_you_mean(name, values) for name in names[:1])
    shown = ", ".join(list(values)[:_NAMED]) or "nothing"
    return f"lack the companions {', '.join(names[:_NAMED])}{hints}; the evaluation returned {shown}"


def _left_out(wrong: Mapping[str, str]) -> str:
    if not wrong:
        return ""
    named = [f"{name} ({kind})" for name, kind in list(wrong.items())[:_NAMED]]
    more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
    return one_line(f"left empty, expected a finite number: {', '.join(named)}{more}", _LEFT_OUT_LIMIT)


def _number(value: Any) -> float | None:
    """The value as a finite float, or None; never raises."""
    return _harmless(lambda: _as_float(value), None)


def _as_float(value: Any) -> float | None:
    plain = value
    if np.ma.is_masked(value):
        return None  # missing, although its item is a number
    if not isinstance(plain, (numbers.Number, str, bytes)) and hasattr(plain, "item"):
        plain = plain.item()  # NumPy and PyTorch; raises for more than one element
    if isinstance(plain, bool) or not isinstance(plain, (numbers.Real, Decimal)):
        return None
    number = float(plain)
    return number if math.isfinite(number) else None


def _harmless(ask: Callable[[], T], otherwise: T) -> T:
    """Call `ask`; return `otherwise` if it raises anything."""
    try:
        return ask()
    except BaseException as error:
        if is_interrupt(error):
            raise
        return otherwise


def _kind(value: Any) -> str:
    """The kind of a value that is not a finite number, in words that do not depend on its content."""
    if value is None or isinstance(value, bool):
        return "None" if value is None else "a bool"
    if isinstance(value, int):
        return "too large"
    if _harmless(lambda: bool(np.ma.is_masked(value)), False):
        return "masked"
    shape = _shape(value)
    named = f"{class_name(value)} of shape {shape}" if shape else class_name(value)
    return _harmless(lambda: "nan" if math.isnan(value) else "infinite", named)


def _shape(value: Any) -> str:
    return _harmless(lambda: str(tuple(int(n) for n in value.shape)) if value.shape else "", "")


def describe(value: Any) -> str:
    """A short description of a value; never the contents of a large array."""
    kind = class_name(value)
    if shape := _shape(value):
        return f"<{kind} of shape {shape}>"
    length = _harmless(lambda: len(value) if isinstance(value, _SIZED) else -1, -1)
    if length > _SHOWN and isinstance(value, (str, bytes)):
        return f"<{kind}> {_harmless(lambda: repr_of(value[:_SHOWN]), '')}"
    if length >= 0 and not isinstance(value, (str, bytes)):
        return f"<{kind} of length {length}>"
    text = repr_of(value, 500)
    return text if len(text) <= _SHOWN else f"<{kind}> {text[:_SHOWN]}..."


def _missing_message(missing: list[str], present: list[str]) -> str:
    hints = [
        f"{near[0]!r} may be meant for {name!r}"
        for name in missing
        if (near := difflib.get_close_matches(name, present, n=1))
    ]
    shown = ", ".join(map(repr, present[:_NAMED])) or "no values at all"
    wanted = ", ".join(map(repr, missing))
    return f"evaluate returned {shown}; {wanted} missing" + "".join(f" ({hint})" for hint in hints)
