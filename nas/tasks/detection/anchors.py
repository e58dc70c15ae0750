"""Default boxes ("anchors") of the single-shot detector: Liu et al., ECCV 2016, section 2.2."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from nas.errors import ConfigError
from nas.tasks.detection.boxes import to_corners


@dataclass(frozen=True)
class AnchorPlan:
    """Sizes and shapes of the anchors of every map.

    `scales` are fractions of the picture's side, one a map and one more; `ratios` the aspect ratios of each map
    besides 1. A cell of map k has a square of scale k, a square of the geometric mean of scales k and k + 1, and a wide
    and a tall box for every ratio. Raises `ConfigError` when the two do not fit each other.
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
    """Scales at equal distances from `low` to `high` for so many maps, and 1 after the last (section 2.2, equation 4)."""
    gap = (high - low) / max(1, maps - 1)
    scales = (*(low + gap * k for k in range(maps)), max(1.0, high + gap))
    return AnchorPlan(scales, (tuple(ratios),) * maps)


SSD300 = AnchorPlan(  # of the authors' network for PASCAL VOC at 300 pixels: 8,732 anchors
    tuple(pixels / 300 for pixels in (30, 60, 111, 162, 213, 264, 315)),
    ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,)),
)


@lru_cache(maxsize=32)
def anchors(plan: AnchorPlan, sizes: tuple[tuple[int, int], ...], device: torch.device) -> Tensor:
    """The anchors of maps of these (height, width), (n, 4) in fractions of the picture, in the order of predictions."""
    parts = []
    for index, (height, width) in enumerate(sizes):
        y = (torch.arange(height, dtype=torch.float32) + 0.5) / height
        x = (torch.arange(width, dtype=torch.float32) + 0.5) / width
        centres = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1)  # (h, w, 2) of x, y
        shapes = torch.tensor(plan.shapes(index), dtype=torch.float32)
        cells = centres[:, :, None, :].expand(height, width, len(shapes), 2)
        sized = shapes.expand(height, width, len(shapes), 2)
        parts.append(torch.cat([cells, sized], dim=-1).reshape(-1, 4))
    return to_corners(torch.cat(parts)).to(device)
