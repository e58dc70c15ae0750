"""Detection as a task of the trainer: its feeds, its loss, its score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from nas.core.checks import check_numbers, check_positive
from nas.core.errors import ConfigError, EvaluationError
from nas.training.feed import Feed, Normalise, Prepared
from nas.training.loop import Loss, Shard
from nas.training.recipe import Recipe
from nas.training.task import Autocast
from nas.training.tasks.detection.augment import Augmentation
from nas.training.tasks.detection.data import load
from nas.training.tasks.detection.data.base import DetectionSource
from nas.training.tasks.detection.detector import Detections, Reading, detections
from nas.training.tasks.detection.feed import DetectionFeed, feed_of, part_of
from nas.training.tasks.detection.loss import MultiboxLoss
from nas.training.tasks.detection.metrics import Seen, area, average_precisions, eleven_points

JUDGE_BATCH = 32  # images a forward pass when evaluating; does not change the result


@dataclass(frozen=True, slots=True)
class DetectionScore:
    """Score of a detector on a split, by overlaps of half or more: average precisions in percent, the mean loss.

    `areas` and `points` are those of every class (area under the curve; eleven points), NaN where it has no object.
    """

    pictures: int
    loss: float
    areas: tuple[float, ...]
    points: tuple[float, ...]

    LOGGED: ClassVar[tuple[str, ...]] = ("map", "map_11", "loss")

    @property
    def map(self) -> float:
        """Mean over classes of the area under the curve, percent."""
        return _mean(self.areas)

    @property
    def map_11(self) -> float:
        """Mean over classes of VOC 2007's eleven-point precision, percent."""
        return _mean(self.points)

    def values(self) -> Mapping[str, float]:
        """By name, percent but for the loss; `error` is 100 minus `map`."""
        return {"map": self.map, "map_11": self.map_11, "error": 100.0 - self.map, "loss": self.loss}

    def report(self, class_names: tuple[str, ...]) -> dict[str, Any]:
        """Every value, for a file; None for unknown ones."""
        return {
            "pictures": self.pictures,
            **self.values(),
            "class_aps": _named(class_names, self.areas),
            "class_aps_11": _named(class_names, self.points),
        }


def _mean(precisions: tuple[float, ...]) -> float:
    known = [p for p in precisions if not math.isnan(p)]
    return sum(known) / len(known) if known else 0.0


def _named(names: tuple[str, ...], values: tuple[float, ...]) -> dict[str, float | None]:
    return {name: None if math.isnan(v) else v for name, v in zip(names, values, strict=True)}


@dataclass(frozen=True, slots=True)
class Detection:
    """Objects in boxes, by a `Detector`. The data sets are those of `nas.training.tasks.detection.data`.

    An epoch takes each training image `repeats` times: for small sets, where evaluation and checkpoints would take longer
    than training. `reading` turns outputs into detections when a network is evaluated.
    """

    augmentation: Augmentation = field(default_factory=Augmentation)
    multibox: MultiboxLoss = field(default_factory=MultiboxLoss)
    reading: Reading = field(default_factory=Reading)
    repeats: int = 1

    def __post_init__(self) -> None:
        check_numbers("detection", self)
        check_positive("detection: repeats", self.repeats)

    def prepare(
        self, data: DetectionSource, recipe: Recipe, device: torch.device, resolution: int | None = None
    ) -> Prepared:
        """Feeds with every image on the device. Raises `DataError`, `ConfigError`."""
        if recipe.augment:
            raise ConfigError(
                f"recipe: augment: expected none for detection, whose boxes move with the image, got {recipe.augment}"
            )
        side = resolution or recipe.resolution
        return _prepare(
            data if side is None else data.at(side), recipe, device, self.augmentation, self.repeats
        )

    def loss(self, recipe: Recipe, prepared: Prepared) -> Loss:
        def loss(network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
            return self.multibox(network(x), y)

        return loss

    def judge(
        self,
        network: nn.Module,
        feed: Feed,
        prepared: Prepared,
        autocast: Autocast,
        shard: Shard | None = None,
    ) -> DetectionScore:
        """Evaluate on every image; precision needs all of them at once, so each of several processes evaluates all."""
        if not isinstance(feed, DetectionFeed):
            raise EvaluationError(f"feed: expected annotated images, got {type(feed).__name__}")
        found, loss = look(network, feed, self, autocast)
        seen = [Seen(d.boxes.double().numpy(), d.scores.double().numpy(), d.labels.numpy()) for d in found]
        truth, classes = feed.annotated.objects, prepared.num_classes
        areas, points = (
            tuple(float(100 * ap) for ap in average_precisions(seen, truth, classes, precision=rule))
            for rule in (area, eleven_points)
        )
        return DetectionScore(len(found), loss, areas, points)


def detection(
    *,
    zoom: Sequence[float] = (0.5, 1.3),
    stretch: float = 0.2,
    flip: float = 0.5,
    flip_vertical: float = 0.0,
    colour: float = 0.3,
    repeats: int = 1,
    score: float = 0.01,
    overlap: float = 0.45,
) -> Detection:
    """The task from plain settings: those of `Augmentation`, `Detection` and `Reading` side by side. Raises `ConfigError`."""
    augmentation = Augmentation(tuple(zoom), stretch, flip, flip_vertical, colour)  # type: ignore[arg-type]
    return Detection(augmentation, reading=Reading(score, overlap), repeats=repeats)


@torch.inference_mode()
def look(
    network: nn.Module, feed: DetectionFeed, task: Detection, autocast: Autocast
) -> tuple[list[Detections], float]:
    """The detections in every image, in evaluation mode (then restore the mode), and the mean loss."""
    training = network.training
    network.eval()
    found: list[Detections] = []
    total = 0.0
    for x, y in feed.batches(list(torch.split(torch.arange(len(feed.pixels)), JUDGE_BATCH)), None):
        with autocast():
            outputs = network(x)
        total += float(task.multibox(outputs, y)) * len(x)
        found += detections(outputs, task.reading)
    network.train(training)
    return found, total / max(1, len(found))


@lru_cache(maxsize=4)
def _prepare(
    data: DetectionSource, recipe: Recipe, device: torch.device, augmentation: Augmentation, repeats: int
) -> Prepared:
    splits = load(data)
    normalise = Normalise(
        torch.tensor(splits.mean, device=device),
        torch.tensor(splits.std, device=device),
        recipe.channels_last,
    )
    size = min(round(len(splits.train) * recipe.subset), recipe.max_pictures or len(splits.train))
    train = part_of(splits.train, max(1, size)) if size < len(splits.train) else splits.train
    feeds = [feed_of(part, normalise, device) for part in (train, splits.validation, splits.test)]
    training = replace(feeds[0], augmentation=augmentation, repeats=repeats)
    return Prepared(
        training, feeds[1], feeds[2], splits.class_names, splits.mean, splits.std, account=splits.account
    )
