"""Every mode that Pillow opens looks as in a viewer, or is refused by name; the expected pixels are computed here, one by one."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from exif import stored_as
from PIL import Image

from nas.core.errors import DataError
from nas.training.data.decode import centre, read, read_numbers, read_turned, to_array

RNG = np.random.default_rng(17)
SHAPE = (3, 5)  # height, width
GREY = RNG.integers(0, 256, SHAPE, dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
ALPHA = RNG.choice(np.array([0, 1, 77, 128, 254, 255], np.uint8), SHAPE)
DEEP = RNG.integers(0, 65536, SHAPE, dtype=np.uint16)


def encoded(image: Image.Image, form: str, **how: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **how)
    return buffer.getvalue()


def rgb(blob: bytes) -> np.ndarray:
    """Height, width, channels."""
    return to_array(read("image", blob, 3)).transpose(1, 2, 0)


def over_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The slow oracle: each channel of each pixel blended with 255 and rounded."""
    result = np.empty(colour.shape, np.uint8)
    for at in np.ndindex(*colour.shape):
        a = int(alpha[at[:2]])
        result[at] = (int(colour[at]) * a + 255 * (255 - a) + 127) // 255
    return result


def threefold(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)


def scaled(deep: np.ndarray, white: int = 65535) -> np.ndarray:
    return np.array([[int(np.floor(int(v) * 255 / white + 0.5)) for v in row] for row in deep], np.uint8)


