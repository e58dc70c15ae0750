"""Learning-rate schedules: pure functions of the progress, free of torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol


class Rates(Protocol):
    """The numbers of a recipe that a schedule depends on."""

    @property
    def schedule(self) -> str: ...
    @property
    def lr(self) -> float: ...
    @property
    def warmup_epochs(self) -> float: ...
    @property
    def min_lr_factor(self) -> float: ...
    @property
    def decay_rate(self) -> float: ...
    @property
    def decay_epochs(self) -> float: ...
    @property
    def power(self) -> float: ...


# (epochs done, with fractions; epochs in all; rates) -> factor on the learning rate
Schedule = Callable[[float, float, Rates], float]


def constant(done: float, total: float, rates: Rates) -> float:
    """The full rate throughout."""
    return 1.0


def cosine(done: float, total: float, rates: Rates) -> float:
    """Half a cosine from 1 to 0 over the whole training (Loshchilov and Hutter 2017, without restarts)."""
    return 0.5 * (1.0 + math.cos(math.pi * min(done / total, 1.0)))


def step(done: float, total: float, rates: Rates) -> float:
    """Multiplied by `decay_rate` every `decay_epochs` epochs, changing between epochs only."""
    return float(rates.decay_rate ** math.floor(math.floor(done) / rates.decay_epochs))


def poly(done: float, total: float, rates: Rates) -> float:
    """From 1 to 0 as (1 - progress) ** `power` (Chen et al. 2018, DeepLab; the usual one in segmentation)."""
    return float((1.0 - min(done / total, 1.0)) ** rates.power)


SCHEDULES: dict[str, Schedule] = {"constant": constant, "cosine": cosine, "step": step, "poly": poly}


def learning_rate(rates: Rates, done: float, total: float) -> float:
    """The rate after `done` of `total` epochs: a linear warm-up, then the recipe's schedule.

    `done` counts fractions of an epoch. The warm-up lies over the schedule's beginning (it does not delay
    it) and never takes more than half of the training, so a proxy of a few epochs still gets to train.
    """
    warmup = min(rates.warmup_epochs, total / 2)
    ramp = min(1.0, done / warmup) if warmup > 0 else 1.0
    factor = SCHEDULES[rates.schedule](done, total, rates)
    return rates.lr * max(ramp * factor, rates.min_lr_factor)
