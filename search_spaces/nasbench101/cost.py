"""Exact parameters and multiply-adds in closed form, nothing built (Ying et al. 2019, section 2.2)."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property

from nas.core.checks import check_whole
from nas.core.task_spec import Size, as_size
from search_spaces.nasbench101.cell import CONV1X1, CONV3X3, MAXPOOL, Cell, columns

MIN_STEM_CHANNELS = 4  # nine edges let at most four inner vertices share the output's channels
KERNEL_AREA = {CONV3X3: 9, CONV1X1: 1}


@dataclass(frozen=True)
class Skeleton:
    """The network around the cells; the defaults are the benchmark's.

    A 3x3 stem convolution to `stem_channels` on images of `image_size` pixels (of a side, or height and width), then
    `stacks` stacks of `cells_per_stack` cells; before each stack but the first a 2x2 max-pool halves the
    image (rounding up) and the channels double; last, global average pooling and a linear classifier.
    Raises `ConfigError` for anything but whole numbers of at least 1 (channels of the stem: at least 4).
    """

    stem_channels: int = 128
    stacks: int = 3
    cells_per_stack: int = 3
    image_size: int | Size = 32
    num_classes: int = 10
    in_channels: int = 3
    sides: Size = field(init=False, repr=False, compare=False)  # height, width

    def __post_init__(self) -> None:
        object.__setattr__(self, "sides", as_size("image_size", self.image_size))
        for setting in fields(self):
            if setting.name not in ("image_size", "sides"):
                least = MIN_STEM_CHANNELS if setting.name == "stem_channels" else 1
                check_whole(setting.name, getattr(self, setting.name), least)

    @cached_property
    def stages(self) -> tuple[tuple[int, int, int], ...]:
        """Per stack: channels that enter its first cell, channels of the stack, pixels."""
        stages, (height, width) = [], self.sides
        for stack in range(self.stacks):
            if stack:
                height, width = (height + 1) // 2, (width + 1) // 2
            channels = self.stem_channels << stack
            stages.append((channels >> 1 if stack else channels, channels, height * width))
        return tuple(stages)

    @cached_property
    def fixed(self) -> tuple[int, int]:
        """Parameters and multiply-adds of stem and classifier."""
        stem = 9 * self.in_channels * self.stem_channels
        classifier = self.stages[-1][1] * self.num_classes
        params = stem + 2 * self.stem_channels + classifier + self.num_classes
        return params, stem * self.sides[0] * self.sides[1] + classifier


def vertex_channels(cell: Cell, out_channels: int) -> list[int]:
    """Channels of each vertex of a pruned cell, shape (n,); 0 for the input, which keeps its own.

    The inner vertices that feed the output share its channels, the first ones getting one more where they
    do not divide evenly; any other inner vertex is as wide as the widest inner vertex it feeds.
    """
    return _widths(columns(*cell[:2]), out_channels)


def _widths(cols: list[int], out_channels: int) -> list[int]:
    n = len(cols)
    feeding = cols[-1] & ~1
    channels = [0] * n
    channels[-1] = out_channels
    if n == 2:
        return channels
    share, extra = divmod(out_channels, bin(feeding).count("1"))
    for v in range(1, n - 1):
        if feeding >> v & 1:
            channels[v] = share + (extra > 0)
            extra -= 1
    for v in range(n - 3, 0, -1):
        if not channels[v]:
            channels[v] = max([channels[w] for w in range(v + 1, n - 1) if cols[w] >> v & 1])
    return channels


def network_cost(cell: Cell, skeleton: Skeleton) -> tuple[int, int]:
    """Trainable parameters and multiply-adds of the network of a pruned cell.

    Multiply-adds are those of convolutions and the classifier, for one image. Depends on the order of the
    vertices where channels do not divide evenly; the given order counts.
    """
    params, madds = skeleton.fixed
    cells = skeleton.cells_per_stack
    cols = columns(*cell[:2])
    projected_vertices = [v for v, column in enumerate(cols) if column & 1]
    convolved = [(v + 1, KERNEL_AREA[op]) for v, op in enumerate(cell.ops) if op != MAXPOOL]
    for first_in, width, pixels in skeleton.stages:
        channels = _widths(cols, width)
        projected = normalised = sum([channels[v] for v in projected_vertices])
        inner = 0
        for v, area in convolved:
            c = channels[v]
            inner += area * c * c
            normalised += c
        weights = projected * (first_in + (cells - 1) * width) + cells * inner
        params += weights + 2 * cells * normalised
        madds += weights * pixels
    return params, madds
