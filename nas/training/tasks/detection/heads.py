"""Heads of a detector: convolutions that predict, and further maps; plain (SSD) and separable (SSDLite).

SSD: Liu et al., ECCV 2016, section 2.1. SSDLite: Sandler et al., "MobileNetV2", CVPR 2018, section 6.2, which makes every
3x3 convolution of the head depthwise and 1x1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn


def conv(
    width: int, out: int, kernel: int = 1, stride: int = 1, *, groups: int = 1, padded: bool = True
) -> nn.Sequential:
    """Convolution, batch norm, ReLU6."""
    padding = kernel // 2 if padded else 0
    return nn.Sequential(
        nn.Conv2d(width, out, kernel, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU6(inplace=True),
    )


def plain(width: int, out: int) -> nn.Module:
    """A 3x3 convolution with bias that predicts."""
    return nn.Conv2d(width, out, 3, padding=1)


def separable(width: int, out: int) -> nn.Module:
    """Depthwise 3x3, batch norm, ReLU6, and a 1x1 convolution with bias that predicts."""
    return nn.Sequential(conv(width, width, 3, groups=width), nn.Conv2d(width, out, 1))


@dataclass(frozen=True, slots=True)
class Extra:
    """A map after the backbone's: a 1x1 convolution to `middle` channels, then a 3x3 one to `out`.

    It halves the map, or (`shrink`) is without padding and takes a pixel off every side.
    """

    middle: int
    out: int
    shrink: bool = False

    @property
    def stride(self) -> int:
        return 1 if self.shrink else 2


def plain_extra(width: int, extra: Extra) -> nn.Module:
    """1x1, 3x3."""
    spatial = conv(extra.middle, extra.out, 3, extra.stride, padded=not extra.shrink)
    return nn.Sequential(conv(width, extra.middle), spatial)


def separable_extra(width: int, extra: Extra) -> nn.Module:
    """1x1, depthwise 3x3, 1x1."""
    middle = extra.middle
    spatial = conv(middle, middle, 3, extra.stride, groups=middle, padded=not extra.shrink)
    return nn.Sequential(conv(width, middle), spatial, conv(middle, extra.out))


@dataclass(frozen=True)
class Style:
    """The makers of a head: `predictor(width, out)`, `extra(width, what)`."""

    predictor: Callable[[int, int], nn.Module]
    extra: Callable[[int, Extra], nn.Module]


STYLES: dict[str, Style] = {"ssd": Style(plain, plain_extra), "ssdlite": Style(separable, separable_extra)}

EXTRAS = (Extra(256, 512), Extra(128, 256), Extra(128, 256), Extra(64, 128))
SSD300_EXTRAS = (Extra(256, 512), Extra(128, 256), Extra(128, 256, shrink=True), Extra(128, 256, shrink=True))
