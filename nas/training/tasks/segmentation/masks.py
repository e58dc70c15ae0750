"""Images with a class for every pixel: list them, read them, name and count their faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from nas.core.checks import check_known, check_numbers
from nas.core.errors import ConfigError, DataError
from nas.training.data.account import REPAIR_OR_SKIP, Account, Damage, Ignored, complaint, damage_lines
from nas.training.data.base import ByteArray, IntArray, pixel_statistics
from nas.training.data.decode import read_numbers, read_turned, to_array
from nas.training.data.encoded import TYPICAL, decoded
from nas.training.data.modes import turn, turned
from nas.training.tasks.segmentation.settings import IGNORE

COUNTED = 500  # masks that the class frequencies are taken from, of sets too large to hold
WAYS = ("refuse", "skip")

Source = bytes | Path  # an encoded image: its bytes or its file


@dataclass(frozen=True, slots=True)
class Codes:
    """The meaning of the numbers in a mask: class = number - `first`, except those to `ignore`."""

    num_classes: int
    first: int = 0
    ignore: tuple[int, ...] = ()

    def table(self) -> IntArray:
        """For each number 0 to 255 its class, `IGNORE`, or -1 where it is out of range."""
        table = np.full(256, -1, dtype=np.int64)
        table[self.first : self.first + self.num_classes] = np.arange(self.num_classes)
        table[list(self.ignore)] = IGNORE
        return table

    def __str__(self) -> str:
        known = f"{self.first} to {self.first + self.num_classes - 1}"
        return f"{known}, or {', '.join(map(str, self.ignore))} (ignored)" if self.ignore else known


@dataclass(frozen=True, slots=True)
class MaskReading:
    """Settings of reading a set.

    `damaged` is the handling of a pair that cannot be used: `refuse` the set naming it, or `skip` it. `validation` is
    the part of the training images to cut where a set lacks such a split. Sets of several sizes, or larger
    than `memory_mb` once decoded, are decoded again at every use. Raises `ConfigError`.
    """

    damaged: str = "refuse"
    validation: float = 0.1
    split_seed: int = 0
    memory_mb: int = 1024

    def __post_init__(self) -> None:
        check_numbers("data", self)
        check_known("data: damaged", self.damaged, WAYS)
        if not 0 <= self.validation < 1:
            raise ConfigError(
                f"data: validation: expected a fraction from 0, below 1, got {self.validation!r}"
            )


@dataclass(frozen=True, eq=False)
class MaskListing:
    """The content of a set, before decoding.

    `where` names each pair. `split` is the position in (train, validation, test). `masks` is None for a missing mask.
    """

    name: str
    where: Sequence[str]
    images: Sequence[Source]
    masks: Sequence[Source | None]
    split: IntArray
    class_names: tuple[str, ...]
    codes: Codes
    damage: tuple[Damage, ...] = field(default=())
    ignored: tuple[Ignored, ...] = ()

    def __len__(self) -> int:
        return len(self.where)

    def pair(self, index: int) -> tuple[ByteArray, ByteArray]:
        """Image (3, h, w) and classes (h, w), `IGNORE` where they do not count.

        Raises `DataError` naming the pair and its fault.
        """
        where, mask = self.where[index], self.masks[index]
        shown, orientation = read_turned(*_place(where, self.images[index]), 3)
        image = to_array(shown)
        if mask is None:
            raise DataError(f"{where}: its mask is missing")
        numbers = _upright(where, *read_numbers(*_place(f"{where} (mask)", mask)), orientation, shown.size)
        classes = self.codes.table()[numbers]
        if image.shape[1:] != classes.shape:
            raise DataError(
                f"{where}: the image is {image.shape[2]}x{image.shape[1]} pixels, its mask "
                f"{classes.shape[1]}x{classes.shape[0]}"
            )
        if classes.min() < 0:
            wrong = numbers[classes < 0]
            known = ", ".join(str(n) for n in np.unique(wrong)[:5])
            raise DataError(
                f"{where}: its mask has the class number {known} on {len(wrong)} pixels: expected {self.codes}"
            )
        return image, classes.astype(np.uint8)


def _upright(where: str, numbers: ByteArray, own: int, orientation: int, size: tuple[int, int]) -> ByteArray:
    """A mask's numbers turned as its image was, whose EXIF orientation and upright (width, height) are given.

    A mask without orientation fits the image as stored or as shown; its size decides.
    Raises `DataError` where it does not.
    """
    if orientation in (1, own) or own != 1:
        return numbers
    if not turned(orientation) or size[0] == size[1]:
        raise DataError(
            f"{where}: the image has EXIF orientation {orientation}, its mask has none: it may fit the image as stored "
            "or as shown; save the image upright, or give the mask the same orientation"
        )
    if numbers.shape == size:  # (height, width) of the image as stored
        from PIL import Image

        return np.asarray(turn(Image.fromarray(numbers), orientation))
    return numbers


def _place(where: str, source: Source) -> tuple[str, bytes | None]:
    """Name and content for the decoder, which reads the named file when there is no content."""
    return (where, source) if isinstance(source, bytes) else (str(source), None)


class MaskImages(Protocol):
    """Images with their masks. `images` (n, 3, h, w) and `masks` (n, h, w) hold all, or are None."""

    @property
    def images(self) -> ByteArray | None: ...

    @property
    def masks(self) -> ByteArray | None: ...

    def __len__(self) -> int: ...

    def select(self, indices: IntArray) -> MaskImages:
        """The pairs at these positions, in this order."""

    def pair(self, index: int) -> tuple[ByteArray, ByteArray]:
        """As `MaskListing.pair`."""


@dataclass(frozen=True, eq=False)
class HeldMasks:
    """Pairs of one size in memory."""

    images: ByteArray
    masks: ByteArray

    def __len__(self) -> int:
        return len(self.images)

    def select(self, indices: IntArray) -> HeldMasks:
        return HeldMasks(self.images[indices], self.masks[indices])

    def pair(self, index: int) -> tuple[ByteArray, ByteArray]:
        return self.images[index], self.masks[index]


@dataclass(frozen=True, eq=False)
class EncodedMasks:
    """Pairs that are decoded at every use.

    Damage that only decoding shows is found late; with `skip`, all pixels of such a pair are ignored.
    """

    listing: MaskListing
    indices: IntArray
    skip: bool

    @property
    def images(self) -> ByteArray | None:
        return None

    @property
    def masks(self) -> ByteArray | None:
        return None

    def __len__(self) -> int:
        return len(self.indices)

    def select(self, indices: IntArray) -> EncodedMasks:
        return EncodedMasks(self.listing, self.indices[indices], self.skip)

    def pair(self, index: int) -> tuple[ByteArray, ByteArray]:
        try:
            return self.listing.pair(int(self.indices[index]))
        except DataError:
            if not self.skip:
                raise
            side = 32
            return np.zeros((3, side, side), np.uint8), np.full((side, side), IGNORE, np.uint8)


@dataclass(frozen=True, eq=False)
class MaskSplits:
    """A loaded set; `skipped` lists the damaged pairs left out, `account` the use of every file."""

    train: MaskImages
    validation: MaskImages
    test: MaskImages
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    skipped: tuple[Damage, ...] = ()
    account: Account = field(default_factory=Account)


@dataclass(frozen=True, slots=True)
class MaskReport:
    """The findings of a check: pairs a split, the share of the pixels of each class, faults."""

    name: str
    counts: dict[str, int]
    shares: dict[str, float]  # percent of the pixels that count
    sizes: tuple[str, ...]
    damage: tuple[Damage, ...]
    account: Account = field(default_factory=Account)
    skipping: bool = False

    @property
    def ok(self) -> bool:
        return self.skipping or not self.damage

    def lines(self, limit: int = 20) -> list[str]:
        """The report as text, at most `limit` damages spelt out."""
        some = ", ".join(self.sizes[:3]) + (f" and {len(self.sizes) - 3} more" if len(self.sizes) > 3 else "")
        text = [f"{self.name}: {len(self.shares)} classes; sizes {some or 'none'}"]
        text += [f"  {split}: {count} images" for split, count in self.counts.items()]
        text += [f"  {share:6.2f}% of the pixels: {name}" for name, share in self.shares.items()]
        return text + damage_lines(self.account, self.damage, self.skipping, limit, REPAIR_OR_SKIP)


def load_masks(listing: MaskListing, reading: MaskReading) -> MaskSplits:
    """Make the splits, and decode them if they fit in memory.

    Raises `DataError` naming every damaged pair (the first few of many) unless they are skipped.
    """
    if len(listing) == 0:
        raise DataError(
            _complaint(listing, listing.damage) if listing.damage else f"{listing.name}: no image"
        )
    found: list[Damage] = list(listing.damage)
    held: dict[int, tuple[ByteArray, ByteArray]] | None = {}
    size, room = None, reading.memory_mb * 2**20
    for index, result in decoded(listing.where, listing.pair):
        if isinstance(result, Damage):
            found.append(result)
            continue
        size = size or result[0].shape
        if result[0].shape != size or len(listing) * 4 * result[1].size > room:
            held = None  # decoded on demand; missing files are found in any case
            break
        assert held is not None
        held[index] = result
    if held is None:
        found = [*listing.damage, *_missing(listing)]
    if found and reading.damaged == "refuse":
        raise DataError(_complaint(listing, found))
    bad = {d.where for d in found}
    usable = np.array([i for i, w in enumerate(listing.where) if w not in bad], dtype=np.int64)
    if len(usable) == 0:
        raise DataError(_complaint(listing, found))
    parts = _cut(listing, usable, reading)
    account = Account(len(usable), listing.ignored, tuple(found))
    if held is None:
        large = [EncodedMasks(listing, part, reading.damaged == "skip") for part in parts]
        mean, std = TYPICAL[3]
        return MaskSplits(large[0], large[1], large[2], listing.class_names, mean, std, tuple(found), account)
    assert size is not None
    in_memory = [_held(held, part, size) for part in parts]
    mean, std = pixel_statistics(in_memory[0].images) if len(in_memory[0]) else TYPICAL[3]
    return MaskSplits(
        in_memory[0], in_memory[1], in_memory[2], listing.class_names, mean, std, tuple(found), account
    )


def check_masks(listing: MaskListing, reading: MaskReading) -> MaskReport:
    """Check every pair, keep none."""
    damage, sizes = list(listing.damage), Counter[str]()
    pixels, good = np.zeros(len(listing.class_names), dtype=np.int64), []
    for index, result in decoded(listing.where, listing.pair):
        if isinstance(result, Damage):
            damage.append(result)
            continue
        good.append(index)
        sizes[f"{result[1].shape[1]}x{result[1].shape[0]}"] += 1
        pixels += np.bincount(result[1].reshape(-1), minlength=256)[: len(pixels)]
    parts = _cut(listing, np.array(good, dtype=np.int64), reading)
    counts = {name: len(p) for name, p in zip(("train", "validation", "test"), parts, strict=True)}
    shares = {n: 100.0 * c / max(1, pixels.sum()) for n, c in zip(listing.class_names, pixels, strict=True)}
    ordered = tuple(size for size, _ in sizes.most_common())
    skipping = reading.damaged == "skip" and bool(good)
    account = Account(len(good), listing.ignored, tuple(damage) if skipping else ())
    return MaskReport(listing.name, counts, shares, ordered, tuple(damage), account, skipping)


def class_pixels(images: MaskImages, num_classes: int) -> IntArray:
    """Pixels of each class (n,), in all masks in memory, or in `COUNTED` evenly spaced ones."""
    if images.masks is not None:
        counts = np.bincount(images.masks.reshape(-1), minlength=256)[:num_classes]
        return counts.astype(np.int64)
    counts = np.zeros(256, dtype=np.int64)
    for index in np.unique(np.linspace(0, len(images) - 1, min(COUNTED, len(images))).astype(int)):
        counts += np.bincount(images.pair(int(index))[1].reshape(-1), minlength=256)
    return counts[:num_classes]


def _missing(listing: MaskListing) -> list[Damage]:
    """Pairs with a missing file."""
    return [
        Damage(where, "its mask is missing" if m is None or gone(m) else "the image is missing")
        for where, p, m in zip(listing.where, listing.images, listing.masks, strict=True)
        if m is None or gone(m) or gone(p)
    ]


def gone(source: Source) -> bool:
    """Whether it is a missing file."""
    return isinstance(source, Path) and not source.is_file()


def _held(held: dict[int, tuple[ByteArray, ByteArray]], part: IntArray, size: tuple[int, ...]) -> HeldMasks:
    images = np.empty((len(part), *size), dtype=np.uint8)
    masks = np.empty((len(part), *size[1:]), dtype=np.uint8)
    for row, index in enumerate(part):
        images[row], masks[row] = held[int(index)]
    return HeldMasks(images, masks)


def _cut(listing: MaskListing, usable: IntArray, reading: MaskReading) -> list[IntArray]:
    """Positions for training, validation and test; a set without validation gives a part of its training images."""
    split = listing.split[usable]
    train, validation, test = (usable[split == i] for i in range(3))
    count = round(len(train) * reading.validation)
    if len(validation) == 0 and count > 0:
        order = np.random.default_rng(reading.split_seed).permutation(len(train))
        train, validation = train[np.sort(order[count:])], train[np.sort(order[:count])]
    return [train, validation, test]


def _complaint(listing: MaskListing, damage: Sequence[Damage]) -> str:
    return complaint(listing.name, damage, "Repair them, or leave them out with skip_damaged: true")
