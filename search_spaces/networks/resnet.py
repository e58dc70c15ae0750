"""ResNet with basic blocks (He, Zhang, Ren and Sun, "Deep Residual Learning", CVPR 2016, table 1): ResNet-18."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from nas.core.errors import ConfigError
from nas.core.records import Block
from search_spaces.muxnet.cost import conv_cost, linear_cost
from search_spaces.muxnet.spec import halved


@dataclass(frozen=True)
class ResNetSpec:
    """Stages of basic blocks: `depths` of them, of `widths`, each stage but the first of stride 2.

    `resolution` is the height and width, in pixels, of the images for which it is counted. With `small` the stem is a 3x3
    convolution of stride 1 without pooling, for images below 64 pixels.
    """

    resolution: int = 224
    depths: tuple[int, ...] = (2, 2, 2, 2)
    widths: tuple[int, ...] = (64, 128, 256, 512)
    small: bool = False

    def __post_init__(self) -> None:
        if len(self.depths) != len(self.widths) or min(*self.depths, *self.widths, self.resolution) < 1:
            raise ConfigError(f"ResNet: expected a depth and a width a stage, all at least 1, got {self}")

    def at(self, resolution: int) -> ResNetSpec:
        """The same network for images of another size."""
        return replace(self, resolution=resolution)

    def blocks(self) -> Iterator[tuple[int, int, int]]:
        """(in_width, width, stride) of every block, in order."""
        in_width = self.widths[0]
        for stage, (width, depth) in enumerate(zip(self.widths, self.depths, strict=True)):
            for index in range(depth):
                yield in_width, width, 2 if stage > 0 and index == 0 else 1
                in_width = width

    def rows(self, num_classes: int = 1000, in_channels: int = 3) -> list[Block]:
        """The network from stem to classifier, with exact parameters and MAdds; nothing is built."""
        width, size = self.widths[0], self.resolution
        if self.small:
            rows = [Block("stem", "k3", (width, size, size), *conv_cost(in_channels, width, 3, size))]
        else:
            cost = conv_cost(in_channels, width, 7, halved(size, 2))
            size = halved(size, 4)
            rows = [Block("stem", "k7 s2, 3x3 max pooling s2", (width, size, size), *cost)]
        for in_width, width, stride in self.blocks():
            size = halved(size, stride)
            cost = conv_cost(in_width, width, 3, size).plus(conv_cost(width, width, 3, size))
            if stride != 1 or in_width != width:
                cost = cost.plus(conv_cost(in_width, width, 1, size))
            rows.append(Block("basic", f"k3 s{stride} relu", (width, size, size), *cost))
        return [*rows, Block("classifier", "", (num_classes,), *linear_cost(width, num_classes))]
