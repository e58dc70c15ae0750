"""Other published blocks for cheaper networks, each as a module and as exact counts.

All keep width and size, have a residual connection and expand by `EXPANSION`, as the full block that they replace
(1x1 to the hidden width, 3x3 depthwise, 1x1 back).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from search_spaces.muxnet.cost import Cost
from search_spaces.muxnet.layers import channel_shuffle, conv, norm

EXPANSION = 3


@dataclass(frozen=True)
class Rival:
    """A block: its constructor by width, and its cost on a size x size map.

    `multiple` divides every valid width.
    """

    name: str
    make: Callable[[int], nn.Module]
    cost: Callable[[int, int], Cost]
    multiple: int


class GroupedShuffle(nn.Module):
    """Grouped 1x1, shuffle, 3x3 depthwise, grouped 1x1 (ShuffleNet: Zhang et al. 2018, section 3.2)."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        hidden = EXPANSION * width
        self.groups = groups
        self.expand = nn.Sequential(conv(width, hidden, groups=groups), norm(hidden), nn.SiLU())
        self.spatial = nn.Sequential(conv(hidden, hidden, 3, groups=hidden), norm(hidden))
        self.project = nn.Sequential(conv(hidden, width, groups=groups), norm(width))

    def forward(self, x: Tensor) -> Tensor:
        y = channel_shuffle(self.expand(x), self.groups)
        return x + self.project(self.spatial(y))  # type: ignore[no-any-return]


class GhostModule(nn.Module):
    """Half of the output from a 1x1 convolution, half from that by a 3x3 depthwise one (Han et al. 2020, 3.1)."""

    def __init__(self, width: int, out: int, active: bool) -> None:
        super().__init__()
        act = nn.SiLU if active else nn.Identity
        half = out // 2
        self.primary = nn.Sequential(conv(width, half), norm(half), act())
        self.cheap = nn.Sequential(conv(half, half, 3, groups=half), norm(half), act())

    def forward(self, x: Tensor) -> Tensor:
        primary = self.primary(x)
        return torch.cat([primary, self.cheap(primary)], dim=1)


class Ghost(nn.Module):
    """Two ghost modules, the second without activation (GhostNet's bottleneck at stride 1: section 3.2)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = EXPANSION * width
        self.body = nn.Sequential(
            GhostModule(width, hidden, active=True), GhostModule(hidden, width, active=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)  # type: ignore[no-any-return]


class Partial(nn.Module):
    """3x3 convolution of the first quarter of the channels, then two 1x1 of all (FasterNet: Chen et al. 2023)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        quarter, hidden = width // 4, EXPANSION * width
        self.widths = [quarter, width - quarter]
        self.spatial = conv(quarter, quarter, 3)
        self.mix = nn.Sequential(conv(width, hidden), norm(hidden), nn.SiLU(), conv(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        seen, untouched = torch.split(x, self.widths, dim=1)
        return x + self.mix(torch.cat([self.spatial(seen), untouched], dim=1))  # type: ignore[no-any-return]


def grouped_shuffle(groups: int) -> Rival:
    """ShuffleNet's block."""
    return Rival(
        f"groups-{groups}", partial(GroupedShuffle, groups=groups), partial(_grouped_cost, groups), groups
    )


def _grouped_cost(groups: int, width: int, size: int) -> Cost:
    hidden = EXPANSION * width
    weights = 2 * width * hidden // groups + 9 * hidden
    return Cost(weights + 4 * hidden + 2 * width, weights * size * size)


def _ghost_cost(width: int, size: int) -> Cost:
    hidden = EXPANSION * width
    halves = (width, hidden // 2), (hidden, width // 2)
    weights = sum(inputs * half + 9 * half for inputs, half in halves)
    return Cost(weights + sum(4 * half for _, half in halves), weights * size * size)


def _partial_cost(width: int, size: int) -> Cost:
    hidden = EXPANSION * width
    weights = 9 * (width // 4) ** 2 + 2 * width * hidden
    return Cost(weights + 2 * hidden, weights * size * size)


GHOST = Rival("ghost", Ghost, _ghost_cost, 2)
PARTIAL = Rival("partial", Partial, _partial_cost, 4)
