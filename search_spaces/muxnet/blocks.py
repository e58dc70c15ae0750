"""The three blocks of a MUXNet; the modules of each are registered in the order in which they run."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from search_spaces.muxnet.layers import (
    ACTIVATIONS,
    DropConnect,
    MixedConv,
    SpatialMultiplexing,
    SqueezeExcite,
    channel_shuffle,
    conv,
    norm,
)
from search_spaces.muxnet.spec import BlockKind, Placed, check_block


class DepthwiseSeparable(nn.Module):
    """Depthwise, squeeze-and-excitation, 1x1; residual if stride 1 and same width."""

    def __init__(self, place: Placed, drop_connect: float = 0.0) -> None:
        super().__init__()
        check_block(place)
        block, width = place.block, place.in_width
        squeezed = block.squeezed(width)
        self.place = place
        self.conv_dw = conv(width, width, block.kernels[0], block.stride, groups=width)
        self.bn1 = norm(width)
        self.act = ACTIVATIONS[block.act]()
        self.se = SqueezeExcite(width, squeezed, block.act) if squeezed else nn.Identity()
        self.conv_pw = conv(width, block.width)
        self.bn2 = norm(block.width)
        self.drop = DropConnect(drop_connect)
        self.residual = block.has_residual(width)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.se(self.act(self.bn1(self.conv_dw(x))))
        y = self.bn2(self.conv_pw(y))
        return x + self.drop(y) if self.residual else y


class InvertedResidual(nn.Module):
    """1x1 expansion, (mixed) depthwise, squeeze-and-excitation, 1x1; residual if stride 1 and same width."""

    def __init__(self, place: Placed, drop_connect: float = 0.0) -> None:
        super().__init__()
        check_block(place)
        block, width = place.block, place.in_width
        hidden, squeezed = block.hidden(width), block.squeezed(width)
        self.place = place
        self.conv_pw = conv(width, hidden)
        self.bn1 = norm(hidden)
        self.act1 = ACTIVATIONS[block.act]()
        self.conv_dw = MixedConv(hidden, block.kernels, block.stride)
        self.bn2 = norm(hidden)
        self.act2 = ACTIVATIONS[block.act]()
        self.se = SqueezeExcite(hidden, squeezed, block.act) if squeezed else nn.Identity()
        self.conv_pwl = conv(hidden, block.width)
        self.bn3 = norm(block.width)
        self.drop = DropConnect(drop_connect)
        self.residual = block.has_residual(width)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act1(self.bn1(self.conv_pw(x)))
        y = self.se(self.act2(self.bn2(self.conv_dw(y))))
        y = self.bn3(self.conv_pwl(y))
        return x + self.drop(y) if self.residual else y


class ChannelMultiplexing(nn.Module):
    """Processes the first channels, lets the others pass, and shuffles (MUXConv, section 3.2).

    The processed part's own input is added to it, always; drop-connect does not apply here.
    """

    def __init__(self, place: Placed, drop_connect: float = 0.0) -> None:
        super().__init__()
        check_block(place)
        block = place.block
        hidden, squeezed = block.hidden(place.in_width), block.squeezed(place.in_width)
        self.place = place
        self.widths = (block.processed, block.width - block.processed)
        self.shuffle = block.shuffle
        self.conv_pw = conv(block.processed, hidden)
        self.bn1 = norm(hidden)
        self.act1 = ACTIVATIONS[block.act]()
        self.conv_dw: nn.Module
        if block.scales:
            self.conv_dw = SpatialMultiplexing(hidden, block.kernels[0], block.scales, place.size)
        else:
            self.conv_dw = MixedConv(hidden, block.kernels, group=block.group)
        self.bn2 = norm(hidden)
        self.act2 = ACTIVATIONS[block.act]()
        self.se = SqueezeExcite(hidden, squeezed, block.act) if squeezed else nn.Identity()
        self.conv_pwl = conv(hidden, block.processed)
        self.bn3 = norm(block.processed)

    def forward(self, x: Tensor) -> Tensor:
        processed, untouched = torch.split(x, list(self.widths), dim=1)
        y: Tensor = self.act1(self.bn1(self.conv_pw(processed)))
        y = self.se(self.act2(self.bn2(self.conv_dw(y))))
        y = self.bn3(self.conv_pwl(y)) + processed
        return channel_shuffle(torch.cat([y, untouched], dim=1), self.shuffle)


BLOCKS: dict[BlockKind, type[DepthwiseSeparable] | type[InvertedResidual] | type[ChannelMultiplexing]] = {
    BlockKind.DS: DepthwiseSeparable,
    BlockKind.IR: InvertedResidual,
    BlockKind.SP: ChannelMultiplexing,
}
