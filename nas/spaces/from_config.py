"""A declared space from a config: `parameters` as plain values, functions by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nas.core.checks import did_you_mean
from nas.core.errors import ConfigError
from nas.core.kinds import check_called, check_own
from nas.core.plugins import find
from nas.spaces.parameters import Choice, Float, Integer, Repeat
from nas.spaces.space import Space

_KEYS = ("parameters", "build", "cost", "forbid", "same", "fix")
_KINDS = ("choice", "integer", "float", "repeat")
_OPTIONS = {"choice": ("ordered",), "integer": ("step",), "float": ("levels", "log"), "repeat": ()}


def declared_space(name: str, settings: Mapping[str, Any], base: Path | None = None) -> Space:
    """The space of a config's mapping: `parameters`, `build`, `cost`, `forbid`, `same`, `fix`.

    Functions are named as ``file.py:name``; `forbid` and `same` take one or a list. Relative paths start at `base`.
    Raises `ConfigError` that names the key.
    """
    unknown = [key for key in settings if key not in _KEYS]
    if unknown:
        raise ConfigError(
            f"space {name!r}: unknown key {unknown[0]!r}{did_you_mean(unknown[0], _KEYS)}; a declared space has "
            f"{', '.join(_KEYS)}"
        )
    parameters = settings["parameters"]
    if not isinstance(parameters, Mapping):
        raise ConfigError(
            f"space {name!r}: parameters: expected a mapping such as {{width: [16, 32]}}, got {parameters!r:.200}"
        )
    space = Space(name, {str(key): _parameter(str(key), value) for key, value in parameters.items()})
    for key in ("build", "cost"):
        if settings.get(key) is not None:
            getattr(space, key)(_function(key, settings[key], base))
    for key in ("forbid", "same"):
        given = settings.get(key) or []
        for one in given if isinstance(given, list) else [given]:
            getattr(space, key)(_function("rule", one, base))
    fixed = settings.get("fix") or {}
    if not isinstance(fixed, Mapping):
        raise ConfigError(
            f"space {name!r}: fix: expected a mapping of parameters to values, got {fixed!r:.200}"
        )
    return space.fix(fixed) if fixed else space


def _function(kind: str, name: Any, base: Path | None) -> Callable[..., Any]:
    if not isinstance(name, str):
        raise ConfigError(
            f"{kind}: expected a function by name, such as my_networks.py:build, got {name!r:.200}"
        )
    found = find(kind, name, base)
    if isinstance(found, type) or not callable(found):
        raise ConfigError(f"{kind} {name!r}: expected a function of the choices, got {type(found).__name__}")
    if kind == "build":  # needs the task too
        check_own(kind, name, found, "a function of the choices")
    else:
        check_called(kind, name, found, "a function of the choices", 1)
    return found  # type: ignore[no-any-return]


def _parameter(path: str, given: Any) -> Any:
    """A list is a `Choice`, a mapping names its kind, a plain value is the only option."""
    if isinstance(given, list):
        if len(given) == 1 and isinstance(given[0], list):
            raise ConfigError(
                f"parameter {path!r}: expected a list of options, got a list within a list, {given!r:.200}; write "
                f"{given[0]!r:.200}"
            )
        return _made(path, Choice, *given)
    if not isinstance(given, Mapping):
        return given
    kinds = ["repeat"] if "repeat" in given else [kind for kind in _KINDS if kind in given]
    if len(kinds) != 1:
        raise ConfigError(
            f"parameter {path!r}: expected a list of options, or a mapping with one of {', '.join(_KINDS)} such as "
            f"{{integer: [1, 3]}}, got {dict(given)!r:.200}"
        )
    kind, value = kinds[0], given[kinds[0]]
    rest = {key: v for key, v in given.items() if key != kind}
    when = rest.pop("when", None)
    if kind == "repeat":
        if when is not None and not isinstance(when, Mapping):
            raise ConfigError(
                f"parameter {path!r}: when is the condition of the repeat, a mapping of parameters to values, got {when!r:.200}; "
                "give a parameter of its items another name"
            )
        inner = {str(key): _parameter(f"{path}.{key}", v) for key, v in rest.items()}
        return _made(path, lambda: Repeat(value, when=when, **inner))
    unknown = [key for key in rest if key not in _OPTIONS[kind]]
    if unknown:
        raise ConfigError(
            f"parameter {path!r}: unknown key {unknown[0]!r}{did_you_mean(str(unknown[0]), [*_OPTIONS[kind], 'when'])}; "
            f"{kind} takes {', '.join([*_OPTIONS[kind], 'when'])}"
        )
    if not isinstance(value, list) or (kind != "choice" and len(value) != 2):
        expected = "a list of options" if kind == "choice" else "two numbers, the least and the largest"
        raise ConfigError(f"parameter {path!r}: {kind}: expected {expected}, got {value!r:.200}")
    kinds_of = {"choice": Choice, "integer": Integer, "float": Float}
    return _made(path, lambda: kinds_of[kind](*value, when=when, **rest))


def _made(path: str, make: Callable[..., Any], *given: Any) -> Any:
    try:
        return make(*given)
    except ConfigError as error:
        raise ConfigError(f"parameter {path!r}: {error}") from None
