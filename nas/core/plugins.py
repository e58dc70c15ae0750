"""Look up components by name: in a registry, as `package.module:Name`, or as `path/file.py:Name`."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from importlib.abc import SourceLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from nas.core.checks import did_you_mean
from nas.core.code_files import LOADED, Source, locate
from nas.core.errors import ConfigError, NasError
from nas.core.interrupts import is_interrupt
from nas.core.kinds import in_standard_library
from nas.core.text import shell_quoted
from nas.core.tracebacks import called, summarize_exception

_FOUND: ContextVar[tuple[list[ModuleType], ...]] = ContextVar("found", default=())
_BY_VALUE: set[str] = set()  # names of modules that workers receive by value because they cannot import them
_GATE: ContextVar[Callable[[str, str, Path | None], None] | None] = ContextVar("gate", default=None)


@contextmanager
def collecting() -> Iterator[list[ModuleType]]:
    """Collect every module that `find` loads, or has loaded, in this block."""
    found: list[ModuleType] = []
    token = _FOUND.set((*_FOUND.get(), found))
    try:
        yield found
    finally:
        _FOUND.reset(token)


@contextmanager
def guarded(gate: Callable[[str, str, Path | None], None]) -> Iterator[None]:
    """Call `gate(kind, name, base)` before `find` loads code that is not built in; the gate may raise."""
    token = _GATE.set(gate)
    try:
        yield
    finally:
        _GATE.reset(token)


def built_in_alone() -> AbstractContextManager[None]:
    """Let `find` return built-in components alone, for reading untrusted files."""

    def refuse(kind: str, name: str, base: Path | None) -> None:
        raise ConfigError(f"{kind} {name!r}: code that a run names is not loaded here")

    return guarded(refuse)


# The registries of each kind of component: dictionaries by name, imported when a name is looked up.
_REGISTRIES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "space": (
        ("search_spaces", "SEARCH_SPACES"),
        ("nas.training.from_config", "SPACES"),
        ("nas.shrinking.from_config", "SPACES"),
    ),
    "evaluator": (
        ("nas.training.from_config", "EVALUATORS"),
        ("nas.sharing.from_config", "EVALUATORS"),
        ("nas.shrinking.from_config", "EVALUATORS"),
        ("search_spaces", "TABLES"),
    ),
    "algorithm": (("nas.algorithms", "ALGORITHMS"), ("nas.algorithms.peers", "PEERS")),
    "surrogate": (("surrogates", "SURROGATES"),),
    "executor": (("nas.executors", "EXECUTORS"),),
    "build": (),
    "model": (),
    "cost": (),
    "rule": (),
    "objective": (("nas.core.objectives", "OBJECTIVES"),),
    "callback": (("nas.monitor.trackers", "CALLBACKS"),),
    "data set": (("nas.training.data", "DATASETS"),),
    "mask data set": (("nas.training.tasks.segmentation.data", "DATASETS"),),
    "task": (("nas.training.from_config", "TASKS"),),
}


def registry(kind: str) -> dict[str, Any]:
    """The built-in components of a kind, by name."""
    found: dict[str, Any] = {}
    for module, name in _REGISTRIES[kind]:
        found |= getattr(importlib.import_module(module), name)
    return found


def find(kind: str, name: str, base: Path | None = None) -> Any:
    """Return the component `name`: a built-in one, or a custom one by its path.

    A relative file path starts at `base` (the folder of the config file). Naming a file runs it: name only files that you
    trust. Raises `ConfigError` when nothing is found, and, before importing it, for a module of Python's standard library,
    which has no components.
    """
    known = registry(kind)
    if name in known:
        return known[name]
    place, colon, attribute = name.rpartition(":")
    if not colon:
        raise ConfigError(
            f"{kind}: unknown {name!r}{did_you_mean(name, known)}; known: {', '.join(known)}; "
            "your own: package.module:Name or path/file.py:Name"
        )
    gate = _GATE.get()
    if gate is not None:
        gate(kind, name, base)
    module = _load_file(kind, place, base) if place.endswith(".py") else _import(kind, place)
    for found in _FOUND.get():
        found.append(module)
    if not hasattr(module, attribute):
        names = [n for n in vars(module) if not n.startswith("_")]
        raise ConfigError(f"{kind} {name!r}: {place} has no {attribute!r}{did_you_mean(attribute, names)}")
    return getattr(module, attribute)


def _import(kind: str, name: str) -> Any:
    check_no_library(kind, name)
    try:
        return importlib.import_module(name)
    except NasError:
        raise
    except BaseException as error:
        if is_interrupt(error):
            raise
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            raise ConfigError(
                f"{kind}: no module {error.name!r} is installed; name a file by its path, path/file.py:Name"
            ) from None
        raise ConfigError(f"{kind}: cannot import {name!r}: {summarize_exception(error)}") from error


def check_no_library(kind: str, module: str) -> None:
    """Raise `ConfigError` for a module of Python's standard library; import nothing."""
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        file = locate(top)
        if file is None or in_standard_library(file) or not file.endswith(".py"):
            raise ConfigError(f"{kind}: {module!r} belongs to Python's standard library, which has no {kind}")


