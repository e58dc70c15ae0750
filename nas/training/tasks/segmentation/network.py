"""A network that classifies every pixel: a dilated backbone with a head."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional

from nas.core.errors import ConfigError
from nas.training.tasks.dilation import dilated
from nas.training.tasks.segmentation.cost import padded
from nas.training.tasks.segmentation.heads import C1, HEADS, resized
from nas.training.tasks.segmentation.settings import HeadSettings


class SegmentationNetwork(nn.Module):
    """Images (b, in_channels, h, w) of any size to logits (b, num_classes, h, w), in evaluation.

    In training with an auxiliary head (deep supervision) a pair of logits: the second is of an auxiliary head on the map before the
    last. Sizes that the strides do not divide are padded at the right and the bottom, and the logits cut. `backbone`
    gives maps (`nas.training.tasks.dilation.Features`) and is copied.

    Raises `ConfigError` where the backbone cannot be dilated, or has only one map for an auxiliary head.
    """

    training_only: ClassVar[tuple[str, ...]] = ("auxiliary",)  # not counted, and in no export

    def __init__(
        self, backbone: nn.Module, settings: HeadSettings, *, num_classes: int, in_channels: int = 3
    ) -> None:
        super().__init__()
        if num_classes < 2:
            raise ConfigError(f"num_classes: expected at least 2, got {num_classes}")
        self.settings = settings
        self.num_classes = num_classes
        self.in_channels = in_channels
        body: Any = dilated(backbone, settings.output_stride, in_channels)
        self.backbone: nn.Module = body
        widths = tuple(body.widths)
        self.head = HEADS[settings.name](widths[-1], num_classes, settings.width)
        self.auxiliary: nn.Module | None = None
        if settings.auxiliary:
            if len(widths) < 2:
                raise ConfigError("head: auxiliary: expected a backbone of at least two maps, got one")
            self.auxiliary = C1(widths[-2], num_classes, settings.width)
        for module in (self.head, self.auxiliary):
            if module is not None:
                module.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        height, width = x.shape[-2:]
        size = padded((height, width), self.settings.output_stride)
        maps = self.backbone(functional.pad(x, (0, size[1] - width, 0, size[0] - height)))
        logits = resized(self.head(maps[-1]).float(), size)[..., :height, :width]
        if self.auxiliary is None or not self.training:
            return logits
        return logits, resized(self.auxiliary(maps[-2]).float(), size)[..., :height, :width]


def _initialise(module: nn.Module) -> None:
    """He et al. 2015 for convolutions, biases 0."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
