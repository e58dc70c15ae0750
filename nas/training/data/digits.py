"""The 8x8 handwritten digits that come with scikit-learn: real images, nothing to download."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.core.checks import check_numbers
from nas.training.data.base import (
    DataReport,
    IntArray,
    MemoryPictures,
    Splits,
    class_counts,
    pixel_statistics,
)
from nas.training.data.splits import stratified


@dataclass(frozen=True, slots=True)
class Digits:
    """1,797 grey 8x8 images of ten digits (Alpaydin and Kaynak 1998), pixels 0 to 16.

    The set has no official split. Ours is stratified and seeded: by default 1,078 for training, 359 for
    validation and 360 for test, so that one validation image is 0.28% of error.
    """

    validation: float = 0.2
    test: float = 0.2
    split_seed: int = 0

    def __post_init__(self) -> None:
        check_numbers("data", self)

    def load(self) -> Splits:
        images, labels = _images_and_labels()
        validation, test, train = (
            MemoryPictures(images[part], labels[part])
            for part in stratified(labels, (self.validation, self.test), self.split_seed)
        )
        mean, std = pixel_statistics(train.images)
        return Splits(train, validation, test, tuple(str(d) for d in range(10)), mean, std)

    def check(self) -> DataReport:
        splits = self.load()
        parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
        return DataReport(
            name="digits",
            where="bundled with scikit-learn",
            found=True,
            how_to_get="Comes with scikit-learn.",
            class_names=splits.class_names,
            counts={k: class_counts(p.labels, 10) for k, p in parts.items()},
            picture="8x8, 1 channel",
        )


def _images_and_labels() -> tuple[NDArray[np.uint8], IntArray]:
    """Images (n, 1, 8, 8) and labels (n,), from scikit-learn's file: importing scikit-learn takes a second in every worker."""
    found = find_spec("sklearn")
    folders = found.submodule_search_locations if found else None
    file = Path(folders[0], "datasets", "data", "digits.csv.gz") if folders else None
    if file is None or not file.is_file():  # not installed, or a version that has the file elsewhere
        from sklearn.datasets import load_digits

        bunch = load_digits()
        return np.asarray(bunch.images, dtype=np.uint8)[:, None], np.asarray(bunch.target, dtype=np.int64)
    table = np.loadtxt(file, delimiter=",", dtype=np.int64)
    return table[:, :-1].reshape(-1, 1, 8, 8).astype(np.uint8), table[:, -1]
