"""Layers of the fused network: the same functions as the plain ones, in forms that run fast in channels_last.

For inference only: several of them write into their input, which always is a map of the network
itself. `experiments/speed/muxnet_fuse.py` measures these choices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from search_spaces.muxnet.spec import Activation


def fixed_conv(weight: Tensor, bias: Tensor | None, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution with given weights (out, in / groups, k, k) and padding k // 2."""
    out_width, in_width, kernel = weight.shape[0], weight.shape[1] * groups, weight.shape[2]
    layer = nn.Conv2d(
        in_width, out_width, kernel, stride, kernel // 2, groups=groups, bias=bias is not None, device="meta"
    )
    # depthwise weights stay unchanged: in channels_last they are converted at every call
    layout = torch.contiguous_format if weight.shape[1] == 1 else torch.channels_last
    layer.weight = nn.Parameter(weight.detach().contiguous(memory_format=layout), requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return layer


def fixed_linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    """A linear layer with given weights (out, in)."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    layer.weight = nn.Parameter(weight.detach().contiguous(), requires_grad=False)
    layer.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return layer


_FUNCTIONS: dict[Activation, Callable[..., Tensor]] = {
    Activation.RELU: functional.relu,
    Activation.SWISH: functional.silu,
    Activation.RELU6: functional.relu6,
    Activation.HSWISH: functional.hardswish,
}


class Act(nn.Module):
    """An activation, in place."""

    def __init__(self, kind: Activation) -> None:
        super().__init__()
        self.apply_ = _FUNCTIONS[kind]

    def forward(self, x: Tensor) -> Tensor:
        return self.apply_(x, inplace=True)


def exporting() -> bool:
    """Whether a graph is being exported: maps are then not written in part, and the exporter decides the layout."""
    return torch.compiler.is_compiling()


def spatial_mean(x: Tensor) -> Tensor:
    """(b, c, h, w) to (b, c); three times as fast in channels_last as a mean over two dimensions."""
    if exporting():
        return x.mean((2, 3))
    return x.permute(0, 2, 3, 1).flatten(1, 2).mean(1)


class Excite(nn.Module):
    """Squeeze-and-excitation by two matrix products, scaling its input in place.

    `reduce` and `expand` are each a weight (out, in) and a bias (out,); `hard` as in `SqueezeExcite`.
    """

    reduce: Tensor
    reduce_bias: Tensor
    expand: Tensor
    expand_bias: Tensor

    def __init__(
        self,
        reduce: tuple[Tensor, Tensor],
        expand: tuple[Tensor, Tensor],
        act: Activation,
        hard: bool = False,
    ) -> None:
        super().__init__()
        self.register_buffer("reduce", reduce[0].t().contiguous())
        self.register_buffer("reduce_bias", reduce[1].clone())
        self.register_buffer("expand", expand[0].t().contiguous())
        self.register_buffer("expand_bias", expand[1].clone())
        self.act = functional.relu if hard else _FUNCTIONS[act]
        self.hard = hard

    def forward(self, x: Tensor) -> Tensor:
        squeezed = torch.addmm(self.reduce_bias, spatial_mean(x), self.reduce)
        weights = torch.addmm(self.expand_bias, self.act(squeezed, inplace=True), self.expand)
        weights = functional.hardsigmoid(weights, inplace=True) if self.hard else weights.sigmoid_()
        return x.mul_(weights[:, :, None, None])


class Reorder(nn.Module):
    """Brings channels that lie in `order` (logical channel by physical position) to their logical places."""

    places: Tensor

    def __init__(self, order: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("places", torch.tensor(order).argsort())

    def forward(self, x: Tensor) -> Tensor:
        return x.index_select(1, self.places)


class PairedConv(nn.Module):
    """A convolution of two channels a group as two depthwise ones, on channels ordered [evens; odds].

    `own` weighs each channel's own input (with the bias), `other` that of its partner, which lies half the
    width away; `other` is indexed by the channel that is read.
    """

    def __init__(self, own: nn.Conv2d, other: nn.Conv2d) -> None:
        super().__init__()
        self.own = own
        self.other = other
        self.middle = own.out_channels // 2

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.own(x)
        z: Tensor = self.other(x)
        if exporting():
            return y + torch.cat([z[:, self.middle :], z[:, : self.middle]], dim=1)
        y.narrow(1, 0, self.middle).add_(z.narrow(1, self.middle, self.middle))
        y.narrow(1, self.middle, self.middle).add_(z.narrow(1, 0, self.middle))
        return y


class BySlices(nn.Module):
    """Expansion, activation and depthwise convolution on some of the hidden channels at a time.

    For maps larger than the cache: the wide one between the two never exists whole. `expands` and
    `spatials` are the slices of the two convolutions.
    """

    def __init__(self, expands: Sequence[nn.Conv2d], spatials: Sequence[nn.Conv2d], act: Activation) -> None:
        super().__init__()
        self.expands = nn.ModuleList(expands)
        self.spatials = nn.ModuleList(spatials)
        self.act = Act(act)

    def forward(self, x: Tensor) -> Tensor:
        pairs = zip(self.expands, self.spatials, strict=True)
        return torch.cat([spatial(self.act(expand(x))) for expand, spatial in pairs], dim=1)


class FastMultiplexing(nn.Module):
    """Spatial multiplexing in channels_last, where the block-major order moves long runs of memory.

    `scale` and `shift`, each (width,), are applied to the subpixel slices' outputs when given: batch norm cannot
    be folded into their convolutions, whose one channel becomes four.
    """

    scale: Tensor | None
    shift: Tensor | None

    def __init__(
        self,
        scales: Sequence[int],
        widths: Sequence[int],
        convs: Sequence[nn.Conv2d],
        scale: Tensor | None = None,
        shift: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.scales = tuple(scales)
        self.widths = tuple(widths)
        self.convs = nn.ModuleList(convs)
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.permute(0, 2, 3, 1)  # (b, h, w, c), contiguous
        out = None if exporting() or x.shape[0] == 1 else torch.empty_like(rows)
        parts = []
        first = 0
        for sign, width, layer in zip(self.scales, self.widths, self.convs, strict=True):
            part = _scaled(sign, layer, rows.narrow(3, first, width))
            if sign > 0 and self.scale is not None and self.shift is not None:
                scale = self.scale.narrow(0, first, width).view(2, 2, -1)
                part = torch.addcmul(self.shift.narrow(0, first, width).view(2, 2, -1), part, scale)
            if out is None:
                parts.append(part.reshape(*rows.shape[:3], width))
            else:  # straight to its place: saves a copy and an allocation, which helps from two images on
                out.narrow(3, first, width).view(part.shape).copy_(part)
            first += width
        moved = torch.cat(parts, dim=3) if out is None else out
        return moved.permute(0, 3, 1, 2)


def _scaled(sign: int, layer: nn.Module, rows: Tensor) -> Tensor:
    """The output of a slice's convolution, moved back: a view of (b, h, w, c), h, w and c possibly in two parts."""
    b, h, w, c = rows.shape
    if sign < 0:
        wide = _through(layer, rows_to_channel(rows)).reshape(b, h // 2, w // 2, 2, 2, c)
        return wide.permute(0, 1, 3, 2, 4, 5)
    if sign > 0:
        large = _through(layer, rows_to_space(rows)).reshape(b, h, 2, w, 2, c // 4)
        return large.permute(0, 1, 3, 2, 4, 5)
    return _through(layer, rows)


def _through(layer: nn.Module, rows: Tensor) -> Tensor:
    """Run a convolution on (b, h, w, c)."""
    y: Tensor = layer(rows.permute(0, 3, 1, 2))
    return y.permute(0, 2, 3, 1)


def rows_to_channel(rows: Tensor) -> Tensor:
    """(b, 2h, 2w, c) to (b, h, w, 4c), block-major: runs of 2c numbers stay together."""
    b, h, w, c = rows.shape
    blocks = rows.reshape(b, h // 2, 2, w // 2, 2, c)
    return blocks.permute(0, 1, 3, 2, 4, 5).reshape(b, h // 2, w // 2, 4 * c)


def rows_to_space(rows: Tensor) -> Tensor:
    """(b, h, w, 4c) to (b, 2h, 2w, c), the inverse."""
    b, h, w, c = rows.shape
    blocks = rows.reshape(b, h, w, 2, 2, c // 4)
    return blocks.permute(0, 1, 3, 2, 4, 5).reshape(b, 2 * h, 2 * w, c // 4)


class Chain(nn.Module):
    """1x1 expansion, spatial convolution, squeeze-and-excitation, 1x1 projection; parts may be absent."""

    def __init__(
        self, expand: nn.Module, spatial: nn.Module, act: Activation, excite: nn.Module, project: nn.Conv2d
    ) -> None:
        super().__init__()
        self.expand = expand
        self.spatial = spatial
        self.act = Act(act)
        self.excite = excite
        self.project = project

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.project(self.excite(self.act(self.spatial(self.expand(x)))))
        return y


class Residual(nn.Module):
    """Adds the input to the output of a chain."""

    def __init__(self, chain: Chain) -> None:
        super().__init__()
        self.chain = chain

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.chain(x)
        return y.add_(x)


class InPlacePart(nn.Module):
    """Channel multiplexing where the processed channels lie together: they are replaced in the map itself.

    Neither the slice, the concatenation nor the shuffle moves anything: the map from physical to logical
    channels is fixed when the network is fused, and is in the weights of the layers around.
    """

    def __init__(self, chain: Chain, start: int, width: int) -> None:
        super().__init__()
        self.chain = chain
        self.start = start
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        end = self.start + self.width
        part = x[:, self.start : end]
        if exporting():
            return torch.cat([x[:, : self.start], part + self.chain(part), x[:, end:]], dim=1)
        part.add_(self.chain(part))
        return x


class ByImages(nn.Module):
    """Runs its layers on a few images at a time, so that wide maps stay in the cache.

    Not during an export, whose graph must take batches of any size.
    """

    def __init__(self, layers: Sequence[nn.Module], images: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.images = images

    def forward(self, x: Tensor) -> Tensor:
        if exporting() or x.shape[0] <= self.images:
            return self.layers(x)  # type: ignore[no-any-return]
        return torch.cat([self.layers(part) for part in torch.split(x, self.images)])
