"""A backbone of a few thousand parameters."""

from __future__ import annotations

from torch import Tensor, nn

from nas.training.tasks.detection.anchors import AnchorPlan
from nas.training.tasks.detection.detector import Detector
from nas.training.tasks.detection.heads import conv

PLAN = AnchorPlan((0.2, 0.35, 0.6), ((1.5,), (1.5,)))


class TinyBackbone(nn.Module):
    """Maps at strides 4 and 8."""

    strides = (4, 8)
    widths = (24, 32)

    def __init__(self, in_channels: int = 3) -> None:
        super().__init__()
        self.first = nn.Sequential(conv(in_channels, 16, 3, 2), conv(16, 24, 3, 2))
        self.second = conv(24, 32, 3, 2)

    def forward(self, x: Tensor) -> list[Tensor]:
        first: Tensor = self.first(x)
        return [first, self.second(first)]


def tiny_detector(*, num_classes: int, in_channels: int = 3) -> Detector:
    """SSDLite on it, without further maps."""
    return Detector(TinyBackbone(in_channels), num_classes, PLAN)
