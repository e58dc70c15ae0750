"""Weather: snow, frost, fog, bright light."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from nas.training.corruptions.warping import FloatImage, motion_blurred, zoomed

GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)
FROST_SIDE, FROST_IMAGES = 448, 5
FROST_TINT = (0.93, 0.97, 1.0)


def snow(x: FloatImage, flakes: tuple[float, ...], rng: np.random.Generator) -> FloatImage:
    """Flakes from zoomed and thresholded noise, driven by the wind; the image whitened.

    (mean, deviation, zoom, threshold, radius, sigma of the motion, kept share of the image).
    """
    mean, deviation, zoom, threshold, radius, sigma, kept = flakes
    layer = mean + deviation * rng.standard_normal((*x.shape[:2], 1), dtype=np.float32)
    layer = zoomed(layer, zoom)
    layer[layer < threshold] = 0
    layer = np.floor(np.clip(layer, 0, 1) * 255) / 255
    layer = motion_blurred(layer, radius, sigma, degrees=rng.uniform(-135, -45))
    grey = x @ GREY[:, None] if x.shape[2] == 3 else x
    whitened = kept * x + (1 - kept) * np.maximum(x, grey * 1.5 + 0.5)
    return np.asarray(whitened + layer + np.rot90(layer, 2), dtype=np.float32)


def frost(x: FloatImage, mix: tuple[float, float], rng: np.random.Generator) -> FloatImage:
    """The image and a piece of a frosted window, weighted.

    Not as published: there the windows are six photographs (five are used), here they are generated.
    """
    height, width = x.shape[:2]
    window = frosted_window(int(rng.integers(FROST_IMAGES)), small=max(height, width) <= 64)
    rows, columns = (
        (np.arange(n) + rng.integers(max(1, len(window) - n))) % len(window) for n in (height, width)
    )
    piece = window[rows[:, None], columns[None]]
    if x.shape[2] == 1:
        piece = piece @ GREY[:, None]
    return np.asarray(mix[0] * x + mix[1] * piece, dtype=np.float32)


@lru_cache(maxsize=2 * FROST_IMAGES)
def frosted_window(index: int, small: bool) -> FloatImage:
    """A frosted window (side, side, 3), the same for the same index: needles in several directions on a cloudy ground.

    The small ones are the large ones reduced five times, for images of about 32 pixels.
    """
    rng = np.random.default_rng([20190101, index])
    side = FROST_SIDE
    ground = plasma(512, 1.9, rng)[:side, :side].astype(np.float32)
    needles = np.zeros((side, side, 1), dtype=np.float32)
    for direction in rng.uniform(0, 180) + np.array([0.0, 60.0, 120.0, 25.0, 85.0]):
        seeds = (rng.random((side, side, 1), dtype=np.float32) > 0.994).astype(np.float32)
        streaks = motion_blurred(seeds, 24, 14, direction) + motion_blurred(seeds, 24, 14, direction + 180)
        needles = np.maximum(needles, streaks / streaks.max())
    fine = gaussian_filter(rng.standard_normal((side, side)).astype(np.float32), 1.0)
    ice = 0.15 + 0.55 * ground + (0.25 + 0.6 * ground) * needles[:, :, 0] ** 0.7 + 0.08 * fine
    window = np.clip(ice, 0, 1)[:, :, None] * np.array(FROST_TINT, dtype=np.float32)
    if small:
        kept = side - side % 5
        window = window[:kept, :kept].reshape(kept // 5, 5, kept // 5, 5, 3).mean((1, 3))
    return np.asarray(window, dtype=np.float32)


def fog(x: FloatImage, haze: tuple[float, float], rng: np.random.Generator) -> FloatImage:
    """A bank of fog (thickness, how fast its fine structure fades), the whole dimmed to the image's range."""
    thickness, decay = haze
    height, width = x.shape[:2]
    side = 1 << max(1, int(np.ceil(np.log2(max(height, width)))))
    brightest = float(x.max())
    bank = plasma(side, decay, rng)[:height, :width, None]
    return np.asarray((x + thickness * bank) * (brightest / (brightest + thickness)), dtype=np.float32)


def plasma(side: int, decay: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Fractal clouds (side, side) from 0 to 1, by the diamond-square algorithm on a torus; `side` a power of two."""
    clouds = np.zeros((side, side))
    step, wobble = side, 100.0

    def settled(total: NDArray[np.float64]) -> NDArray[np.float64]:
        return total / 4 + wobble * rng.uniform(-wobble, wobble, total.shape)

    while step >= 2:
        half = step // 2
        corners = clouds[::step, ::step]
        pairs = corners + np.roll(corners, -1, 0)
        clouds[half::step, half::step] = settled(pairs + np.roll(pairs, -1, 1))
        middles = clouds[half::step, half::step]
        clouds[::step, half::step] = settled(
            middles + np.roll(middles, 1, 0) + corners + np.roll(corners, -1, 1)
        )
        clouds[half::step, ::step] = settled(
            middles + np.roll(middles, 1, 1) + corners + np.roll(corners, -1, 0)
        )
        step, wobble = half, wobble / decay
    clouds -= clouds.min()
    return np.asarray(clouds / clouds.max())


def brightness(x: FloatImage, more: float, rng: np.random.Generator) -> FloatImage:
    """The value of hue, saturation and value raised by `more`, to at most 1.

    With hue and saturation kept, colours grow in proportion to the value; black becomes grey.
    """
    value = x.max(axis=2, keepdims=True)
    raised = np.minimum(value + np.float32(more), 1)
    return np.asarray(np.where(value > 0, x * (raised / np.maximum(value, 1e-12)), raised))
