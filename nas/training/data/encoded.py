"""Sets of encoded images: listed first, then decoded into memory or, when too large, on demand."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from typing import ClassVar, TypeVar

import numpy as np

from nas.core.checks import check_numbers
from nas.core.errors import ConfigError, DataError
from nas.training.data.account import REPAIR_OR_SKIP, Account, Damage, Ignored, complaint
from nas.training.data.base import (
    ByteArray,
    DataReport,
    IntArray,
    MemoryPictures,
    Pictures,
    Splits,
    class_counts,
    pixel_statistics,
)
from nas.training.data.decode import CHANNELS, centre, random_crop, read
from nas.training.data.splits import stratified

# channels -> mean and deviation of ImageNet, for sets too large to measure
TYPICAL: dict[int, tuple[tuple[float, ...], tuple[float, ...]]] = {
    1: ((118.0,), (58.0,)),
    3: ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
}
_ADVICE = f"{REPAIR_OR_SKIP} (nas data check lists all)"
EXAMPLES = (".jpg", ".png", ".webp")
T = TypeVar("T")
THREADS = 4
CHUNK = 256  # images decoded at a time, so memory stays bounded


@dataclass(frozen=True, slots=True)
class Reading:
    """Settings of reading images: side in pixels (None: as stored), channels, the evaluated part.

    `validation` and `test` are the fractions to cut where a set lacks such a split; sets larger
    than `memory_mb` once decoded are decoded again at every use. With `skip_damaged`, unusable
    images are skipped and counted; else they are named and the set is refused.
    """

    resolution: int | None = None
    channels: int = 3
    keep: float = 0.875
    validation: float = 0.1
    test: float = 0.1
    split_seed: int = 0
    memory_mb: int = 1024
    skip_damaged: bool = False

    def __post_init__(self) -> None:
        check_numbers("data", self)
        if not isinstance(self.skip_damaged, bool):
            raise ConfigError(f"data: skip_damaged must be true or false, not {self.skip_damaged!r}")
        if self.channels not in CHANNELS:
            raise ConfigError(f"data: channels must be 1 (grey) or 3 (colour), not {self.channels!r}")
        if self.resolution is not None and self.resolution < 1:
            raise ConfigError(f"data: resolution must be at least 1 pixel, not {self.resolution!r}")
        if not 0 < self.keep <= 1:
            raise ConfigError(f"data: keep must be above 0 and at most 1, not {self.keep!r}")


@dataclass(frozen=True, eq=False)
class Listing:
    """The content of a set, before decoding.

    `where` names each image (a path, or a file and row), `blobs` its bytes when they are not in a separate
    file. `split` is the position in (train, validation, test), -1 where the set has no splits.
    `damage` is the damage found without decoding, and `unusable` its positions. `ignored` are
    files that are not read, `notes` explain how the set was read.
    """

    where: Sequence[str]
    blobs: Sequence[bytes] | None
    labels: IntArray
    split: IntArray
    class_names: tuple[str, ...]
    damage: tuple[Damage, ...] = field(default=())
    unusable: tuple[int, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    notes: tuple[str, ...] = ()

    def select(self, positions: IntArray) -> Listing:
        """The images at these positions, all usable."""
        return replace(
            self,
            where=[self.where[i] for i in positions],
            blobs=None if self.blobs is None else [self.blobs[i] for i in positions],
            labels=self.labels[positions],
            split=self.split[positions],
            unusable=(),
        )

    def usable(self) -> Listing:
        """The listing without unusable positions."""
        if not self.unusable:
            return self
        return self.select(np.setdiff1d(np.arange(len(self.where)), self.unusable))

    @property
    def serious(self) -> tuple[Damage, ...]:
        """Damage other than classes without an image, which do not prevent use."""
        return tuple(d for d in self.damage if not d.reason.startswith("empty class"))


@dataclass(frozen=True, eq=False)
class EncodedImages:
    """Images that are decoded on demand, for sets that do not fit in memory."""

    where: Sequence[str]
    blobs: Sequence[bytes] | None
    labels: IntArray
    reading: Reading

    @property
    def images(self) -> ByteArray | None:
        return None

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, indices: IntArray) -> EncodedImages:
        where = [self.where[i] for i in indices]
        blobs = None if self.blobs is None else [self.blobs[i] for i in indices]
        return EncodedImages(where, blobs, self.labels[indices], self.reading)

    def take(self, indices: IntArray, resolution: int | None, seed: int | None) -> ByteArray:
        side = resolution or self.reading.resolution
        return np.stack([self._one(int(i), side, seed) for i in indices])

    def _one(self, index: int, side: int | None, seed: int | None) -> ByteArray:
        blob = None if self.blobs is None else self.blobs[index]
        image = read(self.where[index], blob, self.reading.channels)
        if seed is None or side is None:
            return centre(image, side, self.reading.keep)
        return random_crop(image, side, np.random.default_rng([seed, index]))


def load_listing(listing: Listing, reading: Reading, name: str) -> Splits:
    """Make the splits, and decode them if they fit in memory.

    Raises `DataError` naming every damaged image (the first few of many) before any training, unless
    they are skipped; then sets that do not fit in memory are decoded once to find them.
    """
    skipped = list(listing.serious)
    if skipped and not reading.skip_damaged:
        raise DataError(complaint(name, skipped, _ADVICE))
    listing = listing.usable()
    if len(listing.where) == 0:
        raise DataError(
            complaint(name, skipped, "No image is left")
            if skipped
            else f"{name}: no image found; expected files such as {', '.join(sorted(EXAMPLES))}"
        )
    first = _first(listing, reading, name)
    if first is None:
        results = _decoded(_images(listing, reading))
        raise DataError(complaint(name, [r for _, r in results if isinstance(r, Damage)], _ADVICE))
    if first.size * len(listing.where) > reading.memory_mb * 2**20:
        return _large(listing, reading, name, skipped)
    images, kept = _decode_all(_images(listing, reading), first.shape, name, reading.skip_damaged, skipped)
    if len(kept) < len(listing.where):
        listing = listing.select(kept)
    parts = cut(listing, reading)
    held = [MemoryPictures(images[part], listing.labels[part]) for part in parts]
    mean, std = pixel_statistics(held[0].images)
    account = _account(listing, skipped)
    return Splits(held[0], held[1], held[2], listing.class_names, mean, std, account)


def _large(listing: Listing, reading: Reading, name: str, skipped: list[Damage]) -> Splits:
    """The splits of a set that does not fit in memory."""
    if reading.resolution is None:
        raise DataError(
            f"{name}: {len(listing.where)} images do not fit in {reading.memory_mb} MB, and images "
            f"decoded on demand must have one size: set resolution"
        )
    if reading.skip_damaged:
        results = _decoded(_images(listing, reading))
        bad = {index: result for index, result in results if isinstance(result, Damage)}
        skipped += bad.values()
        listing = listing.select(np.setdiff1d(np.arange(len(listing.where)), sorted(bad)))
    everything = _images(listing, reading)
    large: list[Pictures] = [everything.select(part) for part in cut(listing, reading)]
    mean, std = TYPICAL[reading.channels]
    account = _account(listing, skipped)
    return Splits(large[0], large[1], large[2], listing.class_names, mean, std, account)


def _first(listing: Listing, reading: Reading, name: str) -> ByteArray | None:
    """The first readable image, whole: its size stands for all. None where the set must be refused."""
    damage: list[Damage] = []
    for index, where in enumerate(listing.where):
        try:
            image = read(where, _blob(listing, index), reading.channels)
        except DataError as error:
            if not reading.skip_damaged:
                return None
            damage.append(Damage(where, str(error).removeprefix(f"{where}: ")))
        else:
            return centre(image, reading.resolution, 1.0)
    raise DataError(complaint(name, damage, "No image is left"))


def _images(listing: Listing, reading: Reading) -> EncodedImages:
    return EncodedImages(listing.where, listing.blobs, listing.labels, reading)


def _account(listing: Listing, skipped: Sequence[Damage]) -> Account:
    return Account(len(listing.where), listing.ignored, tuple(skipped), listing.notes)


def check_listing(listing: Listing, reading: Reading, report: DataReport) -> DataReport:
    """Complete `report`: decode every image once, keep none."""
    damage, sizes, listing_faults = list(listing.damage), set(), listing.serious
    listing = listing.usable()
    good: list[int] = []
    for index, result in _decoded(_images(listing, reading)):
        if isinstance(result, Damage):
            damage.append(result)
        else:
            good.append(index)
            sizes.add(result.shape)
    faulty = bool(listing_faults) or len(good) < len(listing.where)
    if reading.resolution is None and len(sizes) > 1:
        damage.append(Damage(report.where, f"{len(sizes)} different image sizes: set resolution"))
    counts = {}
    kept = listing.select(np.array(good, np.int64)) if reading.skip_damaged else listing
    if len(kept.where):
        for split, part in zip(("train", "validation", "test"), cut(kept, reading), strict=True):
            counts[split] = class_counts(kept.labels[part], len(listing.class_names))
    image = ", ".join(f"{s[2]}x{s[1]}" for s in sorted(sizes)[:3])
    return DataReport(
        name=report.name,
        where=report.where,
        found=len(listing.where) > 0,
        how_to_get=report.how_to_get,
        class_names=listing.class_names,
        counts=counts,
        picture=f"{image}, {reading.channels} channel{'s' if reading.channels > 1 else ''}",
        damage=tuple(damage),
        account=Account(
            len(good), listing.ignored, tuple(damage) if reading.skip_damaged else (), listing.notes
        ),
        skipping=reading.skip_damaged and bool(good),
        advice=REPAIR_OR_SKIP if faulty and good else "",
    )


class EncodedSource(ABC):
    """A data set of encoded images that it lists; its fields include those of `Reading`. Raises `ConfigError` for wrong ones."""

    __slots__ = ()
    KIND: ClassVar[str]
    HOW: ClassVar[str]  # the expected layout
    path: str

    def __post_init__(self) -> None:
        check_numbers("data", self)  # type: ignore[arg-type]  # its subclasses are dataclasses
        self._reading()

    @abstractmethod
    def listing(self) -> Listing:
        """Its images. Raises `DataError`."""

    def load(self) -> Splits:
        return load_listing(self.listing(), self._reading(), f"{self.KIND} {self.path}")

    def check(self) -> DataReport:
        report = DataReport(self.KIND, self.path, False, self.HOW)
        try:
            return check_listing(self.listing(), self._reading(), report)
        except DataError as error:
            found = os.path.exists(self.path)
            return replace(report, found=found, unreadable=str(error).rpartition(f"{self.path}: ")[2])

    def _reading(self) -> Reading:
        return Reading(**{f.name: getattr(self, f.name) for f in fields(Reading)})


def cut(listing: Listing, reading: Reading) -> tuple[IntArray, IntArray, IntArray]:
    """Positions for training, validation and test.

    A set without splits, or with training images only, is cut in three. One with one held-out
    part (ImageNet's `val`, CIFAR's `test`) keeps it for the test, and validation is cut from the training
    images: the images that select must not be those of the report.
    """
    train, validation, test = (np.flatnonzero(listing.split == k).astype(np.int64) for k in range(3))
    if len(validation) == len(test) == 0 or len(train) == 0:
        validation, test, train = stratified(
            listing.labels, (reading.validation, reading.test), reading.split_seed
        )
        return train, validation, test
    if len(test) == 0:
        validation, test = test, validation
    if len(validation) == 0:
        inner = stratified(listing.labels[train], (reading.validation,), reading.split_seed)
        validation, train = train[inner[0]], train[inner[1]]
    return train, validation, test


def _decode_all(
    encoded: EncodedImages, shape: tuple[int, ...], name: str, skip: bool, skipped: list[Damage]
) -> tuple[ByteArray, IntArray]:
    """The readable images and their positions; the faults of the others are added to `skipped`."""
    images = np.empty((len(encoded), *shape), dtype=np.uint8)
    damage: list[Damage] = []
    good: list[int] = []
    for index, result in _decoded(encoded):
        if isinstance(result, Damage):
            damage.append(result)
        elif damage and not skip:
            continue  # the set is refused; find the other damaged images
        elif result.shape != shape:
            raise DataError(
                f"{encoded.where[index]}: an image of {result.shape[2]}x{result.shape[1]} pixels among "
                f"others of {shape[2]}x{shape[1]}; set resolution to resize them all"
            )
        else:
            images[len(good)] = result
            good.append(index)
    if damage and not skip:
        raise DataError(complaint(name, damage, _ADVICE))
    skipped += damage
    return images[: len(good)], np.array(good, np.int64)


def decoded(where: Sequence[str], decode: Callable[[int], T]) -> Iterator[tuple[int, T | Damage]]:
    """Each position with what `decode` gives for it, or its fault; decoded by threads, in order."""

    def one(index: int) -> T | Damage:
        try:
            return decode(index)
        except DataError as error:
            return Damage(where[index], str(error).removeprefix(f"{where[index]}: "))

    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(where), CHUNK):
            indices = range(start, min(start + CHUNK, len(where)))
            yield from zip(indices, pool.map(one, indices), strict=True)


def _decoded(images: EncodedImages) -> Iterator[tuple[int, ByteArray | Damage]]:
    """Every image for evaluation, or its fault."""
    return decoded(images.where, lambda index: images.take(np.array([index]), None, None)[0])


def _blob(listing: Listing, index: int) -> bytes | None:
    return None if listing.blobs is None else listing.blobs[index]
