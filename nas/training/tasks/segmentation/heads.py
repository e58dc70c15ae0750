"""Heads that turn a backbone's maps into a class for every pixel: C1 and PPM. A new one is a class and a line in `HEADS`.

Sizes are those of semantic-segmentation-pytorch (Zhou et al. 2018) unless a width is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.training.tasks.segmentation.settings import PPM_SCALES, PPM_WIDTH


class Head(Protocol):
    """Makes a head for a last map of `in_width` channels; `width` None is the published one."""

    def __call__(self, in_width: int, num_classes: int, width: int | None = None) -> nn.Module: ...


def conv_bn_relu(in_width: int, width: int, kernel: int) -> nn.Sequential:
    """A convolution that keeps the size, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_width, width, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(width), nn.ReLU()
    )


class C1(nn.Sequential):
    """One 3x3 conv-bn-relu, then 1x1: (b, in_width, h, w) to logits (b, num_classes, h, w); width in_width // 4."""

    def __init__(self, in_width: int, num_classes: int, width: int | None = None) -> None:
        width = width or max(1, in_width // 4)
        super().__init__(conv_bn_relu(in_width, width, 3), nn.Conv2d(width, num_classes, 1))


class PPM(nn.Module):
    """Pyramid pooling (Zhao et al. 2017): (b, in_width, h, w) to logits (b, num_classes, h, w).

    The map's means over 1, 2 x 2, 3 x 3 and 6 x 6 regions, each brought to `width` channels, are put beside the map.
    In training a batch needs two images: batch norm needs several numbers a channel, and the mean over everything is
    one.
    """

    def __init__(self, in_width: int, num_classes: int, width: int | None = None) -> None:
        super().__init__()
        width = width or PPM_WIDTH
        self.branches = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(scale), *conv_bn_relu(in_width, width, 1))
            for scale in PPM_SCALES
        )
        self.join = conv_bn_relu(in_width + len(PPM_SCALES) * width, width, 3)
        self.dropout = nn.Dropout2d(0.1)
        self.last = nn.Conv2d(width, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        size: Sequence[int] = x.shape[2:]
        pooled = [resized(branch(x), size) for branch in self.branches]
        return self.last(self.dropout(self.join(torch.cat([x, *pooled], dim=1))))  # type: ignore[no-any-return]


def resized(x: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear, to (b, c, *size)."""
    return functional.interpolate(x, size=list(size), mode="bilinear", align_corners=False)


HEADS: dict[str, Head] = {"c1": C1, "ppm": PPM}
