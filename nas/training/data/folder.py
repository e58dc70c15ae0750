"""A folder of pictures, one folder a class: ImageNet's layout, with or without split folders."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas.errors import DataError
from nas.training.data.base import Damage, DataReport, Splits
from nas.training.data.decode import EXTENSIONS
from nas.training.data.encoded import Listing, Reading, check_listing, load_listing

SPLIT_FOLDERS = {"train": 0, "training": 0, "val": 1, "valid": 1, "validation": 1, "test": 2}
HOW = (
    "Put pictures in folders by class: PATH/train/CLASS/*.jpg and PATH/val/CLASS/*.jpg (ImageNet's layout), "
    "or PATH/CLASS/*.jpg to have the splits cut for you."
)


@dataclass(frozen=True, slots=True)
class Folder:
    """Pictures in `path/train/CLASS/`, `path/val/CLASS/` (or `test`), or just `path/CLASS/`.

    With one held-out folder it is the test, and validation is cut from the training pictures. Pictures are cut
    to a central square (`keep` of the shorter side) of `resolution` pixels.
    """

    path: str
    resolution: int | None = 32
    channels: int = 3
    keep: float = 0.875
    validation: float = 0.1
    test: float = 0.1
    split_seed: int = 0
    memory_mb: int = 1024

    def load(self) -> Splits:
        return load_listing(self._list(), self._reading(), f"folder {self.path}")

    def check(self) -> DataReport:
        report = DataReport("folder", self.path, False, HOW)
        try:
            return check_listing(self._list(), self._reading(), report)
        except DataError as error:
            found = Path(self.path).is_dir()
            return DataReport("folder", self.path, found, HOW, damage=(Damage(self.path, str(error)),))

    def _reading(self) -> Reading:
        return Reading(
            self.resolution,
            self.channels,
            self.keep,
            self.validation,
            self.test,
            self.split_seed,
            self.memory_mb,
        )

    def _list(self) -> Listing:
        root = Path(self.path)
        if not root.is_dir():
            raise DataError(f"folder {self.path}: not found. {HOW}")
        inside = class_folders(root)
        splits = [(SPLIT_FOLDERS[d.name.lower()], d) for d in inside if d.name.lower() in SPLIT_FOLDERS]
        if not any(k == 0 for k, _ in splits):
            splits = [(-1, root)]
        names = sorted({c.name for k, d in splits if k <= 0 for c in class_folders(d)})
        if not names:
            raise DataError(f"folder {self.path}: no class folder found. {HOW}")
        index = {name: i for i, name in enumerate(names)}
        where: list[str] = []
        labels: list[int] = []
        split: list[int] = []
        damage: list[Damage] = []
        for kind, directory in splits:
            for folder in class_folders(directory):
                files = picture_files(folder)
                if folder.name not in index:
                    damage.append(Damage(str(folder), "wrong label: a class without training folder"))
                    continue
                if not files:
                    damage.append(Damage(str(folder), "empty class: no picture in this folder"))
                where += files
                labels += [index[folder.name]] * len(files)
                split += [kind] * len(files)
        return Listing(
            where, None, np.array(labels, np.int64), np.array(split, np.int64), tuple(names), tuple(damage)
        )


def class_folders(path: Path) -> list[Path]:
    """The folders in a folder, in the order of their names."""
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))


def picture_files(folder: Path) -> list[str]:
    """The picture files of a folder, in the order of their names."""
    with os.scandir(folder) as entries:
        return sorted(
            e.path
            for e in entries
            if os.path.splitext(e.name)[1].lower() in EXTENSIONS and not e.name.startswith(".")
        )
