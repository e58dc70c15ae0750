"""The contract between the trainer and a task, and the task of classification."""

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
    """Score of a network on a split. `LOGGED` names the values that a training logs after each epoch."""

    LOGGED: ClassVar[tuple[str, ...]]

    @property
    def pictures(self) -> int: ...

    @property
    def loss(self) -> float: ...

    def values(self) -> Mapping[str, float]:
        """Numbers by name, `loss` among them, that an evaluator reports to a search."""

    def report(self, class_names: tuple[str, ...]) -> dict[str, Any]:
        """Every value, plain, for a JSON file."""


class Task(Protocol):
    """The batches, the loss and the evaluation of a kind of training.

    A frozen value. Its text form has all of its settings and distinguishes trainings of different tasks. `COMPANIONS`, if it
    has any, names values of its score besides the loss that inform a search about the others.
    """

    def prepare(
        self, data: Any, recipe: Recipe, device: torch.device, resolution: int | None = None
    ) -> Prepared:
        """The feeds, made once per process for the same settings. Raises `DataError`, `ConfigError`."""

    def loss(self, recipe: Recipe, prepared: Prepared) -> Loss: ...

    def judge(
        self,
        network: nn.Module,
        feed: Feed,
        prepared: Prepared,
        autocast: Autocast,
        shard: Shard | None = None,
    ) -> Scored:
        """Evaluate on every image of `feed`, in evaluation mode (then restore the mode)."""


@dataclass(frozen=True, slots=True)
class Classification:
    """One class an image."""

    COMPANIONS: ClassVar[tuple[str, ...]] = ("soft_error",)

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
    """Channels, classes and image size of the data, as the input of networks in a training by this recipe.

    Raises `DataError` when they cannot be read.
    """
    alone = "RANK" not in os.environ  # each of several processes has its own GPU
    device = torch.device("cuda" if alone and torch.cuda.is_available() else "cpu")
    return task.prepare(data, recipe, device).spec()
