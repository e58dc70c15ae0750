"""Versions of the code that produced a result."""

from __future__ import annotations

import platform
from importlib import metadata

PACKAGES = "multiobjective-nas numpy pandas torch ray pymoo moocore scikit-learn scipy".split()


def versions() -> dict[str, str]:
    """Versions of Python, this package and the packages that results depend on, without importing them."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
