"""Images that the package `datasets` of Hugging Face saved to a folder (`save_to_disk`)."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from nas.core.errors import ConfigError, DataError
from nas.training.data.base import Damage, IntArray, settings_text
from nas.training.data.columns import IMAGES, LABELS, classes_of, column_named, encoded_bytes, splits_of
from nas.training.data.encoded import EncodedSource, Listing
from nas.training.data.splits import SPLIT_NAMES, check_one_name_each

SPLITS_FILE = "dataset_dict.json"  # in the folder of several splits
_ONE_SPLIT = ("state.json", "dataset_info.json")  # in the folder of one
HOW = (
    "Expected a folder written by save_to_disk of the package datasets, with a column of images (feature Image, bytes, or arrays of "
    "whole numbers from 0 to 255) and a column of labels (ClassLabel, whole numbers from 0, or names)."
)


def is_saved(path: str) -> bool:
    """Whether `save_to_disk` wrote this folder."""
    return os.path.isfile(os.path.join(path, SPLITS_FILE)) or all(
        os.path.isfile(os.path.join(path, name)) for name in _ONE_SPLIT
    )


@dataclass(frozen=True)
class _Part:
    """The rows of one split: images (bytes or arrays), labels, the splits' positions, class names if the labels have some."""

    where: list[str]
    images: list[Any]
    labels: list[Any]
    split: IntArray
    names: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, repr=False)
class HuggingFace(EncodedSource):
    """A data set of Hugging Face in the folder `path`, with its splits train, validation and test.

    `image` and `label` name the columns (None: the first that has a usual name, else the only one with the feature Image or ClassLabel).
    A data set without splits may have a column `split`. Splits with other names are ignored. Other settings as of `Parquet`.
    Reads local files only and runs no code of the data set. Needs the package datasets.
    """

    path: str
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

    KIND: ClassVar[str] = "huggingface"
    HOW: ClassVar[str] = HOW

    def __repr__(self) -> str:
        return settings_text(self)

    def listing(self) -> Listing:
        parts, notes = self._parts()
        names = {part.names for part in parts}
        if len(names) > 1:
            raise DataError(
                f"{self._title}: the splits have different class names; save them with the same ClassLabel"
            )
        where = [w for part in parts for w in part.where]
        values = [v for part in parts for v in part.labels]
        known = names.pop()
        labels, classes, damage = classes_of(values, where, self.num_classes if known is None else len(known))
        blobs: list[bytes] = []
        for at, image in zip(where, (i for part in parts for i in part.images), strict=True):
            blob = _encoded(image)
            if isinstance(blob, str):
                damage.append(Damage(at, blob))
            blobs.append(b"" if isinstance(blob, str) else blob)
        unusable = tuple(i for i, blob in enumerate(blobs) if not blob or labels[i] < 0)
        split = np.concatenate([part.split for part in parts])
        return Listing(
            where, blobs, labels, split, known or classes, tuple(damage), unusable, notes=tuple(notes)
        )

    @property
    def _title(self) -> str:
        return f"{self.KIND} {self.path}"

    def _parts(self) -> tuple[list[_Part], list[str]]:
        """The used splits, and notes on the others. Raises `ConfigError` without the package, `DataError`."""
        if not os.path.isdir(self.path):  # before the package, which would take some names for remote ones
            raise DataError(f"{self._title}: not found. {HOW}")
        if not is_saved(self.path):
            raise DataError(f"{self._title}: no {SPLITS_FILE} in this folder. {HOW}")
        datasets = _package()
        with _without_bars(datasets):
            try:
                loaded = datasets.load_from_disk(os.path.abspath(self.path))
            except Exception as error:  # it raises many kinds for damaged files
                reason = (f"{type(error).__name__}: {error}".splitlines() or [""])[0]
                raise DataError(f"{self._title}: cannot be read ({reason}); save it again") from None
            if not isinstance(loaded, dict):
                return [self._part(datasets, loaded, None)], []
            used = [name for name in loaded if name.lower() in SPLIT_NAMES]
            check_one_name_each(f"{self._title}: splits", used)
            if not used:
                raise DataError(
                    f"{self._title}: no split is named {', '.join(SPLIT_NAMES)}; it has {', '.join(loaded)}"
                )
            parts = {name: self._part(datasets, loaded[name], name) for name in used}
        notes = [f"split {name} is not used" for name in loaded if name not in used]
        unlabelled = [
            name for name, part in parts.items() if set(part.labels) == {-1}
        ]  # as published for contests
        if len(unlabelled) < len(parts):
            notes += [f"split {name} is not used: it has no labels (all are -1)" for name in unlabelled]
            parts = {name: part for name, part in parts.items() if name not in unlabelled}
        return list(parts.values()), notes

    def _part(self, datasets: Any, rows: Any, split: str | None) -> _Part:
        features, names, title = rows.features, list(rows.column_names), self._title
        image = column_named(title, "image", self.image, _usual(IMAGES, features, datasets.Image), names)
        label = column_named(title, "label", self.label, _usual(LABELS, features, datasets.ClassLabel), names)
        self._check_labels(datasets, label, features[label])
        own = self.split if split is None and self.split in names else None
        try:
            images = _images(datasets, rows.select_columns([image]), image)
            table = rows.select_columns(list(dict.fromkeys([label, *([own] if own else [])]))).with_format(
                "arrow"
            )[:]
        except Exception as error:  # as above: a file cut short, another schema
            raise DataError(f"{title}: column {image!r}: {type(error).__name__}: {error}") from None
        count = len(images)
        position = -1 if split is None else SPLIT_NAMES[split.lower()]
        splits = (
            np.full(count, position, np.int64)
            if own is None
            else splits_of(title, table.column(own).to_pylist())
        )
        where = [f"{self.path} {split or ''}".rstrip() + f" row {i}" for i in range(count)]
        classes = features[label].names if isinstance(features[label], datasets.ClassLabel) else None
        return _Part(
            where,
            images,
            table.column(label).to_pylist(),
            splits,
            None if classes is None else tuple(classes),
        )

    def _check_labels(self, datasets: Any, name: str, feature: Any) -> None:
        if not isinstance(feature, (datasets.ClassLabel, datasets.Value)):
            raise DataError(
                f"{self._title}: column {name!r} has the feature {feature!r:.200}; expected one class per image: ClassLabel, "
                "a whole number or a name"
            )


