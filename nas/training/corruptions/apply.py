"""The corruptions by name, with their parameters, and their application to images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.core.checks import check_known
from nas.core.errors import ConfigError
from nas.training.corruptions import blur, digital, noise, weather
from nas.training.corruptions.warping import FloatImage

SMALL = 64  # pixels up to which the parameters for 32 are used, those for 224 above
SEVERITIES = (1, 2, 3, 4, 5)

# An image (h, w, c) from 0 to 1, the parameter of a severity, randomness -> the corrupted one; may leave 0 to 1
Apply = Callable[[FloatImage, Any, np.random.Generator], FloatImage]


@dataclass(frozen=True)
class Corruption:
    """One corruption: its function, and its parameter at severities 1 to 5 for 32 pixels and for 224."""

    kind: str
    apply: Apply
    at_32: tuple[Any, ...]
    at_224: tuple[Any, ...]


def _zooms(*ranges: tuple[float, float]) -> tuple[tuple[float, ...], ...]:
    """Enlargements from 1 in steps up to an end, which the rounding of the published code now and then includes."""
    return tuple(tuple(np.arange(1, end, step).tolist()) for end, step in ranges)


def _stretches(side: int, *shares: tuple[float, float, float]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(side * share for share in one) for one in shares)


CORRUPTIONS: dict[str, Corruption] = {
    "gaussian_noise": Corruption(
        "noise", noise.gaussian_noise, (0.04, 0.06, 0.08, 0.09, 0.10), (0.08, 0.12, 0.18, 0.26, 0.38)
    ),
    "shot_noise": Corruption("noise", noise.shot_noise, (500, 250, 100, 75, 50), (60, 25, 12, 5, 3)),
    "impulse_noise": Corruption(
        "noise", noise.impulse_noise, (0.01, 0.02, 0.03, 0.05, 0.07), (0.03, 0.06, 0.09, 0.17, 0.27)
    ),
    "defocus_blur": Corruption(
        "blur",
        blur.defocus_blur,
        ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
        ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    ),
    "glass_blur": Corruption(
        "blur",
        blur.glass_blur,
        ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    ),
    "motion_blur": Corruption(
        "blur",
        blur.motion_blur,
        ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
        ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    ),
    "zoom_blur": Corruption(
        "blur",
        blur.zoom_blur,
        _zooms((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
        _zooms((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
    ),
    "snow": Corruption(
        "weather",
        weather.snow,
        (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
        (
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
    ),
    "frost": Corruption(
        "weather",
        weather.frost,
        ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
        ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
    ),
    "fog": Corruption(
        "weather",
        weather.fog,
        ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
        ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    ),
    "brightness": Corruption(
        "weather", weather.brightness, (0.05, 0.1, 0.15, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4, 0.5)
    ),
    "contrast": Corruption(
        "digital", digital.contrast, (0.75, 0.5, 0.4, 0.3, 0.15), (0.4, 0.3, 0.2, 0.1, 0.05)
    ),
    "elastic": Corruption(
        "digital",
        digital.elastic,
        _stretches(
            32, (0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)
        ),
        # their side is 244; they state that it should have been 224
        _stretches(
            244, (2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02)
        ),
    ),
    "pixelate": Corruption(
        "digital", digital.pixelate, (0.95, 0.9, 0.85, 0.75, 0.65), (0.6, 0.5, 0.4, 0.3, 0.25)
    ),
    "jpeg": Corruption("digital", digital.jpeg, (80, 65, 58, 50, 40), (25, 18, 15, 10, 7)),
}

KINDS = tuple(dict.fromkeys(c.kind for c in CORRUPTIONS.values()))


def corrupt(
    picture: NDArray[np.uint8], name: str, severity: int, rng: np.random.Generator, white: int = 255
) -> NDArray[np.uint8]:
    """`picture`, uint8 (h, w, c) with 1 or 3 channels and values up to `white`, corrupted; the given one is not changed.

    Up to 64 pixels the parameters are those published for 32 (CIFAR-10-C), above those for 224 (ImageNet-C). The
    result is cut to 0 .. white and truncated to whole numbers, as published.

    Raises `ConfigError` for an unknown corruption, a severity that is not 1 to 5, or another kind of array.
    """
    check_known("corruption", name, CORRUPTIONS)
    if severity not in SEVERITIES:
        raise ConfigError(f"severity: expected 1, 2, 3, 4 or 5, got {severity!r}")
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in (1, 3):
        raise ConfigError(
            f"picture: expected uint8 (height, width, 1 or 3), got {picture.dtype} {picture.shape}"
        )
    corruption = CORRUPTIONS[name]
    small = max(picture.shape[:2]) <= SMALL
    parameter = (corruption.at_32 if small else corruption.at_224)[severity - 1]
    changed = corruption.apply(picture.astype(np.float32) / np.float32(white), parameter, rng)
    # half a thousandth of a level keeps unchanged values from being truncated below their level
    return np.asarray(np.clip(changed * white + 5e-4, 0, white), dtype=np.uint8)


def corrupt_all(
    images: NDArray[np.uint8], name: str, severity: int, seed: int, white: int = 255
) -> NDArray[np.uint8]:
    """Images (n, c, h, w), each corrupted with randomness that depends only on `seed` and its position."""
    order = list(CORRUPTIONS).index(name) if name in CORRUPTIONS else 0
    changed = [
        corrupt(
            image.transpose(1, 2, 0), name, severity, np.random.default_rng([seed, order, severity, i]), white
        )
        for i, image in enumerate(images)
    ]
    if not changed:
        return images.copy()
    return np.ascontiguousarray(np.stack(changed).transpose(0, 3, 1, 2))
