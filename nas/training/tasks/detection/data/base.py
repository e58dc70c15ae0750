"""The trainer's contract of a detection data set, and the handling of its faults."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nas.core.checks import check_known, check_positive
from nas.core.errors import DataError
from nas.core.records import FloatArray
from nas.training.data.account import Account, Damage, Ignored, complaint
from nas.training.data.base import ByteArray, DataReport, IntArray, pixel_statistics
from nas.training.data.decode import read_turned, to_array
from nas.training.data.modes import turned

_LOG = logging.getLogger(__name__)

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Objects:
    """The objects of one image: boxes (m, 4) in fractions of its width and height, labels (m,) from 0.

    `difficult` (m,) marks those that count neither in training nor as errors (PASCAL VOC).
    """

    boxes: FloatArray
    labels: IntArray
    difficult: Mask

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Annotated:
    """Images of one size with their objects: uint8 (n, 3, r, r), and per image a name and (width, height) as found."""

    images: ByteArray
    objects: tuple[Objects, ...]
    names: tuple[str, ...]
    sizes: IntArray

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, eq=False)
class DetectionSplits:
    """A loaded data set; `skipped` lists the faulty items left out, `account` the ignored files. `mean` and `std` are per channel of the training images."""

    train: Annotated
    validation: Annotated
    test: Annotated
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    skipped: tuple[Damage, ...] = ()
    account: Account = field(default_factory=Account)


class DetectionSource(Hashable, Protocol):
    """A description of a detection data set: a small, hashable, picklable value."""

    def load(self) -> DetectionSplits:
        """Read it. Raises `DataError` naming the missing files, or (where damage is refused) the faults."""

    def at(self, resolution: int) -> DetectionSource:
        """The same data set with images of another size."""

    def check(self) -> DataReport:
        """Check every file and report; damaged data raise nothing."""


@dataclass(frozen=True, slots=True)
class RawObject:
    """An object as annotated: class name or number, pixel corners as PASCAL VOC counts them (from 1, both included)."""

    label: str
    corners: tuple[float, float, float, float]
    difficult: bool = False


@dataclass(frozen=True, slots=True)
class RawImage:
    """One annotated image before decoding: `where` names it, `size` is (width, height) as annotated, if it is."""

    where: str
    name: str
    split: int  # position in (train, validation, test)
    blob: bytes | None  # None: `where` is the file
    size: tuple[int, int] | None
    objects: tuple[RawObject, ...]


@dataclass(slots=True)
class Faults:
    """Collects faults in the order in which they are found."""

    found: list[Damage] = field(default_factory=list)

    def add(self, where: str, reason: str) -> None:
        self.found.append(Damage(where, reason))


Way = Callable[[str, Sequence[Damage]], None]  # the handling of damage: (the set's name, its faults)


def report_only(name: str, faults: Sequence[Damage]) -> None:
    """Skip faulty items silently."""


def skip(name: str, faults: Sequence[Damage]) -> None:
    """Skip faulty items with a warning in the log; they stay in `DetectionSplits.skipped`."""
    if faults:
        _LOG.warning("%s", complaint(name, faults, "Left out"))


def refuse(name: str, faults: Sequence[Damage]) -> None:
    """Raise `DataError` with the first few faults and their number."""
    if faults:
        raise DataError(complaint(name, faults, "Repair them, or leave them out with skip_damaged: true"))


WAYS: dict[str, Way] = {"skip": skip, "refuse": refuse}


def check_settings(resolution: int, damaged: str) -> None:
    """Raise `ConfigError` for invalid settings of reading."""
    check_positive("data: resolution", resolution)
    check_known("data: damaged", damaged, WAYS)


def assemble(
    title: str,
    raw: Sequence[RawImage],
    class_names: tuple[str, ...],
    resolution: int,
    way: Way,
    faults: Faults,
    ignored: tuple[Ignored, ...] = (),
) -> DetectionSplits:
    """Decode, check and sort into splits. Raises `DataError` when nothing is left to train on."""
    parts: list[list[tuple[ByteArray, Objects, str, tuple[int, int]]]] = [[], [], []]
    for image in raw:
        decoded = _decode(image, resolution, faults)
        if decoded is not None:
            pixels, size, upright = decoded
            objects = usable(upright, size, class_names, faults)
            parts[image.split].append((pixels, objects, image.name, size))
    way(title, faults.found)
    train, validation, test = (_joined(part, resolution) for part in parts)
    if not any(len(o) for o in train.objects):
        raise DataError(
            f"{title}: there is no training image with an object; give more data or another split"
            + (
                f" ({complaint(title, faults.found, 'All were left out').removeprefix(f'{title}: ')})"
                if faults.found
                else ""
            )
        )
    mean, std = pixel_statistics(train.images)
    account = Account(len(train) + len(validation) + len(test), ignored)  # `way` reports the skipped items
    return DetectionSplits(train, validation, test, class_names, mean, std, tuple(faults.found), account)


def _decode(raw: RawImage, side: int, faults: Faults) -> tuple[ByteArray, tuple[int, int], RawImage] | None:
    """The image squeezed to (3, side, side), its own (width, height), and its boxes upright; None for an unusable image."""
    from PIL.Image import Resampling

    try:
        image, orientation = read_turned(raw.where, raw.blob, 3)
    except DataError as error:
        faults.add(raw.where, str(error).removeprefix(f"{raw.where}: "))
        return None
    upright = _as_shown(raw, orientation, image.size)
    if upright is None:
        faults.add(
            raw.where,
            f"the image has EXIF orientation {orientation}, and its boxes may fit it as stored or as shown; save it upright",
        )
        return None
    if upright.size is not None and upright.size != image.size:
        told, real = ("x".join(map(str, s)) for s in (upright.size, image.size))
        faults.add(raw.where, f"the annotation is for {told} pixels, the image has {real}")
        return None
    squeezed = image.resize((side, side), Resampling.BILINEAR)
    return to_array(squeezed), (image.size[0], image.size[1]), upright


def _as_shown(image: RawImage, orientation: int, size: tuple[int, int]) -> RawImage | None:
    """The annotation in pixels of the upright image of this (width, height); None where it is ambiguous.

    The annotated size shows whether the boxes fit the image as stored or as shown.
    """
    if orientation == 1:
        return image
    if image.size is None or not turned(orientation) or size[0] == size[1]:
        return None
    if image.size != (size[1], size[0]):
        return image
    objects = tuple(
        replace(o, corners=_turned_box(o.corners, orientation, image.size)) for o in image.objects
    )
    return replace(image, size=size, objects=objects)


def _turned_box(
    corners: tuple[float, float, float, float], orientation: int, size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Corners (from 1, both included) in the image as stored, of this (width, height), to those in the upright one.

    Orientations 5 to 8 alone, which swap the axes.
    """
    left, top, right, bottom = corners
    width, height = size
    across = (top, bottom) if orientation in (5, 8) else (height + 1 - bottom, height + 1 - top)
    down = (left, right) if orientation in (5, 6) else (width + 1 - right, width + 1 - left)
    return across[0], down[0], across[1], down[1]


