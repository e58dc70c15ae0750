"""A tiny space of plain convolution networks, so that these tests depend on no other space."""

from __future__ import annotations

import pytest
from torch import nn

from nas.core.records import Architecture
from nas.core.space import SearchSpace


class TinySpace(SearchSpace):
    """Two genes: width (8, 16, 24) and blocks (1, 2)."""

    name = "tiny-test"
    cardinalities = (3, 2)

    def build(self, architecture: Architecture, *, num_classes: int = 10, in_channels: int = 3) -> nn.Module:
        width, blocks = 8 * (architecture.genes[0] + 1), architecture.genes[1] + 1
        layers: list[nn.Module] = [conv(in_channels, width, 1)]
        for index in range(blocks):
            layers.append(conv(width * 2**index, width * 2 ** (index + 1), 2))
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width * 2**blocks, num_classes)]
        return nn.Sequential(*layers)


def conv(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


@pytest.fixture
def space() -> TinySpace:
    return TinySpace()


@pytest.fixture
def architecture() -> Architecture:
    return Architecture("tiny-test", (1, 1))
