"""Learning-rate schedules: pure functions of the progress, free of torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas.training.recipe import Recipe

# (epochs done as a fraction-bearing number, epochs in all, recipe) -> factor on the recipe's learning rate
Schedule = Callable[[float, float, "Recipe"], float]


def constant(done: float, total: float, recipe: Recipe) -> float:
    """The full rate throughout."""
    return 1.0


def cosine(done: float, total: float, recipe: Recipe) -> float:
    """Half a cosine from 1 to 0 over the whole training (Loshchilov and Hutter 2017, without restarts)."""
    return 0.5 * (1.0 + math.cos(math.pi * min(done / total, 1.0)))


def step(done: float, total: float, recipe: Recipe) -> float:
    """Multiplied by `decay_rate` every `decay_epochs` epochs, changing between epochs only."""
    return float(recipe.decay_rate ** math.floor(math.floor(done) / recipe.decay_epochs))


def poly(done: float, total: float, recipe: Recipe) -> float:
    """From 1 to 0 as (1 - progress) ** `power` (Chen et al. 2018, DeepLab; the usual one in segmentation)."""
    return float((1.0 - min(done / total, 1.0)) ** recipe.power)


SCHEDULES: dict[str, Schedule] = {"constant": constant, "cosine": cosine, "step": step, "poly": poly}


def learning_rate(recipe: Recipe, done: float, total: float) -> float:
    """The rate after `done` of `total` epochs: a linear warm-up, then the recipe's schedule.

    `done` counts fractions of an epoch. The warm-up lies over the schedule's beginning (it does not delay
    it) and never takes more than half of the training, so a proxy of a few epochs still gets to train.
    """
    warmup = min(recipe.warmup_epochs, total / 2)
    ramp = min(1.0, done / warmup) if warmup > 0 else 1.0
    factor = SCHEDULES[recipe.schedule](done, total, recipe)
    return recipe.lr * max(ramp * factor, recipe.min_lr_factor)
