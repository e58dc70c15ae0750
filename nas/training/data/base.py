"""The trainer's contract of a data set: a small description that loads into three splits."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, fields
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nas.training.data.account import Account, damage_lines, value_of_an_image
from nas.training.data.account import Damage as Damage  # used by every reader

ByteArray = NDArray[np.uint8]
IntArray = NDArray[np.int64]


class Pictures(Protocol):
    """Labelled images of one size.

    `images` holds all of them, uint8 (n, channels, height, width), or is None when they are too many to
    hold and are decoded on demand.
    """

    @property
    def labels(self) -> IntArray:
        """Class indices, shape (n,)."""

    @property
    def images(self) -> ByteArray | None: ...

    def __len__(self) -> int: ...

    def select(self, indices: IntArray) -> Pictures:
        """The images at these positions, in this order."""

    def take(self, indices: IntArray, resolution: int | None, seed: int | None) -> ByteArray:
        """Images of these positions, uint8 (b, channels, resolution, resolution).

        `seed` None gives the image as it is evaluated; a number lets a set that decodes from large originals
        draw a random crop (the same for the same seed and position).
        """


@dataclass(frozen=True, eq=False)
class MemoryPictures:
    """Images held in memory."""

    images: ByteArray
    labels: IntArray

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or len(self.images) != len(self.labels):
            raise ValueError(
                f"images must be (n, channels, height, width) with one label each, got images "
                f"{self.images.shape} and labels {self.labels.shape}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, indices: IntArray) -> MemoryPictures:
        return MemoryPictures(self.images[indices], self.labels[indices])

    def take(self, indices: IntArray, resolution: int | None, seed: int | None) -> ByteArray:
        return self.images[indices]  # resized once, by the code that needs another resolution


@dataclass(frozen=True, eq=False)
class Splits:
    """A loaded data set. `validation` is cut from the training images; `test` is for the report only.

    `mean` and `std` are per channel, in the units of the stored pixels (0 to 255, or the set's own).
    """

    train: Pictures
    validation: Pictures
    test: Pictures
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    account: Account = field(default_factory=Account)

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def in_channels(self) -> int:
        return len(self.mean)


@dataclass(frozen=True, slots=True)
class DataReport:
    """The findings of `check`. `counts` maps a split to its images (or `counted` things) per class, as in `class_names`.

    `account` gives the use of every file; with `skipping`, damaged files are skipped and the set can be used. `advice` says what to do about damage.
    """

    name: str
    where: str
    found: bool
    how_to_get: str
    class_names: tuple[str, ...] = ()
    counts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    picture: str = ""  # such as "8x8, 1 channel"
    damage: tuple[Damage, ...] = ()
    counted: str = "images"
    account: Account = field(default_factory=Account)
    skipping: bool = False
    advice: str = ""
    unreadable: str = ""  # why the set as a whole cannot be read

    @property
    def ok(self) -> bool:
        return self.found and not self.unreadable and (self.skipping or not self.damage)

    def lines(self, limit: int = 20) -> list[str]:
        """The report as text, at most `limit` damages spelt out."""
        text = [f"{self.name}: {self.where}"]
        if self.found and self.unreadable:
            return [*text, f"  cannot be read: {self.unreadable}"]
        if self.counts:
            text.append(f"  images: {self.picture}; {len(self.class_names)} classes")
            for split, counts in self.counts.items():
                if counts:
                    text.append(
                        f"  {split}: {sum(counts)} {self.counted}, {min(counts)} to {max(counts)} a class"
                    )
        validation = sum(self.counts.get("validation", ()))
        if validation and self.counted == "images":
            text.append(f"  {value_of_an_image(validation)}")
        text += [f"  note: {note}" for note in self.account.notes]
        end = damage_lines(self.account, self.damage, self.skipping, limit, self.advice)
        return text + (end if self.found else [*end[:-1], f"  not found. {self.how_to_get}"])


def settings_text(data: object, *newer: str) -> str:
    """The text form of a description (a frozen dataclass), without the `newer` settings at their default.

    This text matches trainings with kept weights, so settings added later must not change it.
    """
    shown = [
        f"{f.name}={getattr(data, f.name)!r}"
        for f in fields(data)  # type: ignore[arg-type]
        if not (f.name in newer and getattr(data, f.name) == f.default)
    ]
    return f"{type(data).__qualname__}({', '.join(shown)})"


class DataSource(Hashable, Protocol):
    """A description of a data set: a small, hashable, picklable value, the key of the worker's cache."""

    def load(self) -> Splits:
        """Read it. Raises `DataError` naming the missing or damaged files and how to get the set."""

    def check(self) -> DataReport:
        """Check every file and report; damaged data raise nothing."""


def class_counts(labels: IntArray, num_classes: int) -> tuple[int, ...]:
    """Images per class."""
    return tuple(int(n) for n in np.bincount(labels, minlength=num_classes))


def pixel_statistics(images: ByteArray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of uint8 (n, c, h, w), exact, without a float copy."""
    channels = images.shape[1]
    histogram = np.stack([np.bincount(images[:, c].reshape(-1), minlength=256) for c in range(channels)])
    weight = histogram / histogram.sum(axis=1, keepdims=True)
    levels = np.arange(256.0)
    mean = weight @ levels
    variance = weight @ levels**2 - mean**2
    std = np.sqrt(np.maximum(variance, 1e-6))
    return tuple(float(m) for m in mean), tuple(float(s) for s in std)
