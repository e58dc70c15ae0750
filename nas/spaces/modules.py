"""The parts of a PyTorch network that it uses after training, and their parameters."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def parameters(network: nn.Module) -> int | None:
    """Number of parameters in use, shared ones once; None while some have no shape yet (lazy modules).

    Children named in its `training_only`, such as an auxiliary head, do not count.
    """
    from torch.nn.parameter import is_lazy

    spare = {id(p) for name in training_only(network) for p in _child(network, name).parameters()}
    found = [p for p in network.parameters() if id(p) not in spare]
    return None if any(map(is_lazy, found)) else sum(p.numel() for p in found)


def in_use(network: nn.Module) -> nn.Module:
    """The network without its training-only children; itself where it has none."""
    names = training_only(network)
    if not names:
        return network
    network = copy.copy(network)
    network._modules = {k: None if k in names else v for k, v in network._modules.items()}
    return network


def training_only(network: nn.Module) -> tuple[str, ...]:
    """Names of the existing children that a network uses in training only."""
    named = getattr(network, "training_only", ())
    return tuple(n for n in named if network._modules.get(n) is not None)


def _child(network: nn.Module, name: str) -> nn.Module:
    child = network._modules[name]
    assert child is not None
    return child
