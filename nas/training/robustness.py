"""Errors of a network on corrupted images, by corruption and severity, and the summaries of the paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import nn

from nas.core.checks import check_numbers, check_whole
from nas.core.errors import ConfigError, DataError
from nas.training.corruptions import CORRUPTIONS, corrupt_all
from nas.training.corruptions.apply import SEVERITIES
from nas.training.data import load
from nas.training.data.base import DataSource, MemoryPictures, Pictures
from nas.training.data.splits import subset
from nas.training.feed import feed_of
from nas.training.loop import judge

KEPT_BYTES = 512 * 2**20  # sets of corrupted images up to this size are made once per process

Errors = Mapping[tuple[str, int], float]  # (corruption, severity) -> error in percent


@dataclass(frozen=True)
class Robustness:
    """The corruptions and the number of images to evaluate a network on.

    `pictures` are drawn evenly from the classes, the same for every network, and corrupted at the size in which the
    data set gives them; `white` is their highest level (16 for the digits). Implements `nas.training.evaluator.Also`.
    Raises `ConfigError` for unknown corruptions or severities, or none.
    """

    corruptions: tuple[str, ...] = tuple(CORRUPTIONS)
    severities: tuple[int, ...] = SEVERITIES
    pictures: int = 200
    seed: int = 0
    white: int = 255

    def __post_init__(self) -> None:
        check_numbers("robustness", self)
        object.__setattr__(self, "corruptions", tuple(self.corruptions))  # lists come from YAML files
        object.__setattr__(self, "severities", tuple(self.severities))
        for name, values, known in (
            ("corruptions", self.corruptions, tuple(CORRUPTIONS)),
            ("severities", self.severities, SEVERITIES),
        ):
            if not values or len(set(values)) < len(values) or not set(values) <= set(known):
                raise ConfigError(
                    f"robustness: {name}: expected some of {', '.join(map(str, known))}, each once, got {list(values)}"
                )
        for name in ("pictures", "white"):
            check_whole(f"robustness: {name}", getattr(self, name))

    @property
    def reports(self) -> tuple[str, ...]:
        """Names of its values."""
        return ("robustness",)

    def __call__(
        self, network: nn.Module, data: DataSource, resolution: int | None, device: torch.device
    ) -> dict[str, float]:
        """`robustness`: accuracy in percent on corrupted validation images, the mean over corruptions and severities."""
        errors = self.errors(network, data, "validation", resolution, device)
        return {"robustness": 100.0 - float(np.mean(list(errors.values())))}

    def errors(
        self, network: nn.Module, data: DataSource, split: str, resolution: int | None, device: torch.device
    ) -> Errors:
        """The network's error on images of `split` (validation or test), for each corruption and severity.

        `resolution` is the side to which corrupted images are resized (None: as they are). Raises `DataError` when
        there is no image.
        """
        return {
            key: _error(network, images, data, resolution, device)
            for key, images in self._corrupted(data, split, resolution)
        }

    def clean_error(
        self, network: nn.Module, data: DataSource, split: str, resolution: int | None, device: torch.device
    ) -> float:
        """The network's error on the same images, not corrupted."""
        return _error(network, _clean(data, split, self.pictures, resolution), data, resolution, device)

    def _corrupted(
        self, data: DataSource, split: str, resolution: int | None
    ) -> Iterator[tuple[tuple[str, int], Pictures]]:
        clean = _clean(data, split, self.pictures, resolution)
        keep = clean.images.nbytes * len(self.corruptions) * len(self.severities) <= KEPT_BYTES
        for name in self.corruptions:
            for severity in self.severities:
                make = _made_once if keep else _made_once.__wrapped__
                yield (name, severity), make(data, split, resolution, self, name, severity)


def _error(
    network: nn.Module, images: Pictures, data: DataSource, resolution: int | None, device: torch.device
) -> float:
    splits = load(data)
    channels_last = any(
        p.ndim == 4 and p.is_contiguous(memory_format=torch.channels_last) for p in network.parameters()
    )
    feed = feed_of(images, splits, resolution, channels_last, device)
    return judge(network, feed, splits.num_classes).error


@lru_cache(maxsize=2)
def _clean(data: DataSource, split: str, count: int, resolution: int | None) -> MemoryPictures:
    """The images that are evaluated, in memory."""
    found: Pictures = getattr(load(data), split)
    if not len(found):
        raise DataError(f"data {data}: there is no {split} image to evaluate robustness on")
    chosen = subset(found.labels, min(count, len(found)), seed=0)
    side = None if found.images is not None else resolution
    return MemoryPictures(found.take(chosen, side, None), found.labels[chosen])


@lru_cache(maxsize=2 * len(CORRUPTIONS) * len(SEVERITIES))
def _made_once(
    data: DataSource, split: str, resolution: int | None, how: Robustness, name: str, severity: int
) -> MemoryPictures:
    clean = _clean(data, split, how.pictures, resolution)
    return MemoryPictures(corrupt_all(clean.images, name, severity, how.seed, how.white), clean.labels)


def corruption_error(errors: Errors) -> dict[str, float]:
    """Mean error over the severities, percent, by corruption."""
    names = dict.fromkeys(name for name, _ in errors)
    return {n: float(np.mean([e for (name, _), e in errors.items() if name == n])) for n in names}


def mean_corruption_error(errors: Errors, reference: Mapping[str, float]) -> float:
    """mCE, percent: errors as a part of a reference network's, averaged over corruptions (section 4.1 of the paper).

    `reference` has the mean error over the same severities by corruption, as `corruption_error` gives it or
    `ALEXNET`. Raises `ConfigError` when it lacks a corruption, or has no error on one.
    """
    parts = []
    for name, error in corruption_error(errors).items():
        base = reference.get(name)
        if base is None or base <= 0:
            raise ConfigError(f"reference: expected an error above 0 for {name}, got {base}")
        parts.append(100.0 * error / base)
    return float(np.mean(parts))


def relative_corruption_error(
    errors: Errors, clean: float, reference: Mapping[str, float], reference_clean: float
) -> float:
    """Relative mCE, percent: the error that corruption adds, relative to that of the reference."""
    parts = []
    for name, error in corruption_error(errors).items():
        base = reference.get(name, reference_clean) - reference_clean
        if base <= 0:
            raise ConfigError(
                f"reference: expected {name} to add to its clean error, it adds {base:g} points"
            )
        parts.append(100.0 * (error - clean) / base)
    return float(np.mean(parts))


# Mean top-1 error of AlexNet on ImageNet-C, percent (Hendrycks and Dietterich 2019, published with their code)
ALEXNET: dict[str, float] = {
    "gaussian_noise": 88.6428,
    "shot_noise": 89.4468,
    "impulse_noise": 92.2640,
    "defocus_blur": 81.9880,
    "glass_blur": 82.6268,
    "motion_blur": 78.5948,
    "zoom_blur": 79.8360,
    "snow": 86.6816,
    "frost": 82.6572,
    "fog": 81.9324,
    "brightness": 56.4592,
    "contrast": 85.3204,
    "elastic": 64.6056,
    "pixelate": 71.7840,
    "jpeg": 60.6500,
}
