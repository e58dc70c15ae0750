"""The four named networks, and their constructors.

`muxnet_m` and `muxnet_l` are the published ones. The authors never released `muxnet_xs` and `muxnet_s`: ours
are reconstructions that meet the published budgets within 1%, as thousands of other configurations would.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, overload

from nas.core.errors import ConfigError
from search_spaces.muxnet.spec import Activation, BlockKind, BlockSpec, NetworkSpec

if TYPE_CHECKING:
    from search_spaces.muxnet.network import MUXNet, MUXNetFeatures

_MULTIPLEXED = (-1, 0, 1)
_MIXES = ((3,), (3, 5, 7), (3, 5, 7, 9), (5,), (3, 5, 7, 9, 11))
_STRIDES = (2, 2, 2, 1, 2)


def _stages(
    widths: Sequence[int],
    ir_expansions: Sequence[float],
    depths: Sequence[int],
    sp_kernels: Sequence[int],
    sp_expansions: Sequence[float],
    scaled: Sequence[bool],
) -> tuple[BlockSpec, ...]:
    """Five stages: an ir block that changes width and size, then sp blocks; ReLU in the first, else swish."""
    blocks: list[BlockSpec] = []
    for i, width in enumerate(widths):
        act = Activation.RELU if i == 0 else Activation.SWISH
        blocks.append(BlockSpec(BlockKind.IR, width, _MIXES[i], _STRIDES[i], ir_expansions[i], act=act))
        sp = BlockSpec(
            BlockKind.SP,
            width,
            (sp_kernels[i],),
            expansion=sp_expansions[i],
            act=act,
            group=1 if scaled[i] else 2,
            scales=_MULTIPLEXED if scaled[i] else (),
        )
        blocks.extend([sp] * depths[i])
    return tuple(blocks)


def _network(stem: int, stages: tuple[BlockSpec, ...], last: int, head: int) -> NetworkSpec:
    first = BlockSpec(BlockKind.DS, stem, se=0.25, act=Activation.RELU)
    final = BlockSpec(BlockKind.IR, last, (3,), 1, 6)
    return NetworkSpec(224, stem, (first, *stages, final), head)


_NO_SCALES = (False,) * 5
_FOUR_SCALED = (True, True, True, True, False)

MUXNET_XS = _network(
    16, _stages((16, 24, 40, 56, 80), (3,) * 5, (2,) * 5, (5,) * 5, (3,) * 5, _FOUR_SCALED), 128, 1280
)
MUXNET_S = _network(
    16, _stages((16, 32, 64, 80, 120), (3, 4, 4, 4, 4), (2,) * 5, (5,) * 5, (6,) * 5, _FOUR_SCALED), 144, 1280
)
MUXNET_M = _network(
    24,
    _stages(
        (24, 40, 80, 112, 160), (4, 4, 4, 6, 4), (2, 2, 2, 2, 3), (3, 3, 5, 5, 5), (4, 6, 6, 6, 6), _NO_SCALES
    ),
    200,
    1280,
)
MUXNET_L = _network(
    24, _stages((24, 40, 80, 120, 160), (6,) * 5, (2, 3, 3, 3, 3), (5,) * 5, (6,) * 5, _NO_SCALES), 200, 1536
)

MODELS: dict[str, NetworkSpec] = {
    "muxnet_xs": MUXNET_XS,
    "muxnet_s": MUXNET_S,
    "muxnet_m": MUXNET_M,
    "muxnet_l": MUXNET_L,
}

LISTED_MODELS: dict[str, str] = {
    "muxnet_xs": "1.8M parameters, 66M MAdds at 224; a reconstruction (the authors never released it)",
    "muxnet_s": "2.4M parameters, 116M MAdds at 224; a reconstruction (the authors never released it)",
    "muxnet_m": "3.4M parameters, 217M MAdds at 224; as published",
    "muxnet_l": "4.0M parameters, 316M MAdds at 224; as published",
}


def model_spec(name: str) -> NetworkSpec:
    """Specification of a named network, at 224 pixels. Raises `ConfigError` for a name not in `MODELS`."""
    try:
        return MODELS[name]
    except KeyError:
        raise ConfigError(f"model {name!r}: expected one of {', '.join(MODELS)}") from None


@overload
def create_model(
    name: str,
    num_classes: int = ...,
    in_channels: int = ...,
    *,
    resolution: int = ...,
    dropout: float = ...,
    drop_connect: float = ...,
    features_only: Literal[False] = ...,
) -> MUXNet: ...


@overload
def create_model(
    name: str,
    num_classes: int = ...,
    in_channels: int = ...,
    *,
    resolution: int = ...,
    dropout: float = ...,
    drop_connect: float = ...,
    features_only: Literal[True],
) -> MUXNetFeatures: ...


def create_model(
    name: str,
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    resolution: int = 224,
    dropout: float = 0.2,
    drop_connect: float = 0.0,
    features_only: bool = False,
) -> MUXNet | MUXNetFeatures:
    """A named network, plain (unfused) and freshly initialised, in training mode.

    Every convolution, linear and batch-norm layer is a separate module that runs once per forward, in the
    order in which they run. Maps (b, in_channels, h, w) to logits (b, num_classes). With `features_only`
    the head is left out, and the output is the list of the maps at strides 4, 8, 16 and 32, whose widths are
    in the network's `widths`. `muxnet_xs` and `muxnet_s` are reconstructions: the authors never released
    theirs (see the module's docstring). `resolution` is checked against the spatial multiplexing of those two; the
    network also runs at other sizes.

    Raises `ConfigError` for an unknown name, a number out of range or a resolution that does not fit.
    """
    from search_spaces.muxnet.network import MUXNet, MUXNetFeatures

    spec = model_spec(name).at(resolution)
    if features_only:
        return MUXNetFeatures(spec, in_channels=in_channels, drop_connect=drop_connect)
    return MUXNet(
        spec, num_classes=num_classes, in_channels=in_channels, dropout=dropout, drop_connect=drop_connect
    )
