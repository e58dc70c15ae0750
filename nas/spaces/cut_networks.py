"""The declared space of the networks that remain when channels and residual blocks of a trained network are cut."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from torch import nn

from nas.core.errors import ConfigError
from nas.core.records import Architecture, Block, FloatArray
from nas.core.task_spec import TaskSpec
from nas.pruning.checks import frozen
from nas.pruning.costs import Counts
from nas.pruning.cutting import cut
from nas.pruning.ranking import magnitudes, ranks
from nas.pruning.structure import Structure
from nas.spaces.choices import Choices
from nas.spaces.layers import layers
from nas.spaces.space import Space
from nas.spaces.tracing import trace

SHARES = (1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8, 1.0)  # of the channels that stay
RESOLUTION = "resolution"
TRACED = ("params", "madds", "activations")  # of nas.spaces.tracing.trace
_SHOWN = 4  # modules that are left alone, in a sentence
_SPREAD, _BLOCK_STAYS, _WHOLE_SIDE = 0.15, 0.85, 0.5  # of random networks


@dataclass(frozen=True, eq=False)
class Cutter:
    """Builds the cut networks of an original.

    `names` are parameters by path of a group's first layer or a block's module; `orders` the places of each group's units, the most important first.
    """

    original: nn.Module
    bare: nn.Module  # on the meta device
    structure: Structure
    names: Mapping[str, str]
    orders: Mapping[str, Sequence[int]]
    task: TaskSpec
    counts: Counts | None = None  # None: costs are traced
    _gone: dict[tuple[str, float], list[int]] = field(default_factory=dict)  # units by group and share

    def __call__(self, c: Choices, *, num_classes: int, in_channels: int) -> nn.Module:
        """The network with inherited weights. Raises `ConfigError` for other classes or channels than the original's."""
        self.check(num_classes, in_channels)
        return self._cut(self.original, c)

    def check(self, num_classes: int, in_channels: int) -> None:
        """Raises `ConfigError` for other classes or channels than the original's."""
        for what, has, given in (
            ("classes", self.task.num_classes, num_classes),
            ("input channels", self.task.in_channels, in_channels),
        ):
            if has != given:
                raise ConfigError(
                    f"the network has {has} {what}, but the data have {given}: use data of {has}, or a network for {given}"
                )

    def without_memory(self, c: Choices) -> nn.Module:
        """The network on the meta device."""
        return self._cut(self.bare, c)

    def _cut(self, network: nn.Module, c: Choices) -> nn.Module:
        return cut(network, self.structure, *self.gone(c))

    def gone(self, c: Choices) -> tuple[list[int], list[str]]:
        """The units and the blocks that are cut."""
        removed = [block for block in self.structure.blocks if not c[self.names[block]]]
        gone: list[int] = []
        for group in self.structure.groups:
            share = c.get(self.names[group.name], 1.0)  # inactive within a removed block
            if share < 1:
                if (group.name, share) not in self._gone:
                    kept = group.kept(self.orders[group.name], round(share * len(group.units)))
                    self._gone[group.name, share] = np.setdiff1d(group.units, kept).tolist()
                gone += self._gone[group.name, share]
        return gone, removed


class CutCosts(Mapping[str, float]):
    """Exact costs; those that take a pass through the network are computed when they are read."""

    def __init__(self, known: Mapping[str, float], traced: Callable[[], Mapping[str, float]]) -> None:
        self._known, self._traced = dict(known), traced

    def __getitem__(self, name: str) -> float:
        if name not in self._known and name in TRACED:
            self._known |= self._traced()
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(TRACED)

    def __len__(self) -> int:
        return len(TRACED)

    def __repr__(self) -> str:
        return repr(dict(self))


