"""Small data sets of any number of classes, and custom spaces, for the tests of one source of truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import nn

import nas
from nas.training.tasks.segmentation.data import Ade20k
from nas.training.tasks.segmentation.masks import Codes, MaskListing


def write_images(folder: Path, classes: int, size: tuple[int, int] = (8, 8), grey: bool = False) -> Path:
    """Images in folders by class, RGB or grey: sixty in all, at least four a class."""
    rng = np.random.default_rng(classes)
    for label in range(classes):
        place = folder / f"class{label:03d}"
        place.mkdir(parents=True)
        for number in range(max(4, 60 // classes)):
            pixels = rng.integers(0, 255, size if grey else (*size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(place / f"{number}.png")
    return folder


def write_masks(root: Path, name: str) -> Path:
    """A small set of `name` in its published layout: voc (21 classes) or ade20k (150), images of 16x24 pixels."""
    rng, size = np.random.default_rng(0), (16, 24)
    places = {
        "voc": ("JPEGImages", "SegmentationClass") * 2,
        "ade20k": ("images/training", "annotations/training", "images/validation", "annotations/validation"),
    }[name]
    for half in (0, 1):
        images, masks = root / places[2 * half], root / places[2 * half + 1]
        images.mkdir(parents=True, exist_ok=True)
        masks.mkdir(parents=True, exist_ok=True)
        for number in range(12):
            word = f"{half}{number:02d}"
            Image.fromarray(rng.integers(0, 255, (*size, 3), dtype=np.uint8)).save(images / f"{word}.jpg")
            Image.fromarray(rng.integers(1, 21, size, dtype=np.uint8)).save(masks / f"{word}.png")
        if name == "voc":
            listed = root / "ImageSets" / "Segmentation" / f"{('train', 'val')[half]}.txt"
            listed.parent.mkdir(parents=True, exist_ok=True)
            listed.write_text("".join(f"{half}{n:02d}\n" for n in range(12)), encoding="utf-8")
    return root


@dataclass(frozen=True)
class Three(Ade20k):
    """The masks of `write_masks` in the layout of ade20k, with fewer classes: 0 to 2."""

    classes: int = 3

    def listing(self) -> MaskListing:
        found = super().listing()
        ignore = tuple(range(self.classes, 256))
        names = tuple(f"class {number}" for number in range(self.classes))
        return replace(found, class_names=names, codes=Codes(self.classes, ignore=ignore))


@dataclass(frozen=True)
class Hundred(Three):
    """The same with a hundred classes."""

    classes: int = 100


class Fixed(nas.SearchSpace):
    """Two convolutions; `cost` follows the settings, `build` its arguments. Independent of the data."""

    name = "own"
    cardinalities = (3, 3)

    def __init__(self, num_classes: int = 10, in_channels: int = 3, side: int | tuple[int, int] = 8) -> None:
        self.num_classes, self.in_channels = num_classes, in_channels
        self.pixels = side**2 if isinstance(side, int) else side[0] * side[1]

    def widths(self, architecture: nas.Architecture) -> tuple[int, int]:
        first, second = architecture.genes
        return 4 * (first + 1), 4 * (second + 1)

    def cost(self, architecture: nas.Architecture) -> Mapping[str, float]:
        first, second = self.widths(architecture)
        convolutions = 9 * self.in_channels * first + 9 * first * second
        classifier = second * self.num_classes
        return {
            "params": convolutions + first + second + classifier + self.num_classes,
            "madds": convolutions * self.pixels + classifier,
        }

    def build(
        self, architecture: nas.Architecture, *, num_classes: int = 10, in_channels: int = 3
    ) -> nn.Module:
        first, second = self.widths(architecture)
        return nn.Sequential(
            nn.Conv2d(in_channels, first, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(first, second, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(second, num_classes),
        )


class Own(Fixed):
    """The same, and it follows the data."""

    def for_task(self, task: nas.TaskSpec) -> Own:
        assert task.image_size is not None
        return Own(task.num_classes, task.in_channels, task.image_size)


declared = nas.Space("declared", width=nas.Choice(4, 8, 12), depth=nas.Integer(0, 2))


@declared.build
def declared_network(c: Any, *, num_classes: int, in_channels: int) -> nn.Module:
    body = [nn.Conv2d(c.width, c.width, 3, padding=1, bias=False) for _ in range(c.depth)]
    first = (nn.Conv2d(in_channels, c.width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(c.width))
    return nn.Sequential(*first, *body, nn.Flatten(), nn.LazyLinear(num_classes))
