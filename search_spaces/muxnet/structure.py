"""MUXNets in a few numbers that say more about their errors than the genes do, for surrogates with few results."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nas.core.records import FloatArray
from search_spaces.muxnet.genes import PlacedStage, placed_stages
from search_spaces.muxnet.presets import SpaceOptions

_THREE = 2  # what a 3x3 kernel adds to the receptive field
_FIRST = 20  # columns before those for each size
_MULTIPLEXED = 4  # numbers of `_multiplexing`


def summary(options: SpaceOptions, vectors: Sequence[Sequence[int]]) -> FloatArray:
    """Settled full vectors (`search_spaces.muxnet.genes`) as numbers, shape (n, 20 + 2 x sizes of the maps).

    All blocks after the ds block, ir blocks, sp blocks, ir blocks without a residual; logarithms of the widths of stem, last block and head;
    means over the blocks of log(width), log(hidden width) and the largest kernel; the largest kernel; the two ratios of squeeze-and-excitation;
    sums over the sp blocks of the shares of superpixels, of subpixels and of channels left out, and of log(group factor); logarithms of the
    receptive field and of the side of the last map; the largest share of the multiply-adds that maps of one size have. Then, for each
    size of the maps from the largest on, log(1 + multiply-adds), and the blocks.
    """
    sizes = 1 + sum(stage.stride > 1 for stage in options.stages)
    rows = [_row(options, full, sizes) for full in vectors]
    return np.array(rows, dtype=np.float64).reshape(len(rows), _FIRST + 2 * sizes)


def _row(options: SpaceOptions, full: Sequence[int], sizes: int) -> list[float]:
    stages = list(placed_stages(options, full))
    madds, blocks = [0.0] * sizes, [0] * sizes
    jump = options.stem_stride
    field, halvings, bare, largest = 1 + _THREE + _THREE * jump, 0, 0, 3
    width = hidden = kernels = 0.0
    multiplexed = [0.0] * _MULTIPLEXED
    for place in stages:
        stride, depth, kernel = place.options.stride, place.depth, max(place.ir_kernels)
        sp_kernel = place.sp_kernel if depth else 0
        field += (kernel - 1) * jump
        jump *= stride
        field += depth * (sp_kernel - 1) * jump
        halvings += stride > 1
        bare += stride > 1 or place.in_width != place.width
        largest = max(largest, kernel, sp_kernel)
        width += (1 + depth) * math.log(place.width)
        hidden += math.log(place.ir_hidden)
        kernels += kernel + depth * sp_kernel
        if depth:
            hidden += depth * math.log(max(1, place.sp_hidden))
            multiplexed = [a + depth * b for a, b in zip(multiplexed, _multiplexing(place), strict=True)]
        madds[halvings] += place.ir_cost.madds + depth * place.sp_cost.madds
        blocks[halvings] += 1 + depth
    total, last = sum(blocks), stages[-1]
    return [
        total,
        len(stages),
        total - len(stages),
        bare,
        math.log(options.stems[full[1]]),
        math.log(last.width),
        math.log1p(options.heads[full[-1]]),
        width / total,
        hidden / total,
        kernels / total,
        largest,
        options.ds_ratios[full[2]],
        options.se_ratios[full[3]],
        *multiplexed,
        math.log(field),
        math.log(last.size),
        max(madds) / sum(madds),
        *map(math.log1p, madds),
        *blocks,
    ]


def _multiplexing(place: PlacedStage) -> tuple[float, float, float, float]:
    """Of an sp block: the shares of its slices in superpixels and in subpixels, the share left out, log(group factor)."""
    scales = place.scales or (0,)
    superpixels, subpixels = (sum(sign == s for s in scales) / len(scales) for sign in (-1, 1))
    return superpixels, subpixels, 1 - place.split, math.log(place.group)
