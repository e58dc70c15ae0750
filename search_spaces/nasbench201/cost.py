"""Exact parameters and multiply-adds of a NAS-Bench-201 network in closed form, nothing built.

Dong and Yang, ICLR 2020, section 2.1 and the authors' published code (AutoDL-Projects, `models/cell_infers`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property

from nas.core.checks import check_whole
from nas.core.task_spec import Size, as_size
from search_spaces.nasbench201.cell import CONV1X1, CONV3X3

STAGES = 3


@dataclass(frozen=True)
class Skeleton:
    """The network around the cells; the defaults are the benchmark's for CIFAR-10.

    A 3x3 stem convolution with normalisation to `channels`, then three stages of `cells_per_stage` cells; before the
    second and the third a residual block that halves an image's sides (rounding up) and doubles the channels; last,
    normalisation, ReLU, global average pooling and a linear classifier. Raises `ConfigError` for anything but whole
    numbers of at least 1.
    """

    channels: int = 16
    cells_per_stage: int = 5
    image_size: int | Size = 32
    num_classes: int = 10
    in_channels: int = 3
    sides: Size = field(init=False, repr=False, compare=False)  # height, width

    def __post_init__(self) -> None:
        object.__setattr__(self, "sides", as_size("image_size", self.image_size))
        for setting in fields(self):
            if setting.name not in ("image_size", "sides"):
                check_whole(setting.name, getattr(self, setting.name))

    @cached_property
    def stages(self) -> tuple[tuple[int, int], ...]:
        """Channels and pixels (of a whole image) of each stage."""
        found, (height, width) = [], self.sides
        for stage in range(STAGES):
            if stage:
                height, width = (height + 1) // 2, (width + 1) // 2
            found.append((self.channels << stage, height * width))
        return tuple(found)

    @cached_property
    def fixed(self) -> tuple[int, int]:
        """Parameters and multiply-adds outside the cells.

        A residual block has two 3x3 convolutions, each with a normalisation, and on its shortcut an average
        pooling and a 1x1 convolution without one.
        """
        stem, last = 9 * self.in_channels * self.channels, self.stages[-1][0]
        params = stem + 2 * self.channels + 2 * last + (last + 1) * self.num_classes
        madds = stem * self.stages[0][1] + last * self.num_classes
        for (entering, _), (channels, pixels) in zip(self.stages, self.stages[1:], strict=False):
            weights = 9 * entering * channels + 9 * channels**2 + entering * channels
            params += weights + 4 * channels
            madds += weights * pixels
        return params, madds


def network_cost(operations: Sequence[int], skeleton: Skeleton) -> tuple[int, int]:
    """Trainable parameters and multiply-adds of the network whose cells have these six operations.

    Each convolution, connected or not, has its weights (no bias) and a normalisation with scale and shift, as in the
    benchmark. Multiply-adds are those of convolutions and the classifier's weights, for one image. The FLOPs that the
    benchmark publishes are these plus one for each class: the additions of the classifier's bias.
    """
    ones, threes = list(operations).count(CONV1X1), list(operations).count(CONV3X3)
    params, madds = skeleton.fixed
    for channels, pixels in skeleton.stages:
        weights = (ones + 9 * threes) * channels**2
        params += skeleton.cells_per_stage * (weights + (ones + threes) * 2 * channels)
        madds += skeleton.cells_per_stage * weights * pixels
    return params, madds
