"""Shared tensors, and networks whose parameters are parts of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from nas.core.errors import ConfigError
from nas.core.records import Architecture
from nas.sharing.layout import (
    Layer,
    Layout,
    Places,
    check_same_buffers,
    check_shareable,
    layers_of,
    mismatch,
    needed,
    part,
    put,
)

Build = Callable[[Architecture], nn.Module]


class SharedWeights(nn.Module):
    """One parameter a shared name, from which every network of a space has its parameters."""

    sparse_steps = True  # a step trains some networks, so some tensors have no gradient

    def __init__(self, layers: Mapping[str, Layer], values: Mapping[str, Tensor] | None = None) -> None:
        """Without `values` the tensors are zeros."""
        super().__init__()
        self.layers = dict(layers)
        self.places = {name: i for i, name in enumerate(self.layers)}
        tensors = [
            torch.zeros(layer.shape) if values is None else values[name]
            for name, layer in self.layers.items()
        ]
        self.tensors = nn.ParameterList(nn.Parameter(t) for t in tensors)

    def views(self, network: nn.Module, architecture: Architecture, places: Places) -> dict[str, Tensor]:
        """The parts for the parameters of `network` by its own names; gradients flow into the shared tensors.

        They are views, and copies where the space names single entries. Raises `NotCovered` where the network needs a tensor that does not exist, or a larger one.
        """
        return {own: self._view(own, layer, architecture, places) for own, layer in layers_of(network)}

    def _view(self, own: str, layer: Layer, architecture: Architecture, places: Places) -> Tensor:
        name, entries = places.name(architecture, own), places.entries(architecture, own)
        known, wanted = self.layers.get(name), needed(layer, entries)
        reason = "there is no tensor" if known is None else mismatch(known, wanted)
        if known is not None and reason is None:
            if all(a >= b for a, b in zip(known.shape, wanted.shape, strict=True)):
                return part(self.tensors[self.places[name]], layer, entries)
            reason = f"the shared tensor has shape {known.shape}, the network needs {wanted.shape}"
        raise NotCovered(
            f"the supernet does not cover the network {places.space.format(architecture)!r}, for its parameter {own!r} (shared name {name!r}): {reason}. "
            "Train a new one with another seed or without limits (supernet: {seed: 1, limits: []}), or remove such networks from the space"
        )


class NotCovered(ConfigError):
    """A network needs a tensor that the shared weights do not have, or a larger one."""


class Inherited(nn.Module):
    """A network that runs with tensors in place of its parameters; its buffers are its own."""

    def __init__(self, network: nn.Module, views: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.network = network
        self.views = dict(views)

    def forward(self, x: Tensor) -> Tensor:
        return functional_call(self.network, self.views, (x,))  # type: ignore[no-any-return]


def allocate(
    layout: Layout, build: Build, images: Tensor, classes: int, checked: Iterable[Architecture] = ()
) -> SharedWeights:
    """Shared tensors with the initial values of the layers, drawn from torch's global generator.

    The network with the most entries of a tensor gives the values of its slice; the rest is normal with their mean and
    standard deviation. Each of these networks, and those `checked`, are checked in a forward pass of `images` (`check_shareable`), and for buffers with random
    values. Raises `ConfigError`.
    """
    if not layout.slots:
        raise ConfigError(
            f"space {layout.space.name!r}: its networks have no parameters: there are no weights to share"
        )
    witnesses: dict[Architecture, list[str]] = {}
    for name, slot in layout.slots.items():
        witnesses.setdefault(slot.witness, []).append(name)
    values: dict[str, Tensor] = {}

    def run(architecture: Architecture) -> nn.Module:
        network = build(architecture)
        about = f"space {layout.space.name!r}: the network {layout.space.format(architecture)!r}"
        check_shareable(network, images, classes, about)
        with torch.random.fork_rng(devices=[]):
            check_same_buffers(network, build(architecture), about)
        return network

    for architecture, names in witnesses.items():
        values |= _initial(layout, architecture, run(architecture), set(names))
    for architecture in dict.fromkeys(checked):  # afterwards: they draw from the generator too
        if architecture not in witnesses:
            run(architecture)
    return SharedWeights({name: slot.layer for name, slot in layout.slots.items()}, values)


def _initial(
    layout: Layout, architecture: Architecture, network: nn.Module, wanted: set[str]
) -> dict[str, Tensor]:
    places, found = Places(layout.space), dict[str, Tensor]()
    parameters = dict(network.named_parameters())
    for own, layer in layers_of(network):
        name = places.name(architecture, own)
        if name not in wanted:
            continue
        own_values = parameters[own].detach()
        if name not in found:
            spread = own_values.std().item() if own_values.numel() > 1 else 0.0
            found[name] = torch.randn(layout.slots[name].shape) * spread + own_values.mean().item()
        put(found[name], layer, places.entries(architecture, own), own_values)
    return found
