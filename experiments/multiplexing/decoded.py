"""CIFAR-10 decoded once and kept as arrays, so that no process decodes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from nas.core.errors import DataError
from nas.training.data import DataReport, MemoryPictures, Parquet, Splits
from nas.training.data.splits import subset
from nas.training.feed import resized

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FILES = ("cifar10_train.parquet", "cifar10_test.parquet")


@dataclass(frozen=True)
class Decoded:
    """Images of one side from `folder`, written by `decode`; a data source for `nas.training.data`."""

    folder: str
    side: int

    def load(self) -> Splits:
        """All training images, none for validation (nothing is selected), the test images."""
        train, test = (self._part(name) for name in ("train", "test"))
        with np.load(Path(self.folder) / "statistics.npz", allow_pickle=False) as kept:
            mean, std = (tuple(float(x) for x in kept[key]) for key in ("mean", "std"))
        return Splits(train, train.select(np.arange(0)), test, NAMES, mean, std)

    def check(self) -> DataReport:
        return DataReport("decoded", self.folder, Path(self.folder).is_dir(), "written by the study itself")

    def _part(self, name: str) -> MemoryPictures:
        folder = Path(self.folder)
        images = np.load(folder / f"{name}_{self.side}.npy", allow_pickle=False)
        return MemoryPictures(images, np.load(folder / f"{name}_labels.npy", allow_pickle=False))


def decode(data: Path, folder: Path, sides: set[int], train: int | None, test: int | None) -> None:
    """Decode `data` (a folder with the two files) into `folder`: `train` and `test` images (None: all), each side.

    Smaller sides are reduced bilinearly with anti-aliasing. Raises `DataError` when a file is missing or damaged.
    """
    train_file, test_file = (data / name for name in FILES)
    if not train_file.is_file() or not test_file.is_file():
        raise DataError(
            f"--data {data}: expected a folder with {' and '.join(FILES)}; see the README beside this"
        )
    splits = Parquet(str(train_file), test_path=str(test_file), validation=0.0).load()
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "statistics.npz", mean=splits.mean, std=splits.std)
    for name, images, count in (("train", splits.train, train), ("test", splits.test, test)):
        chosen = images.select(subset(images.labels, count or len(images), seed=0))
        assert chosen.images is not None
        np.save(folder / f"{name}_labels.npy", chosen.labels)
        pixels = torch.from_numpy(chosen.images)
        for side in sides:
            np.save(folder / f"{name}_{side}.npy", resized(pixels, side).numpy())
