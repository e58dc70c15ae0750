"""What stands on a backbone: convolutions that predict, and further maps; plain (SSD) and separable (SSDLite).

SSD: Liu et al., ECCV 2016, section 2.1. SSDLite: Sandler et al., "MobileNetV2", CVPR 2018, section 6.2, which makes every
3x3 convolution of the head depthwise and 1x1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn


def conv(width: int, out: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU6."""
    return nn.Sequential(
        nn.Conv2d(width, out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU6(inplace=True),
    )


def plain(width: int, out: int) -> nn.Module:
    """A 3x3 convolution with bias that predicts."""
    return nn.Conv2d(width, out, 3, padding=1)


def separable(width: int, out: int) -> nn.Module:
    """Depthwise 3x3, batch norm, ReLU6, and a 1x1 convolution with bias that predicts."""
    return nn.Sequential(conv(width, width, 3, groups=width), nn.Conv2d(width, out, 1))


def plain_extra(width: int, middle: int, out: int) -> nn.Module:
    """1x1 down to `middle`, 3x3 with stride 2."""
    return nn.Sequential(conv(width, middle), conv(middle, out, 3, 2))


def separable_extra(width: int, middle: int, out: int) -> nn.Module:
    """1x1 down to `middle`, depthwise 3x3 with stride 2, 1x1."""
    return nn.Sequential(conv(width, middle), conv(middle, middle, 3, 2, middle), conv(middle, out))


@dataclass(frozen=True)
class Style:
    """How the head is made: `predictor(width, out)`, `extra(width, middle, out)`."""

    predictor: Callable[[int, int], nn.Module]
    extra: Callable[[int, int, int], nn.Module]


STYLES: dict[str, Style] = {"ssd": Style(plain, plain_extra), "ssdlite": Style(separable, separable_extra)}
EXTRAS = ((256, 512), (128, 256), (128, 256), (64, 128))  # (middle, out) of the maps after the backbone's
