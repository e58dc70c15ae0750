"""Interpolation and smoothing that several corruptions share, on images (h, w, c) of float32."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

FloatImage = NDArray[np.floating[Any]]
Points = NDArray[np.floating[Any]]


def mirrored(at: NDArray[np.int64], size: int, repeat_edge: bool) -> NDArray[np.int64]:
    """Indices folded back into 0 .. size - 1, the edge pixel repeated (dcba|abcd) or not (dcb|abcd)."""
    if size == 1:
        return np.zeros_like(at)
    period = 2 * size if repeat_edge else 2 * size - 2
    folded = np.mod(at, period)
    return np.asarray(np.minimum(folded, period - (1 if repeat_edge else 0) - folded))


def sampled(x: FloatImage, rows: Points, columns: Points, repeat_edge: bool) -> FloatImage:
    """Bilinear samples of `x` at (rows, columns), each (h, w), the image mirrored beyond its edges."""
    height, width, channels = x.shape
    top, left = np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
    down, right = (rows - top)[..., None].astype(np.float32), (columns - left)[..., None].astype(np.float32)
    flat = x.reshape(-1, channels)
    r0, r1 = (mirrored(top + i, height, repeat_edge) * width for i in (0, 1))
    c0, c1 = (mirrored(left + i, width, repeat_edge) for i in (0, 1))
    upper, lower = (flat[r + c0] + right * (flat[r + c1] - flat[r + c0]) for r in (r0, r1))
    return np.asarray(upper + down * (lower - upper))


def zoomed(x: FloatImage, factor: float) -> FloatImage:
    """The middle of `x` enlarged by `factor`, cut to the size of `x`; linear, corners on corners.

    As `scipy.ndimage.zoom` of order 1 on the middle ceil(side / factor) pixels.
    """
    rows, columns = (_zoom_positions(side, factor) for side in x.shape[:2])
    half = _interpolated(x, *rows)
    return _interpolated(half.transpose(1, 0, 2), *columns).transpose(1, 0, 2)


def _interpolated(x: FloatImage, first: NDArray[np.int64], weight: Points) -> FloatImage:
    """Linear interpolation between row `first` and the next."""
    last = np.minimum(first + 1, len(x) - 1)
    return x[first] * (1 - weight) + x[last] * weight


@lru_cache(maxsize=256)
def _zoom_positions(side: int, factor: float) -> tuple[NDArray[np.int64], Points]:
    """For each pixel of the result: the source row before it, and how far it is beyond that, shape (side, 1, 1)."""
    kept = int(np.ceil(side / factor))
    large = round(kept * factor)
    trim = (large - side) // 2
    at = (side - kept) // 2 + (np.arange(side) + trim) * (kept - 1) / max(large - 1, 1)
    first = np.floor(at).astype(np.int64)
    return first, (at - first).astype(np.float32)[:, None, None]


@lru_cache(maxsize=32)
def _smoothing(side: int, sigma: float, truncate: float) -> FloatImage:
    """The matrix that smooths a line of `side` pixels, edges mirrored: wide kernels cost no more than narrow ones."""
    smooth = gaussian_filter1d(np.eye(side), sigma, axis=0, mode="reflect", truncate=truncate)
    return np.asarray(smooth, dtype=np.float32)


def smoothed_field(field: FloatImage, sigma: float, truncate: float) -> FloatImage:
    """A map (h, w) smoothed by a Gaussian of `sigma` pixels (0: unchanged)."""
    if sigma == 0:
        return field
    height, width = field.shape
    return _smoothing(height, sigma, truncate) @ field @ _smoothing(width, sigma, truncate).T


def motion_blurred(x: FloatImage, radius: float, sigma: float, degrees: float) -> FloatImage:
    """The mean along a line from each pixel, weighted by half a Gaussian, the edge pixels repeated.

    As ImageMagick's motion blur, with which the published images were made: 2 ceil(radius) + 1 taps, whose
    offsets are rounded to pixels.
    """
    taps = np.arange(2 * int(np.ceil(radius)) + 1)
    weights = np.exp(-(taps**2) / (2 * sigma**2))
    weights = (weights / weights.sum()).astype(np.float32)
    angle = np.deg2rad(degrees)
    right = np.ceil(taps * np.cos(angle) - 0.5).astype(int)
    down = np.ceil(taps * np.sin(angle) - 0.5).astype(int)
    height, width = x.shape[:2]
    pad = int(np.abs([right, down]).max())
    padded = np.pad(x, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    total = np.zeros_like(x)
    for weight, i, j in zip(weights, down, right, strict=True):
        if weight > 1e-5:
            total += weight * padded[pad + i : pad + i + height, pad + j : pad + j + width]
    return total
