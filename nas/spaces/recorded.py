"""A declared space as a run's log records it: parameters, options and conditions, without the user's functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nas.core.errors import ConfigError
from nas.spaces.declaration import Declaration, Gene, Level
from nas.spaces.rules import Rules
from nas.spaces.space import Space


@dataclass(frozen=True)
class Text:
    """An option by its text; its representation is that text, as it stands in an architecture."""

    text: str

    def __repr__(self) -> str:
        return self.text


def recorded_space(name: str, declaration: Mapping[str, Any]) -> Space:
    """The space of `Declaration.as_json` values, to read, encode and vary architectures without running its code.

    It builds no networks, and `forbid` and `same` are unknown. Raises `ConfigError` for damaged values.
    """
    try:
        places = {parameter: i for i, parameter in enumerate(declaration)}
        genes = [
            Gene(
                parameter,
                tuple(map(Text, texts)),
                bool(ordered),
                tuple((places[other], frozenset(map(int, allowed))) for other, allowed in conditions),
            )
            for parameter, (texts, conditions, ordered) in declaration.items()
        ]
        space = Space(name, {"unknown": 0})
        space._rules = Rules(name, Declaration(genes, Level(places)))
        space._derive()
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"space {name!r}: its recorded parameters are damaged ({error})") from error
    return space
