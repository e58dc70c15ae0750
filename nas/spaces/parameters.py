"""Parameters of a declared space: `Choice`, `Integer`, `Float`, `Repeat`, and their values as text."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

import numpy as np

from nas.core.errors import ConfigError

Value = Any  # a number, a string, a boolean, None, or a tuple of these
When = Mapping[str, Any] | None  # parameter: the value, or the values, with which this one is active

MOST_OPTIONS = 100_000
_SHOWN = 12  # options in an error message
_LITERALS = {"True": True, "False": False, "None": None}
_SAFE = "-_.~+:"  # characters of a string besides letters and digits; others are percent-encoded


class Parameter:
    """A parameter with a finite list of options. `ordered`: whether their order means a distance."""

    def __init__(self, options: Sequence[Value], ordered: bool, when: When) -> None:
        self.options, self.ordered, self.when = tuple(options), ordered, checked_when(when)


class Choice(Parameter):
    """One of the options: numbers, strings, booleans, None, or tuples of these.

    Numbers are ordered, unless `ordered=False`; others are categories, unless `ordered=True` (in the given order).
    `when` maps other parameters to the value, or a tuple of the values, with which this one is active.
    Raises `ConfigError` for no option, a repeated one, or an option of another type.
    """

    def __init__(self, *options: Value, ordered: bool | None = None, when: When = None) -> None:
        if len(options) == 1 and isinstance(options[0], (list, set, frozenset, dict, range)):
            raise ConfigError(
                f"Choice: expected the options as arguments, got one {type(options[0]).__name__}; write Choice(*options)"
            )
        if not options:
            raise ConfigError("Choice: expected at least one option, got none")
        check_number_of_options("Choice", len(options))
        found = [plain_value(option) for option in options]
        if ordered is not None and not isinstance(ordered, (bool, np.bool_)):
            raise ConfigError(f"Choice: ordered: expected True or False, got {ordered!r:.200}")
        numeric = all(_is_number(option) for option in found)
        if numeric and ordered is not False:
            found.sort()
        super().__init__(found, numeric if ordered is None else ordered, when)
        _check_repeats(self.options)


class Integer(Parameter):
    """A whole number from `low` to `high`, both included, in steps; ordered.

    `when` as of `Choice`. Raises `ConfigError` for anything but whole numbers with low <= high and step >= 1.
    """

    def __init__(self, low: int, high: int, *, step: int = 1, when: When = None) -> None:
        for name, number in (("low", low), ("high", high), ("step", step)):
            if not isinstance(number, (int, np.integer)) or isinstance(number, bool):
                raise ConfigError(f"Integer: {name}: expected a whole number, got {number!r:.200}")
            plain_value(number)
        if high < low or step < 1:
            raise ConfigError(
                f"Integer: expected low <= high and step >= 1, got {low} to {high} in steps of {step}"
            )
        check_number_of_options("Integer", (int(high) - int(low)) // int(step) + 1)
        super().__init__(range(int(low), int(high) + 1, int(step)), True, when)


class Float(Parameter):
    """One of `levels` numbers from `low` to `high`, both included; ordered.

    Levels have equal distances, or with `log` equal ratios. `when` as of `Choice`. Raises `ConfigError` unless low < high
    are finite (above 0 with `log`) and there are at least two levels.
    """

    def __init__(
        self, low: float, high: float, *, levels: int = 6, log: bool = False, when: When = None
    ) -> None:
        for name, number in (("low", low), ("high", high)):
            if not _is_number(number):
                raise ConfigError(f"Float: {name}: expected a finite number, got {number!r:.200}")
            plain_value(number)
        if not isinstance(log, bool):
            raise ConfigError(f"Float: log: expected True or False, got {log!r:.200}")
        if not low < high or (log and low <= 0):
            raise ConfigError(f"Float: expected {'0 < ' * log}low < high, got {low!r} and {high!r}")
        if not isinstance(levels, (int, np.integer)) or isinstance(levels, bool) or levels < 2:
            raise ConfigError(f"Float: levels: expected a whole number of at least 2, got {levels!r}")
        check_number_of_options("Float", levels)
        spread = np.geomspace if log else np.linspace
        options = [float(f"{value:.10g}") for value in spread(float(low), float(high), int(levels))]
        options[0], options[-1] = float(low), float(high)
        if len(set(options)) < levels:
            raise ConfigError(
                f"Float: {levels} levels from {low!r} to {high!r} are equal to 10 digits; use fewer levels or a wider range"
            )
        super().__init__(options, True, when)


class Repeat:
    """A group of parameters, repeated: `count` is a number, or the name of a whole-number parameter.

    Item i is active while i < count; `space.stages[i].kernel` is one of its parameters. `when` as of `Choice`.
    Parameters may be repeats themselves; a name is looked up in the same item first, then outside.
    """

    def __init__(self, count: int | str, /, *, when: When = None, **parameters: Any) -> None:
        if isinstance(count, bool) or not isinstance(count, (int, str)):
            raise ConfigError(
                f"Repeat: expected a number of items or the name of a parameter first, got {count!r}"
            )
        if isinstance(count, int) and count < 1:
            raise ConfigError(f"Repeat: expected at least one item, got {count}")
        if not parameters:
            raise ConfigError(
                "Repeat: expected the parameters of an item, such as kernel=nas.Choice(3, 5); got none"
            )
        self.count, self.parameters, self.when = count, parameters, checked_when(when)


def checked_when(when: When) -> dict[str, Any]:
    """The conditions by parameter. Raises `ConfigError` for anything but a mapping."""
    if when is None:
        return {}
    if not isinstance(when, Mapping) or not all(isinstance(name, str) for name in when):
        raise ConfigError(
            f"when: expected a mapping of parameters to values, such as {{'width': (32, 48)}}, got {when!r:.200}"
        )
    return dict(when)


def merged_values(where: str, values: Mapping[str, Any] | None, more: Mapping[str, Any]) -> dict[str, Any]:
    """Both mappings of parameters. Raises `ConfigError` for another type, or a parameter in both."""
    if values is not None and not isinstance(values, Mapping):
        raise ConfigError(f"{where}: expected a mapping of parameters, got {values!r:.200}")
    twice = [name for name in values or {} if name in more]
    if twice:
        raise ConfigError(f"{where}: parameter {twice[0]!r} is given twice")
    return {**(values or {}), **more}


def check_number_of_options(kind: str, number: int) -> None:
    """Raise `ConfigError` for more options than a gene may have."""
    if number > MOST_OPTIONS:
        raise ConfigError(
            f"{kind}: at most {MOST_OPTIONS:,} options, got {number:,}; use a larger step, or fewer levels"
        )


def plain_value(value: Any) -> Value:
    """An option in plain Python. Raises `ConfigError` for another type, or a number that is not finite."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (tuple, list)):
        return tuple(plain_value(item) for item in value)
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        raise ConfigError(
            f"option with {value.bit_length():,} bits: expected a number below {sys.float_info.max:.1e}"
        )
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        raise ConfigError(f"option {value!r}: expected a finite number")
    raise ConfigError(
        f"option {value!r:.200}: expected a number, a string, True, False, None or a tuple of these, got "
        f"{type(value).__name__}; name the object by a string, and look it up in build"
    )


