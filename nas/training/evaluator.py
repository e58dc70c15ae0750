"""Train a candidate and measure it on the validation pictures."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from nas.errors import ConfigError
from nas.interfaces import HasBuild
from nas.records import Architecture, Trial
from nas.training.data import Digits
from nas.training.data.base import DataSource
from nas.training.errors import TrainingDiverged
from nas.training.feed import Prepared, prepare
from nas.training.loop import Score, Training, judge, precision, stream
from nas.training.recipe import Recipe


@runtime_checkable
class HasResolution(Protocol):
    """A space whose architectures say at which side length (pixels) they want their pictures, or None."""

    def resolution(self, architecture: Architecture) -> int | None: ...


@dataclass(frozen=True)
class TrainingEvaluator:
    """Trains a trial's architecture by a recipe; implements `nas.interfaces.Evaluate`.

    `trial.budget` is the number of epochs (None: the recipe's), `trial.seed` decides the first weights, the
    shuffling and the transforms: on a CPU the same trial gives the same values, in any process, whatever
    was trained before. Pictures are read once a process. `device` None takes the GPU that the
    executor gave, else the CPU; `threads` are set for the call and put back.
    """

    space: HasBuild
    data: DataSource = field(default_factory=Digits)
    recipe: Recipe = field(default_factory=Recipe)
    threads: int = 1
    device: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.space, HasBuild):
            raise ConfigError(
                f"space {getattr(self.space, 'name', self.space)!r} cannot build networks: training needs a "
                f"space with build(architecture, *, num_classes, in_channels)"
            )
        if self.threads < 1:
            raise ConfigError(f"threads must be at least 1, not {self.threads!r}")

    def __call__(self, trial: Trial) -> Mapping[str, float]:
        """Validation `error` and `top5_error` (percent), `loss`, `train_loss`, `epochs`, `train_seconds`.

        Raises `DataError` when the pictures cannot be read, `TrainingDiverged` when the loss is no longer
        a number, `ConfigError` for a budget that is no whole number of epochs.
        """
        epochs = self.epochs(trial)
        with reproducible(self.threads, self._device()) as device:
            prepared = self.prepare(trial.architecture)
            start = time.perf_counter()
            training, train_loss = self._train(trial, prepared, epochs, device)
            seconds = time.perf_counter() - start
            score = self._judge(training.judged, prepared, device)
        return {
            "error": score.error,
            "loss": score.loss,
            "top5_error": score.top5_error,
            "train_loss": train_loss,
            "epochs": float(epochs),
            "train_seconds": seconds,
        }

    def epochs(self, trial: Trial) -> int:
        """Epochs that the trial asks for."""
        budget = self.recipe.epochs if trial.budget is None else trial.budget
        if budget != int(budget) or budget < 1:
            raise ConfigError(f"trial.budget must be a whole number of epochs, at least 1, not {budget!r}")
        return int(budget)

    def prepare(self, architecture: Architecture | None = None) -> Prepared:
        """Read the data, so that missing or damaged pictures are found before any training is spent."""
        wanted = None
        if architecture is not None and isinstance(self.space, HasResolution):
            wanted = self.space.resolution(architecture)
        return prepare(self.data, self.recipe, self._device(), wanted)

    def build(self, trial: Trial, prepared: Prepared) -> nn.Module:
        """The trial's network with its first weights."""
        torch.manual_seed(stream(trial.seed, 0))
        network = self.space.build(
            trial.architecture, num_classes=prepared.num_classes, in_channels=prepared.in_channels
        )
        memory = torch.channels_last if self.recipe.channels_last else torch.contiguous_format
        return network.to(device=self._device()).to(memory_format=memory)  # type: ignore[call-overload, no-any-return]

    def _train(
        self, trial: Trial, prepared: Prepared, epochs: int, device: torch.device
    ) -> tuple[Training, float]:
        network = self.build(trial, prepared)
        training = Training(network, self.recipe, epochs=epochs, seed=trial.seed, device=device)
        loss = math.nan
        while training.done < epochs:
            loss = training.epoch(prepared.train)
        return training, loss

    def _judge(self, network: nn.Module, prepared: Prepared, device: torch.device) -> Score:
        score = judge(
            network, prepared.validation, prepared.num_classes, autocast=precision(self.recipe, device)
        )
        if not math.isfinite(score.loss):
            raise TrainingDiverged(
                f"the validation loss is {score.loss} after training; lower the learning rate"
            )
        return score

    def _device(self) -> torch.device:
        return torch.device(self.device or ("cuda" if torch.cuda.is_available() else "cpu"))


@contextmanager
def reproducible(threads: int, device: torch.device) -> Iterator[torch.device]:
    """Run with this many threads and with a random state of its own; both are put back afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield device
    finally:
        torch.set_num_threads(before)
