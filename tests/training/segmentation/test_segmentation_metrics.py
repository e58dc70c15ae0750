from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, jaccard_score
from torch import nn

from nas.core.errors import EvaluationError
from nas.training.feed import Prepared
from nas.training.tasks.segmentation.feed import feed_of
from nas.training.tasks.segmentation.masks import HeldMasks
from nas.training.tasks.segmentation.metrics import SegmentationScore, confusion, mean_iou, pixel_accuracy
from nas.training.tasks.segmentation.settings import IGNORE, Augment
from nas.training.tasks.segmentation.task import Segmentation

CLASSES = 4


def drawn(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, np.ndarray, np.ndarray]:
    """Predictions and targets of three images, a tenth of them to ignore; and those that count, flat."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, CLASSES, (3, 9, 11))
    predicted = np.where(rng.random(targets.shape) < 0.6, targets, rng.integers(0, CLASSES, targets.shape))
    targets[rng.random(targets.shape) < 0.1] = IGNORE
    counted = targets != IGNORE
    return torch.from_numpy(predicted), torch.from_numpy(targets), predicted[counted], targets[counted]


def test_the_confusion_matrix_is_scikit_learns() -> None:
    predicted, targets, flat, truth = drawn()
    expected = confusion_matrix(truth, flat, labels=range(CLASSES))
    assert np.array_equal(confusion(predicted, targets, CLASSES).numpy(), expected)


def test_mean_iou_and_pixel_accuracy_are_scikit_learns() -> None:
    predicted, targets, flat, truth = drawn(1)
    matrix = confusion(predicted, targets, CLASSES).numpy()
    assert mean_iou(matrix) == pytest.approx(jaccard_score(truth, flat, average="macro"))
    assert pixel_accuracy(matrix) == pytest.approx(accuracy_score(truth, flat))


def test_a_class_that_is_neither_there_nor_predicted_does_not_count() -> None:
    matrix = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    assert mean_iou(matrix) == pytest.approx((3 / 4 + 4 / 5) / 2)
    score = SegmentationScore.of(matrix, 1, 0.5)
    assert np.isnan(score.class_ious[2])
    assert score.report(("a", "b", "c"))["class_ious"]["c"] is None


def test_nothing_that_counts_gives_no_number() -> None:
    assert np.isnan(mean_iou(np.zeros((2, 2), dtype=np.int64)))
    assert np.isnan(pixel_accuracy(np.zeros((2, 2), dtype=np.int64)))


class Colours(nn.Module):
    """Logits that are the image's channels, and a fourth of zeros: a pixel's class is its strongest colour."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, torch.zeros_like(x[:, :1])], dim=1)


def prepared(count: int = 20) -> tuple[Prepared, HeldMasks]:
    rng = np.random.default_rng(5)
    images = rng.integers(0, 255, (count, 3, 9, 11)).astype(np.uint8)
    masks = rng.integers(0, CLASSES, (count, 9, 11)).astype(np.uint8)
    masks[rng.random(masks.shape) < 0.2] = IGNORE
    held = HeldMasks(images, masks)
    feed = feed_of(held, (127.0,) * 3, (60.0,) * 3, Augment(), False, torch.device("cpu"))
    return Prepared(feed, feed, feed, tuple("abcd"), (127.0,) * 3, (60.0,) * 3), held


def test_judging_in_batches_counts_every_pixel_once() -> None:
    given, held = prepared()
    score = Segmentation().judge(Colours(), given.test, given, nullcontext)
    x = (torch.from_numpy(held.images).float() - 127) / 60
    logits = Colours()(x)
    targets = torch.from_numpy(held.masks).long()
    matrix = confusion(logits.argmax(1), targets, CLASSES).numpy()
    assert (score.miou, score.pixel_accuracy) == (100 * mean_iou(matrix), 100 * pixel_accuracy(matrix))
    loss = nn.functional.cross_entropy(logits, targets, ignore_index=IGNORE)
    assert score.loss == pytest.approx(float(loss), rel=1e-5)
    assert score.pictures == 20


def test_several_scales_average_the_probabilities() -> None:
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    task = Segmentation(test_scales=(1.0, 0.5), test_mirror=True)
    mixed = task.probabilities(Colours(), x, nullcontext)

    def at(size: int) -> torch.Tensor:
        seen = nn.functional.interpolate(x, (size, size), mode="bilinear")
        back = nn.functional.interpolate(Colours()(seen), (8, 8), mode="bilinear")
        return back.softmax(1)

    assert torch.allclose(mixed, (at(8) + at(4)) / 2, atol=1e-6)  # the network is its own mirror image


def test_an_output_of_another_size_is_named() -> None:
    given, _ = prepared(2)
    with pytest.raises(EvaluationError, match=r"expected \(2, 4, 9, 11\)"):
        Segmentation().judge(nn.Conv2d(3, 4, 3), given.test, given, nullcontext)
