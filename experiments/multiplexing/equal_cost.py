"""The compared networks: families, and their members of equal cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import log

import numpy as np
from rival_blocks import EXPANSION, GHOST, PARTIAL, Rival, grouped_shuffle
from torch import nn

from search_spaces.muxnet.cost import Cost, block_cost, network_cost
from search_spaces.muxnet.network import MUXNet
from search_spaces.muxnet.spec import BlockKind, BlockSpec, NetworkSpec, placed

CLASSES = 10
FULL_WIDTHS, FULL_DEPTHS = (24, 48, 64), (2, 2, 2)
STEM, HEAD = 16, 192
MULTIPLEXED = (-1, 0, 1)
GROUPS = 4

Three = tuple[int, int, int]  # one for each stage


@dataclass(frozen=True)
class Setting:
    """Input of the networks (side in pixels, stride of the stem: the first stage works on 16x16 maps), and their sizes.

    `sizes` are the first stage's widths in the spatial study (the others are two and three times that, the stem's `stem` times), `left_out` the
    shares of channels in the channel study, `strides` those of the stages. `kernels` of one size leave out mixed kernels; `rivals` are
    the other ways of the channel study, () for all.
    """

    side: int = 32
    stem_stride: int = 2
    sizes: tuple[int, ...] = (4, 8, 12, 16)
    left_out: tuple[float, ...] = (0.25, 0.5, 0.75)
    strides: Three = (1, 2, 1)
    kernels: tuple[int, ...] = (3, 5)
    rivals: tuple[str, ...] = ()
    stem: int = 2


@dataclass(frozen=True)
class Variant:
    """A network of the comparison; `rival` takes the place of its sp blocks.

    `budget` names the group of variants whose costs agree, `method` how this one came to its cost.
    """

    method: str
    budget: str
    spec: NetworkSpec
    rival: Rival | None = None

    @property
    def name(self) -> str:
        return f"{self.method}@{self.budget}"

    def cost(self) -> Cost:
        """Parameters and multiply-adds for one image, by the rules of `network_cost`."""
        total = network_cost(self.spec, CLASSES)
        if self.rival is None:
            return total
        for place in placed(self.spec):
            if place.block.kind is BlockKind.SP:
                ours, theirs = block_cost(place), self.rival.cost(place.block.width, place.size)
                total = Cost(
                    total.params - ours.params + theirs.params, total.madds - ours.madds + theirs.madds
                )
        return total

    def build(self) -> nn.Module:
        """The network, untrained, without dropout."""
        network = MUXNet(self.spec, num_classes=CLASSES, dropout=0.0)
        if self.rival is not None:
            for index, block in enumerate(self.spec.blocks):
                if block.kind is BlockKind.SP:
                    network.blocks[index] = self.rival.make(block.width)
        return network


def network(
    setting: Setting,
    widths: Three,
    depths: Three,
    *,
    kernels: tuple[int, ...] = (3,),
    scales: tuple[int, ...] = (),
    split: float = 1.0,
    stem: int = STEM,
    head: int = HEAD,
) -> NetworkSpec:
    """Three stages: an inverted residual that sets width and size, then `depths` sp blocks.

    With a split of 1 an sp block is an inverted residual: all channels are processed, none are shuffled.
    """
    blocks: list[BlockSpec] = []
    for width, stride, depth in zip(widths, setting.strides, depths, strict=True):
        blocks.append(BlockSpec(BlockKind.IR, width, (3,), stride, EXPANSION, se=0))
        sp = BlockSpec(
            BlockKind.SP,
            width,
            kernels,
            expansion=EXPANSION,
            se=0,
            split=split,
            shuffle=1 if split == 1 else 2,
            scales=scales,
        )
        blocks += [sp] * depth
    return NetworkSpec(setting.side, stem, tuple(blocks), head, stem_stride=setting.stem_stride)


def spatial_study(setting: Setting) -> list[Variant]:
    """Plain and multiplexed depthwise convolutions of each size and kernel, and mixed kernels at the cost of 5x5."""
    variants = []
    for size in setting.sizes:
        start = (size, 2 * size, 3 * size)

        def make(
            method: str,
            widths: Three,
            kernels: tuple[int, ...],
            scales: tuple[int, ...] = (),
            size: int = size,
        ) -> Variant:
            spec = network(
                setting,
                widths,
                FULL_DEPTHS,
                kernels=kernels,
                scales=scales,
                stem=setting.stem * size,
                head=12 * size,
            )
            return Variant(method, f"{_kernel(kernels)} width {size}", spec)

        for kernel in setting.kernels:
            variants.append(make("plain", start, (kernel,)))
            variants.append(make("multiplexed", start, (kernel,), MULTIPLEXED))
        if len(setting.kernels) == 1:
            continue
        target = variants[-1].cost()
        variants.append(
            closest(
                ((make("mixed-3-5-7", w, (3, 5, 7)), 0.0) for w, _ in widths_near(start, step=1, most=1.3)),
                target,
            )
        )
    return variants


def _kernel(kernels: tuple[int, ...]) -> str:
    """The budget of a mixture: that of its mean size."""
    side = sum(kernels) // len(kernels)
    return f"{side}x{side}"


def channel_study(setting: Setting) -> list[Variant]:
    """The full network, its versions with channels left out, and other ways to the same MAdds and parameters."""
    full = network(setting, FULL_WIDTHS, FULL_DEPTHS)
    variants = [Variant("full", "full", full)]
    for share in setting.left_out:
        budget = f"leave-out {share:g}"
        ours = Variant("leave-out", budget, network(setting, FULL_WIDTHS, FULL_DEPTHS, split=1 - share))
        variants.append(ours)
        variants += [
            closest(
                ((Variant(name, budget, spec, rival), change) for spec, rival, change in found), ours.cost()
            )
            for name, found in _rivals(setting).items()
        ]
    return variants


def _rivals(setting: Setting) -> dict[str, Iterator[tuple[NetworkSpec, Rival | None, float]]]:
    """Other ways to scale the full network: candidates, and the extent of their other changes."""

    def free(rival: Rival | None, step: int) -> Iterator[tuple[NetworkSpec, Rival | None, float]]:
        for widths, _ in widths_near(FULL_WIDTHS, step=step):
            yield network(setting, widths, FULL_DEPTHS), rival, 0.0

    def depth() -> Iterator[tuple[NetworkSpec, Rival | None, float]]:
        for first, second, third in product(*(range(most + 1) for most in FULL_DEPTHS)):
            depths = (first, second, third)
            for widths, change in widths_near(FULL_WIDTHS, step=4, most=1.2):
                yield network(setting, widths, depths), None, change

    def resolution() -> Iterator[tuple[NetworkSpec, Rival | None, float]]:
        for side in range(setting.side // 2, setting.side, setting.stem_stride):
            for widths, change in widths_near(FULL_WIDTHS, step=4, most=1.15):
                yield network(replace(setting, side=side), widths, FULL_DEPTHS), None, 10 * change

    found = {
        "width": free(None, 2),
        "depth": depth(),
        "resolution": resolution(),
        **{rival.name: free(rival, rival.multiple) for rival in (grouped_shuffle(GROUPS), GHOST, PARTIAL)},
    }
    return {name: ways for name, ways in found.items() if name in (setting.rivals or found)}


def widths_near(start: Three, *, step: int, most: float = 2.1) -> Iterator[tuple[Three, float]]:
    """Widths at most `most` times wider or narrower than `start`, multiples of `step`, in similar proportions.

    With each: how far they are from `start`, as a logarithm.
    """
    seen = set()
    scales = np.geomspace(1 / most, most, 2 * round(log(most) / 0.04) + 1)
    for scale, tilt in product(scales, np.geomspace(0.8, 1 / 0.8, 5)):
        first, second, third = (
            max(step, step * round(width * factor / step))
            for width, factor in zip(start, (scale / tilt, scale * tilt, scale * tilt), strict=True)
        )
        widths = (first, second, third)
        if widths not in seen:
            seen.add(widths)
            yield widths, float(abs(np.log(scale)) + abs(np.log(tilt)))


def closest(candidates: Iterable[tuple[Variant, float]], target: Cost) -> Variant:
    """The candidate whose MAdds and then parameters are nearest to the target's.

    A percent of MAdds weighs as much as five of parameters, or as ten of other changes.
    """

    def distance(candidate: tuple[Variant, float]) -> float:
        cost = candidate[0].cost()
        return (
            abs(log(cost.madds / target.madds))
            + 0.2 * abs(log(cost.params / target.params))
            + 0.1 * candidate[1]
        )

    return min(candidates, key=distance)[0]


STUDIES: dict[str, Callable[[Setting], list[Variant]]] = {"spatial": spatial_study, "channel": channel_study}
