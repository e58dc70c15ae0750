"""A sheet of one image under each corruption.

Run: python experiments/robustness/sheet.py IMAGES.parquet --row 3 --side 224 --out experiments/robustness/sheet_224.jpg

`IMAGES.parquet` has a column `jpeg`, `png` or `image` of encoded images. Rows: corruptions; columns: the five severities.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pyarrow.parquet as pq

from nas.training.corruptions import CORRUPTIONS, corrupt
from nas.training.data.columns import IMAGES
from nas.training.data.decode import centre, read


def image(file: Path, row: int, side: int) -> np.ndarray:
    """uint8 (side, side, 3), the centre of the image."""
    column = next(name for name in IMAGES if name in pq.read_schema(file).names)
    blob = pq.read_table(file, columns=[column]).column(column)[row].as_py()
    return centre(read(f"{file} row {row}", blob, 3), side, 0.875).transpose(1, 2, 0)


def sheet(clean: np.ndarray, file: Path) -> None:
    """Three columns of five corruptions, each with its five severities."""
    figure, axes = plt.subplots(5, 18, figsize=(18, 5.6), gridspec_kw={"wspace": 0.03, "hspace": 0.22})
    for place, name in enumerate(CORRUPTIONS):
        row, block = place % 5, place // 5
        for severity in range(6):
            axis = axes[row, 6 * block + severity]
            rng = np.random.default_rng([0, place, severity])
            axis.imshow(corrupt(clean, name, severity, rng) if severity else clean, interpolation="nearest")
            axis.set_axis_off()
            if severity == 0:
                axis.set_title(name.replace("_", " "), fontsize=9, loc="left")
            elif row == 0:
                axis.set_title(str(severity), fontsize=8)
    figure.subplots_adjust(left=0.005, right=0.995, top=0.95, bottom=0.005)
    figure.savefig(file, dpi=110, **({"pil_kwargs": {"quality": 80}} if file.suffix == ".jpg" else {}))
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", type=Path)
    parser.add_argument("--row", type=int, default=0)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    sheet(image(given.images, given.row, given.side), given.out)


if __name__ == "__main__":
    main()
