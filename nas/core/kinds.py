"""Type checks of a named object (space, evaluator, algorithm) before it is called."""

from __future__ import annotations

import functools
import inspect
import sys
import sysconfig
import typing
from types import FunctionType, MethodType
from typing import Any

from nas.core.errors import ConfigError

_LIBRARY = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib")})
_INSTALLED = ("site-packages", "dist-packages")


def in_standard_library(file: str) -> bool:
    """Whether a file belongs to Python's standard library."""
    return file.startswith(_LIBRARY) and not any(f"/{name}/" in file for name in _INSTALLED)


def of_standard_library(module: str) -> bool:
    """Whether a loaded module belongs to Python's standard library; a user's module may share the name."""
    top = module.partition(".")[0]
    if top not in sys.stdlib_module_names:
        return False
    file = getattr(sys.modules.get(top), "__file__", None)
    return file is None or in_standard_library(file)


def unwrapped(found: Any) -> Any:
    """The innermost callable: the function of a method, a partial or a decorated function."""
    for _ in range(100):  # bounds a cyclic chain
        if isinstance(found, functools.partial):
            found = found.func
        elif isinstance(found, MethodType):
            found = found.__func__
        elif not isinstance(found, type) and callable(getattr(found, "__wrapped__", None)):
            found = found.__wrapped__
        else:
            break
    return found


def check_called(kind: str, name: str, found: Any, expected: str, arguments: int) -> None:
    """Check that `found` accepts this number of arguments.

    Raises `ConfigError` otherwise, and for everything of Python's standard library (`subprocess:getoutput`).
    """
    if not callable(found) or isinstance(found, type):
        what = f"the class {found.__name__}" if isinstance(found, type) else type(found).__name__
        raise ConfigError(f"{kind} {name!r}: expected {expected}, got {what}")
    check_own(kind, name, found, expected)
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):  # compiled code may lack a signature
        return
    try:
        signature.bind(*range(arguments))
    except TypeError as error:
        raise ConfigError(
            f"{kind} {name!r}: expected {expected}, got a function of {signature} ({error})"
        ) from None


def check_own(kind: str, name: str, found: Any, expected: str) -> None:
    """Raise `ConfigError` for an object of Python's standard library."""
    inner = unwrapped(found)
    module = getattr(inner, "__module__", None)
    if not isinstance(module, str):
        module = type(inner).__module__
    if of_standard_library(module):
        raise ConfigError(
            f"{kind} {name!r}: expected {expected}, got {module}.{getattr(inner, '__name__', type(inner).__name__)} of "
            "Python's standard library, which is never called"
        )


def check_class(kind: str, name: str, found: Any, expected: str, *methods: str) -> None:
    """Raise `ConfigError` for anything but a class with the required methods."""
    if not isinstance(found, type):
        raise ConfigError(f"{kind} {name!r}: expected {expected}, got {type(found).__name__}")
    check_own(kind, name, found, expected)
    missing = [m for m in methods if not any(m in vars(c) for c in found.__mro__)]
    if missing:
        raise ConfigError(
            f"{kind} {name!r}: expected {expected}; the class {found.__name__} has no {', '.join(missing)}"
        )


def is_subclass(found: Any, cls: type) -> bool:
    """Whether `found` is a subclass of `cls`."""
    return isinstance(found, type) and issubclass(found, cls)


def returns(found: Any, cls: type) -> bool:
    """Whether `found` is a function annotated to return a `cls`."""
    inner = unwrapped(found)
    if not isinstance(inner, FunctionType):
        return False
    try:
        said = typing.get_type_hints(inner).get("return")
    except Exception:  # an annotation with unknown names
        return False
    return is_subclass(said, cls)


def takes(argument: str, found: Any) -> bool:
    """Whether a class or function has an argument with this name."""
    try:
        return argument in inspect.signature(found).parameters
    except (TypeError, ValueError):
        return False
