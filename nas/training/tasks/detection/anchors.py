"""Default boxes ("anchors") of the single-shot detector: Liu et al., ECCV 2016, section 2.2."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas.core.errors import ConfigError


@dataclass(frozen=True)
class AnchorPlan:
    """Sizes and shapes of the anchors of every map.

    `scales` are fractions of the image's side, one a map and one more; `ratios` the aspect ratios of each map
    besides 1. A cell of map k has a square of scale k, a square of the geometric mean of scales k and k + 1, and a wide
    and a tall box for every ratio. Raises `ConfigError` when their lengths do not match.
    """

    scales: tuple[float, ...]
    ratios: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if len(self.scales) != len(self.ratios) + 1:
            raise ConfigError(
                f"anchors: expected a scale for each of the {len(self.ratios)} maps and one more, got {len(self.scales)}"
            )
        rising = all(a < b for a, b in zip(self.scales, self.scales[1:], strict=False))
        if not rising or self.scales[0] <= 0:
            raise ConfigError(f"anchors: expected scales above 0 that rise, got {self.scales}")
        if any(r <= 1 for ratios in self.ratios for r in ratios):
            raise ConfigError(f"anchors: expected ratios above 1 (each counts both ways), got {self.ratios}")

    @property
    def maps(self) -> int:
        return len(self.ratios)

    @property
    def per_cell(self) -> tuple[int, ...]:
        """Anchors of a cell, for every map."""
        return tuple(2 + 2 * len(r) for r in self.ratios)

    def shapes(self, index: int) -> list[tuple[float, float]]:
        """(width, height) of the anchors of a cell of one map."""
        scale, between = self.scales[index], math.sqrt(self.scales[index] * self.scales[index + 1])
        found = [(scale, scale), (between, between)]
        for ratio in self.ratios[index]:
            long, short = scale * math.sqrt(ratio), scale / math.sqrt(ratio)
            found += [(long, short), (short, long)]
        return found


def spread(low: float, high: float, maps: int, ratios: Sequence[float] = (2, 3)) -> AnchorPlan:
    """Scales at equal distances from `low` to `high` for this many maps, and 1 after the last (section 2.2, equation 4)."""
    gap = (high - low) / max(1, maps - 1)
    scales = (*(low + gap * k for k in range(maps)), max(1.0, high + gap))
    return AnchorPlan(scales, (tuple(ratios),) * maps)


SSD300 = AnchorPlan(  # of the authors' network for PASCAL VOC at 300 pixels: 8,732 anchors
    tuple(pixels / 300 for pixels in (30, 60, 111, 162, 213, 264, 315)),
    ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,)),
)


def anchors(plan: AnchorPlan, sizes: tuple[tuple[int, int], ...], device: torch.device) -> Tensor:
    """The anchors of maps of these (height, width), (n, 4) in fractions of the image, in the order of predictions."""
    return torch.from_numpy(_table(plan, sizes)).to(device, non_blocking=True, copy=True)


@lru_cache(maxsize=32)
def _table(plan: AnchorPlan, sizes: tuple[tuple[int, int], ...]) -> NDArray[np.float32]:
    """As `anchors`; an array, since a cached tensor would keep the mode (inference, export) of its creation."""
    parts = []
    for index, (height, width) in enumerate(sizes):
        shapes = np.array(plan.shapes(index))
        y, x = np.meshgrid(
            (np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij"
        )
        centres = np.stack([x, y], axis=-1)[:, :, None, :]  # (h, w, 1, 2)
        corners = [centres - shapes / 2, centres + shapes / 2]
        parts.append(np.concatenate(corners, axis=-1).reshape(-1, 4))
    return np.concatenate(parts).astype(np.float32)
