"""CIFAR-10 and CIFAR-100 in their official binary form (never the Python pickles)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from nas.core.checks import check_numbers
from nas.core.errors import DataError
from nas.training.data.base import (
    ByteArray,
    Damage,
    DataReport,
    IntArray,
    MemoryPictures,
    Splits,
    class_counts,
    pixel_statistics,
)
from nas.training.data.splits import stratified

PIXELS = 3 * 32 * 32


@dataclass(frozen=True, slots=True)
class Form:
    """One of the two published forms: file names, label bytes a record, where the names are."""

    name: str
    folder: str
    train: tuple[str, ...]
    test: str
    label_bytes: int  # the last of them is the class
    names: str
    classes: int

    @property
    def how_to_get(self) -> str:
        archive = f"{self.name}-binary.tar.gz"
        return (
            f"Get https://www.cs.toronto.edu/~kriz/{archive} and unpack it (tar xzf {archive}); "
            f"path is the folder {self.folder} or the one that holds it."
        )


CIFAR10 = Form(
    "cifar-10",
    "cifar-10-batches-bin",
    tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
    "test_batch.bin",
    1,
    "batches.meta.txt",
    10,
)
CIFAR100 = Form("cifar-100", "cifar-100-binary", ("train.bin",), "test.bin", 2, "fine_label_names.txt", 100)


def load_cifar(form: Form, path: str, validation: float, split_seed: int) -> Splits:
    """The official test set for the test, `validation` of the training images for validation."""
    folder = _folder(form, path)
    pieces = [_records(form, folder / name) for name in form.train]
    images = np.concatenate([p[0] for p in pieces])
    labels = np.concatenate([p[1] for p in pieces])
    test_images, test_labels = _records(form, folder / form.test)
    held, train = stratified(labels, (validation,), split_seed)
    mean, std = pixel_statistics(images[train])
    return Splits(
        MemoryPictures(images[train], labels[train]),
        MemoryPictures(images[held], labels[held]),
        MemoryPictures(test_images, test_labels),
        _names(form, folder),
        mean,
        std,
    )


def check_cifar(form: Form, path: str) -> DataReport:
    """Read every file and check every label."""
    try:
        folder = _folder(form, path)
    except DataError as error:
        damage = (Damage(path, str(error)),) if Path(path).exists() else ()
        return DataReport(form.name, path, False, form.how_to_get, damage=damage)
    damaged: list[Damage] = []
    counts = {}
    for split, files in (("train", form.train), ("test", (form.test,))):
        total = np.zeros(form.classes, dtype=np.int64)
        for name in files:
            try:
                total += np.array(class_counts(_records(form, folder / name)[1], form.classes))
            except DataError as error:
                damaged.append(Damage(str(folder / name), str(error).removeprefix(f"{folder / name}: ")))
        counts[split] = tuple(int(n) for n in total)
        damaged += [
            Damage(f"{split} class {i}", "empty class: no image has this label")
            for i in np.flatnonzero(total == 0)
            if not damaged
        ]
    return DataReport(
        form.name,
        str(folder),
        True,
        form.how_to_get,
        _names(form, folder),
        counts,
        "32x32, 3 channels",
        tuple(damaged),
    )


def _folder(form: Form, path: str) -> Path:
    for folder in (Path(path), Path(path) / form.folder):
        if (folder / form.train[0]).is_file():
            return folder
    pickled = any((Path(path) / p).exists() for p in ("data_batch_1", "train", "cifar-10-batches-py"))
    note = "it holds the Python version, whose pickles are not read; " if pickled else ""
    raise DataError(f"{form.name} at {path}: {form.train[0]} not found; {note}{form.how_to_get}")


def _records(form: Form, file: Path) -> tuple[ByteArray, IntArray]:
    if not file.is_file():
        raise DataError(f"{file}: not found. {form.how_to_get}")
    size = form.label_bytes + PIXELS
    raw = np.fromfile(file, dtype=np.uint8)
    if len(raw) == 0 or len(raw) % size:
        raise DataError(
            f"{file}: {len(raw)} bytes are not a whole number of {size}-byte records: the file is truncated "
            f"or not {form.name}. {form.how_to_get}"
        )
    records = raw.reshape(-1, size)
    labels = records[:, form.label_bytes - 1].astype(np.int64)
    wrong = np.flatnonzero(labels >= form.classes)
    if len(wrong):
        raise DataError(
            f"{file}: record {wrong[0]} has label {labels[wrong[0]]}, expected 0 to {form.classes - 1} "
            f"({len(wrong)} such records): the file is corrupt. {form.how_to_get}"
        )
    return np.ascontiguousarray(records[:, form.label_bytes :]).reshape(-1, 3, 32, 32), labels


def _names(form: Form, folder: Path) -> tuple[str, ...]:
    file = folder / form.names
    names = file.read_text(encoding="utf-8", errors="replace").split() if file.is_file() else []
    return tuple(names) if len(names) == form.classes else tuple(str(i) for i in range(form.classes))


@dataclass(frozen=True, slots=True)
class Cifar10:
    """60,000 colour 32x32 images of ten classes (Krizhevsky 2009); `path` holds the binary files."""

    path: str
    validation: float = 0.1
    split_seed: int = 0

    def __post_init__(self) -> None:
        check_numbers("data", self)

    FORM: ClassVar[Form] = CIFAR10

    def load(self) -> Splits:
        return load_cifar(self.FORM, self.path, self.validation, self.split_seed)

    def check(self) -> DataReport:
        return check_cifar(self.FORM, self.path)


@dataclass(frozen=True, slots=True)
class Cifar100(Cifar10):
    """60,000 colour 32x32 images of a hundred fine classes (Krizhevsky 2009)."""

    FORM: ClassVar[Form] = CIFAR100
