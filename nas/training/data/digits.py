"""The 8x8 handwritten digits that come with scikit-learn: real images, nothing to download."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
        from sklearn.datasets import load_digits

        bunch = load_digits()
        images = np.asarray(bunch.images, dtype=np.uint8)[:, None]
        labels: IntArray = np.asarray(bunch.target, dtype=np.int64)
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
