"""Where the parameters of a MUXNet are in the tensors that the networks of its space share.

A tensor is named by stage, block and role, and for spatial convolutions of sp blocks by scales and group factor. Channels correspond by their place in the
block that made them: shuffles move them, the more often the deeper a stage, so later blocks have entries in the order of the moved channels.
The kernels of a mixture have the channels of their slices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from search_spaces.muxnet.genes import LEADING, PER_STAGE
from search_spaces.muxnet.presets import SpaceOptions
from search_spaces.muxnet.spec import BlockKind, BlockSpec, NetworkSpec, slice_widths

IntArray = NDArray[np.int64]
Entries = Sequence[slice | IntArray | None]  # by dimension; None: the leading ones


@dataclass(frozen=True)
class Shared:
    """Names and entries of the parameters of one network."""

    blocks: Sequence[tuple[str, str]]  # each block's name, and that of its spatial convolution
    entries: Mapping[str, Entries] = field(
        default_factory=dict
    )  # of parameters that have others than the leading ones

    def name(self, own: str) -> str:
        """The shared name of a parameter.

        The first layer behind a stage is named by that stage too, which may be left out in other networks.
        """
        first, _, rest = own.partition(".")
        if first == "conv_head":
            return f"conv_head-after-{_stage(self.blocks[-1][0])}.{rest}"
        if first != "blocks":
            return own
        number, _, rest = rest.partition(".")
        block, spatial = self.blocks[int(number)]
        role, _, rest = rest.partition(".")
        if role == "conv_dw":
            return f"{block}.{spatial}.{'convs.0.weight' if _mixes(block, rest) else rest}"
        if role == "conv_pw" and block.endswith(".ir"):
            role = f"conv_pw-after-{_stage(self.blocks[int(number) - 1][0])}"
        return f"{block}.{role}.{rest}"


def shared_parts(options: SpaceOptions, full: Sequence[int], spec: NetworkSpec) -> Shared:
    """Names and entries of the network `spec` of a settled full vector."""
    return Shared(block_names(options, full), dict(_entries(spec)))


def block_names(options: SpaceOptions, full: Sequence[int]) -> list[tuple[str, str]]:
    """The name of each block of a settled full vector, and that of its spatial convolution.

    Block 5 is in stage 3 of one network and in stage 2 of another, so a block is named by its stage, kind and place there.
    """
    found = [("ds", "conv_dw")]
    for i, stage in enumerate(options.stages):
        at = LEADING + i * PER_STAGE
        if stage.widths[full[at]] == 0:
            continue
        found.append((f"stage{i + 1}.ir", "conv_dw"))
        scales, group = stage.scales[full[at + 7]], stage.groups[full[at + 8]]
        spatial = "conv_dw" if not scales else f"conv_dw-scales{'_'.join(map(str, scales))}"
        if group > 1:
            spatial += f"-group{group}"
        found += [(f"stage{i + 1}.sp{j + 1}", spatial) for j in range(stage.depths[full[at + 3]])]
    return found


def _entries(spec: NetworkSpec) -> Iterator[tuple[str, Entries]]:
    """The parameters that have other entries than the leading ones."""
    order, width = np.arange(spec.stem), spec.stem  # the place of each channel in the block that made it
    for number, block in enumerate(spec.blocks):
        for name, entries in _of_block(block, width, order):
            yield f"blocks.{number}.{name}", entries
        if block.kind is BlockKind.SP:
            order = order.reshape(block.shuffle, -1).T.ravel()
        elif not block.has_residual(width):
            order = np.arange(block.width)
        width = block.width
    if spec.head:
        yield from _named("conv_head.weight", None, order)


def _of_block(block: BlockSpec, width: int, order: IntArray) -> Iterator[tuple[str, Entries]]:
    if block.kind is BlockKind.SP:
        order = order[: block.processed]
    elif len(block.kernels) > 1:
        ends = np.cumsum(slice_widths(block.hidden(width), len(block.kernels))).tolist()
        for i, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
            yield f"conv_dw.convs.{i}.weight", (slice(start, end),)
    if block.kind is not BlockKind.DS:
        yield from _named("conv_pw.weight", None, order)
    if block.kind is not BlockKind.DS and block.has_residual(width):  # its output is added to its input
        for name in ("conv_pwl.weight", "bn3.weight", "bn3.bias"):
            yield from _named(name, order)


def _named(name: str, *entries: IntArray | None) -> Iterator[tuple[str, Entries]]:
    """The entries, unless they are the leading ones: those are views, others copies."""
    if any(one is not None and not np.array_equal(one, np.arange(len(one))) for one in entries):
        yield name, entries


def _stage(block: str) -> str:
    return block.partition(".")[0]


def _mixes(block: str, rest: str) -> bool:
    """Whether a spatial convolution is one of a mixture of kernels, which share a tensor."""
    return block.endswith(".ir") and rest.startswith("convs.")
