"""A declared space of small residual networks for images of 24 pixels."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

import nas

ACTIVATIONS = {"relu": nn.ReLU, "silu": nn.SiLU}


def _conv(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class Block(nn.Module):
    """One to three convolutions with a shortcut, then optionally a gate of the channels; `se` is its relative width."""

    def __init__(
        self, inputs: int, outputs: int, stride: int, stage: Any, activation: type[nn.Module]
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i in range(stage.convolutions):
            first = i == 0
            layers += [activation()] if not first else []
            layers += [_conv(inputs if first else outputs, outputs, stage.kernel, stride if first else 1)]
        self.convolutions = nn.Sequential(*layers)
        self.shortcut = _conv(inputs, outputs, 1, stride)
        squeezed = max(1, int(outputs * (stage.se or 0)))
        gate = (
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(outputs, squeezed, 1),
            activation(),
            nn.Conv2d(squeezed, outputs, 1),
            nn.Sigmoid(),
        )
        self.gate = nn.Sequential(*gate) if stage.se else None
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        y = self.convolutions(x)
        y = y if self.gate is None else y * self.gate(y)
        out: Tensor = self.activation(self.shortcut(x) + y)
        return out


class ResNet(nn.Module):
    """A stem of stride 2, a block for each stage, and a linear classifier."""

    def __init__(self, c: Any, num_classes: int, in_channels: int) -> None:
        super().__init__()
        activation = ACTIVATIONS[c.activation]
        self.stem = nn.Sequential(_conv(in_channels, c.width, c.stem, 2), activation())
        blocks, width = [], c.width
        for i, stage in enumerate(c.stages):
            outputs = 8 * round(width * stage.growth / 8)
            blocks.append(Block(width, outputs, 1 if i == 0 else 2, stage, activation))
            width = outputs
        self.blocks = nn.Sequential(*blocks)
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.classifier(self.blocks(self.stem(x)).mean((2, 3)))
        return out


space = nas.Space(
    "small-resnets",
    width=nas.Choice(8, 16, 24, 32),
    stem=nas.Choice(3, 5),
    activation=nas.Choice("relu", "silu"),
    depth=nas.Integer(1, 3),
    stages=nas.Repeat(
        "depth",
        convolutions=nas.Integer(1, 3),
        kernel=nas.Choice(3, 5),
        growth=nas.Choice(1.0, 1.5, 2.0),
        se=nas.Choice(None, 0.25),
    ),
)


@space.build
def build(c: Any, *, num_classes: int, in_channels: int) -> nn.Module:
    """The network of the choices."""
    return ResNet(c, num_classes, in_channels)