def lab_to_rgb(lab: np.ndarray) -> np.ndarray:
    """CIE L*a*b* with white D50, as Pillow stores it, to sRGB (IEC 61966-2-1, adapted after Bradford)."""
    matrix = np.array(
        [
            [3.1338561, -1.6168667, -0.4906146],
            [-0.9787684, 1.9161415, 0.0334540],
            [0.0719453, -0.2289914, 1.4052427],
        ]
    )
    lightness = lab[..., 0] / 255 * 100
    a, b = lab[..., 1].astype(float) - 128, lab[..., 2].astype(float) - 128
    fy = (lightness + 16) / 116
    f = np.stack([fy + a / 500, fy, fy - b / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * np.array([0.9642, 1.0, 0.8249])
    linear = np.clip(xyz @ matrix.T, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def grey_png(depth: int, rows: np.ndarray, transparent: int | None = None) -> bytes:
    """A grey PNG of 1, 2, 4, 8 or 16 bits, written here because Pillow cannot write all of these."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    height, width = rows.shape
    lines = b""
    for row in rows:
        bits = "".join(format(int(v), f"0{depth}b") for v in row)
        bits += "0" * (-len(bits) % 8)
        lines += b"\0" + bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
    trns = b"" if transparent is None else chunk(b"tRNS", struct.pack(">H", transparent))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + trns + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def tiff(
    content: bytes, bits: int, *, sample: int = 1, photometric: int = 1, shape: tuple[int, int] = SHAPE
) -> bytes:
    """A one-channel little-endian TIFF."""
    height, width = shape
    tags = [
        (256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1), (262, 3, photometric),
        (273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, len(content)), (339, 3, sample),
    ]  # fmt: skip
    content += b"\0" * (len(content) % 2)
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return (
        struct.pack("<2sHI", b"II", 42, 8 + len(content))
        + content
        + struct.pack("<H", len(tags))
        + entries
        + b"\0" * 4
    )


def mode_1() -> tuple[bytes, np.ndarray]:
    return encoded(Image.fromarray(GREY > 127), "PNG"), threefold(np.where(GREY > 127, 255, 0))


def mode_l() -> tuple[bytes, np.ndarray]:
    return encoded(Image.fromarray(GREY), "PNG"), threefold(GREY)


def mode_la() -> tuple[bytes, np.ndarray]:
    return encoded(Image.fromarray(np.dstack([GREY, ALPHA])), "PNG"), over_white(threefold(GREY), ALPHA)


def mode_rgb() -> tuple[bytes, np.ndarray]:
    return encoded(Image.fromarray(COLOUR), "PNG"), COLOUR


def mode_rgba() -> tuple[bytes, np.ndarray]:
    return encoded(Image.fromarray(np.dstack([COLOUR, ALPHA])), "PNG"), over_white(COLOUR, ALPHA)


def mode_rgba_webp() -> tuple[bytes, np.ndarray]:
    image = Image.fromarray(np.dstack([COLOUR, ALPHA]))
    return encoded(image, "WEBP", lossless=True, exact=True), over_white(COLOUR, ALPHA)


def palette_image() -> tuple[Image.Image, np.ndarray]:
    palette = RNG.integers(0, 256, (6, 3), dtype=np.uint8)
    image = Image.new("P", SHAPE[::-1])
    image.putdata((GREY % 6).reshape(-1).tolist())
    image.putpalette(palette.reshape(-1).tolist())
    return image, palette


def mode_p() -> tuple[bytes, np.ndarray]:
    image, palette = palette_image()
    return encoded(image, "PNG"), palette[GREY % 6]


def mode_p_transparent_colour() -> tuple[bytes, np.ndarray]:
    image, palette = palette_image()
    alpha = np.where(GREY % 6 == 2, 0, 255)
    return encoded(image, "PNG", transparency=2), over_white(palette[GREY % 6], alpha)


def mode_p_alpha_of_each_colour() -> tuple[bytes, np.ndarray]:
    image, palette = palette_image()
    alphas = np.array([0, 50, 100, 150, 200, 255])
    blob = encoded(image, "PNG", transparency=bytes(alphas.tolist()))
    return blob, over_white(palette[GREY % 6], alphas[GREY % 6])


def gif_transparent() -> tuple[bytes, np.ndarray]:
    image, palette = palette_image()
    alpha = np.where(GREY % 6 == 3, 0, 255)
    return encoded(image, "GIF", transparency=3), over_white(palette[GREY % 6], alpha)


def mode_pa() -> tuple[bytes, np.ndarray]:
    palette = RNG.integers(0, 256, (6, 3), dtype=np.uint8)
    image = Image.new("PA", SHAPE[::-1])
    image.putdata(list(zip((GREY % 6).reshape(-1).tolist(), ALPHA.reshape(-1).tolist(), strict=True)))
    image.putpalette(palette.reshape(-1).tolist())
    return encoded(image, "TIFF"), over_white(palette[GREY % 6], ALPHA)


def l_transparent_colour() -> tuple[bytes, np.ndarray]:
    value = int(GREY[1, 2])
    return grey_png(8, GREY, value), over_white(threefold(GREY), np.where(value == GREY, 0, 255))


def two_bits_transparent_colour() -> tuple[bytes, np.ndarray]:
    rows = GREY % 4
    return grey_png(2, rows, 2), over_white(threefold(rows * 85), np.where(rows == 2, 0, 255))


def four_bits() -> tuple[bytes, np.ndarray]:
    rows = GREY % 16
    return grey_png(4, rows), threefold(rows * 17)


def one_bit_transparent_black() -> tuple[bytes, np.ndarray]:
    return grey_png(1, GREY % 2, 0), np.full((*SHAPE, 3), 255)


def rgb_transparent_colour() -> tuple[bytes, np.ndarray]:
    value = tuple(int(v) for v in COLOUR[2, 3])
    alpha = np.where((value == COLOUR).all(axis=2), 0, 255)
    return encoded(Image.fromarray(COLOUR), "PNG", transparency=value), over_white(COLOUR, alpha)


def sixteen_png() -> tuple[bytes, np.ndarray]:
    return encoded(Image.fromarray(DEEP), "PNG"), threefold(scaled(DEEP))


def sixteen_png_transparent_colour() -> tuple[bytes, np.ndarray]:
    value = int(DEEP[0, 1])
    return grey_png(16, DEEP, value), over_white(threefold(scaled(DEEP)), np.where(value == DEEP, 0, 255))


def sixteen_tiff() -> tuple[bytes, np.ndarray]:
    return encoded(Image.fromarray(DEEP), "TIFF"), threefold(scaled(DEEP))


def sixteen_tiff_compressed() -> tuple[bytes, np.ndarray]:
    return encoded(Image.fromarray(DEEP), "TIFF", compression="tiff_deflate"), threefold(scaled(DEEP))


def sixteen_tiff_big_endian() -> tuple[bytes, np.ndarray]:
    image = Image.frombytes("I;16B", SHAPE[::-1], DEEP.astype(">u2").tobytes())
    return encoded(image, "TIFF"), threefold(scaled(DEEP))


def sixteen_tiff_white_is_zero() -> tuple[bytes, np.ndarray]:
    return tiff(DEEP.astype("<u2").tobytes(), 16, photometric=0), 255 - threefold(scaled(DEEP))


def twelve_bit_tiff() -> tuple[bytes, np.ndarray]:
    rows = DEEP[:, :4] % 4096
    bits = "".join(format(int(v), "012b") for v in rows.reshape(-1))
    content = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
    return tiff(content, 12, shape=(3, 4)), threefold(scaled(rows, 4095))


def sixteen_pgm() -> tuple[bytes, np.ndarray]:
    return b"P5 5 3 65535\n" + DEEP.astype(">u2").tobytes(), threefold(scaled(DEEP))


def ten_bit_pgm() -> tuple[bytes, np.ndarray]:
    rows = DEEP % 1024
    return b"P5 5 3 1023\n" + rows.astype(">u2").tobytes(), threefold(scaled(rows, 1023))


def sixteen_bit_colour() -> tuple[bytes, np.ndarray]:
    lines = b"".join(b"\0" + (row.astype(np.uint16) * 257).astype(">u2").tobytes() for row in COLOUR)

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 5, 3, 16, 2, 0, 0, 0))
    blob = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return blob, COLOUR


def float_tiff() -> tuple[bytes, np.ndarray]:
    values = (GREY / np.float32(255)).astype(np.float32)
    return encoded(Image.fromarray(values), "TIFF"), threefold(GREY)


def float_tiff_white_is_zero() -> tuple[bytes, np.ndarray]:
    values = (GREY / np.float32(255)).astype("<f4")
    return tiff(values.tobytes(), 32, sample=3, photometric=0), 255 - threefold(GREY)


def float_pfm() -> tuple[bytes, np.ndarray]:
    values = (GREY / np.float32(255)).astype("<f4")
    return b"Pf\n5 3\n-1.0\n" + values[::-1].tobytes(), threefold(GREY)


def cmyk_of(channels: np.ndarray) -> np.ndarray:
    c, m, y, k = (channels[..., i].astype(float) for i in range(4))
    return np.stack([(255 - v) * (255 - k) / 255 for v in (c, m, y)], axis=-1)


def cmyk_tiff() -> tuple[bytes, np.ndarray]:
    channels = np.dstack([COLOUR, GREY])
    return encoded(Image.fromarray(channels, "CMYK"), "TIFF"), cmyk_of(channels)


def cmyk_jpeg() -> tuple[bytes, np.ndarray]:
    flat = np.broadcast_to(np.array([30, 200, 90, 60], np.uint8), (8, 8, 4)).copy()
    return encoded(Image.fromarray(flat, "CMYK"), "JPEG", quality=100), cmyk_of(flat)


def ycbcr_tiff() -> tuple[bytes, np.ndarray]:
    y, cb, cr = (COLOUR[..., i].astype(float) for i in range(3))
    wanted = np.stack(
        [y + 1.402 * (cr - 128), y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128), y + 1.772 * (cb - 128)],
        axis=-1,
    )
    return encoded(Image.fromarray(COLOUR, "YCbCr"), "TIFF"), np.clip(wanted, 0, 255)


def lab_tiff() -> tuple[bytes, np.ndarray]:
    lab = np.dstack([100 + GREY // 2, 118 + COLOUR[..., 0] % 20, 118 + COLOUR[..., 1] % 20]).astype(np.uint8)
    signed = lab ^ np.array([0, 128, 128], np.uint8)  # as Pillow takes it, and as TIFF stores it
    return encoded(Image.fromarray(signed, "LAB"), "TIFF"), lab_to_rgb(lab)


def first_of_several(form: str) -> Callable[[], tuple[bytes, np.ndarray]]:
    def made() -> tuple[bytes, np.ndarray]:
        first, second = Image.fromarray(COLOUR), Image.fromarray(255 - COLOUR)
        how = {"lossless": True} if form == "WEBP" else {}
        return encoded(first, form, save_all=True, append_images=[second], **how), COLOUR

    return made


def animated_gif() -> tuple[bytes, np.ndarray]:
    image, palette = palette_image()
    other = image.copy()
    other.putdata(((GREY + 1) % 6).reshape(-1).tolist())
    return encoded(image, "GIF", save_all=True, append_images=[other]), palette[GREY % 6]


EXACT = {
    "1": mode_1,
    "L": mode_l,
    "LA": mode_la,
    "RGB": mode_rgb,
    "RGBA": mode_rgba,
    "RGBA WebP": mode_rgba_webp,
    "P": mode_p,
    "P transparent colour": mode_p_transparent_colour,
    "P alpha of each colour": mode_p_alpha_of_each_colour,
    "GIF transparent": gif_transparent,
    "PA": mode_pa,
    "L transparent colour": l_transparent_colour,
    "2 bits, transparent colour": two_bits_transparent_colour,
    "4 bits": four_bits,
    "1 bit, transparent black": one_bit_transparent_black,
    "RGB transparent colour": rgb_transparent_colour,
    "I;16 PNG": sixteen_png,
    "I;16 PNG transparent colour": sixteen_png_transparent_colour,
    "I;16 TIFF": sixteen_tiff,
    "I;16 TIFF compressed": sixteen_tiff_compressed,
    "I;16B TIFF": sixteen_tiff_big_endian,
    "I;16 TIFF white is zero": sixteen_tiff_white_is_zero,
    "I;16 TIFF of 12 bits": twelve_bit_tiff,
    "I PGM": sixteen_pgm,
    "RGB of 16 bits": sixteen_bit_colour,
    "F TIFF": float_tiff,
    "F TIFF white is zero": float_tiff_white_is_zero,
    "F PFM": float_pfm,
    "several pages": first_of_several("TIFF"),
    "animated PNG": first_of_several("PNG"),
    "animated WebP": first_of_several("WEBP"),
    "animated GIF": animated_gif,
}
NEAR = {"I PGM of 10 bits": ten_bit_pgm, "CMYK TIFF": cmyk_tiff, "CMYK JPEG": cmyk_jpeg, "YCbCr TIFF": ycbcr_tiff, "LAB TIFF": lab_tiff}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_an_image_of_this_mode_decodes_to_what_a_viewer_shows(name: str):
    blob, expected = EXACT[name]()
    assert np.array_equal(rgb(blob), expected)


@pytest.mark.parametrize("name", NEAR)
def test_an_image_of_this_colour_space_decodes_to_what_a_viewer_shows(name: str):
    blob, expected = NEAR[name]()
    assert np.abs(rgb(blob).astype(float) - expected).max() <= 2


@pytest.mark.parametrize("name", [*EXACT, *NEAR])
def test_in_one_channel_an_image_is_the_luma_of_what_a_viewer_shows(name: str):
    blob, _ = (EXACT | NEAR)[name]()
    colour = rgb(blob).astype(int)
    luma = (colour @ np.array([19595, 38470, 7471]) + 0x8000) >> 16  # ITU-R 601-2, as Pillow rounds it
    assert np.abs(to_array(read("image", blob, 1))[0].astype(int) - luma).max() <= 1


UNDEFINED = {
    "I TIFF": (lambda: encoded(Image.fromarray(DEEP.astype(np.int32)), "TIFF"), "signed integers"),
    "unsigned 32 bits": (lambda: tiff(DEEP.astype("<u4").tobytes(), 32), "mode I: integers of 32 bits"),
    "signed 16 bits": (lambda: tiff(DEEP.astype("<u2").tobytes(), 16, sample=2), "signed integers"),
    "signed 8 bits": (lambda: tiff(GREY.tobytes(), 8, sample=2), "signed integers"),
    "F above 1": (
        lambda: encoded(Image.fromarray(GREY.astype(np.float32) + 2), "TIFF"),
        "mode F: floats from .* expected 0 .* to 1",
    ),
    "F below 0": (lambda: encoded(Image.fromarray(np.full(SHAPE, -0.5, np.float32)), "TIFF"), "mode F"),
    "F not a number": (
        lambda: encoded(Image.fromarray(np.full(SHAPE, np.nan, np.float32)), "TIFF"),
        "mode F",
    ),
}


@pytest.mark.parametrize("name", UNDEFINED)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_whose_white_is_not_defined_is_reported_with_its_name_not_guessed(name: str, channels: int):
    make, reason = UNDEFINED[name]
    with pytest.raises(DataError, match=f"^some/x.tif: cannot be read as an image .*{reason}"):
        read("some/x.tif", make(), channels)


@pytest.mark.parametrize("kind", ["La", "RGBa", "HSV", "RGBX", "I;16", "I;16L", "I;16B", "I;16N"])
def test_modes_that_only_memory_holds_are_shown_too(kind: str):
    from nas.training.data.modes import shown

    source = {
        "La": lambda: Image.fromarray(np.dstack([GREY, ALPHA])).convert("La"),
        "RGBa": lambda: Image.fromarray(np.dstack([COLOUR, ALPHA])).convert("RGBa"),
        "HSV": lambda: Image.fromarray(COLOUR).convert("HSV"),
        "RGBX": lambda: Image.fromarray(COLOUR).convert("RGBX"),
        "I;16": lambda: Image.frombytes("I;16", SHAPE[::-1], DEEP.astype("<u2").tobytes()),
        "I;16L": lambda: Image.frombytes("I;16L", SHAPE[::-1], DEEP.astype("<u2").tobytes()),
        "I;16B": lambda: Image.frombytes("I;16B", SHAPE[::-1], DEEP.astype(">u2").tobytes()),
        "I;16N": lambda: Image.frombytes("I;16N", SHAPE[::-1], DEEP.astype("=u2").tobytes()),
    }[kind]()
    expected = {
        "La": over_white(threefold(GREY), ALPHA),
        "RGBa": over_white(COLOUR, ALPHA),
        "HSV": COLOUR,
        "RGBX": COLOUR,
    }.get(kind, threefold(scaled(DEEP)))
    image, orientation = shown(source, 3)
    assert orientation == 1
    tolerance = {"HSV": 6, "La": 2, "RGBa": 2}.get(kind, 0)  # rounded when the source was converted
    assert np.abs(np.asarray(image).astype(int) - expected).max() <= tolerance


def with_orientation(pixels: np.ndarray, form: str, orientation: int, **how: object) -> bytes:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, form, exif=exif, **how)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "TIFF tiff_lzw", "TIFF tiff_jpeg"])
def test_an_image_with_an_exif_orientation_comes_in_upright(form: str, orientation: int):
    upright = np.kron(RNG.integers(0, 2, (3, 4), dtype=np.uint8) * 200, np.ones((8, 8), np.uint8))
    pixels = np.repeat(upright[..., None], 3, axis=2)
    how = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(form, {})
    form, _, compression = form.partition(" ")
    how |= {"compression": compression} if compression else {}
    how |= {"quality": 100} if compression == "tiff_jpeg" else {}
    blob = with_orientation(stored_as(pixels, orientation), form, orientation, **how)
    found, said = read_turned("x", blob, 3)
    assert said == orientation
    assert np.abs(np.asarray(found).astype(int) - pixels).max() <= (
        8 if form == "JPEG" or compression == "tiff_jpeg" else 0
    )


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_undefined_orientation_leaves_the_image_unchanged(orientation: int):
    blob = with_orientation(COLOUR, "PNG", orientation)
    assert np.array_equal(rgb(blob), COLOUR)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_leaves_the_image_unchanged():
    blob = encoded(Image.fromarray(COLOUR), "PNG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xffgarbage")
    assert np.array_equal(rgb(blob), COLOUR)


def test_a_palette_image_with_orientation_is_turned_and_laid_on_white():
    image, palette = palette_image()
    exif = Image.Exif()
    exif[0x0112] = 6
    blob = encoded(image, "PNG", transparency=2, exif=exif)
    expected = over_white(palette[GREY % 6], np.where(GREY % 6 == 2, 0, 255))
    assert np.array_equal(rgb(blob), np.rot90(expected, -1))


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_mask_keeps_its_numbers_at_any_depth(depth: int):
    rows = GREY & (2**depth - 1)
    assert np.array_equal(read_numbers("mask", grey_png(depth, rows))[0], rows)


def test_a_palette_mask_keeps_its_numbers_whatever_its_colours():
    image, _ = palette_image()
    assert np.array_equal(read_numbers("mask", encoded(image, "PNG", transparency=2))[0], GREY % 6)


@pytest.mark.parametrize("make", [mode_rgb, mode_la, sixteen_png])
def test_a_mask_in_colour_or_with_16_bits_is_refused_by_name(make: Callable[[], tuple[bytes, np.ndarray]]):
    with pytest.raises(DataError, match=r"^m.png: .*expected a grey or palette image of 8 bits"):
        read_numbers("m.png", make()[0])


def test_what_decodes_the_same_way_as_before_gives_the_same_pixels_as_before():
    """Images of the ordinary modes: earlier results on them stay valid."""
    photo = encoded(Image.fromarray(np.kron(COLOUR, np.ones((9, 9, 1), np.uint8))), "JPEG")
    for blob in (photo, mode_rgb()[0], mode_l()[0], mode_p()[0], mode_1()[0]):
        for channels, mode in ((1, "L"), (3, "RGB")):
            before = Image.open(io.BytesIO(blob)).convert(mode)
            assert np.array_equal(centre(read("x", blob, channels), 16, 0.875), centre(before, 16, 0.875))


def test_a_webp_of_a_size_that_none_can_have_is_refused_at_once():
    """libwebp fills such a canvas for minutes."""
    blob = bytearray(first_of_several("WEBP")()[0])
    at = blob.index(b"VP8X") + 12
    blob[at : at + 3] = (11_000_000).to_bytes(3, "little")
    with pytest.raises(DataError, match=r"11000001x3 pixels; a WebP has at most 16383 a side"):
        read("x", bytes(blob), 3)
