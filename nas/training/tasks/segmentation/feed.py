"""From pairs of images and masks to batches: kept on the device when they are of one size, else decoded."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from nas.core.errors import ConfigError
from nas.training.feed import DECODERS, Transform
from nas.training.tasks.segmentation.masks import MaskImages
from nas.training.tasks.segmentation.settings import IGNORE, Augment


@dataclass(frozen=True, eq=False)
class Normalise:
    """uint8 images (b, c, h, w) to float32, (pixel - mean) / std by channel."""

    mean: Tensor  # (c, 1, 1)
    std: Tensor
    channels_last: bool

    def __call__(self, x: Tensor) -> Tensor:
        x = x.float().sub_(self.mean).div_(self.std)
        return x.contiguous(memory_format=torch.channels_last) if self.channels_last else x


@dataclass(frozen=True, eq=False)
class ResidentFeed:
    """Pairs of one size, uint8 on the device: (n, c, h, w) and (n, h, w).

    Gives normalised float32 images and int64 targets (b, h, w); with a seed they are augmented, by draws of the
    seed alone. `judged` is the number evaluated at a time.
    """

    pixels: Tensor
    masks: Tensor
    normalise: Normalise
    augment: Augment
    judged: int = 16

    def __len__(self) -> int:
        return len(self.masks)

    def batches(
        self, parts: list[Tensor], seed: int | None, transform: Transform = lambda x: x
    ) -> Iterator[tuple[Tensor, Tensor]]:
        device = self.masks.device
        counts = [len(part) for part in parts]
        random = _random(sum(counts), seed).to(device)
        at = torch.cat(parts).to(device) if parts else torch.zeros(0, dtype=torch.long)
        for index, some in zip(torch.split(at, counts), torch.split(random, counts), strict=True):
            x = self.normalise(self.pixels.index_select(0, index))
            y = self.masks.index_select(0, index).long()
            if seed is not None:
                x, y = augmented(x, y, self.augment, some)
            yield x, y


@dataclass(frozen=True, eq=False)
class DecodedFeed:
    """Pairs of any sizes, decoded by threads a batch ahead; evaluated one at a time, whole."""

    images: MaskImages
    normalise: Normalise
    augment: Augment
    device: torch.device
    judged: int = 1

    def __len__(self) -> int:
        return len(self.images)

    def batches(
        self, parts: list[Tensor], seed: int | None, transform: Transform = lambda x: x
    ) -> Iterator[tuple[Tensor, Tensor]]:
        if seed is not None and self.augment.crop is None:
            raise ConfigError(
                "augment: crop: the images have several sizes (or are too many for memory): set the size of the crop"
            )
        positions = [part.tolist() for part in parts]
        random = torch.split(_random(sum(map(len, positions)), seed), [len(p) for p in positions])
        with ThreadPoolExecutor(DECODERS) as pool:
            coming = [self._start(pool, *first) for first in list(zip(positions, random, strict=True))[:1]]
            for index in range(len(positions)):
                if index + 1 < len(positions):
                    coming.append(self._start(pool, positions[index + 1], random[index + 1]))
                pairs = [future.result() for future in coming.pop(0)]
                x, y = torch.cat([p[0] for p in pairs]), torch.cat([p[1] for p in pairs])
                yield x.to(self.device), y.to(self.device)

    def _start(
        self, pool: ThreadPoolExecutor, at: list[int], random: Tensor
    ) -> list[Future[tuple[Tensor, Tensor]]]:
        return [pool.submit(self._one, index, some) for index, some in zip(at, random, strict=True)]

    def _one(self, index: int, random: Tensor) -> tuple[Tensor, Tensor]:
        """One pair as a batch; augmented only where there are draws."""
        pixels, mask = self.images.pair(index)
        x = self.normalise(torch.from_numpy(np.ascontiguousarray(pixels)).unsqueeze(0))
        y = torch.from_numpy(np.ascontiguousarray(mask)).unsqueeze(0).long()
        if random.numel() == 0:
            return x, y
        return augmented(x, y, self.augment, random.unsqueeze(0))


def _random(count: int, seed: int | None) -> Tensor:
    """(count, 4) draws of the seed, or (count, 0) without one."""
    if seed is None:
        return torch.empty((count, 0))
    return drawn(count, torch.Generator().manual_seed(seed))


def feed_of(
    part: MaskImages,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    augment: Augment,
    channels_last: bool,
    device: torch.device,
) -> ResidentFeed | DecodedFeed:
    """The feed for these pairs."""
    held = part.images is not None and part.masks is not None
    where = device if held else torch.device("cpu")
    shape = (len(mean), 1, 1)
    normalise = Normalise(
        torch.tensor(mean, device=where).reshape(shape),
        torch.tensor(std, device=where).reshape(shape),
        channels_last,
    )
    if part.images is None or part.masks is None:
        return DecodedFeed(part, normalise, augment, device)
    pixels, masks = torch.from_numpy(part.images), torch.from_numpy(part.masks)
    return ResidentFeed(pixels.to(device), masks.to(device), normalise, augment)


def drawn(count: int, draws: torch.Generator) -> Tensor:
    """The random draws of `count` images, (count, 4) in [0, 1): scale, left, top, flip."""
    return torch.rand((count, 4), generator=draws)


def augmented(x: Tensor, y: Tensor, settings: Augment, random: Tensor) -> tuple[Tensor, Tensor]:
    """Images (b, c, h, w), normalised, and masks (b, h, w), each seen through its own window.

    The window is the crop's size divided by the scale, anywhere that wastes least; images are bilinear in it,
    masks nearest. Outside the image are zeros (the mean colour) and `IGNORE`. Gives (b, c, *crop) and (b, *crop).
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
    images = grid_sample(x, at, mode="bilinear", padding_mode="zeros", align_corners=False)
    shifted = (y + 1).to(x.dtype).unsqueeze(1)  # beside the image, where zeros are, is then distinct
    masks = grid_sample(shifted, at, mode="nearest", padding_mode="zeros", align_corners=False).squeeze(1)
    targets = masks.round().long() - 1
    return images, torch.where(targets < 0, IGNORE, targets)


def _grid(theta: Tensor, crop: tuple[int, int]) -> Tensor:
    """The position in the image of each pixel of the crop, (b, *crop, 2), from -1 to 1."""
    size = [len(theta), 1, int(crop[0]), int(crop[1])]
    return torch.nn.functional.affine_grid(theta, size, align_corners=False)
