"""The images of an exported network: as an image decoder gives them, and as the network takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas.export.standalone import ImageSpec
from nas.training.data import load
from nas.training.feed import Prepared

REAL = 8  # real images to compare exports on
_FIXED = {"Digits": 8, "Cifar10": 32, "Cifar100": 32}  # sides of the images of data sets, by class
_SPREAD = 2.0  # standard deviations of random pixels around the mean

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Reading:
    """How image files become the network's pixels, as in the training.

    An image of another size than `stored` (height, width) is cut to a central part of this shape, `keep` of the largest one, and resized;
    an image of that size stays unchanged. The result is then resized to the network's size where that differs. `largest` is the
    largest pixel value of the training images.
    """

    stored: tuple[int, int]
    keep: float = 1.0
    largest: int = 255

    @classmethod
    def of(cls, data: Any, prepared: Prepared) -> Reading:
        """That of a classifier's data."""
        images = load(data).train.images
        if images is None or not len(images):  # decoded at the network's size
            height, width = prepared.example().shape[-2:]
            return cls((int(height), int(width)), float(getattr(data, "keep", 1.0)))
        height, width = images.shape[2:]
        return cls((int(height), int(width)), float(getattr(data, "keep", 1.0)), int(images.max()))

    @classmethod
    def described(cls, name: str, settings: dict[str, Any], size: tuple[int, int]) -> Reading:
        """That of a data set of which only the class and its settings are known, for a network of this image size."""
        side = settings.get("resolution") or _FIXED.get(name)
        stored = size if side is None else (int(side), int(side))
        return cls(stored, float(settings.get("keep", 1.0)), 16 if name == "Digits" else 255)


def spec_and_examples(prepared: Prepared) -> tuple[ImageSpec, Tensor]:
    """The input of the network, and sample images, normalised (b, c, h, w)."""
    real = prepared.example(REAL)
    channels, height, width = real.shape[1:]
    mean, std = (tuple(float(x) for x in values) for values in (prepared.mean, prepared.std))
    return ImageSpec((channels, height, width), mean, std, prepared.class_names), real


def to_pixels(images: Tensor, spec: ImageSpec) -> Pixels:
    """Normalised images (b, c, h, w) as stored pixels (b, h, w, c), rounded."""
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (spec.mean, spec.std))
    stored = (images.float().cpu() * std + mean).round_().clamp_(0, 255).to(torch.uint8)
    return np.ascontiguousarray(stored.permute(0, 2, 3, 1).numpy())


def normalised(pixels: Pixels, spec: ImageSpec) -> Tensor:
    """Pixels (b, h, w, c) as float32 (b, c, h, w), like `nas.training.feed.Normalise`."""
    mean, std = torch.tensor(spec.mean), torch.tensor(spec.std)
    return torch.from_numpy(pixels).float().sub_(mean).div_(std).permute(0, 3, 1, 2).contiguous()


def random_pixels(count: int, spec: ImageSpec, generator: torch.Generator) -> Pixels:
    """Random images (count, h, w, c), most within two standard deviations of the mean."""
    drawn = torch.rand(count, *spec.shape, generator=generator) * 2 - 1
    return to_pixels(_SPREAD * drawn, spec)
