"""How large the pictures are that a space's networks are for."""

from __future__ import annotations

from typing import Any

from nas.records import Architecture


def picture_size(space: Any, architecture: Architecture) -> tuple[int, int] | None:
    """Height and width in pixels; None where neither the space nor the architecture says it."""
    if hasattr(space, "picture"):  # of a segmentation
        height, width = space.picture
        return int(height), int(width)
    side = getattr(space, "image_size", None)
    if side is None and hasattr(space, "spec"):  # a MUXNet brings pictures to a size of its own
        side = space.spec(architecture).resolution
    if side is None and hasattr(space, "resolution"):
        side = space.resolution(architecture)
    return None if side is None else (int(side), int(side))
