"""Specifications of a MUXNet: frozen values for blocks and networks, and the shapes that follow from them.

Nothing here loads torch. Paper: Lu, Deb and Boddeti, "MUXConv: Information Multiplexing in Convolutional
Neural Networks", CVPR 2020, sections 3 (layers) and 4 (search space).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from nas.core.errors import ConfigError


class BlockKind(str, Enum):
    """The three blocks of a MUXNet, and two that only other networks have."""

    DS = "ds"  # depthwise separable
    IR = "ir"  # inverted residual
    SP = "sp"  # channel multiplexing: a part of the channels is processed, the rest passes untouched
    DSA = "dsa"  # MobileNetV1's: a ds with an activation at its end and never a residual
    SN = "sn"  # ShuffleNetV2's: half the channels are processed (stride 2: two branches), then a shuffle


class Activation(str, Enum):
    """Non-linearities inside a block; swish is SiLU, hswish its piecewise form (MobileNetV3)."""

    RELU = "relu"
    SWISH = "swish"
    RELU6 = "relu6"
    HSWISH = "hswish"


@dataclass(frozen=True)
class BlockSpec:
    """One block.

    `width` is the number of channels that leave it. `kernels` are those of the spatial convolution: the
    hidden channels are shared among them (`slice_widths`). `expansion` multiplies the processed input width
    (ir and sp only). `se` is the ratio of squeeze-and-excitation to the processed input width, 0 for none.
    `squeeze`, when not 0, is MobileNetV3's squeeze-and-excitation instead: that many channels between its two
    layers, ReLU between them and a hard sigmoid after them. `pointwise` are the groups of the two 1x1
    convolutions of an ir (MixNet's "mixed" 1x1 convolutions of equal parts).
    For sp only: `split` is the share of channels that is processed, `shuffle` the groups of the channel
    shuffle, `group` the channels in a group of the spatial convolution (1 is depthwise), `scales` the signs
    of spatial multiplexing, one a slice (-1 superpixel, 0 plain, +1 subpixel), empty for none.

    Raises `ConfigError` for impossible values; `check_network` checks those that depend on the map's size or on
    the block's input.
    """

    kind: BlockKind
    width: int
    kernels: tuple[int, ...] = (3,)
    stride: int = 1
    expansion: float = 1
    se: float = 0.75
    act: Activation = Activation.SWISH
    split: float = 0.5
    shuffle: int = 2
    group: int = 1
    scales: tuple[int, ...] = ()
    squeeze: int = 0
    pointwise: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        name = f"block {self.kind.value}{self.width}"
        _require(self.width >= 1, f"{name}: width", "at least 1", self.width)
        _require(
            len(self.kernels) > 0 and all(k >= 1 and k % 2 == 1 for k in self.kernels),
            f"{name}: kernels",
            "one or more odd sizes",
            self.kernels,
        )
        _require(self.stride in (1, 2), f"{name}: stride", "1 or 2", self.stride)
        _require(self.expansion > 0, f"{name}: expansion", "above 0", self.expansion)
        _require(0 <= self.se <= 1, f"{name}: se", "a ratio from 0 (none) to 1", self.se)
        _require(0 < self.split <= 1, f"{name}: split", "above 0, at most 1", self.split)
        _require(self.shuffle >= 1, f"{name}: shuffle", "at least 1", self.shuffle)
        _require(self.group >= 1, f"{name}: group", "at least 1", self.group)
        if self.kind is not BlockKind.SP:
            _require(not self.scales, f"{name}: scales", "none outside sp blocks", self.scales)
            _require(self.group == 1, f"{name}: group", "1 outside sp blocks", self.group)
        else:
            _require(self.stride == 1, f"{name}: stride", "1 in sp blocks", self.stride)
        if self.kind in (BlockKind.DS, BlockKind.DSA, BlockKind.SN):
            _require(len(self.kernels) == 1, f"{name}: kernels", "one in a ds, dsa or sn block", self.kernels)
        if self.kind is BlockKind.SN:
            _require(not self.se and not self.squeeze, f"{name}: se", "none in an sn block", self.se)
            _require(self.width % 2 == 0, f"{name}: width", "even in an sn block", self.width)
        _require(self.squeeze >= 0, f"{name}: squeeze", "at least 0", self.squeeze)
        _require(min(self.pointwise) >= 1, f"{name}: pointwise", "groups, at least 1", self.pointwise)
        if self.kind is not BlockKind.IR:
            _require(self.pointwise == (1, 1), f"{name}: pointwise", "1, 1 outside ir blocks", self.pointwise)

    @property
    def processed(self) -> int:
        """Channels of an sp block that are processed; the other `width - processed` pass untouched."""
        return int(self.width * self.split)

    def hidden(self, in_width: int) -> int:
        """Channels of the spatial convolution, for an input of `in_width` channels."""
        if self.kind in (BlockKind.DS, BlockKind.DSA):
            return in_width
        if self.kind is BlockKind.SN:
            return self.width // 2
        return int((self.processed if self.kind is BlockKind.SP else in_width) * self.expansion)

    def squeezed(self, in_width: int) -> int:
        """Channels between the two layers of squeeze-and-excitation, 0 when there is none."""
        if self.squeeze:
            return self.squeeze
        base = self.processed if self.kind is BlockKind.SP else in_width
        return max(1, int(base * self.se)) if self.se else 0

    def has_residual(self, in_width: int) -> bool:
        """Whether the block's input is added to its output (in sp: the processed part's input)."""
        if self.kind in (BlockKind.DSA, BlockKind.SN):
            return False
        return self.kind is BlockKind.SP or (self.stride == 1 and in_width == self.width)


@dataclass(frozen=True)
class NetworkSpec:
    """A network: 3x3 stem convolution, blocks, 1x1 head convolution; the classifier is not part of it.

    `resolution` is the height and width, in pixels, of the images that it is built and counted for. Only
    other networks have: `act` is the activation of stem, head and neck; `stem_pool` a 3x3 max pooling of
    stride 2 after the stem (ShuffleNetV2); a `head` of 0 is none (MobileNetV1); `neck`, when not 0, the width of a
    linear layer with bias and activation between pooling and classifier (MobileNetV3).
    """

    resolution: int
    stem: int
    blocks: tuple[BlockSpec, ...]
    head: int
    stem_stride: int = 2
    act: Activation = Activation.SWISH
    stem_pool: bool = False
    neck: int = 0

    def __post_init__(self) -> None:
        _require(self.resolution >= 1, "network: resolution", "at least 1", self.resolution)
        _require(self.stem >= 1, "network: stem", "at least 1", self.stem)
        _require(self.head >= 0, "network: head", "at least 0", self.head)
        _require(self.neck >= 0, "network: neck", "at least 0", self.neck)
        _require(self.stem_stride in (1, 2), "network: stem_stride", "1 or 2", self.stem_stride)
        _require(len(self.blocks) > 0, "network: blocks", "at least one", self.blocks)

    def at(self, resolution: int) -> NetworkSpec:
        """The same network for images of another size."""
        return replace(self, resolution=resolution)

    @property
    def pooled(self) -> int:
        """Channels that are pooled: those of the head, or without one of the last block."""
        return self.head or self.blocks[-1].width

    @property
    def features(self) -> int:
        """Numbers that enter the classifier."""
        return self.neck or self.pooled


@dataclass(frozen=True)
class Placed:
    """A block in a network: its index, the width and the height (= width) of its input map."""

    index: int
    block: BlockSpec
    in_width: int
    size: int
    stride: int  # of the map that leaves it, relative to the image

    @property
    def out_size(self) -> int:
        return halved(self.size, self.block.stride)


def halved(size: int, stride: int) -> int:
    """Size after a convolution with padding k // 2, k odd."""
    return -(-size // stride)


def slice_widths(width: int, parts: int) -> tuple[int, ...]:
    """Channels of `parts` consecutive slices; the first takes the remainder (448 over 5: 92, 89, 89...)."""
    each = width // parts
    return (width - (parts - 1) * each, *[each] * (parts - 1))


def placed(spec: NetworkSpec) -> Iterator[Placed]:
    """The blocks in order, each with its input."""
    width, size, stride = spec.stem, halved(spec.resolution, spec.stem_stride), spec.stem_stride
    if spec.stem_pool:
        size, stride = halved(size, 2), 2 * stride
    for index, block in enumerate(spec.blocks):
        stride *= block.stride
        yield Placed(index, block, width, size, stride)
        width, size = block.width, halved(size, block.stride)


def check_network(spec: NetworkSpec) -> None:
    """Raise `ConfigError` naming the first block that cannot be built, and the reason."""
    for place in placed(spec):
        check_block(place)


def check_block(place: Placed) -> None:
    """Raise `ConfigError` when the block does not fit its input."""
    block = place.block
    name = f"block {place.index} ({block.kind.value}, width {block.width})"
    if block.kind is BlockKind.SP:
        _require(
            block.processed >= 1, f"{name}: processed width (width x split)", "at least 1", block.processed
        )
    hidden = block.hidden(place.in_width)
    parts = max(len(block.kernels), len(block.scales))
    _require(hidden >= parts, f"{name}: hidden width", f"at least {parts}, one a slice", hidden)
    for groups, widths in zip(
        block.pointwise, ((place.in_width, hidden), (hidden, block.width)), strict=True
    ):
        _require(
            all(w % groups == 0 for w in widths),
            f"{name}: widths before and after a 1x1 convolution",
            f"divisible by its {groups} groups",
            widths,
        )
    if block.kind is BlockKind.SN and block.stride == 1:
        _require(
            place.in_width == block.width,
            f"{name}: width",
            f"that of its input, {place.in_width}",
            block.width,
        )
    if block.kind is not BlockKind.SP:
        return
    _require(
        place.in_width == block.width, f"{name}: width", f"that of its input, {place.in_width}", block.width
    )
    _require(
        block.width % block.shuffle == 0,
        f"{name}: width",
        f"divisible by the {block.shuffle} groups of the channel shuffle",
        block.width,
    )
    if block.scales:
        _require(len(block.kernels) == 1, f"{name}: kernels", "one, with scales", block.kernels)
        check_scales(block.scales, hidden, place.size, name)
    else:
        for width in slice_widths(hidden, len(block.kernels)):
            _require(
                width % block.group == 0,
                f"{name}: width of a slice of the {hidden} hidden channels",
                f"divisible by the group factor {block.group}",
                width,
            )


def check_scales(scales: tuple[int, ...], hidden: int, size: int | None, name: str) -> None:
    """Raise `ConfigError` when spatial multiplexing cannot be done on `hidden` channels of a size x size map.

    A `size` of None (not known yet) is not checked.
    """
    _require(all(s in (-1, 0, 1) for s in scales), f"{name}: scales", "signs, each -1, 0 or 1", scales)
    _require(len(set(scales)) >= 2, f"{name}: scales", "at least two different signs", scales)
    _require(hidden >= len(scales), f"{name}: hidden width", f"at least {len(scales)}", hidden)
    if size is not None and -1 in scales:
        _require(size % 2 == 0, f"{name}: size of the map under a superpixel branch", "even", size)
    for sign, width in zip(scales, slice_widths(hidden, len(scales)), strict=True):
        if sign > 0:
            _require(width % 4 == 0, f"{name}: width of a subpixel branch", "divisible by 4", width)


def _require(condition: bool, what: str, expected: str, got: object) -> None:
    if not condition:
        raise ConfigError(f"{what}: expected {expected}, got {got}")
