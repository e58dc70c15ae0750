"""The contract of a network's body: maps at several strides, and dilation in place of stride."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from nas.core.errors import ConfigError

FEATURE_STRIDES = (4, 8, 16, 32)
_OUTPUT_STRIDES = (8, 16, 32)

Step = tuple[nn.Module, int]


@runtime_checkable
class FeatureExtractor(Protocol):
    """An `nn.Module`, a network without its classifier: (b, in_channels, h, w) to a list of maps, the finest first.

    Map i is (b, widths[i], h / strides[i], w / strides[i]), rounded up. Parameters have the names of
    the classifier's, so that the weights of one load into the other (`strict=False`: head and classifier
    are left over).
    """

    strides: tuple[int, ...]
    widths: tuple[int, ...]

    def steps(self) -> list[Step]:
        """The parts in the order in which they run, each with the stride of the map that leaves it."""

    def forward(self, x: Tensor) -> list[Tensor]: ...


def ends(strides: Sequence[int], wanted: Sequence[int]) -> dict[int, int]:
    """For each wanted stride the index of the last of `strides` (one a part, rising) that equals it.

    Raises `ConfigError` for a stride without a map.
    """
    last = {stride: index for index, stride in enumerate(strides)}
    missing = [s for s in wanted if s not in last]
    if missing:
        raise ConfigError(f"strides: expected some of {sorted(last)}, got {missing}")
    return {s: last[s] for s in sorted(wanted)}


def dilate(network: FeatureExtractor, output_stride: int) -> None:
    """Keep the maps of `network` at `output_stride` (8, 16 or 32) from there on: dilation in place of stride.

    Changes the network itself, its `strides` too; weights stay. A layer that halved the map keeps its
    dilation, later ones have twice theirs (Chen et al., "Rethinking Atrous Convolution for
    Semantic Image Segmentation", 2017, section 3.1). A max pooling is removed. Raises `ConfigError` for another output stride.
    """
    if output_stride not in _OUTPUT_STRIDES:
        raise ConfigError(f"output_stride: expected one of {_OUTPUT_STRIDES}, got {output_stride}")
    before, dilation = 1, 1
    for part, stride in network.steps():
        own = dilation
        if stride > before and stride > output_stride:
            dilation *= stride // before
        before = stride
        for layer in part.modules():
            if isinstance(layer, nn.Conv2d):
                _set(layer, layer_dilation=own if layer.stride != (1, 1) else dilation, keep=own == dilation)
            elif isinstance(layer, nn.MaxPool2d) and dilation > own:
                layer.kernel_size, layer.stride, layer.padding = 1, 1, 0
    network.strides = tuple(min(stride, output_stride) for stride in network.strides)


def _set(layer: nn.Conv2d, layer_dilation: int, keep: bool) -> None:
    """Give a convolution its dilation, and stride 1 unless it may keep its own."""
    if not keep:
        layer.stride = (1, 1)
    kernel = layer.kernel_size[0]
    layer.dilation = (layer_dilation, layer_dilation)
    layer.padding = (layer_dilation * (kernel // 2),) * 2
