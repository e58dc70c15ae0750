"""The script of an export that classifies image files with onnxruntime."""

from __future__ import annotations

from nas.export.calls import Call, plain, quoted
from nas.export.pixels import Reading
from nas.export.standalone import ImageSpec

SCRIPT = "classify.py"


def script(images: ImageSpec, reading: Reading, about: str) -> str:
    """The text of the script. `about` describes the network at its top."""
    head = "\n".join(
        [
            f"CHANNELS = {images.shape[0]}",
            f"SIZE = {plain(images.shape[1:])}  # height, width of the network's images",
            f"STORED = {plain(reading.stored)}  # height, width of the training images before they were resized to SIZE",
            f"KEEP = {plain(reading.keep)}  # of an image of another size: the part of the sides that is used",
            f"LARGEST = {reading.largest}  # pixel of the training images",
            Call("CLASSES = ", tuple(("", plain(n)) for n in images.class_names), ("[", "]")).laid_out(),
        ]
    )
    return "\n\n".join([quoted(f"{about}\n\n{_USE}"), _IMPORTS, head]) + f"\n\n\n{_CODE}"


_USE = """Needs numpy, pillow and onnxruntime:

    python classify.py photo.png
    python classify.py --int8 photo.png another.jpg"""
_IMPORTS = """from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps"""
_CODE = '''def read(path):
    """The image as a viewer shows it, transparent parts white, in the network's channels."""
    image = ImageOps.exif_transpose(Image.open(path))
    mode = "L" if CHANNELS == 1 else "RGB"
    if image.mode.startswith("I"):  # 16 bits
        values = np.asarray(image).astype(np.int64).clip(0, 65535)
        image = Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("its pixels are floats; save it with 8 bits")
    if image.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new(mode, image.size, "white")
        white.paste(image.convert(mode), mask=image.getchannel("A"))
        return white
    return image.convert("RGB").convert(mode) if image.mode not in ("1", "L", "RGB") else image.convert(mode)


def resized(image):
    """The image at the network's size, as in the training."""
    (height, width), (rows, columns) = STORED, SIZE
    if image.size != (width, height):
        side = KEEP * min(image.width / width, image.height / height)
        left, top = (image.width - side * width) / 2, (image.height - side * height) / 2
        box = (left, top, left + side * width, top + side * height)
        image = image.resize((width, height), Image.BILINEAR, box=box)
    pixels = np.asarray(image, np.uint8)
    if STORED == SIZE:
        return pixels.reshape(*SIZE, CHANNELS)
    if max(rows, columns) > max(STORED):
        return enlarged(pixels.reshape(*STORED, CHANNELS))
    return np.asarray(image.resize((columns, rows), Image.BILINEAR), np.uint8).reshape(*SIZE, CHANNELS)


def enlarged(pixels):
    """Bicubic, as in the training (a = -0.75)."""
    for axis in (0, 1):
        old, new = pixels.shape[axis], SIZE[axis]
        at = (np.arange(new) + 0.5) * old / new - 0.5
        first = np.floor(at).astype(int)
        weights = np.zeros((new, old))
        for step in range(-1, 3):
            d = np.abs(at - first - step)
            near, far = (1.25 * d - 2.25) * d * d + 1, ((-0.75 * d + 3.75) * d - 6) * d + 3
            place = np.clip(first + step, 0, old - 1)
            np.add.at(weights, (np.arange(new), place), np.where(d <= 1, near, far))
        pixels = np.moveaxis(np.tensordot(weights, pixels, (1, axis)), 0, axis)
    return np.rint(np.clip(pixels, 0, 255)).astype(np.uint8)


def probabilities(session, pixels):
    """Of the classes, for one image of the network's size (height, width, channels)."""
    (scores,) = session.run(None, {"images": pixels[None]})
    powers = np.exp(scores[0] - scores[0].max())
    return powers / powers.sum()


def positive(text):
    """A whole number of at least 1."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return number


def main():
    parser = argparse.ArgumentParser(description="Classify image files.")
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="an image file, such as photo.png")
    parser.add_argument("--int8", action="store_true", help="use network.int8.onnx; default: network.onnx")
    parser.add_argument("--top", type=positive, default=5, help="number of classes to print")
    given = parser.parse_args()
    here = Path(__file__).resolve().parent
    files = [here / "network.int8.onnx"] if given.int8 else [here / "network.onnx", here / "network.int8.onnx"]
    model = next((file for file in files if file.is_file()), None)
    if model is None:
        sys.exit(f"{files[0]} is missing")
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    unreadable = 0
    for path in given.images:
        try:
            pixels = resized(read(path))
        except Exception as error:  # pillow raises many kinds
            print(f"{path}: cannot be read as an image ({error})", file=sys.stderr)
            unreadable += 1
            continue
        if pixels.max() > 2 * LARGEST:
            print(f"{path}: pixels up to {pixels.max()}, in the training up to {LARGEST}", file=sys.stderr)
        found = probabilities(session, pixels)
        print(f"{path} ({model.name})")
        for index in np.argsort(-found, kind="stable")[: given.top]:
            print(f"  {100 * found[index]:6.2f}%  {CLASSES[index]}")
    sys.exit(1 if unreadable else 0)


if __name__ == "__main__":
    main()
'''
