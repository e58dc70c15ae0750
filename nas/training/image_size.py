"""Image size of a space's networks."""

from __future__ import annotations

from typing import Any

from nas.core.records import Architecture
from nas.core.task_spec import as_size

_SAID_BY = ("picture", "resolution", "image_size", "spec")


def has_input_size(space: Any) -> bool:
    """Whether the space has an attribute that `input_size` reads."""
    return any(hasattr(space, name) for name in _SAID_BY)


def input_size(space: Any, architecture: Architecture) -> tuple[int, int] | None:
    """Height and width in pixels; None where neither the space nor the architecture defines them.

    The architecture's size takes precedence over the space's.
    """
    if hasattr(space, "picture"):  # of a segmentation
        return None if space.picture is None else as_size("picture", space.picture)
    side = space.resolution(architecture) if hasattr(space, "resolution") else None
    if side is None:
        side = getattr(space, "image_size", None)
    if side is None and hasattr(space, "spec"):  # a MUXNet resizes its images
        side = getattr(space.spec(architecture), "resolution", None)
    return None if side is None else as_size("image_size", side)
