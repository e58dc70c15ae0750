"""Random images in place of CIFAR-10, for the tests of experiments/multiplexing."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments" / "multiplexing"))

import decoded


def random_images(folder: Path, side: int, patch: pytest.MonkeyPatch) -> None:
    """Make the study read 60 training and 20 test images of ten classes; the two files in `folder` are empty."""
    rng = np.random.default_rng(0)

    def part(count: int) -> decoded.MemoryPictures:
        pixels = rng.integers(0, 256, (count, 3, side, side), dtype=np.uint8)
        return decoded.MemoryPictures(pixels, np.arange(count) % 10)

    splits = decoded.Splits(part(60), part(0), part(20), decoded.NAMES, (127.0,) * 3, (70.0,) * 3)
    patch.setattr(decoded.Parquet, "load", lambda self: splits)
    for name in decoded.FILES:
        (folder / name).touch()
