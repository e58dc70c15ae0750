"""A Parquet file (or several) with a column of encoded images and a column of labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from nas.core.errors import DataError
from nas.training.data.base import Damage, IntArray, settings_text
from nas.training.data.columns import IMAGES, LABELS, classes_of, column_named, encoded_bytes, splits_of
from nas.training.data.encoded import EncodedSource, Listing

HOW = (
    "Expected a Parquet file with a column of encoded images (JPEG or PNG bytes) and a column of labels: "
    "whole numbers from 0, or names."
)


@dataclass(frozen=True, slots=True, repr=False)
class Parquet(EncodedSource):
    """Images in `path`; the test images may be in a separate file, `test_path`.

    `image` and `label` name the columns (None: the first that has a usual name). The image column holds bytes,
    or a struct with a field `bytes`. A column `split` (train, validation or val, test) is respected.
    Labels are class numbers 0 .. num_classes - 1 (None: as many as the largest needs), or names. `skip_damaged` skips and counts
    unusable rows; else the set is refused.
    """

    path: str
    test_path: str | None = None
    image: str | None = None
    label: str | None = None
    split: str = "split"
    num_classes: int | None = None
    resolution: int | None = None
    channels: int = 3
    keep: float = 0.875
    validation: float = 0.1
    test: float = 0.1
    split_seed: int = 0
    memory_mb: int = 1024
    skip_damaged: bool = False

    KIND: ClassVar[str] = "parquet"
    HOW: ClassVar[str] = HOW

    def __repr__(self) -> str:
        return settings_text(self, "skip_damaged")

    def listing(self) -> Listing:
        tables = [self._read(self.path, -1 if self.test_path is None else 0)]
        if self.test_path is not None:
            tables.append(self._read(self.test_path, 2))
        where = [w for t in tables for w in t[0]]
        blobs = [b for t in tables for b in t[1]]
        labels, names, damage = classes_of([v for t in tables for v in t[2]], where, self.num_classes)
        split = np.concatenate([t[3] for t in tables])
        missing = [Damage(w, "no image in this row") for w, b in zip(where, blobs, strict=True) if not b]
        unusable = tuple(i for i, b in enumerate(blobs) if not b or labels[i] < 0)
        found = (*damage, *missing)
        return Listing(where, [b or b"" for b in blobs], labels, split, names, found, unusable)

    def _read(self, path: str, default: int) -> tuple[list[str], list[Any], list[Any], IntArray]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not Path(path).is_file():
            raise DataError(f"parquet {path}: not found. {HOW}")
        try:
            file = pq.ParquetFile(path)
            names = file.schema_arrow.names
            image = column_named(f"parquet {path}", "image", self.image, IMAGES, names)
            label = column_named(f"parquet {path}", "label", self.label, LABELS, names)
            wanted = [image, label] + ([self.split] if self.split in names else [])
            table = file.read(columns=wanted)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"parquet {path}: cannot be read ({error}); get it again") from None
        blobs = encoded_bytes(table.column(image).to_pylist())
        if any(b is not None and not isinstance(b, bytes) for b in blobs):
            raise DataError(
                f"parquet {path}: column {image!r} must hold encoded images as bytes, not "
                f"{table.schema.field(image).type}"
            )
        split = np.full(len(blobs), default, dtype=np.int64)
        if self.split in names and default != 2:
            split = splits_of(f"parquet {path}", table.column(self.split).to_pylist())
        where = [f"{path} row {i}" for i in range(len(blobs))]
        return where, blobs, table.column(label).to_pylist(), split
