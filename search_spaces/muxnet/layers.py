"""The layers of a MUXNet, as the paper describes them; `fast` has the fast forms."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nas.core.errors import ConfigError
from search_spaces.muxnet.fast import exporting, rows_to_channel, rows_to_space, spatial_mean
from search_spaces.muxnet.spec import Activation, BlockSpec, check_scales, slice_widths

ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    Activation.RELU: nn.ReLU,
    Activation.SWISH: nn.SiLU,
    Activation.RELU6: nn.ReLU6,
    Activation.HSWISH: nn.Hardswish,
}


def conv(
    in_width: int, out_width: int, kernel: int = 1, stride: int = 1, groups: int = 1, bias: bool = False
) -> nn.Conv2d:
    """A convolution with padding kernel // 2."""
    return nn.Conv2d(in_width, out_width, kernel, stride, kernel // 2, groups=groups, bias=bias)


def norm(width: int) -> nn.BatchNorm2d:
    """Batch norm with the paper's constants."""
    return nn.BatchNorm2d(width, eps=1e-5, momentum=0.1)


def channels_innermost(x: Tensor) -> bool:
    """Whether the channels of a map lie together in memory (channels_last, or a slice of such a map); False in an export.

    Moves of pixels and channels keep that order: maps in different orders make the layers around them several times slower.
    """
    return not exporting() and x.shape[1] > 1 and x.stride(1) == 1


def channel_means(x: Tensor) -> Tensor:
    """(b, c, h, w) to (b, c)."""
    return spatial_mean(x) if channels_innermost(x) else x.mean((2, 3))


def space_to_channel(x: Tensor) -> Tensor:
    """(b, c, 2h, 2w) to (b, 4c, h, w), block-major.

    Out channel (2i + j)*c + k at (y, x) is in channel k at (2y + i, 2x + j). Not `pixel_unshuffle`, which is
    channel-major (4k + 2i + j). Raises `ConfigError` for an odd size.
    """
    b, c, height, width = x.shape
    if height % 2 or width % 2:
        raise ConfigError(f"superpixel branch: expected an even height and width, got {height}x{width}")
    if channels_innermost(x):
        return rows_to_channel(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    x = x.reshape(b, c, height // 2, 2, width // 2, 2)
    return x.permute(0, 3, 5, 1, 2, 4).reshape(b, 4 * c, height // 2, width // 2)


def channel_to_space(x: Tensor) -> Tensor:
    """(b, 4c, h, w) to (b, c, 2h, 2w), the inverse of `space_to_channel`.

    Raises `ConfigError` for a width that 4 does not divide.
    """
    b, c, height, width = x.shape
    if c % 4:
        raise ConfigError(f"subpixel branch: expected a width divisible by 4, got {c}")
    if channels_innermost(x):
        return rows_to_space(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    x = x.reshape(b, 2, 2, c // 4, height, width)
    return x.permute(0, 3, 4, 1, 5, 2).reshape(b, c // 4, 2 * height, 2 * width)


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """out[i*groups + j] = in[j*(c/groups) + i]: 8 channels in 2 groups come out as 0, 4, 1, 5, 2, 6, 3, 7."""
    b, c, height, width = x.shape
    if channels_innermost(x):
        rows = x.permute(0, 2, 3, 1).reshape(b, height, width, groups, c // groups)
        return rows.transpose(3, 4).reshape(b, height, width, c).permute(0, 3, 1, 2)
    return x.reshape(b, groups, c // groups, height, width).transpose(1, 2).reshape(b, c, height, width)


class MixedConv(nn.Module):
    """Grouped convolutions of several kernels, each on its slice of the channels, concatenated in order.

    The first slice takes the remainder of the division. `group` is the channels in a group; 1 is depthwise.
    """

    def __init__(self, width: int, kernels: tuple[int, ...], stride: int = 1, group: int = 1) -> None:
        super().__init__()
        self.widths = slice_widths(width, len(kernels))
        for w in self.widths:
            if w % group:
                raise ConfigError(f"mixed convolution: a slice of {w} channels, group factor {group}")
        self.convs = nn.ModuleList(
            conv(w, w, k, stride, groups=w // group) for w, k in zip(self.widths, kernels, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        if len(self.widths) == 1:
            return self.convs[0](x)  # type: ignore[no-any-return]
        parts = torch.split(x, list(self.widths), dim=1)
        return torch.cat([c(part) for c, part in zip(self.convs, parts, strict=True)], dim=1)


class SpatialMultiplexing(nn.Module):
    """Depthwise convolution at several scales (MUXConv, section 3.1): a slice of the channels for each sign.

    -1 (superpixel): space to channel by 2, depthwise, and back; 0: plain depthwise; +1 (subpixel): channel to
    space by 2, depthwise, and back. (b, width, h, w) to the same shape. `size` is the expected
    h = w; None leaves the check to `forward`. Raises `ConfigError` as `check_scales` does.
    """

    def __init__(self, width: int, kernel: int, scales: tuple[int, ...], size: int | None = None) -> None:
        super().__init__()
        check_scales(scales, width, size, "spatial multiplexing")
        self.scales = scales
        self.widths = slice_widths(width, len(scales))
        inner = [w * 4 if s < 0 else w // 4 if s > 0 else w for s, w in zip(scales, self.widths, strict=True)]
        self.convs = nn.ModuleList(conv(w, w, kernel, groups=w) for w in inner)

    def forward(self, x: Tensor) -> Tensor:
        parts = torch.split(x, list(self.widths), dim=1)
        return torch.cat(
            [_at_scale(sign, c, part) for sign, c, part in zip(self.scales, self.convs, parts, strict=True)],
            dim=1,
        )


def _at_scale(sign: int, layer: nn.Module, x: Tensor) -> Tensor:
    if sign < 0:
        return channel_to_space(layer(space_to_channel(x)))
    if sign > 0:
        return space_to_channel(layer(channel_to_space(x)))
    return layer(x)  # type: ignore[no-any-return]


class SqueezeExcite(nn.Module):
    """Scales channels by a function of their means; two 1x1 convolutions with bias, and a sigmoid.

    With `hard` the piecewise form of MobileNetV3: ReLU and a hard sigmoid.
    """

    def __init__(self, width: int, squeezed: int, act: Activation, hard: bool = False) -> None:
        super().__init__()
        self.reduce = conv(width, squeezed, bias=True)
        self.act = ACTIVATIONS[Activation.RELU if hard else act]()
        self.expand = conv(squeezed, width, bias=True)
        self.gate: nn.Module = nn.Hardsigmoid() if hard else nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        weights: Tensor = self.expand(self.act(self.reduce(channel_means(x)[:, :, None, None])))
        return x * self.gate(weights)  # type: ignore[no-any-return]


def squeeze_excite(block: BlockSpec, in_width: int) -> nn.Module:
    """The block's squeeze-and-excitation on its hidden channels, or nothing."""
    squeezed = block.squeezed(in_width)
    if not squeezed:
        return nn.Identity()
    return SqueezeExcite(block.hidden(in_width), squeezed, block.act, hard=block.squeeze > 0)


class DropConnect(nn.Module):
    """In training, drops an image's whole branch with probability `rate` and scales the others up."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        keep = 1 - self.rate
        mask = torch.empty(x.shape[0], 1, 1, 1, dtype=x.dtype, device=x.device).bernoulli_(keep)
        return x * (mask / keep)
