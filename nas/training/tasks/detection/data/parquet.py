"""Two Parquet files: images, and a row for each object."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from nas.core.checks import check_numbers
from nas.core.errors import ConfigError, DataError
from nas.training.data.account import way_of
from nas.training.data.base import DataReport
from nas.training.data.splits import SPLIT_NAMES
from nas.training.tasks.detection.data.base import (
    WAYS,
    DetectionSplits,
    Faults,
    RawImage,
    RawObject,
    Way,
    assemble,
    check_settings,
    report,
    report_only,
)

HOW = (
    "Images: columns image_id, width, height, jpeg, split (train, val or test) and, for several sets in one file, source. "
    "Boxes: image_id, label, xmin, ymin, xmax, ymax (pixels from 1), difficult, and source likewise."
)
IMAGE_COLUMNS = ("image_id", "width", "height", "jpeg", "split")
BOXES = ("image_id", "label", "xmin", "ymin", "xmax", "ymax", "difficult")


@dataclass(frozen=True, slots=True)
class DetectionParquet:
    """Images in the file `path`, boxes in `boxes` (None: the file beside it with `boxes` for `images` in its name); of several sets in one file, the rows of `source`.

    `classes` lists the names; None takes those that occur, in alphabetical order. `resolution` and `damaged` as in `VOC`.
    """

    path: str
    boxes: str | None = None
    source: str | None = None
    classes: tuple[str, ...] | None = None
    resolution: int = 320
    damaged: str = "skip"
    skip_damaged: bool | None = field(default=None, repr=False, compare=False)  # another way to set `damaged`

    def __post_init__(self) -> None:
        if self.classes is not None:
            object.__setattr__(self, "classes", tuple(self.classes))  # lists come from YAML files
        object.__setattr__(self, "damaged", way_of(self.damaged, self.skip_damaged))
        object.__setattr__(self, "skip_damaged", None)
        check_numbers("data", self)
        check_settings(self.resolution, self.damaged)

    def load(self) -> DetectionSplits:
        return self._load(WAYS[self.damaged])

    def _load(self, way: Way) -> DetectionSplits:
        beside = self._boxes()
        faults = Faults()
        objects: defaultdict[str, list[RawObject]] = defaultdict(list)
        for row in _rows(beside, BOXES, self.source):
            corners = tuple(float("nan") if row[c] is None else float(row[c]) for c in BOXES[2:6])
            left, top, right, bottom = corners
            item = RawObject(str(row["label"]), (left, top, right, bottom), bool(row["difficult"]))
            objects[str(row["image_id"])].append(item)
        raw = []
        for row in _rows(self.path, IMAGE_COLUMNS, self.source):
            name = str(row["image_id"])
            mine = tuple(objects.pop(name, ()))
            where, split = f"{self.path} {name}", SPLIT_NAMES.get(str(row["split"]).lower())
            if split is None:
                faults.add(where, f"split {row['split']!r} is unknown: expected {', '.join(SPLIT_NAMES)}")
            else:
                size = (int(row["width"] or 0), int(row["height"] or 0))
                raw.append(RawImage(where, name, split, row["jpeg"] or b"", size, mine))
        for name, orphans in objects.items():
            faults.add(f"{beside} {name}", f"{len(orphans)} boxes without an image")
        names = self.classes or tuple(sorted({o.label for p in raw for o in p.objects}))
        return assemble(f"detection parquet {self.path}", raw, names, self.resolution, way, faults)

    def _boxes(self) -> str:
        if self.boxes is not None:
            return self.boxes
        file = Path(self.path)
        if "images" not in file.name:
            raise ConfigError(f"data: boxes: name the file with the boxes of {self.path}")
        return str(file.with_name(file.name.replace("images", "boxes")))

    def at(self, resolution: int) -> DetectionParquet:
        return replace(self, resolution=resolution)

    def check(self) -> DataReport:
        return report("detection parquet", self.path, HOW, partial(self._load, report_only))


def _rows(path: str, columns: tuple[str, ...], source: str | None) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not Path(path).is_file():
        raise DataError(f"detection parquet {path}: not found. {HOW}")
    wanted = [*columns, "source"] if source is not None else list(columns)
    try:
        file = pq.ParquetFile(path)
        missing = [c for c in wanted if c not in file.schema_arrow.names]
        if missing:
            raise DataError(f"detection parquet {path}: no column {', '.join(missing)}. {HOW}")
        rows: list[dict[str, Any]] = file.read(columns=wanted).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"detection parquet {path}: cannot be read ({error}); get it again") from None
    if source is None:
        return rows
    chosen = [row for row in rows if row["source"] == source]
    if not chosen:
        there = sorted({str(row["source"]) for row in rows})
        raise DataError(f"detection parquet {path}: no row of source {source!r}; it has {', '.join(there)}")
    return chosen
