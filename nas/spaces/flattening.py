"""Flatten nested parameters into genes, and resolve the names in their conditions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nas.core.checks import did_you_mean
from nas.core.errors import ConfigError
from nas.core.records import RESERVED
from nas.spaces.declaration import Condition, Declaration, Gene, Level
from nas.spaces.parameters import Choice, Parameter, Repeat, options_text, plain_value, position

MOST_GENES = 10_000
_NAME = "[A-Za-z][A-Za-z0-9_]*"
TAKEN = ("space", "genes", "get", "keys", "items", "values", "as_dict")  # attributes of `Choices`


@dataclass(frozen=True)
class _Given:
    """A condition as declared: in a scope (the path of an item), a parameter, and its value or values.

    `item`: the item of a repeat that exists when the parameter is larger.
    """

    scope: str
    parameter: str
    values: Any = None
    item: int | None = None


@dataclass(frozen=True)
class _Items:
    """A repeat, its items not yet resolved."""

    items: tuple[tuple[_Level, tuple[_Given, ...]], ...]


@dataclass(frozen=True)
class _Level:
    genes: Mapping[str, int]
    repeats: Mapping[str, _Items]


def declare(parameters: Mapping[str, Any]) -> Declaration:
    """The declaration of nested parameters. Raises `ConfigError` that names the parameter."""
    if not parameters:
        raise ConfigError("parameters: expected at least one, such as width=nas.Choice(16, 32); got none")
    return _Flattening().declaration(parameters)


class _Flattening:
    def __init__(self) -> None:
        self._parameters: dict[str, Parameter] = {}  # by full name; a gene each
        self._given: list[tuple[_Given, ...]] = []
        self._groups: list[str] = []
        self._number_of_items = 0
        self._scopes: dict[str, Mapping[str, Any]] = {}

    def declaration(self, parameters: Mapping[str, Any]) -> Declaration:
        root = self._level("", "", parameters, ())
        self._places = {name: i for i, name in enumerate(self._parameters)}
        genes = [
            Gene(name, parameter.options, parameter.ordered, self._resolved(name, given), group)
            for (name, parameter), given, group in zip(
                self._parameters.items(), self._given, self._groups, strict=True
            )
        ]
        return Declaration(genes, self._resolved_level(root))

    def _level(
        self, prefix: str, group: str, parameters: Mapping[str, Any], outer: tuple[_Given, ...]
    ) -> _Level:
        """Add the genes of one level and of those within."""
        self._scopes[prefix] = parameters
        genes: dict[str, int] = {}
        repeats: dict[str, _Items] = {}
        for name, given in parameters.items():
            if not isinstance(name, str):
                raise ConfigError(
                    f"parameter {prefix}{name!r:.200}: expected a name, got {type(name).__name__}"
                )
            path = prefix + name
            _check_name(path, name, top=not prefix)
            own = given.when if isinstance(given, (Parameter, Repeat)) else {}
            conditions = (*outer, *(_Given(prefix, other, values) for other, values in own.items()))
            if isinstance(given, Repeat):
                repeats[name] = self._items(path, prefix, group, given, conditions)
                continue
            if path in self._parameters:
                raise ConfigError(f"parameter {path!r}: an item of a repeat has this name; choose another")
            genes[name] = len(self._parameters)
            self._parameters[path] = _parameter(path, given)
            self._given.append(conditions)
            self._groups.append(group)
            if len(self._parameters) > MOST_GENES:
                raise ConfigError(f"parameter {path!r}: a space has at most {MOST_GENES:,} parameters")
        return _Level(genes, repeats)

    def _items(
        self, path: str, prefix: str, group: str, given: Repeat, conditions: tuple[_Given, ...]
    ) -> _Items:
        items = []
        number = self._most(path, prefix, given)
        self._number_of_items += number
        if self._number_of_items > MOST_GENES:
            raise ConfigError(f"parameter {path!r}: a space has at most {MOST_GENES:,} items of repeats")
        for i in range(number):
            inside = f"{path}.{i}."
            counted = () if isinstance(given.count, int) else (_Given(prefix, given.count, item=i),)
            exists = (*conditions, *counted)
            items.append((self._level(inside, group or inside, given.parameters, exists), exists))
        return _Items(tuple(items))

    def _most(self, path: str, prefix: str, given: Repeat) -> int:
        """The largest number of items of a repeat."""
        if isinstance(given.count, int):
            return given.count
        options = _options(self._counted(path, prefix, given.count))
        if not all(isinstance(v, int) and not isinstance(v, bool) and v >= 0 for v in options):
            raise ConfigError(
                f"parameter {path!r}: its number of items, {given.count!r}, must be a whole number of at least 0; "
                f"its options are {options_text(options)}"
            )
        most: int = max(options)
        return most

    def _counted(self, path: str, prefix: str, name: str) -> Any:
        """The parameter that counts the items: of this level, or of one outside, declared before or after."""
        for scope in _outwards(prefix):
            found = self._scopes[scope].get(name)
            if found is not None and not isinstance(found, Repeat):
                return found
        known = [n for n, p in self._scopes[prefix].items() if not isinstance(p, Repeat)]
        raise ConfigError(
            f"parameter {path!r}: its number of items names {name!r}, which is not a parameter"
            f"{did_you_mean(name, known)}; parameters here: {', '.join(known) or 'none'}"
        )

    def _resolved(self, name: str, given: Sequence[_Given]) -> tuple[Condition, ...]:
        return tuple(self._condition(name, condition) for condition in given)

    def _condition(self, name: str, given: _Given) -> Condition:
        scopes = [scope + given.parameter for scope in _outwards(given.scope)]
        full = next((path for path in scopes if path in self._parameters), None)
        if full is None:
            known = list(self._parameters)
            raise ConfigError(
                f"parameter {name!r}: its condition names {given.parameter!r}, which is not a parameter"
                f"{did_you_mean(given.parameter, known)}; parameters: {', '.join(known[:20])}"
            )
        options = self._parameters[full].options
        if given.item is not None:
            return self._places[full], frozenset(i for i, v in enumerate(options) if v > given.item)
        return self._places[full], _allowed(name, full, options, given.values)

    def _resolved_level(self, level: _Level) -> Level:
        repeats = {
            name: tuple(
                (self._resolved_level(inner), self._resolved(name, exists)) for inner, exists in found.items
            )
            for name, found in level.repeats.items()
        }
        return Level(level.genes, repeats)


def _outwards(scope: str) -> list[str]:
    """A scope and those around it: ``a.0.b.1.``, ``a.0.``, and the root."""
    parts = scope.split(".")[:-1]
    return ["".join(f"{part}." for part in parts[:end]) for end in range(len(parts), -1, -2)]


def _allowed(name: str, other: str, options: Sequence[Any], given: Any) -> frozenset[int]:
    """The options of `other` that a condition names: one value, or a tuple, list or set of them."""
    several = isinstance(given, (tuple, list, set, frozenset, range))
    found = set()
    try:
        if isinstance(given, tuple) and position(options, plain_value(given)) is not None:
            several = False  # an option that is a tuple
        values = [plain_value(value) for value in (given if several else [given])]
    except ConfigError as error:
        raise ConfigError(f"parameter {name!r}: its condition on {other!r}: {error}") from None
    for value in values:
        place = position(options, value)
        if place is None:
            raise ConfigError(
                f"parameter {name!r}: its condition on {other!r} names {value!r}, which is not an option; "
                f"options: {options_text(options)}"
            )
        found.add(place)
    if not found:
        raise ConfigError(f"parameter {name!r}: its condition on {other!r} names no value")
    return frozenset(found)


def _options(given: Any) -> Sequence[Any]:
    return given.options if isinstance(given, Parameter) else (plain_value(given),)


def _parameter(path: str, given: Any) -> Parameter:
    """The parameter; a plain value is its only option."""
    if isinstance(given, Parameter):
        return given
    if isinstance(given, (list, set, dict, range)) or callable(given):
        raise ConfigError(
            f"parameter {path!r}: expected nas.Choice, nas.Integer, nas.Float, nas.Repeat or one plain value, "
            f"got {given!r:.200}"
        )
    try:
        return Choice(given)
    except ConfigError as error:
        raise ConfigError(f"parameter {path!r}: {error}") from None


def _check_name(path: str, name: Any, top: bool) -> None:
    """Raise `ConfigError` for a name that cannot be an attribute, or is a column of every run's table."""
    if not re.fullmatch(_NAME if not top else rf"{_NAME}(\.\w+)*", name, re.ASCII):
        raise ConfigError(
            f"parameter {path!r}: expected letters, digits and underscores, a letter first (it names a column); dots between them outside of a repeat"
        )
    if name in TAKEN:
        raise ConfigError(
            f"parameter {path!r}: the choices have an attribute of this name; choose another name"
        )
    if top and name in RESERVED:
        raise ConfigError(f"parameter {path!r}: is a column of every run's table; choose another name")
