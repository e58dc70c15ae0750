"""Spaces and supernets for the tests of weight sharing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import nas
from nas.core.task_spec import TaskSpec
from nas.sharing import supernet
from search_spaces.muxnet import MUXNetSpace
from search_spaces.muxnet.presets import PRESETS

DIGITS = TaskSpec(1, 10, (8, 8))
SPACE = "from tests.shared.sharing_parts import declared\n\nspace = declared()\n"  # a user's file
CONFIG = """
space: my_space.py:space
objectives: [error, params]
evaluator: {name: shared, data: digits, recipe: {batch_size: 64, max_pictures: 128}, supernet: {epochs: 1}, final: false}
executor: serial
algorithm: {name: random}
budget: 4
out: runs/mine
"""


def write_user_files(folder: Path, more: str = "") -> None:
    """A user's space, `my_space.py`, and the config of a search with it, `my.yaml`, with further lines."""
    (folder / "my.yaml").write_text(CONFIG + more)
    (folder / "my_space.py").write_text(SPACE)


class Stage(nn.Module):
    """A convolution or a depthwise one, with batch norm; wider inputs are cut off."""

    def __init__(self, inputs: int, width: int, kernel: int, operation: str) -> None:
        super().__init__()
        if operation == "conv":
            self.conv = nn.Conv2d(inputs, width, kernel, padding=kernel // 2, bias=False)
        else:
            self.conv = nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width, bias=False)
        self.width = width
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[1] < self.width and self.conv.in_channels == self.width:
            x = x.repeat(1, self.width // x.shape[1], 1, 1)
        return self.norm(self.conv(x)).relu()


class Net(nn.Module):
    def __init__(self, c: Any, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList()
        for index, stage in enumerate(c.stages):
            self.stages.append(
                Stage(c.width if index else in_channels, c.width, stage.kernel, stage.operation)
            )
        self.classifier = nn.Linear(c.width, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for stage in self.stages:
            x = stage(x)
        return self.classifier(x.mean((2, 3)))


@pytest.fixture(scope="module")
def few_networks() -> Iterator[None]:
    """Shapes from few random networks, which is quick and enough for NAS-Bench-201 and `declared`."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(supernet, "NETWORKS", 16)
        yield


def small_muxnet() -> MUXNetSpace:
    """MUXNets of at most two stages."""
    options = PRESETS["tiny"]
    return MUXNetSpace("small", options=replace(options, stages=options.stages[:2]))


def declared() -> nas.Space:
    """A declared space of widths, depths, kernels and operations; small networks of each kind."""
    space = nas.Space(
        "shared-stages",
        depth=nas.Integer(1, 2),
        width=nas.Choice(4, 8),
        stages=nas.Repeat("depth", kernel=nas.Choice(3, 5), operation=nas.Choice("conv", "depthwise")),
    )

    @space.build
    def build(c: Any, *, num_classes: int, in_channels: int) -> nn.Module:
        return Net(c, num_classes, in_channels)

    @space.cost
    def cost(c: Any, *, num_classes: int, in_channels: int) -> dict[str, int]:
        inputs, weights = in_channels, c.width * num_classes + num_classes
        for stage in c.stages:
            weights += c.width * stage.kernel**2 * (inputs if stage.operation == "conv" else 1) + 2 * c.width
            inputs = c.width
        return {"params": weights, "madds": 64 * weights}

    return space


def plain() -> nas.Space:
    """A space of networks without batch norm, whose loss on a batch is the mean of those on its parts."""

    def make(c: Any) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, c.width), nn.ReLU(), nn.Linear(c.width, 10))

    space = nas.Space("plain", width=nas.Choice(4, 8, 16))

    @space.build
    def build(c: Any) -> nn.Module:
        return make(c)

    return space


def linear() -> nas.Space:
    """A space of networks that learn the digits within a few passes over some hundred images."""
    return built(
        lambda c: nn.Sequential(
            nn.Conv2d(1, c.width, 3, stride=2, padding=1),
            nn.BatchNorm2d(c.width),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * c.width, 10),
        ),
        width=nas.Choice(4, 8, 16),
    )


def built(make: Any, **parameters: Any) -> nas.Space:
    """A declared space that builds its networks by `make(c)`."""
    space = nas.Space("built", parameters)

    @space.build
    def build(c: Any) -> nn.Module:
        return make(c)

    return space
