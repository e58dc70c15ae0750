"""Random scale, crop and flip of images with their masks: a batch at a time, on the batch's device."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from nas.training.tasks.segmentation.settings import IGNORE, Augment


def drawn(count: int, draws: torch.Generator) -> Tensor:
    """The random draws of `count` images, (count, 4) in [0, 1): scale, left, top, flip."""
    return torch.rand((count, 4), generator=draws)


def augmented(x: Tensor, y: Tensor, settings: Augment, random: Tensor) -> tuple[Tensor, Tensor]:
    """Images (b, c, h, w), normalised, and masks (b, h, w), each seen through its own window.

    The window is the crop's size divided by the scale, anywhere that wastes least; images are bilinear in it,
    masks nearest. Beside the image lie zeros (the mean colour) and `IGNORE`. Gives (b, c, *crop) and (b, *crop).
    """
    height, width = x.shape[-2:]
    crop = settings.crop or (height, width)
    low, high = (math.log(s) for s in settings.scales)
    scale = torch.exp(low + (high - low) * random[:, 0])
    mirror = torch.where(random[:, 3] < 0.5, -1.0, 1.0) if settings.flip else torch.ones_like(scale)
    theta = torch.zeros((len(x), 2, 3), device=x.device)
    for axis, (side, whole, place) in enumerate(
        ((crop[1], width, random[:, 1]), (crop[0], height, random[:, 2]))
    ):
        share = side / scale / whole  # of the image's side that the window spans
        theta[:, axis, axis] = share * (mirror if axis == 0 else 1.0)
        theta[:, axis, 2] = (2 * place - 1) * (1 - share)
    at = _grid(theta, crop)
    pictures = grid_sample(x, at, mode="bilinear", padding_mode="zeros", align_corners=False)
    shifted = (y + 1).to(x.dtype).unsqueeze(1)  # beside the image, where zeros are, is then distinct
    masks = grid_sample(shifted, at, mode="nearest", padding_mode="zeros", align_corners=False).squeeze(1)
    targets = masks.round().long() - 1
    return pictures, torch.where(targets < 0, IGNORE, targets)


def _grid(theta: Tensor, crop: tuple[int, int]) -> Tensor:
    """The position in the image of each pixel of the crop, (b, *crop, 2), from -1 to 1."""
    size = [len(theta), 1, int(crop[0]), int(crop[1])]
    return torch.nn.functional.affine_grid(theta, size, align_corners=False)
