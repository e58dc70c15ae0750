"""Blur: out of focus, behind frosted glass, in motion."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve

from nas.training.corruptions.warping import FloatImage, motion_blurred, zoomed


def defocus_blur(x: FloatImage, disk: tuple[float, float], rng: np.random.Generator) -> FloatImage:
    """The mean over a disk (radius, softness of its edge), the image mirrored at its edges."""
    kernel = disk_kernel(*disk)
    pad = len(kernel) // 2
    padded = np.pad(x, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    return fftconvolve(padded, kernel[:, :, None], mode="valid", axes=(0, 1)).astype(np.float32)  # type: ignore[no-any-return]


@lru_cache(maxsize=32)
def disk_kernel(radius: float, softness: float) -> FloatImage:
    """A disk smoothed by a small Gaussian (3 taps, 5 above radius 8), without empty edges.

    It adds up to 1, or to a hundredth more where it touches the edge of its grid (radius 8 and above): the smoothing
    mirrors it there, as published.
    """
    reach = max(8, int(np.ceil(radius)))
    line = np.arange(-reach, reach + 1)
    disk = (line[:, None] ** 2 + line[None] ** 2 <= radius**2).astype(np.float64)
    half = 1 if radius <= 8 else 2
    taps = np.exp(-(np.arange(-half, half + 1) ** 2) / (2 * softness**2))
    taps /= taps.sum()
    padded = np.pad(disk / disk.sum(), half, mode="reflect")
    rows = sum(t * padded[i : i + len(disk)] for i, t in enumerate(taps))
    kernel = sum(t * rows[:, i : i + len(disk)] for i, t in enumerate(taps))
    while len(kernel) > 1 and kernel[0].max() < 1e-9:
        kernel = kernel[1:-1, 1:-1]
    return np.asarray(kernel, dtype=np.float32)


def glass_blur(x: FloatImage, glass: tuple[float, int, int], rng: np.random.Generator) -> FloatImage:
    """Smoothed (sigma), pixels taken from up to `reach` pixels away, `times` times, smoothed again."""
    sigma, reach, times = glass
    levels = (255 * smoothed(x, sigma)).astype(np.uint8)
    for _ in range(times):
        levels = taken_from_near(levels, reach, rng)
    return smoothed(levels.astype(np.float32) / 255, sigma)


def smoothed(x: FloatImage, sigma: float) -> FloatImage:
    """A Gaussian over height and width, edge pixels repeated."""
    return gaussian_filter(x, (sigma, sigma, 0), mode="nearest", truncate=4.0)  # type: ignore[no-any-return]


def taken_from_near(x: NDArray[np.uint8], reach: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Each inner pixel, from the last to the first, becomes a random one at most `reach` away, as that is by then.

    This matches the published code (its exchange of two views copies in one direction only), without a loop
    over pixels: a pixel whose source was processed before it takes the source's value, and so on along the chain.
    """
    height, width = x.shape[:2]
    rows, columns = np.arange(reach + 1, height - reach + 1), np.arange(reach + 1, width - reach + 1)
    inner = (rows[:, None] * width + columns[None]).ravel()
    right, down = rng.integers(-reach, reach, (2, len(inner)))
    source = inner + down * width + right
    is_inner = np.zeros(height * width, dtype=bool)
    is_inner[inner] = True
    # `follow` maps a pixel to the one whose result it takes; to itself where the chain ends
    follow = np.arange(height * width)
    ends = np.arange(height * width)
    earlier = is_inner[source] & (source > inner)
    follow[inner[earlier]] = source[earlier]
    ends[inner[~earlier]] = source[~earlier]
    while True:
        further = follow[follow]
        if np.array_equal(further, follow):
            break
        follow = further
    return x.reshape(height * width, -1)[ends[follow]].reshape(x.shape)


def motion_blur(x: FloatImage, motion: tuple[float, float], rng: np.random.Generator) -> FloatImage:
    """Motion (radius, sigma) in a direction within 45 degrees of the horizontal."""
    return motion_blurred(x, *motion, degrees=rng.uniform(-45, 45))


def zoom_blur(x: FloatImage, zooms: tuple[float, ...], rng: np.random.Generator) -> FloatImage:
    """The mean of the image and its enlargements."""
    total = x.copy()
    for factor in zooms:
        total += zoomed(x, factor)
    return total / np.float32(len(zooms) + 1)