def usable(image: RawImage, size: tuple[int, int], class_names: tuple[str, ...], faults: Faults) -> Objects:
    """The image's usable objects; the others are added to `faults`.

    VOC's corners are numbers of pixels from 1, both included: pixel p covers p - 1 to p.
    """
    index = {name: i for i, name in enumerate(class_names)}
    scale = np.array([*size, *size], dtype=np.float64)
    boxes, labels, difficult = [], [], []
    for number, item in enumerate(image.objects, start=1):
        where = f"{image.where} object {number}"
        reason = _fault(item, size, index)
        if reason is not None:
            faults.add(where, reason)
            continue
        left, top, right, bottom = item.corners
        corners = np.array([left - 1, top - 1, right, bottom])
        boxes.append(np.clip(corners / scale, 0.0, 1.0))
        labels.append(index[item.label])
        difficult.append(item.difficult)
    return Objects(
        np.array(boxes, dtype=np.float64).reshape(-1, 4),
        np.array(labels, np.int64),
        np.array(difficult, np.bool_),
    )


def _fault(item: RawObject, size: tuple[int, int], index: dict[str, int]) -> str | None:
    left, top, right, bottom = item.corners
    box = f"box {left:g}, {top:g}, {right:g}, {bottom:g}"
    if item.label not in index:
        return f"class {item.label!r} is unknown: expected one of {', '.join(index)}"
    if not all(np.isfinite(item.corners)):
        return f"{box} is damaged: expected four numbers"
    if right <= left or bottom <= top:
        return f"{box} is empty"
    if left < 0 or top < 0 or right > size[0] + 1 or bottom > size[1] + 1:
        return f"{box} leaves the image of {size[0]}x{size[1]}"
    return None


def _joined(part: Sequence[tuple[ByteArray, Objects, str, tuple[int, int]]], side: int) -> Annotated:
    images = np.stack([p[0] for p in part]) if part else np.zeros((0, 3, side, side), np.uint8)
    sizes = np.array([p[3] for p in part], dtype=np.int64).reshape(-1, 2)
    return Annotated(images, tuple(p[1] for p in part), tuple(p[2] for p in part), sizes)


def report(name: str, where: str, how: str, load: Callable[[], DetectionSplits]) -> DataReport:
    """The findings of a check: objects per class, and faults."""
    try:
        splits = load()
    except DataError as error:
        missing = "not found" in str(error)
        damage = () if missing else (Damage(where, str(error)),)
        return DataReport(name, where, not missing, how, damage=damage)
    counts = {}
    for split in ("train", "validation", "test"):
        part: Annotated = getattr(splits, split)
        labels = np.concatenate([o.labels for o in part.objects]) if len(part) else np.zeros(0, np.int64)
        counts[split] = tuple(int(n) for n in np.bincount(labels, minlength=len(splits.class_names)))
    side = splits.train.images.shape[-1]
    return DataReport(
        name,
        where,
        True,
        how,
        splits.class_names,
        counts,
        f"squeezed to {side}x{side}, 3 channels",
        splits.skipped,
        "objects",
        splits.account,
        advice="Repair or remove them; a search leaves them out unless skip_damaged is false",
    )
