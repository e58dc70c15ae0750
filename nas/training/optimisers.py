"""Optimisers by name, made from a recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from nas.training.recipe import Recipe

Groups = list[dict[str, Any]]


class RMSpropTF(Optimizer):
    """RMSprop as TensorFlow has it: eps inside the root, averages that start at 1, the rate in the momentum.

    The EfficientNet recipes rely on all three (with torch's own RMSprop they diverge at eps 0.001); Tieleman
    and Hinton 2012 for the method, with decay 0.9.
    """

    def __init__(self, params: Groups, lr: float, momentum: float, eps: float, alpha: float = 0.9) -> None:
        super().__init__(
            params, {"lr": lr, "momentum": momentum, "eps": eps, "alpha": alpha, "weight_decay": 0.0}
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update; `closure` is not used."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["square"] = torch.ones_like(parameter)
            state["momentum"] = torch.zeros_like(parameter)
        if group["weight_decay"]:
            gradient = gradient.add(parameter, alpha=group["weight_decay"])
        state["square"].lerp_(gradient.square(), 1 - group["alpha"])
        root = state["square"].add(group["eps"]).sqrt_()
        state["momentum"].mul_(group["momentum"]).addcdiv_(gradient, root, value=group["lr"])
        parameter.sub_(state["momentum"])


def sgd(groups: Groups, recipe: Recipe) -> Optimizer:
    """SGD with (Nesterov) momentum."""
    nesterov = recipe.nesterov and recipe.momentum > 0
    return torch.optim.SGD(
        groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=nesterov, fused=fusible(groups)
    )


def adamw(groups: Groups, recipe: Recipe) -> Optimizer:
    """AdamW (Loshchilov and Hutter 2019); `momentum` is its first beta."""
    betas = (recipe.momentum, 0.999)
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=betas, eps=recipe.eps, fused=fusible(groups))


def rmsprop(groups: Groups, recipe: Recipe) -> Optimizer:
    """RMSprop of TensorFlow, see `RMSpropTF`."""
    return RMSpropTF(groups, lr=recipe.lr, momentum=recipe.momentum, eps=recipe.eps)


OPTIMISERS: dict[str, Callable[[Groups, Recipe], Optimizer]] = {
    "sgd": sgd,
    "adamw": adamw,
    "rmsprop": rmsprop,
}


def fusible(groups: Groups) -> bool:
    """Whether torch's fused kernels take these parameters: one pass over memory instead of several."""
    return all(
        p.is_floating_point() and p.device.type in ("cpu", "cuda") for g in groups for p in g["params"]
    )


def make_optimiser(network: nn.Module, recipe: Recipe) -> Optimizer:
    """The recipe's optimiser; biases and normalisation have no weight decay unless `decay_all`."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    plain: Iterable[Tensor] = [] if recipe.decay_all else [p for p in parameters if p.ndim <= 1]
    kept = {id(p) for p in plain}
    groups: Groups = [
        {"params": [p for p in parameters if id(p) not in kept], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if id(p) in kept], "weight_decay": 0.0},
    ]
    return OPTIMISERS[recipe.optimiser]([g for g in groups if g["params"]], recipe)
