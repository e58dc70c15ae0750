"""Digital: contrast, elastic deformation, coarse pixels, compression."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from nas.training.corruptions.warping import FloatImage, sampled, smoothed_field


def contrast(x: FloatImage, kept: float, rng: np.random.Generator) -> FloatImage:
    """Differences from the channel's mean reduced to `kept`."""
    means = x.mean(axis=(0, 1), keepdims=True)
    return np.asarray((x - means) * np.float32(kept) + means)


def elastic(x: FloatImage, stretch: tuple[float, float, float], rng: np.random.Generator) -> FloatImage:
    """A random affine map, then random smooth displacements: (their height, their smoothness, reach of the map), pixels.

    Three points around the centre move by up to the reach; the displacements are uniform noise from -1 to 1, smoothed
    by a Gaussian, times the height.
    """
    height, sigma, reach = stretch
    rows, columns = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in x.shape[:2]), indexing="ij")
    centre, square = np.array(x.shape[:2]) // 2, min(x.shape[:2]) // 3
    start = centre + square * np.array(
        [[1, 1], [1, -1], [-1, -1]]
    )  # (column, row), as the published code has them
    end = start + rng.uniform(-reach, reach, start.shape)
    # source position of a pixel of the result: the inverse of the map from `start` to `end`
    back = np.linalg.solve(np.column_stack([end, np.ones(3)]), start.astype(np.float64)).astype(np.float32)
    x = sampled(
        x,
        columns * back[0, 1] + rows * back[1, 1] + back[2, 1],
        columns * back[0, 0] + rows * back[1, 0] + back[2, 0],
        repeat_edge=False,
    )
    right, down = (
        np.float32(height) * smoothed_field(2 * rng.random(x.shape[:2], dtype=np.float32) - 1, sigma, 3.0)
        for _ in range(2)
    )
    return sampled(x, rows + down, columns + right, repeat_edge=True)


def pixelate(x: FloatImage, share: float, rng: np.random.Generator) -> FloatImage:
    """Reduced to a `share` of its side by the mean over boxes, and enlarged again."""
    image = to_image(x)
    small = image.resize(tuple(max(1, int(n * share)) for n in image.size), Image.Resampling.BOX)  # type: ignore[arg-type]
    return to_floats(small.resize(image.size, Image.Resampling.BOX))


def jpeg(x: FloatImage, quality: int, rng: np.random.Generator) -> FloatImage:
    """Compressed as JPEG of this `quality`."""
    stream = io.BytesIO()
    to_image(x).save(stream, "JPEG", quality=quality)
    return to_floats(Image.open(stream))


def to_image(x: FloatImage) -> Image.Image:
    """A Pillow image of the same levels."""
    levels = np.round(x * 255).astype(np.uint8)
    return Image.fromarray(levels if x.shape[2] == 3 else levels[:, :, 0])


def to_floats(image: Image.Image) -> FloatImage:
    """(h, w, c), 0 to 1."""
    levels = np.asarray(image, dtype=np.float32) / 255
    return levels if levels.ndim == 3 else levels[:, :, None]
