"""How a camera stores an image."""

from __future__ import annotations

import numpy as np


def stored_as(upright: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels as a camera stores them for this EXIF orientation: the inverse of a viewer's turn."""
    return {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }[orientation](upright)
