"""VGG without batch norm (Simonyan and Zisserman, ICLR 2015, table 1): VGG-16 is its configuration D."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nas.core.errors import ConfigError
from nas.core.records import Block
from search_spaces.muxnet.cost import conv_cost, linear_cost

POOLED = 7  # height and width of the map that the first linear layer takes


@dataclass(frozen=True)
class VGGSpec:
    """Stages of 3x3 convolutions, `depths` of them, of `widths`, each stage ended by 2x2 max pooling.

    `hidden` is the width of the two linear layers before the classifier; `resolution` as in `ResNetSpec`.
    """

    resolution: int = 224
    depths: tuple[int, ...] = (2, 2, 3, 3, 3)
    widths: tuple[int, ...] = (64, 128, 256, 512, 512)
    hidden: int = 4096

    def __post_init__(self) -> None:
        if len(self.depths) != len(self.widths) or min(*self.depths, *self.widths, self.hidden) < 1:
            raise ConfigError(f"VGG: expected a depth and a width a stage, all at least 1, got {self}")
        least = 2 ** len(self.depths)
        if self.resolution < least:
            raise ConfigError(f"VGG: resolution: expected at least {least}, got {self.resolution}")

    def at(self, resolution: int) -> VGGSpec:
        """The same network for images of another size."""
        return replace(self, resolution=resolution)

    def rows(self, num_classes: int = 1000, in_channels: int = 3) -> list[Block]:
        """The network from the first convolution to the classifier, with exact parameters and MAdds."""
        rows, in_width, size = [], in_channels, self.resolution
        for width, depth in zip(self.widths, self.depths, strict=True):
            for _ in range(depth):
                cost = conv_cost(in_width, width, 3, size, normed=False)
                rows.append(Block("conv", "k3 relu", (width, size, size), *cost))
                in_width = width
            size //= 2
            rows.append(Block("pool", "k2 s2", (width, size, size), 0, 0))
        features = in_width * POOLED * POOLED
        for width in (self.hidden, self.hidden):
            rows.append(Block("linear", "relu", (width,), *linear_cost(features, width)))
            features = width
        return [*rows, Block("classifier", "", (num_classes,), *linear_cost(features, num_classes))]
