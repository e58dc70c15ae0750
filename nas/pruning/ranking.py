"""Rank the channels of each group: those with the smallest scores are cut first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from nas.core.records import FloatArray
from nas.pruning.structure import Structure


def magnitudes(network: nn.Module, structure: Structure) -> dict[str, FloatArray]:
    """By group, the scores of its units (n,): squared norms of their weights.

    In each tensor they are relative to the mean of the group (as in Fang et al., "DepGraph", CVPR 2023, section 3.3), so that each layer of a group counts alike.
    """
    values = {name: p.detach().float().square() for name, p in network.named_parameters()}
    return _scores(structure, values, relative=True)


def taylor(network: nn.Module, structure: Structure, losses: Iterable[Tensor]) -> dict[str, FloatArray]:
    """By group, the scores of its units (n,): how much the loss changes without them, to first order.

    The mean over the losses (one for each batch, each a scalar with its graph) of the squared sum of weight times gradient (Molchanov et al., "Importance Estimation for Neural Network
    Pruning", CVPR 2019, equation 8). The network's gradients are removed afterwards.
    """
    parameters = dict(network.named_parameters())
    frozen = [parameter for parameter in parameters.values() if not parameter.requires_grad]
    try:
        for parameter in frozen:  # their channels are ranked like all others
            parameter.requires_grad_(True)
        return _mean_scores(structure, parameters, losses)
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)


def _mean_scores(
    structure: Structure, parameters: Mapping[str, nn.Parameter], losses: Iterable[Tensor]
) -> dict[str, FloatArray]:
    total: dict[str, FloatArray] = {}
    count = 0
    for loss in losses:
        found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        products = {
            name: parameter.detach() * gradient
            for (name, parameter), gradient in zip(parameters.items(), found, strict=True)
            if gradient is not None
        }
        for name, scores in _scores(structure, products, relative=False).items():
            total[name] = total.get(name, np.zeros(len(scores))) + scores
        count += 1
    return {name: scores / max(1, count) for name, scores in total.items()}


def ranks(scores: Mapping[str, FloatArray]) -> dict[str, list[int]]:
    """By group the places of its units, the largest score first."""
    return {name: np.argsort(-values, kind="stable").tolist() for name, values in scores.items()}


def _scores(structure: Structure, values: Mapping[str, Tensor], relative: bool) -> dict[str, FloatArray]:
    """Sums of the values by unit, over every tensor; `relative`: to their mean in the tensor, else squared."""
    places = {int(u): (g, i) for g, group in enumerate(structure.groups) for i, u in enumerate(group.units)}
    scores = [np.zeros(len(group.units)) for group in structure.groups]
    for name, value in values.items():
        for d, units in enumerate(structure.tensors.get(name, ())):
            if not units.any():
                continue
            sums = value.sum([e for e in range(value.dim()) if e != d]) if value.dim() > 1 else value
            own: dict[int, FloatArray] = {}
            for unit, amount in zip(units.tolist(), sums.double().tolist(), strict=True):
                if unit in places:
                    g, i = places[unit]
                    own.setdefault(g, np.zeros(len(scores[g])))[i] += amount
            for g, amounts in own.items():
                if relative:
                    mean = amounts[amounts != 0].mean() if amounts.any() else 1.0
                    scores[g] += amounts / mean
                else:
                    scores[g] += amounts**2
    return {group.name: scores[g] for g, group in enumerate(structure.groups)}
