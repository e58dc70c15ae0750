"""The blocks of a network; the modules of each are registered in the order in which they run."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from search_spaces.muxnet.layers import (
    ACTIVATIONS,
    DropConnect,
    MixedConv,
    SpatialMultiplexing,
    channel_shuffle,
    conv,
    norm,
    squeeze_excite,
)
from search_spaces.muxnet.spec import BlockKind, Placed, check_block


class DepthwiseSeparable(nn.Module):
    """Depthwise, squeeze-and-excitation, 1x1; residual if stride 1 and same width."""

    def __init__(self, place: Placed, drop_connect: float = 0.0) -> None:
        super().__init__()
        check_block(place)
        block, width = place.block, place.in_width
        self.place = place
        self.conv_dw = conv(width, width, block.kernels[0], block.stride, groups=width)
        self.bn1 = norm(width)
        self.act = ACTIVATIONS[block.act]()
        self.se = squeeze_excite(block, width)
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
        hidden = block.hidden(width)
        self.place = place
        self.conv_pw = conv(width, hidden, groups=block.pointwise[0])
        self.bn1 = norm(hidden)
        self.act1 = ACTIVATIONS[block.act]()
        self.conv_dw = MixedConv(hidden, block.kernels, block.stride)
        self.bn2 = norm(hidden)
        self.act2 = ACTIVATIONS[block.act]()
        self.se = squeeze_excite(block, width)
        self.conv_pwl = conv(hidden, block.width, groups=block.pointwise[1])
        self.bn3 = norm(block.width)
        self.drop = DropConnect(drop_connect)
        self.residual = block.has_residual(width)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act1(self.bn1(self.conv_pw(x)))
        y = self.se(self.act2(self.bn2(self.conv_dw(y))))
        y = self.bn3(self.conv_pwl(y))
        return x + self.drop(y) if self.residual else y


class ChannelMultiplexing(nn.Module):
    """Processes the first channels, passes the others, and shuffles (MUXConv, section 3.2).

    The processed part always has a residual; drop-connect does not apply here.
    """

    def __init__(self, place: Placed, drop_connect: float = 0.0) -> None:
        super().__init__()
        check_block(place)
        block = place.block
        hidden = block.hidden(place.in_width)
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
        self.se = squeeze_excite(block, place.in_width)
        self.conv_pwl = conv(hidden, block.processed)
        self.bn3 = norm(block.processed)

    def forward(self, x: Tensor) -> Tensor:
        processed, untouched = torch.split(x, list(self.widths), dim=1)
        y: Tensor = self.act1(self.bn1(self.conv_pw(processed)))
        y = self.se(self.act2(self.bn2(self.conv_dw(y))))
        y = self.bn3(self.conv_pwl(y)) + processed
        return channel_shuffle(torch.cat([y, untouched], dim=1), self.shuffle)


class ActivatedSeparable(DepthwiseSeparable):
    """MobileNetV1's: depthwise and 1x1, each with batch norm and activation; no residual."""

    def __init__(self, place: Placed, drop_connect: float = 0.0) -> None:
        super().__init__(place, drop_connect)
        self.act2 = ACTIVATIONS[place.block.act]()

    def forward(self, x: Tensor) -> Tensor:
        return self.act2(super().forward(x))  # type: ignore[no-any-return]


class ShuffleUnit(nn.Module):
    """ShuffleNetV2's unit (Ma, Zhang, Zheng and Sun, ECCV 2018, figure 3c and d).

    Stride 1: the second half of the channels goes through 1x1, depthwise and 1x1, the first half passes untouched;
    stride 2: the whole input goes through that and, in parallel, through depthwise and 1x1. Concatenation, shuffle.
    Drop-connect does not apply here.
    """

    def __init__(self, place: Placed, drop_connect: float = 0.0) -> None:
        super().__init__()
        check_block(place)
        block, half = place.block, place.block.width // 2
        kernel, act = block.kernels[0], ACTIVATIONS[block.act]
        in_width = place.in_width if block.stride == 2 else half
        self.place = place
        self.part = half
        self.shuffle = block.shuffle
        self.beside: nn.Module = nn.Identity()
        if block.stride == 2:
            self.beside = nn.Sequential(
                conv(in_width, in_width, kernel, 2, groups=in_width),
                norm(in_width),
                conv(in_width, half),
                norm(half),
                act(),
            )
        self.through = nn.Sequential(
            conv(in_width, half),
            norm(half),
            act(),
            conv(half, half, kernel, block.stride, groups=half),
            norm(half),
            conv(half, half),
            norm(half),
            act(),
        )

    def forward(self, x: Tensor) -> Tensor:
        first, second = (x, x) if self.place.block.stride == 2 else torch.split(x, self.part, dim=1)
        return channel_shuffle(torch.cat([self.beside(first), self.through(second)], dim=1), self.shuffle)


Block = DepthwiseSeparable | InvertedResidual | ChannelMultiplexing | ShuffleUnit

BLOCKS: dict[BlockKind, type[Block]] = {
    BlockKind.DS: DepthwiseSeparable,
    BlockKind.IR: InvertedResidual,
    BlockKind.SP: ChannelMultiplexing,
    BlockKind.DSA: ActivatedSeparable,
    BlockKind.SN: ShuffleUnit,
}
