"""A tiny plain network to shrink."""

from __future__ import annotations

import torch
from torch import Tensor, nn

NETWORK = """from tests.shared.shrink_parts import Plain

def make_model(num_classes, in_channels):
    return Plain(num_classes, in_channels)

def of_thousand():
    return Plain(1000, 1)

def of_colours(num_classes):
    return Plain(num_classes, 3)

def in_half(num_classes, in_channels):
    return Plain(num_classes, in_channels).half()

def all_frozen(num_classes, in_channels):
    return Plain(num_classes, in_channels).requires_grad_(False)

def wants(width):
    return Plain(10)


def number():
    return 3
"""


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
