"""A NASBench-101 network block by block: stem, cells, classifier (Ying et al. 2019, sections 2.2 and 2.3)."""

from __future__ import annotations

from nas.core.records import Block
from search_spaces.nasbench101.cell import MAXPOOL, Cell, columns
from search_spaces.nasbench101.cost import KERNEL_AREA, Skeleton, vertex_channels


def blocks(cell: Cell, skeleton: Skeleton) -> list[Block]:
    """The network of a pruned cell; parameters and multiply-adds add up to those of `cost.network_cost`."""
    (tall, wide), stem = skeleton.sides, skeleton.stem_channels
    weights = 9 * skeleton.in_channels * stem
    rows = [Block("stem", "conv3x3-bn-relu", (stem, tall, wide), weights + 2 * stem, weights * tall * wide)]
    for stack, (first_in, width, pixels) in enumerate(skeleton.stages):
        if stack:
            tall, wide = (tall + 1) // 2, (wide + 1) // 2
        for place in range(skeleton.cells_per_stack):
            text = f"stack {stack + 1}, cell {place + 1}"
            if stack and not place:
                text += ", after 2x2 max pooling"
            params, madds = _cell_cost(cell, width if place else first_in, width, pixels)
            rows.append(Block("cell", text, (width, tall, wide), params, madds))
    weights = width * skeleton.num_classes
    rows.append(Block("classifier", "", (skeleton.num_classes,), weights + skeleton.num_classes, weights))
    return rows


def _cell_cost(cell: Cell, entering: int, width: int, pixels: int) -> tuple[int, int]:
    """Parameters and multiply-adds of one cell that `entering` channels enter and `width` leave."""
    channels = vertex_channels(cell, width)
    projected = sum(channels[v] for v, column in enumerate(columns(*cell[:2])) if column & 1)
    convolved = [(channels[v], KERNEL_AREA[op]) for v, op in enumerate(cell.ops, start=1) if op != MAXPOOL]
    weights = projected * entering + sum(area * c**2 for c, area in convolved)
    return weights + 2 * (projected + sum(c for c, _ in convolved)), weights * pixels
