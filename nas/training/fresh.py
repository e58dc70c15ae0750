"""Prepare a network that a space has just built: shapes of its lazy layers, and parameters to train."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from nas.core.errors import ConfigError
from nas.core.records import Architecture
from nas.core.space import HasChoices, SearchSpace
from nas.core.tracebacks import summarize_exception


def with_shapes(network: nn.Module, shape: Callable[[], Sequence[int]]) -> nn.Module:
    """Give lazy layers (`nn.LazyConv2d`, ...) their shapes by a forward pass of zeros of `shape()`, batch first; return the network.

    Other networks are unchanged, and `shape` is not called. The pass runs in evaluation mode without gradients; first
    weights are drawn from torch's global generator. Raises `ConfigError` if it fails, or if a layer still has no shape.
    """
    tensors = [*network.parameters(), *network.buffers()]
    if not any(map(is_lazy, tensors)):
        return network
    x = torch.zeros(*shape(), device=tensors[0].device)
    modes = [(module, module.training) for module in network.modules()]
    try:
        with torch.no_grad():
            network.eval()(x)
    except Exception as error:
        raise ConfigError(
            f"the network has lazy layers, and the forward pass that gives them their shapes fails for images of shape "
            f"{tuple(x.shape)}: {summarize_exception(error)}"
        ) from error
    finally:
        for module, training in modes:
            module.training = training
    bare = [name for name, p in network.named_parameters() if is_lazy(p)]
    if bare:
        raise ConfigError(
            f"the network's parameter {bare[0]!r} has no shape: its lazy layer gets no input in the forward pass; remove the "
            "layer, or give it a shape"
        )
    return network


def check_trainable(
    network: nn.Module, space: object = None, architecture: Architecture | None = None
) -> None:
    """Raise `ConfigError` for a network without a parameter to train, with its choices if they are given."""
    if not any(p.requires_grad for p in network.parameters()):
        of = "" if architecture is None else f" of {_named(space, architecture)}"
        raise ConfigError(
            f"the network{of} has no trainable parameters, so it cannot be trained: let build add a layer with weights (such as "
            "nn.Linear), or exclude such choices with space.forbid"
        )


def _named(space: object, architecture: Architecture) -> str:
    if isinstance(space, HasChoices):
        return str(dict(space.choices(architecture)))
    return space.format(architecture) if isinstance(space, SearchSpace) else str(architecture.genes)
