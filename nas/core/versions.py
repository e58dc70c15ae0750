"""Which code made a result."""

from __future__ import annotations

import platform
from importlib import metadata

PACKAGES = (
    "multiobjective-nas",
    "numpy",
    "pandas",
    "torch",
    "ray",
    "pymoo",
    "moocore",
    "scikit-learn",
    "scipy",
)


def versions() -> dict[str, str]:
    """Versions of Python, this package and those that a result depends on; no package is imported for it."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
