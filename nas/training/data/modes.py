"""Pillow images of every mode as a viewer shows them: grey or RGB of 8 bits, upright, on white."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

# EXIF orientation -> name of Pillow's transpose that makes the image upright
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
_ORIENTATION = 0x0112
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339  # TIFF tags
_SIGNED = 2  # a sample format of TIFF
_TRANSPARENT = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
_SIXTEEN = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
_WHOLE_AS_16 = frozenset({"PNG", "PPM"})  # formats whose mode I holds 16 bits
_SCALED = {"L;2": 85, "L;4": 17}  # raw modes of PNG that Pillow spreads over 0 to 255, and by how much
_WEBP_SIDE = 16383
_TOLERANCE = 0.5 / 255  # floats this far outside 0 to 1 still round to black or white


class Unreadable(ValueError):
    """An image whose appearance the file does not define; the text has the reason and the remedy."""


def turned(orientation: int) -> bool:
    """Whether an EXIF orientation swaps width and height."""
    return orientation >= 5


def shown(image: Image, channels: int) -> tuple[Image, int]:
    """The opened image as a viewer shows it (mode L for one channel, RGB for three), and its EXIF orientation, 1 to 8.

    Alpha and transparent colours are laid on white. 16 bits are divided by 257; floats must lie in 0 to 1 and are
    multiplied by 255. Raises `Unreadable` where white is not defined (integers of 32 bits, signed ones, other floats),
    and Pillow's exceptions for a damaged file.
    """
    raw = _raw_mode(image)
    orientation, done = _load(image)
    flat = _flat(image, raw, "L" if channels == 1 else "RGB")
    return (flat if done else turn(flat, orientation)), orientation


def numbers(image: Image) -> tuple[Image, int]:
    """The opened mask with its own numbers (mode L), never scaled, upright, and its EXIF orientation.

    Numbers are grey values, or positions in a palette. Raises `Unreadable` for other modes.
    """
    raw, mode = _raw_mode(image), image.mode
    orientation, done = _load(image)
    if mode not in ("1", "L", "P"):
        raise Unreadable(f"expected a grey or palette image of 8 bits as mask, got mode {mode}")
    values = np.asarray(image).astype(np.uint8)  # mode 1 gives booleans: numbers 0 and 1
    if raw in _SCALED and mode == "L":
        values = values // _SCALED[raw]
    plain = _image(values)
    return (plain if done else turn(plain, orientation)), orientation


def turn(image: Image, orientation: int) -> Image:
    """Turn an image stored with this EXIF orientation upright."""
    from PIL.Image import Transpose

    return image.transpose(Transpose[_TURNS[orientation]]) if orientation in _TURNS else image


def _load(image: Image) -> tuple[int, bool]:
    """Decode. The EXIF orientation as stored, and whether Pillow has already applied it (it does for TIFF).

    Raises `Unreadable` for a damaged size of a WebP, on which its decoder would spend minutes.
    """
    if image.format == "WEBP" and max(image.size) > _WEBP_SIDE:
        raise Unreadable(f"{image.width}x{image.height} pixels; a WebP has at most {_WEBP_SIDE} a side")
    tags = getattr(image, "tag_v2", None)
    if tags is None:
        image.load()
        return _known(_orientation(image)), False
    before = tags.get(_ORIENTATION)
    image.load()
    return _known(before), True


def _orientation(image: Image) -> object:
    try:
        return image.getexif().get(_ORIENTATION)
    except Exception:  # damaged metadata; viewers show the image as it is stored
        return None


def _known(orientation: object) -> int:
    return orientation if isinstance(orientation, int) and orientation in _TURNS else 1


def _raw_mode(image: Image) -> str:
    """The file's raw mode, where Pillow gives it; only before the image is loaded."""
    tiles = getattr(image, "tile", None)
    arguments: Any = tiles[0][3] if tiles else None
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _flat(image: Image, raw: str, mode: str) -> Image:
    """The loaded image in `mode` (L or RGB), on white."""
    _check_unsigned(image)
    if image.mode in _SIXTEEN or image.mode in ("I", "F"):
        return _deep(image).convert(mode)
    transparency = image.info.get("transparency")
    if image.mode in _TRANSPARENT:
        return _on_white(image, mode)
    if image.mode == "P":
        palette = image.palette
        if transparency is not None or (palette is not None and palette.mode != "RGB"):
            return _on_white(image.convert("RGBA"), mode)
        return image.convert(mode)
    if transparency is not None and image.mode in ("1", "L", "RGB"):
        if raw.startswith("RGB;16"):
            raise Unreadable(
                "16 bits a channel with a transparent colour: Pillow reads only 8 bits; save it with an alpha channel"
            )
        value = np.asarray(transparency) * _SCALED.get(raw, 1)
        base = image.convert("L" if image.mode == "1" else image.mode)
        return _without(base, np.asarray(base), value).convert(mode)
    if image.mode not in ("1", "L", "RGB"):
        image = _from_lab(image) if image.mode == "LAB" else image.convert("RGB")
    return image.convert(mode)


