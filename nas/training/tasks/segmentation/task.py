"""Segmentation as a task of the trainer: batches, loss, evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nas.core.checks import check_known, check_numbers, check_positive
from nas.core.errors import ConfigError, DataError, EvaluationError
from nas.training.data.base import IntArray
from nas.training.feed import Feed, Prepared
from nas.training.loop import Loss, Shard
from nas.training.recipe import Recipe
from nas.training.task import Autocast
from nas.training.tasks.segmentation.data import MaskSource, load
from nas.training.tasks.segmentation.feed import DecodedFeed, ResidentFeed, feed_of
from nas.training.tasks.segmentation.heads import resized
from nas.training.tasks.segmentation.masks import class_pixels
from nas.training.tasks.segmentation.metrics import SegmentationScore, confusion
from nas.training.tasks.segmentation.settings import IGNORE, WEIGHTINGS, Augment


@dataclass(frozen=True, slots=True)
class Segmentation:
    """Settings of training and evaluating a segmentation.

    `class_weights` of the loss: `none`; `log`, 1 / ln(1.02 + share of the pixels) (Paszke et al. 2016); `median`, the
    median share divided by the share (Eigen and Fergus 2015); both with mean 1. `auxiliary` is the weight of the
    auxiliary head, in networks that have one. `test_scales` are the factors on the images' size at which they are
    evaluated and over which the probabilities are averaged, with `test_mirror` also mirrored. Raises `ConfigError`.
    """

    augment: Augment = field(default_factory=Augment)
    class_weights: str = "log"
    auxiliary: float = 0.4
    test_scales: tuple[float, ...] = (1.0,)
    test_mirror: bool = False

    def __post_init__(self) -> None:
        check_numbers("task", self)
        object.__setattr__(self, "test_scales", tuple(self.test_scales))  # lists come from YAML files
        check_known("class_weights", self.class_weights, WEIGHTINGS)
        if not self.test_scales:
            raise ConfigError("test_scales: expected at least one factor, got none")
        for scale in self.test_scales:
            check_positive("test_scales", scale)

    def prepare(
        self, data: MaskSource, recipe: Recipe, device: torch.device, resolution: int | None = None
    ) -> Prepared:
        """As `Task.prepare`; `resolution` is not used: an image keeps its own size, is scaled and cropped."""
        if recipe.augment or recipe.resolution is not None:
            raise ConfigError(
                "recipe: augment and resolution are for classification: images with masks are augmented by "
                "task.augment (crop, scales, flip)"
            )
        return _prepared(
            data,
            recipe.subset,
            recipe.max_pictures,
            recipe.channels_last,
            device,
            self.augment,
            self.class_weights,
        )

    def loss(self, recipe: Recipe, prepared: Prepared) -> Loss:
        """Cross-entropy of a pixel; the pixels that count weigh the same except for their class.

        The loss raises `EvaluationError` for a network whose output is not (b, num_classes, h, w).
        """
        given = prepared.class_weights

        @cache
        def weights_on(device: torch.device) -> Tensor | None:
            return None if given is None else torch.tensor(given, device=device)

        def one(logits: Tensor, y: Tensor) -> Tensor:
            if logits.ndim != 4 or logits.shape[2:] != y.shape[1:]:
                raise EvaluationError(
                    f"the network gave {tuple(logits.shape)} for targets {tuple(y.shape)}: expected a score for each "
                    f"class at each pixel, as the networks of the space `segmentation` give"
                )
            weights = weights_on(logits.device)
            total = cross_entropy(
                logits,
                y,
                weights,
                ignore_index=IGNORE,
                label_smoothing=recipe.label_smoothing,
                reduction="sum",
            )
            counted = y != IGNORE
            if weights is None:
                return total / counted.sum().clamp(min=1)
            of_pixels = weights[torch.where(counted, y, 0)] * counted
            return total / of_pixels.sum().clamp(min=1e-6)

        def loss(network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
            out = network(x)
            if isinstance(out, Tensor):
                return one(out, y)
            return one(out[0], y) + self.auxiliary * one(out[1], y)

        return loss

    @torch.inference_mode()
    def judge(
        self,
        network: nn.Module,
        feed: Feed,
        prepared: Prepared,
        autocast: Autocast,
        shard: Shard | None = None,
    ) -> SegmentationScore:
        """As `Task.judge`. Raises `EvaluationError` when the network's output is not (b, num_classes, h, w)."""
        assert isinstance(feed, (ResidentFeed, DecodedFeed))
        shard = shard or Shard()
        training = network.training
        network.eval()
        classes = prepared.num_classes
        matrix = torch.zeros((classes, classes), dtype=torch.float64)
        total = torch.zeros(1, dtype=torch.float64)
        order = torch.split(torch.arange(len(feed)), feed.judged)
        mine = list(order[shard.rank :: shard.world])
        for x, y in feed.batches(mine, None):
            probabilities = self.probabilities(network, x, autocast)
            if tuple(probabilities.shape) != (len(y), classes, *y.shape[1:]):
                raise EvaluationError(
                    f"the network gave {tuple(probabilities.shape)} for {len(y)} images of {classes} classes, "
                    f"{tuple(y.shape[1:])} pixels: expected {(len(y), classes, *y.shape[1:])}"
                )
            chosen = probabilities.gather(1, torch.where(y == IGNORE, 0, y)[:, None])[:, 0]
            logs = -chosen.clamp(min=1e-12).log()
            total += (logs * (y != IGNORE)).sum().double().cpu()
            matrix += confusion(probabilities.argmax(1), y, classes).cpu()
        network.train(training)
        matrix, total = shard.sum(matrix), shard.sum(total)
        pixels = max(1.0, float(matrix.sum()))
        return SegmentationScore.of(matrix.numpy().astype(np.int64), len(feed), float(total) / pixels)

    def probabilities(self, network: nn.Module, x: Tensor, autocast: Autocast) -> Tensor:
        """Of each class at each pixel, (b, classes, h, w), averaged over the scales (and mirrors)."""
        size = x.shape[-2:]
        sums: Tensor | None = None
        for scale in self.test_scales:
            seen = x if scale == 1 else resized(x, [max(1, round(side * scale)) for side in size])
            for mirrored in (False, True)[: 1 + self.test_mirror]:
                with autocast():
                    logits = network(seen.flip(-1) if mirrored else seen)
                logits = resized(logits.float(), size) if scale != 1 else logits.float()
                one = (logits.flip(-1) if mirrored else logits).softmax(1)
                sums = one if sums is None else sums + one
        assert sums is not None
        return sums / (len(self.test_scales) * (1 + self.test_mirror))


