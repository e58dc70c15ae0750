"""What networks are trained for: the seam between the trainer and a task. Classification is the one that is here."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch
from torch import nn

from nas.core.task_spec import TaskSpec
from nas.training.feed import Feed, Prepared, prepare
from nas.training.loop import Loss, Score, Shard, classification_loss, judge
from nas.training.recipe import Recipe

Autocast = Callable[[], AbstractContextManager[Any]]


class Scored(Protocol):
    """How a network does on a split. `LOGGED` names the values that a training logs after each epoch."""

    LOGGED: ClassVar[tuple[str, ...]]

    @property
    def pictures(self) -> int: ...

    @property
    def loss(self) -> float: ...

    def values(self) -> Mapping[str, float]:
        """Numbers by name, `loss` among them: what an evaluator reports to a search."""
        ...

    def report(self, class_names: tuple[str, ...]) -> dict[str, Any]:
        """Everything, as plain values for a JSON file."""
        ...


class Task(Protocol):
    """How images and targets become batches, what is made small, and how a network is evaluated.

    A frozen value whose text form says all of its settings: trainings of different tasks are distinguished by it.
    """

    def prepare(
        self, data: Any, recipe: Recipe, device: torch.device, resolution: int | None = None
    ) -> Prepared:
        """The feeds, made once a process for the same settings. Raises `DataError`, `ConfigError`."""
        ...

    def loss(self, recipe: Recipe, prepared: Prepared) -> Loss: ...

    def judge(
        self,
        network: nn.Module,
        feed: Feed,
        prepared: Prepared,
        autocast: Autocast,
        shard: Shard | None = None,
    ) -> Scored:
        """Evaluate on every image of `feed`, in evaluation mode (the mode is put back)."""
        ...


@dataclass(frozen=True, slots=True)
class Classification:
    """One class an image."""

    def prepare(
        self, data: Any, recipe: Recipe, device: torch.device, resolution: int | None = None
    ) -> Prepared:
        return prepare(data, recipe, device, resolution)

    def loss(self, recipe: Recipe, prepared: Prepared) -> Loss:
        return classification_loss(recipe)

    def judge(
        self,
        network: nn.Module,
        feed: Feed,
        prepared: Prepared,
        autocast: Autocast,
        shard: Shard | None = None,
    ) -> Score:
        return judge(network, feed, prepared.num_classes, shard=shard, autocast=autocast)


def spec_of(task: Task, data: Any, recipe: Recipe) -> TaskSpec:
    """Channels, classes and image size of the data, as networks get them in a training by this recipe.

    Raises `DataError` when they cannot be read.
    """
    alone = "RANK" not in os.environ  # one of several processes has a GPU of its own
    device = torch.device("cuda" if alone and torch.cuda.is_available() else "cpu")
    return task.prepare(data, recipe, device).spec()
