"""Recipes of training: one frozen description, and the published ones."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from nas.core.checks import is_number
from nas.core.errors import ConfigError
from nas.training.schedules import SCHEDULES

OPTIMISER_NAMES = ("sgd", "adamw", "rmsprop")
AUGMENT_NAMES = ("crop", "flip", "erase")


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of a training. Raises `ConfigError` for invalid values.

    `batch_size` counts images over all processes. `lr` is the peak rate at that batch size. `augment`
    names transforms in the order in which they apply (see `nas.training.augment`). `warmup_epochs` ramps the
    rate linearly from 0. `weight_decay` leaves out biases and normalisation unless `decay_all`.
    `ema_decay` 0 switches the moving average of the weights off. `clip` is the largest gradient norm, 0 for
    none. `subset` is the fraction of the training images used and `max_pictures` a cap on their number: the
    same images for every candidate, in the classes' proportions. `resolution` is the side of the images
    that the network sees (None: as stored): larger ones are reduced beforehand, smaller ones are
    enlarged after the transforms. `mixed_precision` has effect on a GPU only. `decay_rate` and `decay_epochs` belong to
    the schedule `step`, `power` to `poly`; `eps` belongs to adamw and rmsprop.
    """

    epochs: int = 5
    batch_size: int = 32
    optimiser: str = "sgd"
    lr: float = 0.05
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    decay_all: bool = False
    eps: float = 1e-8
    schedule: str = "cosine"
    warmup_epochs: float = 0.5
    min_lr_factor: float = 0.0
    decay_rate: float = 0.97
    decay_epochs: float = 2.4
    power: float = 0.9
    label_smoothing: float = 0.0
    augment: tuple[str, ...] = ()
    ema_decay: float = 0.0
    clip: float = 0.0
    subset: float = 1.0
    max_pictures: int | None = None
    resolution: int | None = None
    channels_last: bool = True
    mixed_precision: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "augment", tuple(self.augment))  # lists come from YAML files
        _one_of("optimiser", self.optimiser, OPTIMISER_NAMES)
        _one_of("schedule", self.schedule, tuple(SCHEDULES))
        for name in self.augment:
            _one_of("augment", name, AUGMENT_NAMES)
        for name, low, high in _RANGES:
            _within(name, getattr(self, name), low, high)
        for name in ("epochs", "batch_size", "max_pictures", "resolution"):
            value = getattr(self, name)
            if value is not None and not (is_number(value, whole=True) and value >= 1):
                raise ConfigError(f"recipe: {name} must be a whole number of at least 1, not {value!r}")


_RANGES = (  # field, least, greatest
    ("lr", 1e-12, math.inf),
    ("momentum", 0.0, 0.9999),
    ("weight_decay", 0.0, math.inf),
    ("eps", 1e-16, 1.0),
    ("warmup_epochs", 0.0, math.inf),
    ("min_lr_factor", 0.0, 1.0),
    ("decay_rate", 1e-6, 1.0),
    ("decay_epochs", 1e-3, math.inf),
    ("power", 1e-3, 100.0),
    ("label_smoothing", 0.0, 0.999),
    ("ema_decay", 0.0, 0.999999),
    ("clip", 0.0, math.inf),
    ("subset", 1e-6, 1.0),
)


def recipe_from_config(config: dict[str, Any]) -> Recipe:
    """A recipe from plain settings, optionally starting from a published one: `{base: digits, epochs: 3}`.

    Raises `ConfigError` for an unknown base or setting, naming the nearest right ones.
    """
    settings = dict(config)
    base = settings.pop("base", None)
    known = [f.name for f in fields(Recipe)]
    for key in settings:
        _one_of("setting", key, tuple(known))
    if base is None:
        return Recipe(**settings)
    _one_of("base", base, tuple(RECIPES))
    start = RECIPES[base].recipe
    return Recipe(**{**{name: getattr(start, name) for name in known}, **settings})


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        from difflib import get_close_matches

        near = get_close_matches(str(value), known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"recipe: {name} {value!r} is unknown: expected one of {', '.join(known)}{hint}")


def _within(name: str, value: Any, low: float, high: float) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not low <= value <= high or math.isinf(value):
        raise ConfigError(f"recipe: {name} must be a number from {low:g} to {high:g}, not {value!r}")


@dataclass(frozen=True, slots=True)
class Published:
    """A recipe from the literature, with the settings of the network itself."""

    recipe: Recipe
    dropout: float = 0.0
    drop_connect: float = 0.0
    source: str = ""


RECIPES: dict[str, Published] = {
    "digits": Published(
        Recipe(epochs=60, augment=("crop",), label_smoothing=0.1, ema_decay=0.99),
        source="ours, for the bundled 8x8 digits",
    ),
    "cifar-transfer": Published(
        Recipe(
            epochs=50,
            batch_size=96,
            lr=0.01,
            momentum=0.9,
            nesterov=False,
            weight_decay=4e-5,
            decay_all=True,
            warmup_epochs=0.0,
            clip=5.0,
            augment=("crop", "flip"),
            resolution=224,
        ),
        dropout=0.2,
        source="the fine-tuning of MUXNet (Lu, Deb and Boddeti 2020) on CIFAR-10 and CIFAR-100",
    ),
    "imagenet": Published(
        Recipe(
            epochs=450,
            batch_size=768,
            optimiser="rmsprop",
            lr=0.048,
            momentum=0.9,
            eps=1e-3,
            weight_decay=1e-5,
            schedule="step",
            decay_rate=0.97,
            decay_epochs=2.4,
            warmup_epochs=3.0,
            label_smoothing=0.1,
            augment=("flip", "erase"),
            ema_decay=0.9999,
            resolution=224,
        ),
        dropout=0.2,
        drop_connect=0.2,
        source="EfficientNet-B0 as trained in timm, without RandAugment",
    ),
    "camvid": Published(
        Recipe(
            epochs=150,
            batch_size=16,
            lr=0.1,
            nesterov=False,
            weight_decay=1e-4,
            schedule="poly",
            warmup_epochs=2.0,
            ema_decay=0.998,
        ),
        source="ours, for segmentations of a few hundred small images from scratch",
    ),
    "ade20k": Published(
        Recipe(
            epochs=60,
            batch_size=16,
            lr=0.02,
            nesterov=False,
            weight_decay=1e-4,
            schedule="poly",
            warmup_epochs=0.0,
        ),
        source="segmentation on ADE20K (Zhou et al. 2018): 100,000 steps of 16 images, on pretrained weights",
    ),
    "blood-cells": Published(
        Recipe(
            epochs=600,
            batch_size=32,
            optimiser="adamw",
            lr=2e-3,
            weight_decay=0.02,
            warmup_epochs=20.0,
            ema_decay=0.998,
            clip=10.0,
        ),
        source="ours, for detectors of a few hundred images from scratch",
    ),
    "voc": Published(
        Recipe(
            epochs=232,
            batch_size=32,
            lr=1e-3,
            nesterov=False,
            weight_decay=5e-4,
            warmup_epochs=2.0,
            clip=10.0,
        ),
        source="SSD300 on PASCAL VOC (Liu et al. 2016): 120,000 steps of 32 images, on pretrained weights; here a cosine",
    ),
}
