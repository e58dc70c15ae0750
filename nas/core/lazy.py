"""Names that are imported on first use, so that importing a package is quick."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, modules: Mapping[str, Sequence[str]], packages: Sequence[str] = ()
) -> Callable[[str], Any]:
    """A package's ``__getattr__`` that imports each name from its module when it is first used.

    `package` is the package's ``__name__``; `modules` maps a module, relative to it if it begins with ".", to names. `packages`
    are names within it that are imported themselves.
    """
    homes = {name: module for module, names in modules.items() for name in names}

    def get(name: str) -> Any:
        if name in packages:
            return import_module(f"{package}.{name}")
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(homes[name], package), name)

    return get


class Lazy:
    """A class or function for a registry, imported when it is called or described."""

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self.__name__ = name

    def load(self) -> Any:
        """The class or function itself."""
        return getattr(import_module(self._module), self.__name__)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.load())

    @property
    def summary(self) -> str:
        """First line of the docstring."""
        return (self.load().__doc__ or "").strip().splitlines()[0]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.load()(*args, **kwargs)
