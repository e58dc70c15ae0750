"""Encoded images to arrays, with Pillow; nothing else in the package decodes."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nas.core.errors import DataError
from nas.training.data.base import ByteArray
from nas.training.data.modes import Unreadable, numbers, shown

if TYPE_CHECKING:
    from PIL.Image import Image

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels of the image

CHANNELS = (1, 3)  # grey and colour
EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
    | {".pbm", ".pgm", ".ppm", ".pnm"}
)


def read(where: str, blob: bytes | None, channels: int) -> Image:
    """Decode an image completely, from `blob` or else from the file `where`, as a viewer shows it (see `modes`).

    Raises `DataError` naming `where` when it is missing, truncated, not an image, or has no defined appearance.
    """
    return read_turned(where, blob, channels)[0]


def read_turned(where: str, blob: bytes | None, channels: int) -> tuple[Image, int]:
    """As `read`, with the EXIF orientation (1 to 8) from which the image was turned upright."""
    return _opened(where, blob, "an image", lambda image: shown(image, channels))


def read_numbers(where: str, blob: bytes | None) -> tuple[ByteArray, int]:
    """A mask's own numbers (h, w), upright: grey values or positions in its palette; and its EXIF orientation.

    Raises `DataError` naming `where`.
    """
    mask, orientation = _opened(where, blob, "a mask", numbers)
    return np.asarray(mask, dtype=np.uint8), orientation


def _opened(
    where: str, blob: bytes | None, kind: str, decode: Callable[[Image], tuple[Image, int]]
) -> tuple[Image, int]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(blob) if blob is not None else Path(where)) as image:
            return decode(image)  # loads all pixels, so a truncated file is noticed here
    except FileNotFoundError:
        raise DataError(f"{where}: cannot be read as {kind} (the file is missing)") from None
    except Unreadable as error:
        raise DataError(f"{where}: cannot be read as {kind} ({error})") from None
    except UnidentifiedImageError:  # its text has an address in memory
        raise DataError(f"{where}: cannot be read as {kind} (no known image format)") from None
    except Exception as error:  # Pillow's readers raise many kinds on damaged input
        reason = (f"{type(error).__name__}: {error}".splitlines() or [""])[0]
        raise DataError(f"{where}: cannot be read as {kind} ({reason})") from None


def centre(image: Image, resolution: int | None, keep: float) -> ByteArray:
    """The image for evaluation: a central square with `keep` of the shorter side, (c, resolution, resolution).

    `keep` 0.875 is ImageNet's 224 out of 256. An image that already has the resolution stays unchanged, and
    with `resolution` None every image does.
    """
    width, height = image.size
    if resolution is None or (width, height) == (resolution, resolution):
        return to_array(image)
    side = min(width, height) * keep
    left, top = (width - side) / 2, (height - side) / 2
    return resize(image, (left, top, left + side, top + side), resolution)


def random_crop(image: Image, resolution: int, rng: np.random.Generator) -> ByteArray:
    """A random part, 8% to 100% of the area, aspect 3/4 to 4/3 (Szegedy et al. 2015), resized to a square."""
    width, height = image.size
    for _ in range(10):
        area = width * height * rng.uniform(0.08, 1.0)
        aspect = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
        w, h = np.sqrt(area * aspect), np.sqrt(area / aspect)
        if w <= width and h <= height:
            left, top = rng.uniform(0, width - w), rng.uniform(0, height - h)
            return resize(image, (left, top, left + w, top + h), resolution)
    return centre(image, resolution, 1.0)


def resize(image: Image, box: Box, resolution: int) -> ByteArray:
    """The part in `box`, bilinear with anti-aliasing."""
    from PIL import Image

    return to_array(image.resize((resolution, resolution), Image.Resampling.BILINEAR, box=box))


def to_array(image: Image) -> ByteArray:
    """uint8 (channels, height, width)."""
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
