"""From stored images to normalised batches: the part of the loop that must cost almost nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from nas.core.errors import DataError
from nas.core.task_spec import TaskSpec
from nas.training.augment import sent
from nas.training.data import load
from nas.training.data.account import Account
from nas.training.data.base import ByteArray, DataSource, IntArray, Pictures, Splits
from nas.training.data.splits import subset
from nas.training.recipe import Recipe

FLOAT_BYTES = 64 * 2**20  # sets that fit in this as float32 are normalised once, not batch by batch
DECODERS = 4  # threads that decode large sets; Pillow releases the GIL while decoding


Transform = Callable[[Tensor], Tensor]


class Feed(Protocol):
    """Gives batches of normalised float32 images (b, c, h, w) and int64 labels (b,) on one device.

    `transform` augments the images of a batch, before they are enlarged.
    """

    def __len__(self) -> int: ...

    def batches(
        self, parts: list[Tensor], seed: int | None, transform: Transform = lambda x: x
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """One batch for each tensor of positions; `seed` as in `Pictures.take`."""


@dataclass(frozen=True, eq=False)
class Normalise:
    """(pixel - mean) / std by channel, on batches whose channels are last: (b, h, w, c)."""

    mean: Tensor
    std: Tensor
    channels_last: bool

    def __call__(self, x: Tensor) -> Tensor:
        """Images (b, h, w, c), uint8 or already normalised float32, as float32 (b, c, h, w)."""
        if x.dtype == torch.uint8:
            x = x.float().sub_(self.mean).div_(self.std)
        x = x.permute(0, 3, 1, 2)  # a view: in memory this is the channels_last format
        return x if self.channels_last else x.contiguous()


@dataclass(frozen=True, eq=False)
class MemoryFeed:
    """Images in memory as one tensor (n, h, w, c), float32 when small, else uint8; batches by index."""

    pixels: Tensor
    labels: Tensor
    normalise: Normalise
    enlarge: int | None = None  # images are kept small and enlarged a batch at a time

    def __len__(self) -> int:
        return len(self.labels)

    def batches(
        self, parts: list[Tensor], seed: int | None, transform: Transform = lambda x: x
    ) -> Iterator[tuple[Tensor, Tensor]]:
        for part in parts:
            at = sent(part, self.labels.device)
            x = transform(self.normalise(self.pixels.index_select(0, at)))
            if self.enlarge is not None:
                size = (self.enlarge, self.enlarge)
                x = torch.nn.functional.interpolate(x, size, mode="bicubic", align_corners=False)
            yield x, self.labels.index_select(0, at)


@dataclass(frozen=True, eq=False)
class DecodingFeed:
    """Images decoded on demand by threads, a batch ahead of the training."""

    images: Pictures
    resolution: int | None
    normalise: Normalise
    device: torch.device

    def __len__(self) -> int:
        return len(self.images)

    def batches(
        self, parts: list[Tensor], seed: int | None, transform: Transform = lambda x: x
    ) -> Iterator[tuple[Tensor, Tensor]]:
        positions = [part.numpy() for part in parts]
        with ThreadPoolExecutor(DECODERS) as pool:
            coming = [self._start(pool, at, seed) for at in positions[:1]]
            for index, at in enumerate(positions):
                if index + 1 < len(positions):
                    coming.append(self._start(pool, positions[index + 1], seed))
                pixels = np.concatenate([future.result() for future in coming.pop(0)])
                x = sent(torch.from_numpy(pixels), self.device).permute(0, 2, 3, 1).contiguous()
                y = sent(torch.from_numpy(self.images.labels[at]), self.device)
                yield transform(self.normalise(x)), y

    def _start(self, pool: ThreadPoolExecutor, at: IntArray, seed: int | None) -> list[Future[ByteArray]]:
        return [
            pool.submit(self.images.take, piece, self.resolution, seed)
            for piece in np.array_split(at, min(len(at), 2 * DECODERS))
        ]


@dataclass(frozen=True, eq=False)
class Prepared:
    """The three feeds of a data set, and the sizes that its networks need."""

    train: Feed
    validation: Feed
    test: Feed
    class_names: tuple[str, ...]
    mean: tuple[float, ...]  # per channel, as in `Splits`
    std: tuple[float, ...]
    class_weights: tuple[float, ...] | None = None  # of the loss; None: all alike
    one_size: bool = True  # whether the images have one size
    account: Account = field(default_factory=Account)  # the use of every file

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def in_channels(self) -> int:
        return len(self.mean)

    def spec(self) -> TaskSpec:
        """The sizes of a network for these data; the image size is the network's input size."""
        height, width = self.example().shape[-2:]
        return TaskSpec(
            self.in_channels, self.num_classes, (int(height), int(width)) if self.one_size else None
        )

    def example(self, count: int = 1) -> Tensor:
        """Some input images, (count or fewer, c, h, w): from the test set, if there is one."""
        feed = next(f for f in (self.test, self.validation, self.train) if len(f))
        images, _ = next(iter(feed.batches([torch.arange(min(count, len(feed)))], None)))
        return images.float().contiguous()


