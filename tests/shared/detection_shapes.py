"""Images with squares and discs on grey, and their boxes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

SIDE = 64
COLOURS = {"square": (220, 60, 40), "disc": (40, 80, 220)}


def drawn(rng: np.random.Generator) -> tuple[bytes, list[dict[str, Any]]]:
    """One image as PNG bytes, and rows for its two objects (pixels from 1, both included)."""
    noise = rng.integers(110, 146, (SIDE, SIDE, 3)).astype(np.uint8)
    image = Image.fromarray(noise)
    pen = ImageDraw.Draw(image)
    rows = []
    for name, left in (("square", 2), ("disc", 33)):
        size = int(rng.integers(14, 26))
        x, y = left + int(rng.integers(0, 29 - size)), int(rng.integers(2, SIDE - 2 - size))
        shape = pen.rectangle if name == "square" else pen.ellipse
        shape((x, y, x + size - 1, y + size - 1), fill=COLOURS[name])
        rows.append({"label": name, "xmin": x + 1, "ymin": y + 1, "xmax": x + size, "ymax": y + size})
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue(), rows


def write_shapes(folder: Path, counts: dict[str, int], seed: int = 0) -> tuple[Path, Path]:
    """Two Parquet files with these numbers of images per split."""
    rng = np.random.default_rng(seed)
    images, boxes = [], []
    for split, count in counts.items():
        for index in range(count):
            blob, rows = drawn(rng)
            name = f"{split}{index}"
            images.append(
                {
                    "source": "shapes",
                    "image_id": name,
                    "width": SIDE,
                    "height": SIDE,
                    "jpeg": blob,
                    "split": split,
                }
            )
            boxes += [{"source": "shapes", "image_id": name, "difficult": 0, **row} for row in rows]
    files = folder / "images.parquet", folder / "boxes.parquet"
    pd.DataFrame(images).to_parquet(files[0])
    pd.DataFrame(boxes).to_parquet(files[1])
    return files
