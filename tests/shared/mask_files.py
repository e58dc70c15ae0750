"""Small sets of generated images with masks in the real formats."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

SIZE = (24, 32)  # height, width
SKY, ROAD, UNLABELLED = 0, 3, 11


def png(numbers: np.ndarray, palette: bool = False) -> bytes:
    """A mask as a PNG, grey or with a palette."""
    image = Image.fromarray(numbers.astype(np.uint8))
    if palette:
        image = image.convert("P")
        image.putdata(numbers.reshape(-1).tolist())
    return encoded(image, "PNG")


def jpeg(pixels: np.ndarray) -> bytes:
    return encoded(Image.fromarray(pixels.astype(np.uint8)), "JPEG", quality=95)


def encoded(image: Image.Image, form: str, **how: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **how)
    return buffer.getvalue()


def scene(seed: int, size: tuple[int, int] = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """A bright sky over a dark road, their border anywhere; the last row does not count. (h, w, 3) and (h, w)."""
    rng = np.random.default_rng(seed)
    height, width = size
    border = int(rng.integers(height // 4, 3 * height // 4))
    mask = np.full(size, SKY)
    mask[border:] = ROAD
    pixels = np.where(mask[..., None] == SKY, 210, 40) + rng.integers(-20, 20, (height, width, 3))
    mask[-1] = UNLABELLED
    return pixels, mask


def row(split: str, seed: int) -> dict[str, object]:
    pixels, mask = scene(seed)
    return {"split": split, "image_id": f"{split}_{seed}", "jpeg": jpeg(pixels), "label_png": png(mask)}


def write_camvid(path: Path, rows: list[dict[str, object]]) -> Path:
    """A Parquet file with CamVid's columns."""
    schema = pa.schema(
        [("split", pa.string()), ("image_id", pa.string()), ("jpeg", pa.binary()), ("label_png", pa.binary())]
    )
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    return path
