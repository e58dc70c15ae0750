"""Random views of whole batches, images and boxes together, on their device."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from nas.core.checks import check_fraction, check_numbers
from nas.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Ranges of the augmentation in training.

    A window of `zoom` (least, greatest) times the image's side, up to `stretch` longer one way than the other, is cut at a
    random place; one that is larger than the image shows the mean colour around it. `flip` and `flip_vertical` are
    probabilities. `colour` is the greatest change of brightness, contrast and saturation, in deviations and fractions.
    Raises `ConfigError` for numbers out of range.
    """

    zoom: tuple[float, float] = (0.5, 1.3)
    stretch: float = 0.2
    flip: float = 0.5
    flip_vertical: float = 0.0
    colour: float = 0.3

    def __post_init__(self) -> None:
        check_numbers("augmentation", self)
        object.__setattr__(self, "zoom", tuple(self.zoom))  # lists come from YAML files
        if not 0 < self.zoom[0] <= self.zoom[1]:
            raise ConfigError(
                f"augmentation: zoom: expected two numbers above 0, the least first, got {self.zoom}"
            )
        for name in ("stretch", "flip", "flip_vertical", "colour"):
            check_fraction(f"augmentation: {name}", getattr(self, name))

    def __call__(self, x: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Other views of normalised images (b, 3, h, w) and their targets (b, m, 5); see `nas.training.tasks.detection.loss`.

        An object whose centre is outside the window is dropped, the others are cut at its edge (Liu et al. 2016, section
        2.2). The draws come from a generator on the CPU.
        """
        draw = torch.rand((9, len(x)), generator=generator).to(x.device, non_blocking=True)
        low, high = (math.log(z) for z in self.zoom)
        side = torch.exp(low + (high - low) * draw[0])
        ratio = torch.exp(math.log1p(self.stretch) * (draw[1] - 0.5))
        size = torch.stack([side * ratio, side / ratio], dim=1)  # (b, 2) width, height of the window
        start = draw[2:4].T * (1 - size)  # within the image, or around it when the window is larger
        mirrored = torch.stack([draw[4] < self.flip, draw[5] < self.flip_vertical], dim=1)
        images = _views(_coloured(x, draw[6:9] * 2 - 1, self.colour), start, size, mirrored)
        return images, _moved(targets, start, size, mirrored)


def _views(x: Tensor, start: Tensor, size: Tensor, mirrored: Tensor) -> Tensor:
    """The content of the windows; start, size and mirrored are (b, 2) in x, y."""
    sign = 1.0 - 2.0 * mirrored.to(size)
    middle = 2.0 * start + size - 1.0  # in grid_sample's units, where the image is -1 to 1
    theta = torch.diag_embed(size * sign)
    theta = torch.cat([theta, middle[:, :, None]], dim=2)
    grid = functional.affine_grid(theta, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _moved(targets: Tensor, start: Tensor, size: Tensor, mirrored: Tensor) -> Tensor:
    """The targets in the coordinates of the windows."""
    corners = (targets[..., 1:].reshape(len(targets), -1, 2, 2) - start[:, None, None]) / size[:, None, None]
    flipped = torch.where(mirrored[:, None, None], 1.0 - corners.flip(2), corners)  # (b, m, corner, x or y)
    middle = flipped.mean(2)
    inside = ((middle > 0) & (middle < 1)).all(-1)
    labels = torch.where(inside, targets[..., 0], -1.0)
    return torch.cat([labels[..., None], flipped.clamp(0, 1).flatten(2)], dim=-1)


def _coloured(x: Tensor, draw: Tensor, amount: float) -> Tensor:
    """Saturation, contrast and brightness changed by up to `amount`; `draw` (3, b) in -1 to 1."""
    saturation, contrast, brightness = (amount * d[:, None, None, None] for d in draw)
    grey = x.mean(1, keepdim=True)
    changed: Tensor = (grey + (x - grey) * (1 + saturation)) * (1 + contrast) + brightness
    return changed
