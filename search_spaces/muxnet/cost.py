"""Parameters and multiply-adds (MAdds) of a MUXNet in closed form; nothing is built.

MAdds count convolutions and linear layers only: no batch norm, activation, pooling, nor the products
and means of squeeze-and-excitation. Parameters include batch norm's scale and shift.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from search_spaces.muxnet.spec import BlockKind, NetworkSpec, Placed, halved, placed, slice_widths


class Cost(NamedTuple):
    """Exact counts; MAdds for one image."""

    params: int
    madds: int

    def plus(self, other: Cost) -> Cost:
        return Cost(self.params + other.params, self.madds + other.madds)


def conv_cost(in_width: int, width: int, kernel: int, out_size: int, *, normed: bool = True) -> Cost:
    """A plain convolution onto an out_size x out_size map, with batch norm, or (not `normed`) a bias."""
    weights = in_width * width * kernel * kernel
    return Cost(weights + (2 if normed else 1) * width, weights * out_size * out_size)


def stem_cost(in_channels: int, width: int, out_size: int) -> Cost:
    """The 3x3 stem convolution and its batch norm."""
    return conv_cost(in_channels, width, 3, out_size)


def head_cost(width: int, head: int, size: int) -> Cost:
    """The 1x1 head convolution and its batch norm, on a size x size map."""
    return conv_cost(width, head, 1, size)


def linear_cost(width: int, out_width: int) -> Cost:
    """A linear layer with bias, such as the classifier."""
    return Cost(width * out_width + out_width, width * out_width)


def depthwise_weights(hidden: int, kernels: Sequence[int]) -> int:
    """Weights of a (mixed-kernel) depthwise convolution: slice by slice, the first takes the remainder."""
    parts = len(kernels)
    if parts == 1:
        return hidden * kernels[0] * kernels[0]
    each = hidden // parts
    return (hidden - parts * each) * kernels[0] ** 2 + each * sum(k * k for k in kernels)


def scaled_weights(hidden: int, kernel: int, scales: Sequence[int]) -> int:
    """Weights of a spatial-multiplexing layer: 4x in a superpixel slice, a quarter in a subpixel slice."""
    quarters = 0
    for sign, width in zip(scales, slice_widths(hidden, len(scales)), strict=True):
        quarters += width * (16 if sign < 0 else 1 if sign > 0 else 4)
    return quarters * kernel * kernel // 4


def ds_cost(in_width: int, out_width: int, kernel: int, squeezed: int, out_pixels: int) -> Cost:
    """A depthwise separable block; `squeezed` as in `ir_cost`."""
    spatial = in_width * kernel * kernel
    pointwise = in_width * out_width
    excite = 2 * in_width * squeezed
    params = spatial + 2 * in_width + pointwise + 2 * out_width + excite
    if squeezed:
        params += squeezed + in_width
    return Cost(params, (spatial + pointwise) * out_pixels + excite)


def bottleneck_cost(
    in_width: int,
    hidden: int,
    out_width: int,
    spatial: tuple[int, int],
    squeezed: int,
    pixels: tuple[int, int],
    pointwise: tuple[int, int] = (1, 1),
) -> Cost:
    """An ir block, or the processed part of an sp: 1x1, spatial convolution, squeeze-and-excitation, 1x1.

    `spatial` is the spatial convolution's (weights, MAdds at one output pixel); `squeezed` the channels
    between the two layers of squeeze-and-excitation, 0 for none; `pixels` those of the map (in, out);
    `pointwise` the groups of the two 1x1 convolutions.
    """
    expand, project = in_width * hidden // pointwise[0], hidden * out_width // pointwise[1]
    excite = 2 * hidden * squeezed
    params = expand + 4 * hidden + spatial[0] + project + 2 * out_width + excite
    if squeezed:
        params += squeezed + hidden
    return Cost(params, expand * pixels[0] + (spatial[1] + project) * pixels[1] + excite)


def shuffle_cost(in_width: int, out_width: int, kernel: int, stride: int, pixels: tuple[int, int]) -> Cost:
    """ShuffleNetV2's unit; `pixels` as in `bottleneck_cost`."""
    half = out_width // 2
    into = in_width if stride == 2 else half
    chain = bottleneck_cost(into, half, half, (half * kernel * kernel,) * 2, 0, pixels)
    return chain if stride == 1 else chain.plus(ds_cost(in_width, half, kernel, 0, pixels[1]))


def block_cost(place: Placed, pixels: tuple[int, int] | None = None) -> Cost:
    """Cost of one block in its place; `pixels` of the map (in, out) where it is not the square of its place."""
    block, in_width = place.block, place.in_width
    pixels = pixels or (place.size * place.size, place.out_size * place.out_size)
    squeezed = block.squeezed(in_width)
    if block.kind is BlockKind.SN:
        return shuffle_cost(in_width, block.width, block.kernels[0], block.stride, pixels)
    if block.kind in (BlockKind.DS, BlockKind.DSA):
        return ds_cost(in_width, block.width, block.kernels[0], squeezed, pixels[1])
    hidden = block.hidden(in_width)
    if block.kind is BlockKind.IR:
        weights = depthwise_weights(hidden, block.kernels)
        return bottleneck_cost(
            in_width, hidden, block.width, (weights, weights), squeezed, pixels, block.pointwise
        )
    if block.scales:
        plain = hidden * block.kernels[0] ** 2
        spatial = (scaled_weights(hidden, block.kernels[0], block.scales), plain)
    else:
        weights = depthwise_weights(hidden, block.kernels) * block.group
        spatial = (weights, weights)
    return bottleneck_cost(block.processed, hidden, block.processed, spatial, squeezed, pixels)


def features_cost(
    spec: NetworkSpec, image_size: tuple[int, int], output_stride: int = 32, in_channels: int = 3
) -> Cost:
    """Cost of the body (no head, no classifier) for an image of (height, width) pixels.

    Strides beyond `output_stride` are removed: dilation costs nothing, the larger maps do. Agrees with the built
    `MUXNetFeatures`.
    """

    def pixels(stride: int) -> int:
        stride = min(stride, output_stride)
        return halved(image_size[0], stride) * halved(image_size[1], stride)

    weights = in_channels * spec.stem * 9
    total = Cost(weights + 2 * spec.stem, weights * pixels(spec.stem_stride))
    before = 2 * spec.stem_stride if spec.stem_pool else spec.stem_stride
    for place in placed(spec):
        total = total.plus(block_cost(place, (pixels(before), pixels(place.stride))))
        before = place.stride
    return total


def network_cost(spec: NetworkSpec, num_classes: int = 1000, in_channels: int = 3) -> Cost:
    """Cost of the whole network at its own resolution.

    Agrees with the built network (`search_spaces.muxnet.create_model`); does not check that the network can be built.
    """
    total = stem_cost(in_channels, spec.stem, halved(spec.resolution, spec.stem_stride))
    width, size = spec.stem, 0
    for place in placed(spec):
        total = total.plus(block_cost(place))
        width, size = place.block.width, place.out_size
    if spec.head:
        total = total.plus(head_cost(width, spec.head, size))
    if spec.neck:
        total = total.plus(linear_cost(spec.pooled, spec.neck))
    return total.plus(linear_cost(spec.features, num_classes))
