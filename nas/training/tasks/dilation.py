"""A backbone at a finer stride: its last strides are removed, and the layers after them dilated.

Yu and Koltun 2016 (dilated convolutions); the rates are those of semantic-segmentation-pytorch (Zhou et al. 2018).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from nas.core.errors import ConfigError

PROBE = 64  # pixels: even at stride 32, as spatial multiplexing requires


@runtime_checkable
class Features(Protocol):
    """A module from (b, c, h, w) to a list of maps (b, widths[i], h / strides[i], w / strides[i])."""

    strides: tuple[int, ...]
    widths: tuple[int, ...]


@dataclass(eq=False)
class _Call:
    """One module that runs: the sides of the maps that it takes and gives (0: no map)."""

    inside: int
    outside: int = 0


def dilated(backbone: nn.Module, output_stride: int, in_channels: int = 3) -> nn.Module:
    """A copy of `backbone` whose maps are at most `output_stride` (8, 16 or 32) times smaller than the image.

    A convolution that sees a map at stride s (in the original) runs with dilation s / output_stride where that is
    above 1, and no longer strides where s is at least `output_stride`. Weights stay, so those trained without
    dilation load. Convolutions within spatial multiplexing, whose map temporarily has another scale,
    take the rate of the map around them.

    Raises `ConfigError` for another stride, a module that is not a feature extractor, and one that shrinks its maps
    by other means than convolutions there.
    """
    if output_stride not in (8, 16, 32):
        raise ConfigError(f"output_stride: expected 8, 16 or 32, got {output_stride!r}")
    if not isinstance(backbone, Features):
        raise ConfigError(
            f"backbone: expected a module with `strides` and `widths` that gives maps (features_only), got "
            f"{type(backbone).__name__}"
        )
    network: Any = copy.deepcopy(backbone)
    sides, _ = probe(network, in_channels)
    for convolution, side in sides.items():
        stride = round(PROBE / side)
        if stride >= output_stride:
            _dilate(convolution, stride // output_stride)
    _, maps = probe(network, in_channels)
    wanted = [PROBE // min(stride, output_stride) for stride in network.strides]
    if maps != wanted:
        raise ConfigError(
            f"backbone {type(backbone).__name__}: expected maps of {wanted} pixels at output stride "
            f"{output_stride}, from {PROBE}; got {maps}: a layer other than a convolution shrinks them"
        )
    return network  # type: ignore[no-any-return]


def _dilate(convolution: nn.Conv2d, rate: int) -> None:
    """In place: no stride, and taps `rate` apart."""
    convolution.stride = (1, 1)
    if rate > 1 and max(convolution.kernel_size) > 1:
        assert isinstance(convolution.padding, tuple)
        padding = tuple(p * rate for p in convolution.padding)
        convolution.dilation, convolution.padding = (rate, rate), (padding[0], padding[1])


@torch.no_grad()
def probe(backbone: nn.Module, in_channels: int) -> tuple[dict[nn.Conv2d, int], list[int]]:
    """The side of the map that each convolution works on, and those of the maps, for a square image of `PROBE`."""
    calls: list[_Call] = []
    seen: dict[nn.Conv2d, tuple[int, _Call]] = {}

    def enter(module: nn.Module, args: tuple[Any, ...]) -> None:
        side = _side(args[0] if args else None)
        if isinstance(module, nn.Conv2d):
            seen[module] = (side, calls[-1])
        calls.append(_Call(side))

    def leave(module: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        calls.pop().outside = _side(out)

    handles = []
    for module in backbone.modules():
        handles += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]
    training, first = backbone.training, next(backbone.parameters())
    backbone.eval()
    try:
        maps = backbone(torch.zeros(1, in_channels, PROBE, PROBE, device=first.device, dtype=first.dtype))
    finally:
        backbone.train(training)
        for handle in handles:
            handle.remove()
    return {conv: _around(side, call) for conv, (side, call) in seen.items()}, [m.shape[-1] for m in maps]


def _around(side: int, call: _Call) -> int:
    """The side on which a convolution works: that of the module around it, where that only changes scale inside."""
    return call.inside if call.inside == call.outside else side


def _side(value: Any) -> int:
    return int(value.shape[-1]) if isinstance(value, Tensor) and value.ndim == 4 else 0
