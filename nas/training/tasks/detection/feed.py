"""Annotated images on the device, whole, and batches of them; training and evaluation are in `task`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from nas.training.feed import Normalise, Transform
from nas.training.tasks.detection.augment import Augmentation
from nas.training.tasks.detection.data.base import Annotated, Objects


@dataclass(frozen=True, eq=False)
class DetectionFeed:
    """Images uint8 (n, h, w, 3) and targets (n, m, 5), one row an object, label -1 in the rows that fill up.

    An epoch takes each image `repeats` times. `annotated` is the source of the images, for evaluation.
    """

    pixels: Tensor
    targets: Tensor
    normalise: Normalise
    annotated: Annotated
    augmentation: Augmentation | None = None
    repeats: int = 1

    def __len__(self) -> int:
        return len(self.pixels) * self.repeats

    def batches(
        self, parts: list[Tensor], seed: int | None, transform: Transform = lambda x: x
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """One batch for each tensor of positions; augmented with draws from `seed` unless it is None."""
        draws = None if seed is None else torch.Generator().manual_seed(seed)
        for part in parts:
            at = (part % max(1, len(self.pixels))).to(self.pixels.device, non_blocking=True)
            x = transform(self.normalise(self.pixels.index_select(0, at)))
            y = self.targets.index_select(0, at)
            if draws is not None and self.augmentation is not None:
                x, y = self.augmentation(x, y, draws)
            yield x, y


def feed_of(annotated: Annotated, normalise: Normalise, device: torch.device) -> DetectionFeed:
    """All images on the device, without augmentation."""
    pixels = torch.from_numpy(annotated.images).permute(0, 2, 3, 1).contiguous().to(device)
    return DetectionFeed(pixels, targets_of(annotated.objects).to(device), normalise, annotated)


def targets_of(objects: tuple[Objects, ...]) -> Tensor:
    """(n, m, 5) for as many rows m as the fullest image needs (at least 1); difficult objects are left out."""
    easy = [replace(o, boxes=o.boxes[~o.difficult], labels=o.labels[~o.difficult]) for o in objects]
    rows = max([1, *(len(o) for o in easy)])
    table = np.full((len(objects), rows, 5), -1.0, dtype=np.float32)
    for index, one in enumerate(easy):
        table[index, : len(one), 0] = one.labels
        table[index, : len(one), 1:] = one.boxes
    return torch.from_numpy(table)


def part_of(annotated: Annotated, size: int, seed: int = 0) -> Annotated:
    """This many images, drawn at random, the same for the same seed."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(annotated))[:size])
    return Annotated(
        annotated.images[chosen],
        tuple(annotated.objects[i] for i in chosen),
        tuple(annotated.names[i] for i in chosen),
        annotated.sizes[chosen],
    )
