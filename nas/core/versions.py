"""Versions of the code that produced a result."""

from __future__ import annotations

import platform
from functools import cache
from importlib import metadata

PACKAGES = "multiobjective-nas numpy pandas torch ray pymoo moocore scikit-learn scipy".split()


def versions() -> dict[str, str]:
    """Versions of Python, this package and the packages that results depend on, without importing them."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


@cache  # reading it takes a tenth of a small search
def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
