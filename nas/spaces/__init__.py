"""Declared search spaces: parameters, conditions, networks and exact costs, text forms, encodings, variation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.core.lazy import lazy_names

if TYPE_CHECKING:
    from nas.spaces.from_network import from_module

__all__ = ["from_module"]

__getattr__ = lazy_names(__name__, {"nas.spaces.from_network": ("from_module",)})
