"""Data sets of masks by name. A new one is a frozen dataclass (`load`, `check`) and one line below."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from nas.core.errors import DataError
from nas.core.kinds import check_class
from nas.core.plugins import find, make
from nas.training.data.account import Damage, way_of
from nas.training.data.splits import SPLIT_NAMES
from nas.training.data.tree import unused
from nas.training.tasks.segmentation.classes import ADE20K_CLASSES, CAMVID_CLASSES, VOC_CLASSES
from nas.training.tasks.segmentation.masks import (
    Codes,
    MaskListing,
    MaskReading,
    MaskReport,
    MaskSplits,
    Source,
    check_masks,
    load_masks,
)

UNLISTED = "not a pair of image and mask of the set"
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")


class MaskSource(Hashable, Protocol):
    """A description of a set: a small, hashable, picklable value."""

    def load(self) -> MaskSplits:
        """Read it. Raises `DataError` naming the missing or damaged files and how to get the set."""

    def check(self) -> MaskReport:
        """Check every pair. Raises `DataError` when the set is missing."""


@dataclass(frozen=True)
class MaskSet(ABC):
    """A set at `path`; `skip_damaged` true is `damaged` skip, false is refuse; the other settings are those of `MaskReading`. Raises `ConfigError` for unknown settings."""

    path: str
    damaged: str = "refuse"
    validation: float = 0.1
    split_seed: int = 0
    memory_mb: int = 1024
    skip_damaged: bool | None = field(default=None, repr=False, compare=False)  # another way to set `damaged`

    def __post_init__(self) -> None:
        object.__setattr__(self, "damaged", way_of(self.damaged, self.skip_damaged))
        object.__setattr__(self, "skip_damaged", None)
        self.reading()

    def load(self) -> MaskSplits:
        return load_masks(self.listing(), self.reading())

    def check(self) -> MaskReport:
        return check_masks(self.listing(), self.reading())

    def reading(self) -> MaskReading:
        """The settings of reading its pairs."""
        return MaskReading(self.damaged, self.validation, self.split_seed, self.memory_mb)

    @abstractmethod
    def listing(self) -> MaskListing:
        """Its pairs, not yet decoded. Raises `DataError`."""


@dataclass(frozen=True)
class CamVid(MaskSet):
    """CamVid (Brostow et al. 2008), 11 classes: a Parquet file, or the folders of the SegNet tutorial.

    The file has the columns `split` (train, val, test), `image_id`, `jpeg` and `label_png`; the folders are `train`,
    `trainannot`, `val`, `valannot`, `test`, `testannot`. In the masks 11 is ignored.
    """

    def listing(self) -> MaskListing:
        codes, path = Codes(len(CAMVID_CLASSES), ignore=(11,)), Path(self.path)
        if path.is_dir():
            pairs = [
                p for name in ("train", "val", "test") for p in _beside(path, name, f"{name}annot", name)
            ]
            return _listing("camvid", path, pairs, CAMVID_CLASSES, codes)
        return _parquet("camvid", path, CAMVID_CLASSES, codes)


@dataclass(frozen=True)
class Ade20k(MaskSet):
    """ADE20K scene parsing (Zhou et al. 2017), 150 classes: the folder ADEChallengeData2016.

    In it `images/training`, `images/validation`, and `annotations` alike; in the masks 0 is ignored and 1 is the
    first class. Its validation images are those for evaluation; a part of the training images serves to choose by.
    """

    validation: float = 0.05

    def listing(self) -> MaskListing:
        root = Path(self.path)
        pairs = [
            pair
            for folder, split in (("training", "train"), ("validation", "test"))
            for pair in _beside(root, f"images/{folder}", f"annotations/{folder}", split)
        ]
        codes = Codes(len(ADE20K_CLASSES), first=1, ignore=(0,))
        return _listing("ade20k", root, pairs, ADE20K_CLASSES, codes)


@dataclass(frozen=True)
class Voc(MaskSet):
    """PASCAL VOC (Everingham et al. 2010), 21 classes with the background: a folder such as VOC2012.

    In it `JPEGImages`, `SegmentationClass` (palette images; 255 is ignored) and `ImageSets/Segmentation`, whose
    train.txt and val.txt name the images. val.txt is evaluated on; a part of train.txt serves to choose by.
    """

    def listing(self) -> MaskListing:
        root = Path(self.path)
        pairs: list[Pair] = []
        for name, split in (("train", "train"), ("val", "test")):
            file = root / "ImageSets" / "Segmentation" / f"{name}.txt"
            if not file.is_file():
                raise DataError(
                    f"voc {root}: {file}: not found; expected a folder such as VOC2007 or VOC2012"
                )
            for word in file.read_text(encoding="utf-8").split():
                mask = root / "SegmentationClass" / f"{word}.png"
                pairs.append((f"{root}/{word}", root / "JPEGImages" / f"{word}.jpg", mask, split))
        return _listing("voc", root, pairs, VOC_CLASSES, Codes(len(VOC_CLASSES), ignore=(255,)))


DATASETS: dict[str, Callable[..., MaskSource]] = {"camvid": CamVid, "ade20k": Ade20k, "voc": Voc}

Pair = tuple[str, Source, Source | None, str]  # name, image, mask, split


def masks_from_config(config: Mapping[str, Any]) -> MaskSource:
    """A description from plain settings, such as `{"name": "camvid", "path": "camvid.parquet"}`.

    The name may be ``file.py:Name`` of a custom class. Raises `ConfigError` for an unknown set or setting.
    """
    settings = dict(config)
    name = str(settings.pop("name", None))
    found = find("mask data set", name)
    check_class("data", name, found, "a class with load and check", "load", "check")
    source: MaskSource = make("data", found, settings, name)
    return source


@lru_cache(maxsize=4)  # a worker reads a set once, not for every candidate
def load(data: MaskSource) -> MaskSplits:
    """The splits of `data`, read once per process."""
    return data.load()


def _beside(root: Path, images: str, masks: str, split: str) -> list[Pair]:
    """The images of a folder, each with the mask of the same name in another."""
    files = sorted(p for p in (root / images).glob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    return [(str(p), p, root / masks / f"{p.stem}.png", split) for p in files]


def _listing(
    name: str, where: Path, pairs: list[Pair], class_names: tuple[str, ...], codes: Codes
) -> MaskListing:
    if not pairs:
        raise DataError(f"{name} {where}: no image found; see the layout of `{name}` in the docs")
    return MaskListing(
        f"{name} {where}",
        [p[0] for p in pairs],
        [p[1] for p in pairs],
        [p[2] for p in pairs],
        np.array([SPLIT_NAMES[p[3]] for p in pairs], dtype=np.int64),
        class_names,
        codes,
        ignored=unused(str(where), _paths(pairs), UNLISTED) if where.is_dir() else (),
    )


def _paths(pairs: list[Pair]) -> Iterator[str]:
    """The files of the pairs."""
    for _, image, mask, _ in pairs:
        yield from (str(p) for p in (image, mask) if isinstance(p, Path))


def _parquet(name: str, path: Path, class_names: tuple[str, ...], codes: Codes) -> MaskListing:
    """Rows of encoded images and masks."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = ["split", "image_id", "jpeg", "label_png"]
    if not path.is_file():
        raise DataError(
            f"{name} {path}: not found; expected a Parquet file ({', '.join(columns)}) or a folder"
        )
    try:
        file = pq.ParquetFile(path)
        lacking = [c for c in columns if c not in file.schema_arrow.names]
        if lacking:
            raise DataError(
                f"{name} {path}: no column {', '.join(lacking)}; it has {file.schema_arrow.names}"
            )
        rows = file.read(columns=columns).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name} {path}: cannot be read ({error}); get it again") from None
    pairs: list[Pair] = []
    damage = []
    for index, row in enumerate(rows):
        where = f"{path} row {index} ({row['image_id']})"
        if str(row["split"]).lower() not in SPLIT_NAMES:
            damage.append(Damage(where, f"split {row['split']!r}: expected one of {', '.join(SPLIT_NAMES)}"))
        elif not row["jpeg"]:
            damage.append(Damage(where, "the image is missing"))
        else:
            pairs.append((where, row["jpeg"], row["label_png"] or None, row["split"].lower()))
    found = _listing(name, path, pairs, class_names, codes)
    return MaskListing(
        found.name, found.where, found.images, found.masks, found.split, class_names, codes, tuple(damage)
    )