def segmentation(
    *,
    crop: Sequence[int] | None = None,
    scales: Sequence[float] = (0.5, 2.0),
    flip: bool = True,
    class_weights: str = "log",
    auxiliary: float = 0.4,
    test_scales: Sequence[float] = (1.0,),
    test_mirror: bool = False,
) -> Segmentation:
    """The task from plain settings: those of `Augment` and of `Segmentation` side by side. Raises `ConfigError`."""
    augment = Augment(crop, scales, flip)  # type: ignore[arg-type]
    return Segmentation(augment, class_weights, auxiliary, test_scales, test_mirror)  # type: ignore[arg-type]


@lru_cache(maxsize=4)
def _prepared(
    data: MaskSource,
    fraction: float,
    most: int | None,
    channels_last: bool,
    device: torch.device,
    augment: Augment,
    weighting: str,
) -> Prepared:
    splits = load(data)
    train = splits.train
    size = min(round(len(train) * fraction), len(train) if most is None else most)
    if size < len(train):  # evenly spaced: neighbours in a video are alike
        train = train.select(np.linspace(0, len(train) - 1, size).round().astype(np.int64))
    if len(train) == 0:
        raise DataError(f"data {data}: there is no training image; give more data or another split")
    feeds = [
        feed_of(part, splits.mean, splits.std, augment, channels_last, device)
        for part in (train, splits.validation, splits.test)
    ]
    weights = None
    if weighting != "none":
        weights = class_weights(class_pixels(train, len(splits.class_names)), weighting)
    one_size = all(isinstance(feed, ResidentFeed) for feed in feeds)
    return Prepared(
        feeds[0],
        feeds[1],
        feeds[2],
        splits.class_names,
        splits.mean,
        splits.std,
        weights,
        one_size,
        account=splits.account,
    )


def class_weights(pixels: IntArray, weighting: str) -> tuple[float, ...]:
    """Weights of the loss from the pixels of each class, with mean 1 over the classes present.

    A class without a pixel weighs 1. See `Segmentation` for the ways.
    """
    there = pixels > 0
    shares = pixels[there] / max(1, pixels.sum())
    raw = np.median(shares) / shares if weighting == "median" else 1.0 / np.log(1.02 + shares)
    weights = np.ones(len(pixels))
    weights[there] = raw / raw.mean() if len(raw) else 1.0
    return tuple(float(w) for w in weights)
