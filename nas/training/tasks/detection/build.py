"""A detector from a backbone and settings. A new head is a function and a line in `HEADS`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from nas.training.tasks.detection.anchors import SSD300
from nas.training.tasks.detection.detector import Detector
from nas.training.tasks.detection.heads import SSD300_EXTRAS, STYLES
from nas.training.tasks.detection.settings import HeadSettings
from nas.training.tasks.detection.vgg import ReducedVGG

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
