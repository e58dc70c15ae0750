"""Metrics of segmentation, from the confusion matrix."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas.training.tasks.segmentation.settings import IGNORE

Confusion = NDArray[np.int64]


def confusion(predicted: Tensor, targets: Tensor, num_classes: int) -> Tensor:
    """Pixels by (target, predicted), (num_classes, num_classes) int64; targets of `IGNORE` do not count."""
    counted = targets != IGNORE
    pairs = targets[counted] * num_classes + predicted[counted]
    return torch.bincount(pairs, minlength=num_classes * num_classes).reshape(num_classes, num_classes)


def class_ious(matrix: Confusion) -> NDArray[np.float64]:
    """Intersection over union of each class, 0 to 1; NaN for one neither present nor predicted."""
    right = np.diag(matrix).astype(np.float64)
    union = matrix.sum(0) + matrix.sum(1) - np.diag(matrix)
    with np.errstate(invalid="ignore"):
        return np.where(union > 0, right / union, np.nan)


def mean_iou(matrix: Confusion) -> float:
    """The mean over the classes present or predicted; NaN without any."""
    ious = class_ious(matrix)
    return float(np.nanmean(ious)) if np.isfinite(ious).any() else math.nan


def pixel_accuracy(matrix: Confusion) -> float:
    """The share of correctly classified pixels; NaN when none counts."""
    total = int(matrix.sum())
    return float(np.trace(matrix)) / total if total else math.nan


@dataclass(frozen=True, slots=True)
class SegmentationScore:
    """Score of a network on a split: percent, and the mean cross-entropy of a pixel in nats."""

    pictures: int
    loss: float
    miou: float
    pixel_accuracy: float
    class_ious: tuple[float, ...]  # NaN for a class neither present nor predicted

    LOGGED: ClassVar[tuple[str, ...]] = ("miou", "pixel_accuracy", "loss")

    @classmethod
    def of(cls, matrix: Confusion, images: int, loss: float) -> SegmentationScore:
        """From a confusion matrix and the mean loss."""
        return cls(
            images,
            loss,
            100.0 * mean_iou(matrix),
            100.0 * pixel_accuracy(matrix),
            tuple(float(100.0 * i) for i in class_ious(matrix)),
        )

    def values(self) -> dict[str, float]:
        """By name, percent but for the loss; `error` is 100 minus `miou`."""
        return {
            "miou": self.miou,
            "pixel_accuracy": self.pixel_accuracy,
            "error": 100.0 - self.miou,
            "loss": self.loss,
        }

    def report(self, class_names: tuple[str, ...]) -> dict[str, Any]:
        """Every value, for a file; None for unknown ones."""
        classes = zip(class_names, self.class_ious, strict=True)
        return {
            "pictures": self.pictures,
            **self.values(),
            "class_ious": {name: None if math.isnan(iou) else iou for name, iou in classes},
        }