class ModuleSpace(Space):
    """The networks that remain when a trained network is cut, with the weights that remain; made by `from_module`.

    Parameters are named by module: `layer2.1.conv1` is the share of the channels that this layer makes (and all that must be cut with them) that stays, `layer2.1`
    whether a residual block stays, `resolution` the side of the images. `original` is the network itself, `whole` its architecture, `left_alone` says by module what cannot be
    cut, and why.
    """

    def __init__(
        self, name: str, cutter: Cutter, parameters: Mapping[str, Any], left_alone: Mapping[str, str]
    ) -> None:
        super().__init__(name, parameters)
        self.cutter, self.left_alone, self.task = cutter, dict(left_alone), cutter.task
        self.build(cutter.__call__)

    @property
    def original(self) -> nn.Module:
        """The network that is cut; not a copy."""
        return self.cutter.original

    @property
    def whole(self) -> Architecture:
        """The architecture of the original: everything stays."""
        return self.uniform(1.0)

    def about(self) -> str:
        """What can be cut, what is left alone and why, and what is frozen, as a sentence each."""
        structure, shown = self.cutter.structure, list(self.left_alone.items())[:_SHOWN]
        groups, blocks = len(structure.groups), len(structure.blocks)
        parts = [f"{groups} {'group' if groups == 1 else 'groups'} of channels"] if groups else []
        parts += [f"{blocks} residual {'block' if blocks == 1 else 'blocks'}"] if blocks else []
        sides = next((g.options for g in self.declaration.genes if g.name == RESOLUTION), None)
        if sides is not None:
            parts.append(f"images of {sides[0]} to {sides[-1]} pixels")
        more = len(self.left_alone) - len(shown)
        left = "; ".join(f"{path} ({why})" for path, why in shown) + (f"; and {more} more" if more else "")
        return f"To cut: {', '.join(parts)}. Left alone: {left or 'nothing'}.{_frozen_text(self.original)}"

    def ranked(self, scores: Mapping[str, FloatArray]) -> ModuleSpace:
        """A copy in which the channels of these groups are ranked by their scores (n,), the largest first; see `from_module`."""
        found = copy.copy(self)
        found.cutter = replace(self.cutter, orders={**self.cutter.orders, **ranks(scores)}, _gone={})
        found.build(found.cutter.__call__)
        return found

    def with_weights(self, network: nn.Module) -> ModuleSpace:
        """A copy around another training of the network, with the same tensors by name; its channels are ranked by the norms of their weights."""
        original = copy.deepcopy(self.original)
        original.load_state_dict(network.state_dict())
        scores = magnitudes(original, self.cutter.structure)
        found = copy.copy(self)
        found.cutter = replace(self.cutter, original=original, orders=ranks(scores), _gone={})
        found.build(found.cutter.__call__)
        return found

    def uniform(self, share: float) -> Architecture:
        """The architecture in which every group keeps the nearest offered share to `share`; blocks and images stay as they are."""
        values: dict[str, Any] = {}
        for gene in self.declaration.genes:
            values[gene.name] = gene.options[-1]
            if gene.name != RESOLUTION and gene.options[-1] is not True:
                values[gene.name] = min(gene.options, key=lambda option: abs(option - share))
        return self.architecture(values)

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Draw shares around a common one; most blocks, and in half of the networks the resolution, stay.

        Independent draws would leave some layer of a network with few channels nearly always, and such networks are poor. Every architecture is possible.
        """
        common, whole = rng.uniform(SHARES[0], 1.0), rng.random() < _WHOLE_SIDE
        genes = []
        for gene in self.declaration.genes:
            options, last = gene.options, len(gene.options) - 1
            if gene.name == RESOLUTION:
                place = last if whole else int(rng.integers(len(options)))
            elif options[-1] is True:
                place = int(rng.random() < _BLOCK_STAYS)
            else:
                place = int(np.argmin(np.abs(np.array(options) - rng.normal(common, _SPREAD))))
            genes.append(place if gene.fixed is None else gene.fixed)
        return Architecture(self.name, tuple(genes))

    def resolution(self, architecture: Architecture) -> int | None:
        """The side of the network's images in pixels; None: that of the data."""
        side: int | None = self.choices(architecture).get(RESOLUTION) if self._has_resolution else None
        return side

    @property
    def _has_resolution(self) -> bool:
        return RESOLUTION in self.parameters

    def cost(self, given: Any) -> Any:
        """As `nas.Space.cost`, at the architecture's resolution."""
        if not isinstance(given, Architecture):
            return super().cost(given)
        counts, side = self.cutter.counts, self.resolution(given)
        if counts is None or (side is None and self.task.image_size != self.cutter.task.image_size):
            return self._traced(given)
        return CutCosts(counts(*self.cutter.gone(self.choices(given)), side), partial(self._traced, given))

    def _traced(self, architecture: Architecture) -> dict[str, float]:
        choices = self.choices(architecture)
        return trace(lambda: self.cutter.without_memory(choices), self._shape(architecture))

    def blocks(self, architecture: Architecture) -> Sequence[Block]:
        """As `nas.Space.blocks`."""
        return layers(
            lambda: self.cutter.without_memory(self.choices(architecture)), self._shape(architecture)
        )

    def _shape(self, architecture: Architecture) -> tuple[int, ...]:
        side = self.resolution(architecture)
        size = self.task.image_size if side is None else (side, side)
        assert size is not None
        return (self.task.in_channels, *size)

    def for_task(self, task: TaskSpec) -> Space:
        """As `nas.Space.for_task`. Raises `ConfigError` for other classes or channels than the network's."""
        self.cutter.check(task.num_classes, task.in_channels)
        return super().for_task(task)


def _frozen_text(network: nn.Module) -> str:
    paths = frozen(network)
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return f" Frozen: {', '.join(paths[:_SHOWN])}{more}." if paths else ""