def _from_lab(image: Image) -> Image:
    """CIE L*a*b* (white D50) in sRGB."""
    from PIL import ImageCms

    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB")
    assert converted is not None
    return converted


def _on_white(image: Image, mode: str) -> Image:
    from PIL import Image

    if image.mode in ("La", "RGBa"):  # colours multiplied by alpha already
        image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    if image.mode == "PA":
        image = image.convert("RGBA")
    white = Image.new(mode, image.size, "white")
    white.paste(image.convert(mode), mask=image.getchannel("A"))
    return white


def _without(image: Image, values: NDArray[Any], transparent: NDArray[Any]) -> Image:
    """The image with white where all channels have the transparent value."""
    same = values == transparent
    mask = _image((same if same.ndim == 2 else same.all(axis=2)).astype(np.uint8) * 255)
    copy = image.copy()
    copy.paste("white", (0, 0, *image.size), mask)
    return copy


def _deep(image: Image) -> Image:
    """Modes I, I;16 and F in grey of 8 bits."""
    values = np.asarray(image)
    if image.mode == "F":
        grey = _from_floats(values)
    elif image.mode == "I" and image.format not in _WHOLE_AS_16:
        raise Unreadable(
            "mode I: integers of 32 bits have no defined white; save it with 8 or 16 bits a channel"
        )
    elif image.format == "FITS":
        raise Unreadable("FITS stores signed integers, which have no defined white; save it as 16-bit PNG")
    else:
        white = _white(image)
        levels = ((np.arange(65536) * 255 + white // 2) // white).clip(0, 255).astype(np.uint8)
        grey = levels[values if values.dtype.itemsize == 2 else values.clip(0, 65535)]
    if _tag(image, _PHOTOMETRIC) == 0:  # white is zero; Pillow inverts 1 to 8 bits only
        grey = 255 - grey
    plain = _image(grey)
    transparency = image.info.get("transparency")
    return plain if transparency is None else _without(plain, values, np.asarray(transparency))


def _white(image: Image) -> int:
    """The number that stands for white (in TIFF, black where white is zero)."""
    return 4095 if _tag(image, _BITS) == 12 else 65535


def _from_floats(values: NDArray[Any]) -> NDArray[np.uint8]:
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if not (low >= -_TOLERANCE and high <= 1 + _TOLERANCE):  # also where one is not a number
        raise Unreadable(
            f"mode F: floats from {low:g} to {high:g}, expected 0 (black) to 1 (white); scale all images of the set alike, or save them with 8 or 16 bits"
        )
    grey: NDArray[np.uint8] = np.rint(np.clip(values, 0.0, 1.0) * 255).astype(np.uint8)
    return grey


def _check_unsigned(image: Image) -> None:
    if _tag(image, _SAMPLE_FORMAT) == _SIGNED:
        raise Unreadable(
            f"mode {image.mode}: signed integers have no defined black and white; save it with unsigned 8 or 16 bits"
        )


def _tag(image: Image, number: int) -> object:
    """The value of a TIFF tag, that of the first channel; None in other formats."""
    value = getattr(image, "tag_v2", {}).get(number)
    return value[0] if isinstance(value, tuple) and value else value


def _image(grey: NDArray[np.uint8]) -> Image:
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(grey))
