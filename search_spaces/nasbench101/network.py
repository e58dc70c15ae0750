"""The PyTorch network of a cell (Ying et al. 2019, sections 2.2 and 2.3).

Batch normalisation uses eps 1e-5 as the benchmark does, but PyTorch's momentum 0.1: the benchmark's (0.997
in TensorFlow's terms, 0.003 in PyTorch's) needs thousands of steps before its running statistics are
useful, and searches here train for far fewer. It does not change parameters or multiply-adds.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from search_spaces.nasbench101.cell import CONV1X1, CONV3X3, MAXPOOL, Cell, columns
from search_spaces.nasbench101.cost import Skeleton, vertex_channels

BN_EPS = 1e-5
BN_MOMENTUM = 0.1


def build_network(cell: Cell, skeleton: Skeleton) -> CellNetwork:
    """The freshly initialised network of a pruned cell; vertex order decides the split of channels."""
    network = CellNetwork(cell, skeleton)
    network.apply(_initialise)
    return network


class CellNetwork(nn.Module):
    """Stem, stacks of cells, classifier: images (b, in_channels, h, w) to logits (b, num_classes).

    Any height and width work, since pooling is global; costs are those of `skeleton.image_size`.
    """

    def __init__(self, cell: Cell, skeleton: Skeleton) -> None:
        super().__init__()
        self.stem = ConvBnRelu(skeleton.in_channels, skeleton.stem_channels, 3)
        body: list[nn.Module] = []
        for entering, channels, _ in skeleton.stages:
            if body:
                body.append(nn.MaxPool2d(2, stride=2, ceil_mode=True))
            for i in range(skeleton.cells_per_stack):
                body.append(CellModule(cell, channels if i else entering, channels))
        self.body = nn.Sequential(*body)
        self.classifier = nn.Linear(skeleton.stages[-1][1], skeleton.num_classes)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.body(self.stem(x))
        logits: Tensor = self.classifier(features.mean((2, 3)))
        return logits


class CellModule(nn.Module):
    """One cell: (b, in_channels, h, w) to (b, out_channels, h, w).

    The 1x1 projections of the cell's input, one per out-edge of the input, are one convolution here
    whose channels are then split: same parameters, same function, one call.
    """

    def __init__(self, cell: Cell, in_channels: int, out_channels: int) -> None:
        super().__init__()
        cols = columns(*cell[:2])
        channels = vertex_channels(cell, out_channels)
        self.last = cell.num_vertices - 1
        self.channels = channels
        self.inputs = [[x for x in range(1, self.last) if column >> x & 1] for column in cols]
        self.projected = [v for v, column in enumerate(cols) if column & 1]
        self.splits = [channels[v] for v in self.projected]
        self.project = ConvBnRelu(in_channels, sum(self.splits), 1)
        self.operations = nn.ModuleList(
            _OPERATIONS[op](channels[v]) for v, op in enumerate(cell.ops, start=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        projections = dict(zip(self.projected, self.project(x).split(self.splits, dim=1), strict=True))
        values: dict[int, Tensor] = {}
        for v, operation in enumerate(self.operations, start=1):
            summands = [_first_channels(values[u], self.channels[v]) for u in self.inputs[v]]
            if v in projections:
                summands.append(projections[v])
            values[v] = operation(_sum(summands))
        feeding = [values[u] for u in self.inputs[self.last]]
        joined = [torch.cat(feeding, dim=1) if len(feeding) > 1 else feeding[0]] if feeding else []
        if self.last in projections:
            joined.append(projections[self.last])
        return _sum(joined)


class ConvBnRelu(nn.Sequential):
    """Convolution without bias that keeps the size, batch normalisation, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False),
            nn.BatchNorm2d(out_channels, eps=BN_EPS, momentum=BN_MOMENTUM),
            nn.ReLU(inplace=True),
        )


_OPERATIONS: dict[int, Callable[[int], nn.Module]] = {
    CONV3X3: lambda channels: ConvBnRelu(channels, channels, 3),
    CONV1X1: lambda channels: ConvBnRelu(channels, channels, 1),
    MAXPOOL: lambda channels: nn.MaxPool2d(3, stride=1, padding=1),
}


def _first_channels(x: Tensor, channels: int) -> Tensor:
    return x if x.shape[1] == channels else x[:, :channels]


def _sum(tensors: list[Tensor]) -> Tensor:
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total


def _initialise(module: nn.Module) -> None:
    """He et al. 2015 for the convolutions, each in front of a ReLU; PyTorch's defaults for the rest.

    Scaled by fan-in, as in the benchmark. On a few epochs of small images a classifier that starts at PyTorch's
    default scale learns sooner than one that starts near zero.
    """
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
