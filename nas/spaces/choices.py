"""An architecture with the values of its parameters by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

from nas.core.records import Architecture
from nas.spaces.declaration import Condition, Declaration, Level

_Own = TypeVar("_Own", bound="_Reading")
_FIELDS = ("_active", "_declaration", "_genes", "_level", "_prefix")


class _Reading(Mapping[str, Any]):
    """Reads the active parameters of one level by name."""

    __slots__ = ()
    _active: list[bool]
    _declaration: Declaration
    _genes: tuple[int, ...]
    _level: Level
    _prefix: str

    def _begin(
        self, declaration: Declaration, genes: tuple[int, ...], active: list[bool], level: Level, prefix: str
    ) -> None:
        put = partial(object.__setattr__, self)
        put("_declaration", declaration)
        put("_genes", genes)
        put("_active", active)
        put("_level", level)
        put("_prefix", prefix)

    def __getattr__(self, name: str) -> Any:
        level: Level = object.__getattribute__(self, "_level")
        place = level.genes.get(name)
        if place is not None:
            if self._active[place]:
                return self._declaration.genes[place].options[self._genes[place]]
            raise AttributeError(f"parameter {self._prefix + name!r} {self._why_absent(place)}")
        if name in level.repeats:
            path = self._prefix + name
            items = Items(
                Item(self._declaration, self._genes, self._active, inner, f"{path}.{i}.")
                for i, (inner, exists) in enumerate(level.repeats[name])
                if self._holds(exists)
            )
            items.name = path
            return items
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(self._declaration.unknown(self._prefix + name))

    def __getitem__(self, name: str) -> Any:
        place = self._declaration.places.get(self._prefix + name)
        if place is not None and self._active[place]:
            return self._declaration.genes[place].options[self._genes[place]]
        if name in self._level.repeats:
            return getattr(self, name)
        if place is None:
            raise KeyError(self._declaration.unknown(self._prefix + str(name)))
        raise KeyError(f"parameter {self._prefix + name!r} {self._why_absent(place)}")

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a parameter, or the items of a repeat; `default` while inactive. Raises `KeyError` for another name."""
        place = self._declaration.places.get(self._prefix + name)
        if place is None:
            return self[name]
        return self._declaration.genes[place].options[self._genes[place]] if self._active[place] else default

    def _why_absent(self, place: int) -> str:
        for j, allowed in self._declaration.genes[place].conditions:
            gene = self._declaration.genes[j]
            if not self._active[j] or self._genes[j] not in allowed:
                now = (
                    f"{gene.name}={gene.options[self._genes[j]]!r}" if self._active[j] else f"no {gene.name}"
                )
                return f"is inactive with {now}; use get({self._declaration.genes[place].name!r}, default)"
        return "is inactive"

    def _holds(self, conditions: tuple[Condition, ...]) -> bool:
        return all(self._active[j] and self._genes[j] in allowed for j, allowed in conditions)

    def as_dict(self) -> dict[str, Any]:
        """The values by name, a plain dictionary."""
        start, end = self._prefix, len(self._prefix)
        return {
            gene.name[end:]: gene.options[g]
            for gene, g, on in zip(self._declaration.genes, self._genes, self._active, strict=True)
            if on and gene.name.startswith(start)
        }

    def __iter__(self) -> Iterator[str]:
        return iter(self.as_dict())

    def __len__(self) -> int:
        return len(self.as_dict())

    # of one dictionary, since `Mapping` would look up every name
    def keys(self) -> Any:
        return self.as_dict().keys()

    def items(self) -> Any:
        return self.as_dict().items()

    def values(self) -> Any:
        return self.as_dict().values()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self.as_dict() == dict(other)

    def __hash__(self) -> int:
        return hash((self._prefix, tuple(self.as_dict().items())))

    def __repr__(self) -> str:
        return repr(self.as_dict())

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"choices cannot be changed: {name}")

    def __copy__(self: _Own) -> _Own:
        return self

    def __deepcopy__(self: _Own, memo: object) -> _Own:
        return self


class Items(tuple[Any, ...]):
    """The active items of a repeat."""

    name = ""

    def __getitem__(self, place: Any) -> Any:
        try:
            return super().__getitem__(place)
        except IndexError:
            raise IndexError(
                f"repeat {self.name!r} has {len(self)} active items here, no item {place}"
            ) from None


class Item(_Reading):
    """The active parameters of one item of a repeat, such as ``c.stages[1]``: a mapping with attributes."""

    __slots__ = _FIELDS

    def __init__(
        self, declaration: Declaration, genes: tuple[int, ...], active: list[bool], level: Level, prefix: str
    ) -> None:
        self._begin(declaration, genes, active, level, prefix)

    def __reduce__(self) -> Any:
        return Item, (self._declaration, self._genes, self._active, self._level, self._prefix)


class Choices(Architecture, _Reading):
    """An `Architecture` with its active parameters by name; functions of a declared space receive one.

    ``c.depth``, ``c["depth"]``, ``c.stages[1].kernel``, ``c["stages.1.kernel"]``, ``c.get("dropout", 0)``. A mapping of names
    to values. An inactive parameter is absent: reading it raises `AttributeError` or `KeyError`; `get` returns a default.
    Equal to the plain `Architecture` with the same genes.
    """

    __slots__ = _FIELDS

    def __init__(self, space: str, genes: tuple[int, ...], declaration: Declaration) -> None:
        Architecture.__init__(self, space, genes)
        self._begin(declaration, genes, declaration.active(genes), declaration.root, "")

    def _is_of(self, space: str, declaration: Declaration) -> bool:
        """Whether these are choices of this declaration."""
        return self.space == space and self._declaration is declaration

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Architecture):
            return self.genes == other.genes and self.space == other.space
        return _Reading.__eq__(self, other)

    def __hash__(self) -> int:
        return hash((self.space, self.genes))

    __repr__ = _Reading.__repr__

    def __reduce__(self) -> Any:
        return Choices, (self.space, self.genes, self._declaration)
