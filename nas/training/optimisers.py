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
            parameters = [p for p in group["params"] if p.grad is not None]
            if parameters:
                self._update(parameters, group)

    def _update(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """Update all parameters of a group at once: few kernels on a GPU instead of several a parameter."""
        for parameter in parameters:
            if not self.state[parameter]:
                self.state[parameter]["square"] = torch.ones_like(parameter)
                self.state[parameter]["momentum"] = torch.zeros_like(parameter)
        squares = [self.state[p]["square"] for p in parameters]
        momenta = [self.state[p]["momentum"] for p in parameters]
        gradients = [p.grad for p in parameters if p.grad is not None]
        if group["weight_decay"]:
            gradients = list(torch._foreach_add(gradients, parameters, alpha=group["weight_decay"]))
        torch._foreach_lerp_(squares, torch._foreach_mul(gradients, gradients), 1 - group["alpha"])
        roots = torch._foreach_add(squares, group["eps"])
        torch._foreach_sqrt_(roots)
        torch._foreach_mul_(momenta, group["momentum"])
        torch._foreach_addcdiv_(momenta, gradients, roots, value=group["lr"])
        torch._foreach_sub_(parameters, momenta)


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
    """Whether torch's fused kernels take these parameters: one pass over memory instead of several.

    They need a gradient of every parameter in every step, so a group that is not sure of that says `fused` False.
    """
    return all(g.get("fused", True) for g in groups) and all(
        p.is_floating_point() and p.device.type in ("cpu", "cuda") for g in groups for p in g["params"]
    )


def make_optimiser(network: nn.Module, recipe: Recipe) -> Optimizer:
    """The recipe's optimiser; biases and normalisation have no weight decay unless `decay_all`.

    A network with a true `sparse_steps` has steps in which some of its parameters have no gradient; these stay as they are.
    """
    parameters = [p for p in network.parameters() if p.requires_grad]
    plain: Iterable[Tensor] = [] if recipe.decay_all else [p for p in parameters if p.ndim <= 1]
    kept = {id(p) for p in plain}
    groups: Groups = [
        {"params": [p for p in parameters if id(p) not in kept], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if id(p) in kept], "weight_decay": 0.0},
    ]
    if getattr(network, "sparse_steps", False):
        groups = [{**g, "fused": False} for g in groups]
    return OPTIMISERS[recipe.optimiser]([g for g in groups if g["params"]], recipe)