def prepare(data: DataSource, recipe: Recipe, device: torch.device, resolution: int | None) -> Prepared:
    """Feeds for this data under this recipe; made once per process for the same settings.

    `resolution` (None: the recipe's) is the side to resize images to. Raises `DataError` when the data cannot
    be read or leave nothing to train on.
    """
    return _prepare(
        data,
        recipe.subset,
        recipe.max_pictures,
        resolution or recipe.resolution,
        recipe.channels_last,
        device,
    )


@lru_cache(maxsize=8)  # a search has a handful of resolutions; the oldest is dropped when there are more
def _prepare(
    data: DataSource,
    fraction: float,
    most: int | None,
    resolution: int | None,
    channels_last: bool,
    device: torch.device,
) -> Prepared:
    splits = load(data)
    train = splits.train
    size = min(round(len(train) * fraction), len(train) if most is None else most)
    if size < len(train):
        train = train.select(subset(train.labels, size, seed=0))
    if len(train) == 0:
        raise DataError(f"data {data}: there is no training image; give more data or another split")
    train_feed, validation, test = (
        feed_of(part, splits, resolution, channels_last, device)
        for part in (train, splits.validation, splits.test)
    )
    return Prepared(
        train_feed, validation, test, splits.class_names, splits.mean, splits.std, account=splits.account
    )


def feed_of(
    images: Pictures, splits: Splits, resolution: int | None, channels_last: bool, device: torch.device
) -> Feed:
    """The feed for these images: from memory if they are there, else decoding."""
    normalise = Normalise(
        torch.tensor(splits.mean, device=device), torch.tensor(splits.std, device=device), channels_last
    )
    if images.images is None:
        return DecodingFeed(images, resolution, normalise, device)
    pixels = torch.from_numpy(np.ascontiguousarray(images.images))
    enlarge = None
    if resolution is not None and resolution > max(pixels.shape[2:]):
        enlarge = resolution
    elif resolution is not None and len(pixels):
        pixels = resized(pixels, resolution)
    pixels = pixels.permute(0, 2, 3, 1).contiguous().to(device)
    if pixels.numel() * 4 <= FLOAT_BYTES:
        pixels = pixels.float().sub_(normalise.mean).div_(normalise.std)
    return MemoryFeed(pixels, torch.from_numpy(images.labels).to(device), normalise, enlarge)


def resized(pixels: Tensor, resolution: int) -> Tensor:
    """uint8 (n, c, h, w) to (n, c, resolution, resolution), bilinear with anti-aliasing, in slices."""
    if tuple(pixels.shape[2:]) == (resolution, resolution):
        return pixels
    slices = [
        torch.nn.functional.interpolate(
            part.float(), size=(resolution, resolution), mode="bilinear", antialias=True
        )
        .round_()
        .clamp_(0, 255)
        .to(torch.uint8)
        for part in torch.split(pixels, 1024)
    ]
    return torch.cat(slices)
