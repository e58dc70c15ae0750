"""Names of the tensors that networks of a MUXNet space share: by stage, block, role, scale and kernel mixture."""

from __future__ import annotations

from collections.abc import Sequence

from search_spaces.muxnet.genes import LEADING, PER_STAGE
from search_spaces.muxnet.presets import SpaceOptions


def block_names(options: SpaceOptions, full: Sequence[int]) -> list[tuple[str, str]]:
    """The name of each block of a settled full vector, and that of its spatial convolution.

    Block 5 is in stage 3 of one network and in stage 2 of another, so a block is named by its stage, kind and place there.
    A spatial convolution is named by its mixture of kernels, its scales and its group factor; single kernels of different
    sizes share the centre.
    """
    found = [("ds", "conv_dw")]
    for i, stage in enumerate(options.stages):
        at = LEADING + i * PER_STAGE
        if stage.widths[full[at]] == 0:
            continue
        kernels = stage.ir_kernels[full[at + 1]]
        mixture = "conv_dw" if len(kernels) == 1 else f"conv_dw-kernels{_joined(kernels)}"
        found.append((f"stage{i + 1}.ir", mixture))
        scales, group = stage.scales[full[at + 7]], stage.groups[full[at + 8]]
        spatial = "conv_dw" if not scales else f"conv_dw-scales{_joined(scales)}"
        if group > 1:
            spatial += f"-group{group}"
        found += [(f"stage{i + 1}.sp{j + 1}", spatial) for j in range(stage.depths[full[at + 3]])]
    return found


def renamed(name: str, blocks: Sequence[tuple[str, str]]) -> str:
    """The shared name of a parameter of the network with these blocks."""
    first, _, rest = name.partition(".")
    if first != "blocks":
        return name
    number, _, rest = rest.partition(".")
    block, spatial = blocks[int(number)]
    role, _, rest = rest.partition(".")
    return f"{block}.{spatial if role == 'conv_dw' else role}.{rest}"


def _joined(values: Sequence[int]) -> str:
    return "_".join(map(str, values))
