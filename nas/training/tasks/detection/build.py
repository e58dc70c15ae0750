"""A detector from a backbone and settings. A new head is a function and a line in `HEADS`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.core.errors import ConfigError
from nas.training.tasks.detection.anchors import SSD300
from nas.training.tasks.detection.detector import Detector
from nas.training.tasks.detection.heads import SSD300_EXTRAS, STYLES
from nas.training.tasks.detection.settings import HeadSettings

Make = Callable[[nn.Module, HeadSettings, int], Detector]


def _on_maps(style: str, body: nn.Module, settings: HeadSettings, num_classes: int) -> Detector:
    plan, strides = settings.plan(), settings.strides
    return Detector(body, num_classes, plan, style=STYLES[style], strides=strides)


def _ssd300(body: nn.Module, settings: HeadSettings, num_classes: int) -> Detector:
    """The authors' detector for images of 300 pixels, on VGG-16 only; only the name of the settings counts."""
    return Detector(ReducedVGG(body), num_classes, SSD300, style=STYLES["ssd"], extras=SSD300_EXTRAS)


HEADS: dict[str, Make] = {
    "ssdlite": partial(_on_maps, "ssdlite"),
    "ssd": partial(_on_maps, "ssd"),
    "ssd300": _ssd300,
}


def make_detector(body: nn.Module, settings: HeadSettings, num_classes: int) -> Detector:
    """The detector that the settings describe. Raises `ConfigError` for a body that does not fit."""
    return HEADS[settings.name](body, settings, num_classes)


class ReducedVGG(nn.Module):
    """Maps at strides 8 (conv4_3, brought to unit length) and 16 (conv7), of 512 and 1,024 channels.

    `body` gives the maps of conv4_3 and conv5_3 at strides 8 and 16, and possibly others. The fifth pooling keeps the size; the linear layers become a 3x3
    convolution with dilation 6 and a 1x1 one. Changes `body` itself: its poolings round up, for 38 cells at 300 pixels.
    Raises `ConfigError` for another body.
    """

    strides = (8, 16)
    widths = (512, 1024)

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        found = dict(zip(getattr(body, "strides", ()), getattr(body, "widths", ()), strict=True))
        if any(found.get(stride) != 512 for stride in self.strides):
            raise ConfigError(f"body: expected VGG-16, of 512 channels at strides 8 and 16, got {found}")
        self.taken = tuple(list(found).index(stride) for stride in self.strides)
        for layer in body.modules():
            if isinstance(layer, nn.MaxPool2d):
                layer.ceil_mode = True
        self.body = body
        self.scale = nn.Parameter(torch.full((512,), 20.0))  # section 3.1: where the norm begins
        self.pool = nn.MaxPool2d(3, 1, 1)
        self.conv6 = nn.Conv2d(512, 1024, 3, padding=6, dilation=6)
        self.conv7 = nn.Conv2d(1024, 1024, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        found = self.body(x)
        fine, coarse = (found[i] for i in self.taken)
        coarse = functional.relu(self.conv6(self.pool(coarse)))
        unit = functional.normalize(fine, dim=1) * self.scale[:, None, None]
        return [unit, functional.relu(self.conv7(coarse))]