def value_text(value: Value) -> str:
    """A value in one word: no spaces, commas, slashes or double quotes. Different values have different texts."""
    if isinstance(value, str):
        text = quote(value, safe=_SAFE, errors="surrogatepass")
        return f"'{text}'" if not text or _is_literal(text) else text
    if isinstance(value, tuple):
        return f"({';'.join(map(value_text, value))}{';' * (len(value) == 1)})"
    return repr(value)


def value_of_text(text: str) -> Value:
    """The value of a text by `value_text`; of any other text, the number, truth value, None or string that it reads as."""
    if text in _LITERALS:
        return _LITERALS[text]
    if len(text) > 1 and text[0] == text[-1] == "'":
        return unquote(text[1:-1], errors="surrogatepass")
    if len(text) > 1 and text[0] == "(" and text[-1] == ")":
        return tuple(map(value_of_text, _items(text[1:-1])))
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if math.isfinite(number):
            return number
    return unquote(text, errors="surrogatepass")


def _items(text: str) -> list[str]:
    """The items of a tuple's text, without those of the tuples within."""
    found, depth, start = [], 0, 0
    for i, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if sign == ";" and depth == 0:
            found.append(text[start:i])
            start = i + 1
    return found + [text[start:]] * (start < len(text))


def options_text(options: Sequence[Value]) -> str:
    """The options for an error message."""
    shown = ", ".join(value_text(option) for option in options[:_SHOWN])
    return shown if len(options) <= _SHOWN else f"{shown}, ... ({len(options):,} options)"


def same_value(first: Any, second: Any) -> bool:
    """Whether two values are one option: equal, and both or neither truth values."""
    if isinstance(first, tuple) and isinstance(second, tuple):
        return len(first) == len(second) and all(map(same_value, first, second))
    return isinstance(first, bool) == isinstance(second, bool) and bool(first == second)


def position(options: Sequence[Value], value: Any) -> int | None:
    """The position of an option; of a number, also that of the only `float` option within the errors of arithmetic.

    Within a relative distance of 1e-6, or 1e-12 of the largest option. None where there is no such option.
    """
    for i, option in enumerate(options):
        if same_value(option, value):
            return i
    if not _is_number(value):
        return None
    floats = [i for i, option in enumerate(options) if isinstance(option, float)]
    tiny = 1e-12 * max((abs(options[i]) for i in floats), default=0.0)
    near = [i for i in floats if math.isclose(options[i], value, rel_tol=1e-6, abs_tol=tiny)]
    return near[0] if len(near) == 1 else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _is_literal(text: str) -> bool:
    """Whether a text reads as a number, a truth value or None."""
    if text in _LITERALS:
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


def _typed(value: Value) -> Any:
    """A key that tells True from 1."""
    return tuple(map(_typed, value)) if isinstance(value, tuple) else (isinstance(value, bool), value)


def _check_repeats(options: Sequence[Value]) -> None:
    seen: set[Any] = set()
    for option in options:
        if _typed(option) in seen:
            raise ConfigError(f"option {option!r} is given twice")
        seen.add(_typed(option))
