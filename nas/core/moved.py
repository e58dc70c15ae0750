"""Old paths of modules documented in version 0.1: importing one warns and gives the same names."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MOVED: dict[str, tuple[str, ...]] = {
    "nas.candidates": ("nas.algorithms.candidates",),
    "nas.front": ("nas.pareto.archive",),
    "nas.interfaces": tuple(
        f"nas.core.{part}" for part in ("space", "evaluator", "algorithm", "executor", "surrogate")
    ),
    "nas.measure": (),
    "nas.measure.latency": ("nas.training.latency",),
    "nas.plots_front": ("nas.report.plots_front",),
    "nas.records": ("nas.core.records",),
    "nas.tasks": ("nas.training.tasks",),
}


class _Finder(MetaPathFinder, Loader):
    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return None if _targets(name) is None else ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> None:
        """Create an empty module."""

    def exec_module(self, module: ModuleType) -> None:
        """Make the module look up its names in their new modules."""
        targets = _targets(module.__name__) or ()

        def find(name: str) -> Any:
            for target in targets:
                found = import_module(target)
                if hasattr(found, name):
                    return getattr(found, name)
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

        module.__getattr__ = find  # type: ignore[method-assign]
        if targets:
            warnings.warn(
                f"{module.__name__} has moved to {', '.join(targets)}", DeprecationWarning, stacklevel=2
            )


def _targets(name: str) -> tuple[str, ...] | None:
    """The new modules of an old one; None for a module that did not move."""
    if name in MOVED:
        return MOVED[name]
    if name.startswith("nas.tasks."):
        return (f"nas.training.{name.removeprefix('nas.')}",)
    return None


def install() -> None:
    """Make old paths importable; repeated calls are harmless."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
