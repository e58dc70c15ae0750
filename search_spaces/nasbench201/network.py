"""The PyTorch network of a NAS-Bench-201 cell (Dong and Yang, ICLR 2020, section 2.1).

Every operation is computed, dead ones included, as in the benchmark: the cost of a network depends only on
its six operations. Initialisation and normalisation are PyTorch's defaults, as there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from search_spaces.nasbench201.cell import CONV1X1, CONV3X3, EDGES, NONE, POOL, SKIP
from search_spaces.nasbench201.cost import Skeleton


class CellNetwork(nn.Module):
    """Stem, three stages of cells, classifier: images (b, in_channels, h, w) to logits (b, num_classes).

    Any height and width work, since pooling is global; costs are those of `skeleton.image_size`.
    """

    def __init__(self, operations: Sequence[int], skeleton: Skeleton) -> None:
        super().__init__()
        widths = [channels for channels, _ in skeleton.stages]
        self.stem = nn.Sequential(
            nn.Conv2d(skeleton.in_channels, widths[0], 3, padding=1, bias=False), nn.BatchNorm2d(widths[0])
        )
        body: list[nn.Module] = []
        for stage, channels in enumerate(widths):
            if stage:
                body.append(ResidualBlock(widths[stage - 1], channels))
            body += [CellModule(operations, channels) for _ in range(skeleton.cells_per_stage)]
        self.body = nn.Sequential(*body)
        self.last = nn.Sequential(nn.BatchNorm2d(widths[-1]), nn.ReLU(inplace=True))
        self.classifier = nn.Linear(widths[-1], skeleton.num_classes)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.last(self.body(self.stem(x)))
        logits: Tensor = self.classifier(features.mean((2, 3)))
        return logits


class CellModule(nn.Module):
    """One cell: four nodes, each the sum of its incoming edges, (b, channels, h, w) to the same shape."""

    def __init__(self, operations: Sequence[int], channels: int) -> None:
        super().__init__()
        self.used = [edge for edge, op in enumerate(operations) if op != NONE]
        self.operations = nn.ModuleList(_OPERATIONS[operations[edge]](channels) for edge in self.used)

    def forward(self, x: Tensor) -> Tensor:
        nodes: list[Tensor | None] = [x, None, None, None]
        for edge, operation in zip(self.used, self.operations, strict=True):
            end, start = EDGES[edge]
            before, source = nodes[end], nodes[start]
            brought = operation(torch.zeros_like(x) if source is None else source)
            nodes[end] = brought if before is None else before + brought
        return torch.zeros_like(x) if nodes[-1] is None else nodes[-1]


class ReLUConvBn(nn.Sequential):
    """ReLU, convolution without bias, batch normalisation."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> None:
        padding = kernel_size // 2
        super().__init__(
            nn.ReLU(),  # not in place: other edges read the same node
            nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False),
            nn.BatchNorm2d(out_channels),
        )


class ResidualBlock(nn.Module):
    """Halves the image's sides: (b, in_channels, h, w) to (b, out_channels, h / 2, w / 2), rounding up."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            ReLUConvBn(in_channels, out_channels, 3, stride=2), ReLUConvBn(out_channels, out_channels, 3)
        )
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, stride=2, ceil_mode=True),  # as in the benchmark for even sides
            nn.Conv2d(in_channels, out_channels, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        halved: Tensor = self.shortcut(x) + self.convolutions(x)
        return halved


_OPERATIONS: dict[int, Callable[[int], nn.Module]] = {
    SKIP: lambda channels: nn.Identity(),
    CONV1X1: lambda channels: ReLUConvBn(channels, channels, 1),
    CONV3X3: lambda channels: ReLUConvBn(channels, channels, 3),
    POOL: lambda channels: nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
}