def _usual(usual: tuple[str, ...], features: Any, kind: type) -> tuple[str, ...]:
    """The usual names; last the only column with a feature of this kind."""
    found = [name for name, feature in features.items() if isinstance(feature, kind)]
    return (*usual, *found) if len(found) == 1 else usual


def _images(datasets: Any, rows: Any, name: str) -> list[Any]:
    """The image column as bytes or arrays, None for a missing image. Decodes no image and opens no other file."""
    if isinstance(rows.features[name], datasets.Image):
        rows = rows.cast_column(name, datasets.Image(decode=False))
    elif not isinstance(rows.features[name], (dict, datasets.Value)):
        return list(rows.with_format("numpy")[:][name])
    return encoded_bytes(rows.with_format("arrow")[:].column(name).to_pylist())


def _encoded(image: Any) -> bytes | str:
    """The encoded image; of an array as PNG; the fault of another cell."""
    if isinstance(image, bytes):
        return image or "no image in this row"
    if image is None:
        return "no image in this row (a path alone is not followed; save the data set with its images)"
    pixels = np.asarray(image)
    shape = pixels.shape
    if pixels.ndim == 3 and shape[2] not in (1, 3) and shape[0] in (1, 3):
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim not in (2, 3) or 0 in shape or (pixels.ndim == 3 and pixels.shape[2] != 3):
        return f"an array of shape {shape}: expected (height, width), with 1 or 3 channels last or first"
    if pixels.dtype.kind not in "iu" or pixels.min() < 0 or pixels.max() > 255:
        return f"an array of {pixels.dtype} up to {pixels.max()}: expected whole numbers from 0 to 255"
    return _png(pixels.astype(np.uint8))


def _png(pixels: Any) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _package() -> Any:
    try:
        found = import_module("datasets")
        if not hasattr(found, "load_from_disk"):  # the user's own folder of that name
            raise ImportError(f"{getattr(found, '__path__', found)} is another one")
    except ImportError as error:
        raise ConfigError(
            f"data huggingface: needs the package datasets, which cannot be imported ({error}): "
            "pip install 'multiobjective-nas[huggingface]'"
        ) from None
    return found


@contextmanager
def _without_bars(datasets: Any) -> Iterator[None]:
    """Without the progress bars of the package."""
    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()
