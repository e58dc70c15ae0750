"""From genes to networks and back: the meaning, the activity and the choices of each gene.

Inside, an architecture is a full vector of choices: four for the network (resolution, stem, the ratio of the ds
block, that of the others), nine for each stage (`StageOptions`, in the order of its fields), one for the head.
Genes are its entries with more than one choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import takewhile
from typing import Any, NamedTuple

from nas.core.errors import ArchitectureError, ConfigError
from search_spaces.muxnet.cost import (
    Cost,
    bottleneck_cost,
    depthwise_weights,
    ds_cost,
    head_cost,
    linear_cost,
    scaled_weights,
    stem_cost,
)
from search_spaces.muxnet.presets import SpaceOptions, StageOptions
from search_spaces.muxnet.spec import Activation, BlockKind, BlockSpec, NetworkSpec, check_scales, halved
from search_spaces.muxnet.text import format_spec

LEADING = 4
PER_STAGE = 9
STAGE_GENES = "width ir_kernels ir_expansion depth sp_kernel sp_expansion split scales group".split()
_FREE = Cost(0, 0)
_RELU_STAGES = 1  # the ds block and this many stages use ReLU


def choice_names(options: SpaceOptions) -> list[str]:
    """Name of every entry of the full vector, such as stage2.width."""
    stages = [f"stage{i + 1}.{gene}" for i in range(len(options.stages)) for gene in STAGE_GENES]
    return ["resolution", "stem", "ds_se", "se", *stages, "head"]


def choice_values(options: SpaceOptions) -> list[Sequence[Any]]:
    """The choices of every entry of the full vector."""
    values: list[Sequence[Any]] = [options.resolutions, options.stems, options.ds_ratios, options.se_ratios]
    for s in options.stages:
        values += [s.widths, s.ir_kernels, s.ir_expansions, s.depths]
        values += [s.sp_kernels, s.sp_expansions, s.splits, s.scales, s.groups]
    return [*values, options.heads]


@lru_cache(maxsize=4096)
def scales_fit(scales: tuple[int, ...], hidden: int, even: bool) -> bool:
    """Whether spatial multiplexing can be done on `hidden` channels of a map of even (or odd) size."""
    try:
        check_scales(scales, hidden, 2 if even else 1, "")
    except ConfigError:
        return False
    return True


def settle(options: SpaceOptions, full: list[int]) -> list[bool]:
    """Set inactive entries to 0, and unfitting ones to the nearest fitting choice; return which are active.

    In a stage left out only the width is active; without sp blocks none of their genes are. Scales that the
    map or the width does not allow become none; a group factor that does not divide the hidden width becomes
    the next lower divisor, and is inactive beside scales. Changes `full`; idempotent.
    """
    active = [True] * len(full)
    size = halved(options.resolutions[full[0]], options.stem_stride)
    at = LEADING
    for stage in options.stages:
        width = stage.widths[full[at]]
        if width == 0:
            _silence(full, active, at + 1, at + PER_STAGE)
        else:
            size = halved(size, stage.stride)
            if stage.depths[full[at + 3]] == 0:
                _silence(full, active, at + 4, at + PER_STAGE)
            else:
                _settle_sp(stage, width, size, full, active, at)
        at += PER_STAGE
    return active


def _silence(full: list[int], active: list[bool], start: int, end: int) -> None:
    for i in range(start, end):
        full[i] = 0
        active[i] = False


def _settle_sp(
    stage: StageOptions, width: int, size: int, full: list[int], active: list[bool], at: int
) -> None:
    hidden = int(width * stage.splits[full[at + 6]]) * stage.sp_expansions[full[at + 5]]
    scales = stage.scales[full[at + 7]]
    if scales and not scales_fit(scales, hidden, size % 2 == 0):
        full[at + 7] = 0
        scales = ()
    if scales:
        full[at + 8] = 0
        active[at + 8] = False
    else:
        while hidden % stage.groups[full[at + 8]]:
            full[at + 8] -= 1


def to_spec(options: SpaceOptions, full: Sequence[int]) -> NetworkSpec:
    """The network of a settled full vector."""
    ds_se, se = options.ds_ratios[full[2]], options.se_ratios[full[3]]
    stem = options.stems[full[1]]
    blocks = [BlockSpec(BlockKind.DS, stem, se=ds_se, act=Activation.RELU)]
    for i, stage in enumerate(options.stages):
        at = LEADING + i * PER_STAGE
        width = stage.widths[full[at]]
        if width == 0:
            continue
        act = Activation.RELU if i < _RELU_STAGES else Activation.SWISH
        kernels = stage.ir_kernels[full[at + 1]]
        expansion = stage.ir_expansions[full[at + 2]]
        blocks.append(BlockSpec(BlockKind.IR, width, kernels, stage.stride, expansion, se=se, act=act))
        sp = BlockSpec(
            BlockKind.SP,
            width,
            (stage.sp_kernels[full[at + 4]],),
            expansion=stage.sp_expansions[full[at + 5]],
            se=se,
            act=act,
            split=stage.splits[full[at + 6]],
            group=stage.groups[full[at + 8]],
            scales=stage.scales[full[at + 7]],
        )
        blocks.extend([sp] * stage.depths[full[at + 3]])
    head = options.heads[full[-1]]
    return NetworkSpec(options.resolutions[full[0]], stem, tuple(blocks), head, options.stem_stride)


class PlacedStage(NamedTuple):
    """A stage of a network: its ir block and `depth` sp blocks, with the cost of one of each."""

    options: StageOptions
    choices: Sequence[int]  # of the stage, in the order of its options
    in_width: int
    width: int
    size: int  # side of its maps
    depth: int
    ir_cost: Cost
    sp_cost: Cost  # zero without sp blocks

    @property
    def ir_kernels(self) -> tuple[int, ...]:
        """The kernels that the ir block mixes."""
        return self.options.ir_kernels[self.choices[1]]

    @property
    def ir_hidden(self) -> int:
        """Channels inside the ir block."""
        return self.in_width * self.options.ir_expansions[self.choices[2]]

    @property
    def sp_kernel(self) -> int:
        """The kernel of the sp blocks."""
        return self.options.sp_kernels[self.choices[4]]

    @property
    def split(self) -> float:
        """The share of the channels that sp blocks process."""
        return self.options.splits[self.choices[6]]

    @property
    def sp_hidden(self) -> int:
        """Channels inside an sp block."""
        return int(self.width * self.split) * self.options.sp_expansions[self.choices[5]]

    @property
    def scales(self) -> tuple[int, ...]:
        """The scales that sp blocks multiplex; empty for none."""
        return self.options.scales[self.choices[7]]

    @property
    def group(self) -> int:
        """The group factor of the sp blocks."""
        return self.options.groups[self.choices[8]]


def placed_stages(options: SpaceOptions, full: Sequence[int]) -> Iterator[PlacedStage]:
    """The stages of a settled full vector that are not left out, in order."""
    se, in_width, at = options.se_ratios[full[3]], options.stems[full[1]], LEADING
    size = halved(options.resolutions[full[0]], options.stem_stride)
    pixels = size * size
    for stage in options.stages:
        width = stage.widths[full[at]]
        if width:
            choices = full[at : at + PER_STAGE]
            size = -(-size // stage.stride)
            before, pixels = pixels, size * size
            hidden = in_width * stage.ir_expansions[choices[2]]
            weights = depthwise_weights(hidden, stage.ir_kernels[choices[1]])
            ir = bottleneck_cost(
                in_width, hidden, width, (weights, weights), _squeezed(in_width, se), (before, pixels)
            )
            depth = stage.depths[choices[3]]
            sp = _sp_cost(stage, choices, width, se, pixels) if depth else _FREE
            yield PlacedStage(stage, choices, in_width, width, size, depth, ir, sp)
            in_width = width
        at += PER_STAGE


def full_cost(options: SpaceOptions, full: Sequence[int], num_classes: int, in_channels: int) -> Cost:
    """Cost of a settled full vector, straight from the choices, without a specification."""
    stem = options.stems[full[1]]
    size = halved(options.resolutions[full[0]], options.stem_stride)
    first = ds_cost(stem, stem, 3, _squeezed(stem, options.ds_ratios[full[2]]), size * size)
    params, madds = map(sum, zip(stem_cost(in_channels, stem, size), first, strict=True))
    width = stem
    for place in placed_stages(options, full):
        params += place.ir_cost.params + place.depth * place.sp_cost.params
        madds += place.ir_cost.madds + place.depth * place.sp_cost.madds
        width, size = place.width, place.size
    head = options.heads[full[-1]]
    for p, m in (head_cost(width, head, size), linear_cost(head, num_classes)):
        params += p
        madds += m
    return Cost(params, madds)


def _squeezed(base: int, ratio: float) -> int:
    return max(1, int(base * ratio)) if ratio else 0


def _sp_cost(stage: StageOptions, choices: Sequence[int], width: int, se: float, pixels: int) -> Cost:
    processed = int(width * stage.splits[choices[6]])
    hidden = processed * stage.sp_expansions[choices[5]]
    kernel, scales = stage.sp_kernels[choices[4]], stage.scales[choices[7]]
    plain = hidden * kernel * kernel * stage.groups[choices[8]]
    spatial = (scaled_weights(hidden, kernel, scales) if scales else plain, plain)
    squeezed = _squeezed(processed, se)
    return bottleneck_cost(processed, hidden, processed, spatial, squeezed, (pixels, pixels))


def count_networks(options: SpaceOptions) -> int:
    """Number of different networks: settled full vectors, counted without enumeration."""
    leading = len(options.stems) * len(options.ds_ratios) * len(options.se_ratios) * len(options.heads)
    sizes = (halved(r, options.stem_stride) for r in options.resolutions)
    return leading * sum(_count_stages(options.stages, size) for size in sizes)


def _count_stages(stages: Sequence[StageOptions], size: int) -> int:
    if not stages:
        return 1
    stage, rest = stages[0], stages[1:]
    inside = halved(size, stage.stride)
    present = sum(_count_stage(stage, width, inside) for width in stage.widths if width)
    absent = _count_stages(rest, size) if 0 in stage.widths else 0
    return present * _count_stages(rest, inside) + absent


def _count_stage(stage: StageOptions, width: int, size: int) -> int:
    sp = 0
    for split in stage.splits:
        for expansion in stage.sp_expansions:
            hidden = int(width * split) * expansion
            sp += sum(bool(s) and scales_fit(s, hidden, size % 2 == 0) for s in stage.scales)
            sp += sum(hidden % g == 0 for g in stage.groups)
    deep = sum(d > 0 for d in stage.depths)
    tails = (0 in stage.depths) + deep * len(stage.sp_kernels) * sp
    return len(stage.ir_kernels) * len(stage.ir_expansions) * tails


def from_spec(options: SpaceOptions, spec: NetworkSpec) -> list[int]:
    """The full vector of a network; raises `ArchitectureError` naming the choice that the space lacks."""
    blocks = list(spec.blocks)
    first = blocks.pop(0)
    others = [b.se for b in blocks]
    full = [
        _index("resolution", options.resolutions, spec.resolution),
        _index("stem", options.stems, spec.stem),
        _index("squeeze-and-excitation of the first block", options.ds_ratios, first.se),
        _index("squeeze-and-excitation", options.se_ratios, others[0] if others else None),
    ]
    for i, stage in enumerate(options.stages):
        full += _stage_choices(f"stage {i + 1}", stage, blocks, len(options.stages) - i - 1)
    full.append(_index("head", options.heads, spec.head))
    settle(options, full)
    found = to_spec(options, full)
    if found != spec:
        raise ArchitectureError(
            f"the nearest network in the space is {format_spec(found)}, not {format_spec(spec)}"
        )
    return full


def _index(what: str, choices: Sequence[object], value: object) -> int:
    if value not in choices:
        shown = ", ".join(str(c) for c in choices)
        raise ArchitectureError(f"{what}: expected one of {shown}, got {value}")
    return list(choices).index(value)


def _stage_choices(name: str, stage: StageOptions, blocks: list[BlockSpec], later: int) -> list[int]:
    """Take a stage's blocks off the list; none when the stage is optional and the next block is not its own."""
    irs = sum(b.kind is BlockKind.IR for b in blocks)
    fits = bool(blocks) and blocks[0].width in stage.widths and blocks[0].stride == stage.stride
    if 0 in stage.widths and (irs == 0 or (irs <= later and not fits)):
        return [stage.widths.index(0)] + [0] * (PER_STAGE - 1)
    if not irs or blocks[0].kind is not BlockKind.IR:
        raise ArchitectureError(
            f"{name}: expected an ir block, got {blocks[0].kind.value if blocks else 'none'}"
        )
    ir = blocks.pop(0)
    sps = list(takewhile(lambda block: block.kind is BlockKind.SP, blocks))
    del blocks[: len(sps)]
    choices = [
        _index(f"{name}: width", stage.widths, ir.width),
        _index(f"{name}: kernels of the ir block", stage.ir_kernels, ir.kernels),
        _index(f"{name}: expansion of the ir block", stage.ir_expansions, ir.expansion),
        _index(f"{name}: number of sp blocks", stage.depths, len(sps)),
    ]
    if not sps:
        return choices + [0] * (PER_STAGE - 4)
    sp = sps[0]
    return [
        *choices,
        _index(f"{name}: kernel of the sp blocks", stage.sp_kernels, sp.kernels[0]),
        _index(f"{name}: expansion of the sp blocks", stage.sp_expansions, sp.expansion),
        _index(f"{name}: split", stage.splits, sp.split),
        _index(f"{name}: scales", stage.scales, sp.scales),
        _index(f"{name}: group factor", stage.groups, sp.group),
    ]
