"""A declared space as a run's log records it: parameters, options and conditions, without the user's functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from nas.core.errors import ConfigError
from nas.spaces.declaration import Declaration, Gene, Level
from nas.spaces.parameters import Value
from nas.spaces.rules import Rules
from nas.spaces.space import Space


def recorded_space(name: str, declaration: Mapping[str, Any]) -> Space:
    """The space of `Declaration.as_json` values, to read, encode and vary architectures without running its code.

    It builds no networks, and `forbid` and `same` are unknown. Raises `ConfigError` for damaged values.
    """
    try:
        places = {parameter: i for i, parameter in enumerate(declaration)}
        genes = [
            Gene(
                parameter,
                tuple(map(value_of, texts)),
                bool(ordered),
                tuple((places[other], frozenset(map(int, allowed))) for other, allowed in conditions),
                fixed=int(fixed[0]) if fixed else None,
            )
            for parameter, (texts, conditions, ordered, *fixed) in declaration.items()
        ]
        _ = [gene.options[gene.fixed] for gene in genes if gene.fixed is not None]
        space = Space(name, {"unknown": 0})
        space._rules = Rules(name, Declaration(genes, Level(places)))
        space._derive()
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"space {name!r}: its recorded parameters are damaged ({error})") from error
    return space


_WORDS: dict[str, Value] = {"None": None, "True": True, "False": False}


def value_of(text: str) -> Value:
    """The value of a text, the inverse of `nas.spaces.parameters.value_text`."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] == "'":
        return unquote(text[1:-1], errors="surrogatepass")
    if text[0] == "(":
        return tuple(value_of(part) for part in _parts(text[1:-1]) if part)
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return unquote(text, errors="surrogatepass")


def _parts(text: str) -> list[str]:
    """The texts between the semicolons outside parentheses."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        if sign == ";" and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts
