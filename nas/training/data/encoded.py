"""Sets of encoded pictures: listed first, then decoded into memory or, when too large, as they are taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from nas.errors import ConfigError, DataError
from nas.training.data.base import (
    ByteArray,
    Damage,
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
EXAMPLES = (".jpg", ".png", ".webp")
THREADS = 4
CHUNK = 256  # pictures decoded between two looks at the result, so memory stays bounded


@dataclass(frozen=True, slots=True)
class Reading:
    """How pictures are read: side in pixels (None: as they are), channels, the part that is judged.

    `validation` and `test` are the fractions to cut where a set has no such split of its own; sets larger
    than `memory_mb` once decoded are decoded anew whenever they are taken.
    """

    resolution: int | None = None
    channels: int = 3
    keep: float = 0.875
    validation: float = 0.1
    test: float = 0.1
    split_seed: int = 0
    memory_mb: int = 1024

    def __post_init__(self) -> None:
        if self.channels not in CHANNELS:
            raise ConfigError(f"data: channels must be 1 (grey) or 3 (colour), not {self.channels!r}")
        if self.resolution is not None and self.resolution < 1:
            raise ConfigError(f"data: resolution must be at least 1 pixel, not {self.resolution!r}")
        if not 0 < self.keep <= 1:
            raise ConfigError(f"data: keep must be above 0 and at most 1, not {self.keep!r}")


@dataclass(frozen=True, eq=False)
class Listing:
    """What a set holds, before anything is decoded.

    `where` names each picture (a path, or a file and row), `blobs` its bytes when they are not in a file of
    their own. `split` is the position in (train, validation, test), -1 where the set has no splits.
    `damage` is what can be told without decoding.
    """

    where: Sequence[str]
    blobs: Sequence[bytes] | None
    labels: IntArray
    split: IntArray
    class_names: tuple[str, ...]
    damage: tuple[Damage, ...] = field(default=())


@dataclass(frozen=True, eq=False)
class EncodedPictures:
    """Pictures that are decoded whenever they are taken, for sets that do not fit in memory."""

    where: Sequence[str]
    blobs: Sequence[bytes] | None
    labels: IntArray
    reading: Reading

    @property
    def images(self) -> ByteArray | None:
        return None

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, indices: IntArray) -> EncodedPictures:
        where = [self.where[i] for i in indices]
        blobs = None if self.blobs is None else [self.blobs[i] for i in indices]
        return EncodedPictures(where, blobs, self.labels[indices], self.reading)

    def take(self, indices: IntArray, resolution: int | None, seed: int | None) -> ByteArray:
        side = resolution or self.reading.resolution
        return np.stack([self._one(int(i), side, seed) for i in indices])

    def _one(self, index: int, side: int | None, seed: int | None) -> ByteArray:
        blob = None if self.blobs is None else self.blobs[index]
        picture = read(self.where[index], blob, self.reading.channels)
        if seed is None or side is None:
            return centre(picture, side, self.reading.keep)
        return random_crop(picture, side, np.random.default_rng([seed, index]))


def load_listing(listing: Listing, reading: Reading, name: str) -> Splits:
    """Cut into splits and decode what fits in memory.

    Raises `DataError` naming every damaged picture (the first few of many), before anything is trained.
    """
    serious = [d for d in listing.damage if not d.reason.startswith("empty class")]
    if serious:
        raise DataError(_complaint(name, serious))
    if len(listing.where) == 0:
        raise DataError(f"{name}: no picture found; expected files such as {', '.join(sorted(EXAMPLES))}")
    everything = EncodedPictures(listing.where, listing.blobs, listing.labels, reading)
    parts = cut(listing, reading)
    first = centre(read(listing.where[0], _blob(listing, 0), reading.channels), reading.resolution, 1.0)
    if first.size * len(everything) > reading.memory_mb * 2**20:
        if reading.resolution is None:
            raise DataError(
                f"{name}: {len(everything)} pictures do not fit in {reading.memory_mb} MB, and pictures "
                f"that are decoded as they are needed must have one size: set resolution"
            )
        mean, std = TYPICAL[reading.channels]
        large: list[Pictures] = [everything.select(part) for part in parts]
        return Splits(large[0], large[1], large[2], listing.class_names, mean, std)
    images = _decode_all(everything, first.shape, name)
    held = [MemoryPictures(images[part], listing.labels[part]) for part in parts]
    mean, std = pixel_statistics(held[0].images)
    return Splits(held[0], held[1], held[2], listing.class_names, mean, std)


def check_listing(listing: Listing, reading: Reading, report: DataReport) -> DataReport:
    """`report` completed: every picture decoded once, none kept."""
    everything = EncodedPictures(listing.where, listing.blobs, listing.labels, reading)
    damage, sizes = list(listing.damage), set()
    for _, result in _decoded(everything):
        if isinstance(result, Damage):
            damage.append(result)
        else:
            sizes.add(result.shape)
    if reading.resolution is None and len(sizes) > 1:
        damage.append(Damage(report.where, f"{len(sizes)} different picture sizes: set resolution"))
    counts = {}
    usable = listing.labels >= 0
    if usable.any():
        for split, part in zip(("train", "validation", "test"), cut(listing, reading), strict=True):
            kept = part[usable[part]]
            counts[split] = class_counts(listing.labels[kept], len(listing.class_names))
    picture = ", ".join(f"{s[2]}x{s[1]}" for s in sorted(sizes)[:3])
    return DataReport(
        name=report.name,
        where=report.where,
        found=len(listing.where) > 0,
        how_to_get=report.how_to_get,
        class_names=listing.class_names,
        counts=counts,
        picture=f"{picture}, {reading.channels} channel{'s' if reading.channels > 1 else ''}",
        damage=tuple(damage),
    )


def cut(listing: Listing, reading: Reading) -> tuple[IntArray, IntArray, IntArray]:
    """Positions for training, validation and test.

    A set without splits, or all of whose pictures are for training, is cut in three. One with one held-out
    part (ImageNet's `val`, CIFAR's `test`) keeps that for the test, and validation is cut from the training
    pictures: what selects must not be what is reported.
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


def _decode_all(pictures: EncodedPictures, shape: tuple[int, ...], name: str) -> ByteArray:
    images = np.empty((len(pictures), *shape), dtype=np.uint8)
    damage: list[Damage] = []
    for index, result in _decoded(pictures):
        if isinstance(result, Damage):
            damage.append(result)
        elif result.shape != shape:
            raise DataError(
                f"{pictures.where[index]}: a picture of {result.shape[2]}x{result.shape[1]} pixels among "
                f"others of {shape[2]}x{shape[1]}; set resolution to bring them to one size"
            )
        else:
            images[index] = result
    if damage:
        raise DataError(_complaint(name, damage))
    return images


def _decoded(pictures: EncodedPictures) -> Iterator[tuple[int, ByteArray | Damage]]:
    """Every picture as it is judged, or what is wrong with it; decoded by threads, in order."""

    def one(index: int) -> ByteArray | Damage:
        try:
            image: ByteArray = pictures.take(np.array([index]), None, None)[0]
            return image
        except DataError as error:
            where = pictures.where[index]
            return Damage(where, str(error).removeprefix(f"{where}: "))

    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(pictures), CHUNK):
            indices = range(start, min(start + CHUNK, len(pictures)))
            yield from zip(indices, pool.map(one, indices), strict=True)


def _complaint(name: str, damage: Sequence[Damage]) -> str:
    shown = "; ".join(f"{d.where}: {d.reason}" for d in damage[:5])
    more = f"; and {len(damage) - 5} more" if len(damage) > 5 else ""
    return f"{name}: {len(damage)} damaged: {shown}{more}. Repair or remove them (nas data check lists all)"


def _blob(listing: Listing, index: int) -> bytes | None:
    return None if listing.blobs is None else listing.blobs[index]
