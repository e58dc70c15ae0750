"""A NAS-Bench-201 network block by block (Dong and Yang, ICLR 2020, section 2.1)."""

from __future__ import annotations

from collections.abc import Sequence

from nas.core.records import Block
from search_spaces.nasbench201.cell import CONV1X1, CONV3X3
from search_spaces.nasbench201.cost import Skeleton


def blocks(operations: Sequence[int], skeleton: Skeleton) -> list[Block]:
    """The network whose cells have these six operations; costs add up to those of `cost.network_cost`."""
    ones, threes = list(operations).count(CONV1X1), list(operations).count(CONV3X3)
    (tall, wide), entering = skeleton.sides, skeleton.channels
    weights = 9 * skeleton.in_channels * entering
    rows = [Block("stem", "conv 3x3", (entering, tall, wide), weights + 2 * entering, weights * tall * wide)]
    for stage, (channels, pixels) in enumerate(skeleton.stages):
        if stage:
            tall, wide = (tall + 1) // 2, (wide + 1) // 2
        shape = (channels, tall, wide)
        if stage:
            weights = 9 * entering * channels + 9 * channels**2 + entering * channels
            rows.append(
                Block("residual", "halves the sides", shape, weights + 4 * channels, weights * pixels)
            )
        weights = (ones + 9 * threes) * channels**2
        params = weights + (ones + threes) * 2 * channels
        for place in range(skeleton.cells_per_stage):
            text = f"stage {stage + 1}, cell {place + 1}"
            rows.append(Block("cell", text, shape, params, weights * pixels))
        entering = channels
    weights, classes = entering * skeleton.num_classes, skeleton.num_classes
    rows.append(
        Block("classifier", "normalisation first", (classes,), 2 * entering + weights + classes, weights)
    )
    return rows
