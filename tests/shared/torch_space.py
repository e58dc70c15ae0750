"""A declared space of small convolutional networks that train in seconds, and its source as a user's file."""

from __future__ import annotations

from typing import Any

import nas
from nas.core.task_spec import TaskSpec

SOURCE = """
from torch import nn

import nas

space = nas.Space(
    "convnets",
    depth=nas.Integer(1, 3),
    width=nas.Choice(4, 8),
    stages=nas.Repeat("depth", kernel=nas.Choice(3, 5)),
    dropout=nas.Float(0.0, 0.5, levels=3, when={"width": 8}),
)


@space.build
def build(c, *, num_classes, in_channels):
    layers, channels = [], in_channels
    for stage in c.stages:
        layers += [nn.Conv2d(channels, c.width, stage.kernel, padding=stage.kernel // 2), nn.ReLU(inplace=True)]
        channels = c.width
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(c.get("dropout", 0.0)), nn.Linear(channels, num_classes)
    )
"""


def small_convnets(image: int = 8, channels: int = 1, classes: int = 10) -> nas.Space:
    """The space of `SOURCE`, for images of one channel and 8x8 pixels."""
    names: dict[str, Any] = {}
    exec(SOURCE, names)
    space: nas.Space = names["space"].for_task(TaskSpec(channels, classes, (image, image)))
    return space
