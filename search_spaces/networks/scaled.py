"""Published networks at other widths, and for images smaller than those of ImageNet.

Widths follow the authors' code of MobileNetV2 (Sandler et al., CVPR 2018) and MobileNetV3 (Howard et al., ICCV 2019): every number
of channels is multiplied and rounded to a multiple of 8, by which it never falls below 90%; the last layer before the
classifier keeps its width below 1.0 (MobileNetV1 has none).
"""

from __future__ import annotations

import math
from dataclasses import replace

from nas.core.checks import did_you_mean
from nas.core.errors import ConfigError
from search_spaces.muxnet.spec import BlockKind, BlockSpec, NetworkSpec, halved, placed
from search_spaces.networks.mobile import MOBILE
from search_spaces.networks.models import AnySpec, network_named
from search_spaces.networks.resnet import ResNetSpec

WITH_WIDTHS = ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large")
LEAST_WIDTH, MOST_WIDTH = 0.05, 4.0
ORDINARY = 64  # pixels of a side, from which networks keep all their strides
_SMALL, _TINY = (
    3,
    2,
)  # halvings of images below ORDINARY, and of 16 pixels or fewer: those of the MUXNet presets cifar and tiny
_TINY_SIDE = 16
_LEAST_MAP = 2  # side of the last map in pixels


def rounded(width: float, divisor: int = 8) -> int:
    """The nearest multiple of `divisor`, at least one, that is not below 90% of the width."""
    nearest = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * width else nearest


def network_at(text: str) -> AnySpec:
    """The named network `NAME`, or `NAME@WIDTH` with its channels multiplied, such as `mobilenet_v2@0.35`, at 224 pixels.

    Raises `ConfigError` for an unknown name, a network without widths, and a width outside 0.05 to 4.
    """
    name, at, number = text.partition("@")
    spec = network_named(name)
    if not at:
        return spec
    if name not in WITH_WIDTHS:
        raise ConfigError(
            f"network {text!r}: {name} has no widths{did_you_mean(name, WITH_WIDTHS)}; those that do: {', '.join(WITH_WIDTHS)}"
        )
    try:
        width = float(number)
    except ValueError:
        width = math.nan
    if not LEAST_WIDTH <= width <= MOST_WIDTH:
        raise ConfigError(
            f"network {text!r}: expected a width from {LEAST_WIDTH:g} to {MOST_WIDTH:g} after @, such as {name}@0.5, got {number!r}"
        )
    return at_width(MOBILE[name], width)


def at_width(spec: NetworkSpec, width: float) -> NetworkSpec:
    """The network with its channels multiplied by `width`."""
    if width == 1.0:
        return spec
    blocks, before = [], rounded(spec.stem * width)
    for block in spec.blocks:
        blocks.append(_scaled(block, before, width))
        before = blocks[-1].width

    def last(channels: int) -> int:
        return channels and rounded(channels * max(1.0, width))

    head = rounded(spec.head * width) if spec.neck else last(spec.head)
    return replace(
        spec, stem=rounded(spec.stem * width), blocks=tuple(blocks), head=head, neck=last(spec.neck)
    )


def _scaled(block: BlockSpec, in_width: int, width: float) -> BlockSpec:
    """The block for an input of `in_width` channels, with its own output multiplied."""
    scaled = replace(block, width=rounded(block.width * width))
    if block.kind is BlockKind.IR:
        hidden = rounded(in_width * block.expansion)
        scaled = replace(scaled, expansion=_expansion(block.expansion, in_width, hidden))
    return replace(scaled, squeeze=rounded(scaled.hidden(in_width) // 4)) if block.squeeze else scaled


def _expansion(given: float, in_width: int, hidden: int) -> float:
    """The expansion that gives `hidden` channels: the `given` one, or the shortest decimal number."""
    if int(in_width * given) == hidden:
        return given
    tries = (math.ceil(hidden / in_width * scale) / scale for scale in (1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6))
    return next(e for e in tries if int(in_width * e) == hidden)


def for_images(spec: AnySpec, side: int) -> AnySpec:
    """The network for square images of `side` pixels; below 64 pixels without its first strides, as is usual for CIFAR.

    Maps are halved 3 times, those of images of 16 pixels or fewer twice, and less often where the last map would be smaller
    than 2x2. ResNet gets a 3x3 stem of stride 1 without pooling. ShuffleNetV2 keeps the strides of its blocks, VGG and the networks of timm all.
    """
    spec = spec.at(side)
    if side >= ORDINARY:
        return spec
    if isinstance(spec, ResNetSpec):
        return replace(spec, small=True)
    if not isinstance(spec, NetworkSpec):
        return spec
    wanted = _SMALL if side > _TINY_SIDE else _TINY
    while wanted and halved(side, 2**wanted) < _LEAST_MAP:
        wanted -= 1
    return _with_halvings(spec, wanted)


def _with_halvings(spec: NetworkSpec, wanted: int) -> NetworkSpec:
    """The network without as many of its first strides as leave `wanted` halvings."""
    most = (
        2 if any(block.kind is BlockKind.SN for block in spec.blocks) else 99
    )  # an sn block needs its stride
    last = list(placed(spec))[-1].stride
    drop = min(most, max(0, round(math.log2(last)) - wanted))
    if drop and spec.stem_stride == 2:
        spec, drop = replace(spec, stem_stride=1), drop - 1
    if drop and spec.stem_pool:
        spec, drop = replace(spec, stem_pool=False), drop - 1
    blocks = list(spec.blocks)
    for i, block in enumerate(blocks):
        if drop and block.stride == 2:
            blocks[i], drop = replace(block, stride=1), drop - 1
    return replace(spec, blocks=tuple(blocks))
