"""Modules that workers cannot import by name, and therefore receive by value."""

from __future__ import annotations

import sys
from types import ModuleType

_BY_VALUE: set[str] = set()


def ship_by_value(module: ModuleType) -> None:
    """Send what `module` defines to the workers in full, instead of having them import it by name.

    For modules loaded from a path (`my_objectives.py:latency`), which another process cannot find. Does not
    import Ray; the Ray executor looks here when it packs the evaluator. Harmless when called twice.
    """
    sys.modules.setdefault(module.__name__, module)  # cloudpickle registers only modules it can look up
    _BY_VALUE.add(module.__name__)


def modules_by_value() -> list[ModuleType]:
    """The modules given to `ship_by_value` that are still loaded."""
    return [sys.modules[name] for name in sorted(_BY_VALUE) if name in sys.modules]
