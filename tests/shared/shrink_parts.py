"""A tiny plain network, and a stand-in of a space of smaller networks within it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

import nas
from nas.spaces.choices import Choices

NETWORK = """from tests.shared.shrink_parts import Plain

def make_model(num_classes, in_channels):
    return Plain(num_classes, in_channels)

def of_thousand():
    return Plain(1000, 1)

def of_colours(num_classes):
    return Plain(num_classes, 3)

def number():
    return 3
"""
SHARES = (0.25, 0.5, 0.75, 1.0)


class Plain(nn.Module):
    """Two convolutions and a classifier."""

    def __init__(self, num_classes: int = 10, in_channels: int = 1, first: int = 8, second: int = 8) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, first, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        self.conv2 = nn.Conv2d(first, second, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(second)
        self.fc = nn.Linear(second, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.relu(self.bn2(self.conv2(x)))
        out: Tensor = self.fc(x.mean((2, 3)))
        return out


def plain(num_classes: int, in_channels: int) -> nn.Module:
    """The network for these sizes, with random weights."""
    torch.manual_seed(0)
    return Plain(num_classes, in_channels)


class Narrower(nas.Space):
    """The networks within a `Plain` with the first channels of each convolution."""

    def __init__(self, original: Plain) -> None:
        super().__init__(
            "module", {"conv1": nas.Choice(*SHARES, ordered=True), "conv2": nas.Choice(*SHARES, ordered=True)}
        )
        self.original = original
        nas.Space.build(self, self._network)
        self.left_alone: dict[str, str] = {}

    @property
    def whole(self) -> nas.Architecture:
        return self.architecture({"conv1": 1.0, "conv2": 1.0})

    def _network(self, c: Choices, *, num_classes: int, in_channels: int) -> nn.Module:
        first, second = (round(c[name] * 8) for name in ("conv1", "conv2"))
        network = Plain(num_classes, in_channels, first, second)
        if network.fc.weight.is_meta:  # traced for its costs
            return network
        whole, state = self.original.state_dict(), network.state_dict()
        network.load_state_dict(
            {name: whole[name][tuple(map(slice, tensor.shape))].clone() for name, tensor in state.items()}
        )
        return network


def narrower(module: nn.Module, example: Tensor, *, keep: Sequence[str] = (), **more: Any) -> Narrower:
    """Stands in for `nas.spaces.from_module`."""
    assert isinstance(module, Plain)
    del example, keep, more
    return Narrower(copy.deepcopy(module))