class _Read(SourceLoader):
    """Loads a module from exactly the text that was hashed."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def get_filename(self, fullname: str) -> str:
        return self._source.path

    def get_data(self, path: str | bytes | int) -> bytes:
        return self._source.text


def _load_file(kind: str, place: str, base: Path | None) -> Any:
    """The module of a file, loaded once per version of its text."""
    path = (Path(place) if base is None else base / place).resolve()
    if not path.is_file():
        raise ConfigError(f"{kind}: no file {path}")
    source = Source.read(path)
    if source is None:
        raise ConfigError(f"{kind}: cannot read {path}")
    name = f"nas_user_{path.stem}_{zlib.crc32(os.fsencode(path)):08x}"  # file names may repeat
    earlier = sys.modules.get(name)
    if earlier is not None and getattr(earlier, LOADED, None) == source:
        return earlier
    spec = importlib.util.spec_from_file_location(name, path, loader=_Read(source))
    if spec is None or spec.loader is None:
        raise ConfigError(f"{kind}: {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    setattr(module, LOADED, source)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if earlier is not None:
            sys.modules[name] = earlier
        if is_interrupt(error) or isinstance(error, NasError):
            raise
        raise ConfigError(
            f"{kind}: {path} cannot be loaded: {summarize_exception(error)}{_not_on_path(path, error)}"
        ) from error
    ship_by_value(module)  # workers cannot import the file
    return module


def _not_on_path(file: Path, error: BaseException) -> str:
    """The remedy for a missing module that lies beside the file that imports it."""
    name = error.name if isinstance(error, ModuleNotFoundError) else None
    if name is None or not any((file.parent / found).exists() for found in (name, f"{name}.py")):
        return ""
    folder = shell_quoted(file.parent)
    return f"; {name} lies beside it, in a folder that Python does not search: export PYTHONPATH={folder}"


_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def make(
    kind: str, factory: Callable[..., Any], settings: Mapping[str, Any], name: str = "", /, **given: Any
) -> Any:
    """Call a factory with the user's settings and the accepted ones of `given`; errors name the component `name`.

    Raises `ConfigError` for an unknown setting (naming the nearest), a missing one, or an invalid value.
    """
    name = name or getattr(factory, "__name__", str(factory))
    extra = check_settings(kind, factory, settings, name, **given)
    return called(f"{kind} {name}", factory, **settings, **extra)


def check_settings(
    kind: str, factory: Callable[..., Any], settings: Mapping[str, Any], name: str = "", /, **given: Any
) -> dict[str, Any]:
    """Return the accepted ones of `given`. Raises `ConfigError` for unknown or missing settings."""
    name = name or getattr(factory, "__name__", str(factory))
    try:
        parameters = inspect.signature(factory).parameters
    except (TypeError, ValueError):
        raise ConfigError(
            f"{kind} {name}: expected a class or function, got {type(factory).__name__}"
        ) from None
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for key in settings:
        if (key not in parameters and not takes_all) or key in given:
            own = [p for p in parameters if p not in given]
            raise ConfigError(
                f"{kind} {name}: no setting {key!r}{did_you_mean(key, own)}; it has: {', '.join(own) or 'none'}"
            )
    required = [p.name for p in parameters.values() if p.default is p.empty and p.kind in _NAMED]
    missing = [key for key in required if key not in settings and key not in given]
    if missing:
        raise ConfigError(f"{kind} {name}: needs the setting {', '.join(map(repr, missing))}")
    return {key: value for key, value in given.items() if key in parameters or takes_all}


def ship_by_value(module: ModuleType) -> None:
    """Send the definitions of `module` to workers in full instead of by name.

    For modules loaded from a path (`my_objectives.py:latency`), which another process cannot find. Does not import Ray; the
    Ray executor reads this list when it packs the evaluator. Repeated calls are harmless.
    """
    sys.modules.setdefault(module.__name__, module)  # cloudpickle registers only loaded modules
    _BY_VALUE.add(module.__name__)


def modules_by_value() -> list[ModuleType]:
    """The loaded modules passed to `ship_by_value`."""
    return [sys.modules[name] for name in sorted(_BY_VALUE) if name in sys.modules]
