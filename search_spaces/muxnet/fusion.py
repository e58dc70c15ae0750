"""Make a trained MUXNet fast for inference, with the same outputs (to rounding).

Steps: batch norm folded into the convolutions; channels_last; mixed kernels as one depthwise
convolution with zeros around the small kernels; two-per-group convolutions as two depthwise ones; the channel
shuffle, slices and concatenations of sp blocks folded into the order of the neighbouring 1x1 weights; wide maps
a few images, or a third of their channels, at a time. The functions here compute the weights; `fast` has the
layers; experiments/speed/muxnet_fuse.py measures the speed.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.core.errors import ConfigError
from search_spaces.muxnet.blocks import (
    ActivatedSeparable,
    ChannelMultiplexing,
    DepthwiseSeparable,
    InvertedResidual,
    ShuffleUnit,
)
from search_spaces.muxnet.fast import (
    Act,
    ByImages,
    BySlices,
    Chain,
    Excite,
    FastMultiplexing,
    InPlacePart,
    PairedConv,
    Reorder,
    Residual,
    fixed_conv,
    fixed_linear,
    spatial_mean,
)
from search_spaces.muxnet.folding import affine, fold_batch_norms, folded
from search_spaces.muxnet.layers import SpatialMultiplexing, SqueezeExcite
from search_spaces.muxnet.network import MUXNet
from search_spaces.muxnet.spec import Activation, BlockSpec, NetworkSpec, Placed, placed

Order = list[int]  # order[p] is the logical channel that lies at physical position p

_CACHE_FLOATS = 1_200_000  # numbers of the widest map that a few images may have together
_WIDE_FLOATS = 900_000  # from here on, the hidden map of one image is made in slices of its channels
_SLICES = 3


class FusedMUXNet(nn.Module):
    """The fused classifier: (b, in_channels, h, w), any memory format, to logits (b, num_classes)."""

    def __init__(self, spec: NetworkSpec, resize: nn.Module, body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.spec = spec
        self.resize = resize
        self.body = body
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        x = self.resize(x).contiguous(memory_format=torch.channels_last)
        return self.head(self.body(x))  # type: ignore[no-any-return]


class FusedHead(nn.Module):
    """1x1 head convolution and activation (or nothing), mean, neck, classifier."""

    def __init__(self, conv: nn.Module, neck: nn.Module, classifier: nn.Linear) -> None:
        super().__init__()
        self.conv = conv
        self.neck = neck
        self.classifier = classifier

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.neck(spatial_mean(self.conv(x))))  # type: ignore[no-any-return]


@torch.no_grad()
def fuse(model: MUXNet) -> FusedMUXNet:
    """A fast copy of a trained network for inference; `model` itself is not changed.

    Computes the output of `model.eval()` to a relative 1e-5 of the logits, at any valid batch and image size;
    the choices are tuned for its own resolution. Works with `torch.export` and `torch.onnx.export`.
    Raises `ConfigError` for anything but a `MUXNet`.
    """
    if not isinstance(model, MUXNet):
        raise ConfigError(f"model: expected a plain MUXNet, got {type(model).__name__}")
    blocks = list(model.blocks)
    order = planned_order([p.block for p in placed(model.spec)], -1, model.spec.stem)
    weight, bias = folded(model.conv_stem, model.bn1)
    stem = fixed_conv(weight[order], bias[order], model.spec.stem_stride)
    act = Act(model.spec.act)
    start = (
        nn.Sequential(stem, act, nn.MaxPool2d(3, 2, 1)) if model.spec.stem_pool else nn.Sequential(stem, act)
    )
    pieces: list[tuple[nn.Module, int]] = [(start, _map_floats(model.spec, 0))]
    for index, block in enumerate(blocks):
        fused, order = _fused_block(block, order, model.spec)
        pieces.append((fused, _map_floats(model.spec, index)))
    last: nn.Module = nn.Identity() if order == sorted(order) else Reorder(order)
    if model.spec.head:
        weight, bias = folded(model.conv_head, model.bn2)
        last = nn.Sequential(fixed_conv(weight[:, order], bias), act)
    classifier = fixed_linear(model.classifier.weight, model.classifier.bias)
    head = FusedHead(last, copy.deepcopy(model.neck).requires_grad_(False), classifier)
    fused_model = FusedMUXNet(model.spec, copy.deepcopy(model.resize), _by_images(pieces), head)
    return fused_model.eval()


def fuse_multiplexing(layer: SpatialMultiplexing) -> FastMultiplexing:
    """The fast form of one spatial-multiplexing layer; its input should be channels_last."""
    convs = [fixed_conv(c.weight, None, groups=c.out_channels) for c in _convs(layer)]
    return FastMultiplexing(layer.scales, layer.widths, convs)


def shuffled_position(block: BlockSpec, channel: int) -> int:
    """The position of a channel after an sp block's shuffle."""
    j, i = divmod(channel, block.width // block.shuffle)
    return i * block.shuffle + j


def planned_order(blocks: list[BlockSpec], index: int, width: int) -> Order:
    """Physical order of the output of block `index` that suits the sp blocks which follow.

    In it the processed channels of the first two of these blocks are contiguous; identity without them.
    """
    following = []
    for block in blocks[index + 1 : index + 3]:
        if block.kind.value != "sp":
            break
        following.append(block)
    if not following:
        return list(range(width))
    first = set(range(following[0].processed))
    second = set(first)
    if len(following) == 2:
        second = {c for c in range(width) if shuffled_position(following[0], c) < following[1].processed}
    both = first & second
    rest = set(range(width)) - first - second
    return sorted(first - both) + sorted(both) + sorted(second - both) + sorted(rest)


@dataclass(frozen=True)
class _Part:
    """Weights of a block's chain before the layout: hidden channels still in logical order."""

    place: Placed
    expand: tuple[Tensor, Tensor]
    project: tuple[Tensor, Tensor]


def _fused_block(block: nn.Module, order: Order, spec: NetworkSpec) -> tuple[nn.Module, Order]:
    """The fast form of one block, for an input that lies in `order`, and the order of its output."""
    if order != sorted(order) and _needs_order(block):
        fused, after = _fused_block(block, sorted(order), spec)
        return nn.Sequential(Reorder(order), fused), after
    if isinstance(block, ShuffleUnit):
        return fold_batch_norms(block).requires_grad_(False), list(range(block.place.block.width))
    if isinstance(block, DepthwiseSeparable):
        return _fused_ds(block, order, spec)
    if isinstance(block, InvertedResidual):
        return _fused_ir(block, order, spec)
    assert isinstance(block, ChannelMultiplexing)
    return _fused_sp(block, order)


def _needs_order(block: nn.Module) -> bool:
    """Whether the block requires channels in their logical order."""
    return isinstance(block, ShuffleUnit) or (
        isinstance(block, InvertedResidual) and block.place.block.pointwise != (1, 1)
    )


def _out_order(block: DepthwiseSeparable | InvertedResidual, order: Order, spec: NetworkSpec) -> Order:
    """A residual keeps the order of its input, groups the logical one; otherwise the blocks that follow decide."""
    if block.residual:
        return order
    if block.place.block.pointwise != (1, 1):
        return list(range(block.place.block.width))
    return planned_order(list(spec.blocks), block.place.index, block.place.block.width)


def _fused_ds(block: DepthwiseSeparable, order: Order, spec: NetworkSpec) -> tuple[nn.Module, Order]:
    out = _out_order(block, order, spec)
    act = block.place.block.act
    weight, bias = folded(block.conv_dw, block.bn1)
    spatial = fixed_conv(weight[order], bias[order], block.place.block.stride, groups=len(order))
    weight, bias = folded(block.conv_pw, block.bn2)
    project = fixed_conv(weight[out][:, order], bias[out])
    chain = Chain(nn.Identity(), spatial, act, _excite(block.se, order, act), project)
    if isinstance(block, ActivatedSeparable):
        return nn.Sequential(chain, Act(act)), out
    return (Residual(chain) if block.residual else chain), out


def _fused_ir(block: InvertedResidual, order: Order, spec: NetworkSpec) -> tuple[nn.Module, Order]:
    out = _out_order(block, order, spec)
    weight, bias = folded(block.conv_pw, block.bn1)
    expand = (weight if block.place.block.pointwise[0] > 1 else weight[:, order], bias)
    weight, bias = folded(block.conv_pwl, block.bn3)
    chain = _chain(block, _Part(block.place, expand, (weight[out], bias[out])))
    return (Residual(chain) if block.residual else chain), out


def _fused_sp(block: ChannelMultiplexing, order: Order) -> tuple[nn.Module, Order]:
    """Replaces the processed channels in place; scattered ones with zero weights for the others."""
    spec = block.place.block
    expand_weight, expand_bias = folded(block.conv_pw, block.bn1)
    project_weight, project_bias = folded(block.conv_pwl, block.bn3)
    positions = [p for p, channel in enumerate(order) if channel < spec.processed]
    channels = [order[p] for p in positions]
    together = positions == list(range(positions[0], positions[0] + len(positions)))
    after = [shuffled_position(spec, channel) for channel in order]
    if together:
        expand = (expand_weight[:, channels], expand_bias)
        chain = _chain(block, _Part(block.place, expand, (project_weight[channels], project_bias[channels])))
        return InPlacePart(chain, positions[0], len(positions)), after
    wide_expand = expand_weight.new_zeros(expand_weight.shape[0], spec.width, 1, 1)
    wide_expand[:, positions] = expand_weight[:, channels]
    wide_project = project_weight.new_zeros(spec.width, project_weight.shape[1], 1, 1)
    wide_project[positions] = project_weight[channels]
    wide_bias = project_bias.new_zeros(spec.width)
    wide_bias[positions] = project_bias[channels]
    chain = _chain(block, _Part(block.place, (wide_expand, expand_bias), (wide_project, wide_bias)))
    return Residual(chain), after


def _chain(block: InvertedResidual | ChannelMultiplexing, part: _Part) -> Chain:
    """Expansion to projection, with the hidden channels in the order that suits the spatial convolution."""
    spec, act = part.place.block, part.place.block.act
    hidden: Order = list(range(part.expand[0].shape[0]))
    weight, bias = part.expand
    spatial: nn.Module
    if isinstance(block.conv_dw, SpatialMultiplexing):
        spatial = _multiplexed(block.conv_dw, block.bn2)
    elif spec.group == 2:
        hidden = hidden[::2] + hidden[1::2]
        spatial = _paired(*_spatial_weight(block), hidden)
    elif spec.group > 2:
        spatial = fixed_conv(*_spatial_weight(block), groups=len(hidden) // spec.group)
    groups = spec.pointwise
    expand: nn.Module = nn.Sequential(fixed_conv(weight[hidden], bias[hidden], groups=groups[0]), Act(act))
    if not spec.scales and spec.group == 1:
        expand, spatial = _depthwise(*_spatial_weight(block), part)
    project_weight = part.project[0] if groups[1] > 1 else part.project[0][:, hidden]
    project = fixed_conv(project_weight, part.project[1], groups=groups[1])
    return Chain(expand, spatial, act, _excite(block.se, hidden, act), project)


def _spatial_weight(block: InvertedResidual | ChannelMultiplexing) -> tuple[Tensor, Tensor]:
    """Folded weight (hidden, group, k, k) and bias of a mixed convolution, small kernels with zeros around."""
    scale, shift = affine(block.bn2)
    largest = max(block.place.block.kernels)
    convs = _convs(block.conv_dw)
    margins = [(largest - c.weight.shape[-1]) // 2 for c in convs]
    weight = torch.cat([functional.pad(c.weight, (m, m, m, m)) for c, m in zip(convs, margins, strict=True)])
    return weight * scale[:, None, None, None], shift


def _paired(weight: Tensor, bias: Tensor, hidden: Order) -> PairedConv:
    """The spatial layer of a two-per-group convolution, for hidden channels as [evens; odds]."""
    width, middle = len(hidden), len(hidden) // 2
    order = torch.tensor(hidden)
    own = weight[order, order % 2].unsqueeze(1)
    other = weight[order, 1 - order % 2].unsqueeze(1)  # by the channel that is written
    by_read = torch.cat([other[middle:], other[:middle]])
    return PairedConv(fixed_conv(own, bias[order], groups=width), fixed_conv(by_read, None, groups=width))


def _depthwise(weight: Tensor, bias: Tensor, part: _Part) -> tuple[nn.Module, nn.Module]:
    """Expansion and depthwise layer, in slices of the channels when their map is wider than the cache."""
    act, stride = part.place.block.act, part.place.block.stride
    expand_weight, expand_bias = part.expand
    width = len(bias)
    size = part.place.size
    groups = part.place.block.pointwise[0]
    wide = groups == 1 and width * size * size > _WIDE_FLOATS
    slices = _SLICES if wide and width % (16 * _SLICES) == 0 else 1
    if slices == 1:
        expand = nn.Sequential(fixed_conv(expand_weight, expand_bias, groups=groups), Act(act))
        return expand, fixed_conv(weight, bias, stride, groups=width)
    each = width // slices
    parts = [torch.split(t, each) for t in (expand_weight, expand_bias, weight, bias)]
    expands = [fixed_conv(w, b) for w, b in zip(parts[0], parts[1], strict=True)]
    spatials = [fixed_conv(w, b, stride, groups=each) for w, b in zip(parts[2], parts[3], strict=True)]
    return nn.Identity(), BySlices(expands, spatials, act)


def _multiplexed(layer: SpatialMultiplexing, bn: nn.Module) -> FastMultiplexing:
    """Spatial multiplexing with the batch norm after it: folded, except into the subpixel slices."""
    scale, shift = affine(bn)
    convs = []
    first = 0
    for sign, width, conv in zip(layer.scales, layer.widths, _convs(layer), strict=True):
        part = slice(first, first + width)
        first += width
        if sign > 0:
            convs.append(fixed_conv(conv.weight, None, groups=conv.out_channels))
            continue
        blocks = 4 if sign < 0 else 1
        factor = scale[part].repeat(blocks)[:, None, None, None]
        convs.append(fixed_conv(conv.weight * factor, shift[part].repeat(blocks), groups=width * blocks))
    return FastMultiplexing(layer.scales, layer.widths, convs, scale, shift)


def _convs(layer: nn.Module) -> list[nn.Conv2d]:
    return [m for m in layer.modules() if isinstance(m, nn.Conv2d)]


def _excite(se: nn.Module, order: Order, act: Activation) -> nn.Module:
    if not isinstance(se, SqueezeExcite):
        return nn.Identity()
    assert se.reduce.bias is not None
    assert se.expand.bias is not None
    return Excite(
        (se.reduce.weight[:, order, 0, 0], se.reduce.bias),
        (se.expand.weight[order, :, 0, 0], se.expand.bias[order]),
        act,
        hard=isinstance(se.gate, nn.Hardsigmoid),
    )


def _map_floats(spec: NetworkSpec, index: int) -> int:
    """Numbers in the widest map of a block, for one image."""
    place = list(placed(spec))[index]
    return max(place.in_width, place.block.hidden(place.in_width)) * place.size * place.size


def _by_images(pieces: list[tuple[nn.Module, int]]) -> nn.Sequential:
    """Neighbours that may run on the same number of images at a time, together."""
    groups: list[ByImages] = []
    layers: list[nn.Module] = []
    images = 0
    for layer, floats in pieces:
        wanted = _images(floats)
        if layers and wanted != images:
            groups.append(ByImages(layers, images))
            layers = []
        layers.append(layer)
        images = wanted
    groups.append(ByImages(layers, images))
    return nn.Sequential(*groups)


def _images(floats: int) -> int:
    """Images at a time: a power of two, so that neighbours often agree."""
    images = 1
    while 2 * images * floats <= _CACHE_FLOATS and images < 64:
        images *= 2
    return images
