"""Modules that workers receive by value because they cannot import them."""

from __future__ import annotations

import sys
from types import ModuleType

_BY_VALUE: set[str] = set()


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
