"""Fine-tune a candidate from the weights that it inherits, with distillation from the original network."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from nas.core.errors import ConfigError
from nas.core.space import for_task
from nas.sharing.statistics import recalibrate, some_images
from nas.training.evaluator import TrainingEvaluator, reproducible
from nas.training.feed import Prepared
from nas.training.loop import Loss, distilled, precision
from nas.training.task import Classification


@runtime_checkable
class HasOriginal(Protocol):
    """A space of smaller networks, each built with weights of the original one."""

    original: nn.Module


@dataclass(frozen=True)
class TuningEvaluator(TrainingEvaluator):
    """Fine-tunes each candidate of a space with inherited weights (`nas.spaces.from_module`) and evaluates it.

    The running statistics of batch norm are first replaced by those of training images, since a smaller network has others;
    then the network is trained for the trial's budget by the recipe. A budget of 0 epochs is allowed. The loss is that of the
    labels, and by the share `distillation` the cross-entropy with the output of the original network for the same images (0:
    the labels alone). Raises `ConfigError` for a space without an original network, another task than classification, or a
    share outside 0 to 1.

    `original` are the values of the original network on the validation images, and its costs; they are recorded with the run.
    """

    distillation: float = 0.5
    original: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        if self.companions is None:
            own = getattr(self.task, "COMPANIONS", ())
            object.__setattr__(self, "companions", ("loss", *own))  # no training loss at a budget of 0
        super().__post_init__()
        if not isinstance(self.space, HasOriginal):
            raise ConfigError(
                f"evaluator tuning: space {getattr(self.space, 'name', self.space)!r} has no original network whose weights "
                "its networks inherit; use the space module (nas.spaces.from_module), or the evaluator training"
            )
        if not isinstance(self.task, Classification):
            raise ConfigError("evaluator tuning: expected the task classification")
        share: object = self.distillation
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0.0 <= share <= 1.0:
            raise ConfigError(
                f"evaluator tuning: distillation must be a share from 0 to 1 of the loss, not {share!r}"
            )

    @property
    def least_budget(self) -> int:
        """0: a network with inherited weights is evaluated without training."""
        return 0

    def identity(self) -> dict[str, Any]:
        """The loss, and the original network by its values; see `nas.core.evaluator.HasIdentity`."""
        return {"distillation": float(self.distillation), "original": dict(self.original or {}) or None}

    def original_values(self) -> dict[str, float]:
        """The scores of the original network on the validation images, as it is, its exact costs, and what `also` measures."""
        given: Any = self.space
        network = copy.deepcopy(given.original)
        values = self.scores_of(network)
        with reproducible(self.threads, self._device()) as device:
            for one in self.also:
                values |= one(network, self.data, self.recipe.resolution, device)
        space: Any = for_task(given, self.task_spec())
        values |= {name: float(value) for name, value in space.cost(space.whole).items()}
        return {name: float(value) for name, value in values.items() if math.isfinite(value)}

    def _begin(self, network: nn.Module, prepared: Prepared) -> None:
        with precision(self.recipe, self._device())():
            recalibrate(network, some_images(prepared))

    def _loss(self, prepared: Prepared, device: torch.device) -> Loss:
        if self.distillation == 0.0:
            return super()._loss(prepared, device)
        assert isinstance(self.space, HasOriginal)
        teacher = copy.deepcopy(self.space.original).to(device).eval().requires_grad_(False)
        share, smoothing = float(self.distillation), self.recipe.label_smoothing

        def loss(network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
            with torch.no_grad():
                soft = teacher(x).float().softmax(1)
            return distilled(network(x), y, soft, smoothing, share)

        return loss

    def _settings(self) -> str:
        return f"{super()._settings()} distillation {self.distillation:g}"
