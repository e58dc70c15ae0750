"""A declared space of the networks that remain when channels and residual blocks of a trained network are cut."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.nn.parameter import is_lazy

from nas.core.errors import ConfigError
from nas.core.records import RESERVED, Architecture, Block, FloatArray
from nas.core.task_spec import TaskSpec
from nas.core.tracebacks import summarize_exception
from nas.pruning.analysis import analyse
from nas.pruning.attention import with_heads
from nas.pruning.costs import Counts
from nas.pruning.cutting import cut
from nas.pruning.ranking import magnitudes
from nas.pruning.running import evaluating, plain_operators, traced
from nas.pruning.structure import Structure
from nas.spaces.choices import Choices
from nas.spaces.flattening import TAKEN
from nas.spaces.layers import layers
from nas.spaces.modules import training_only
from nas.spaces.parameters import Choice
from nas.spaces.space import Space
from nas.spaces.tracing import meta_copy, trace

SHARES = (1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8, 1.0)  # of the channels that stay
SIDES = (1 / 2, 5 / 8, 3 / 4, 7 / 8, 1.0)  # of the images' side
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
        """What can be cut, and what is left alone and why, as a sentence each."""
        structure, shown = self.cutter.structure, list(self.left_alone.items())[:_SHOWN]
        groups, blocks = len(structure.groups), len(structure.blocks)
        parts = [f"{groups} {'group' if groups == 1 else 'groups'} of channels"] if groups else []
        parts += [f"{blocks} residual {'block' if blocks == 1 else 'blocks'}"] if blocks else []
        sides = next((g.options for g in self.declaration.genes if g.name == RESOLUTION), None)
        if sides is not None:
            parts.append(f"images of {sides[0]} to {sides[-1]} pixels")
        more = len(self.left_alone) - len(shown)
        left = "; ".join(f"{path} ({why})" for path, why in shown) + (f"; and {more} more" if more else "")
        return f"To cut: {', '.join(parts)}. Left alone: {left or 'nothing'}."

    def ranked(self, scores: Mapping[str, FloatArray]) -> ModuleSpace:
        """A copy in which the channels of these groups are ranked by their scores (n,), the largest first; see `from_module`."""
        found = copy.copy(self)
        found.cutter = replace(self.cutter, orders={**self.cutter.orders, **_orders(scores)}, _gone={})
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


def from_module(
    module: nn.Module,
    example: Tensor | tuple[int, int, int],
    *,
    keep: Collection[str] = (),
    scores: Mapping[str, FloatArray] | None = None,
    resolutions: Collection[int] | None = None,
    name: str = "module",
) -> ModuleSpace:
    """The space of the networks that remain when `module`, a classifier of images, is cut; `module` itself is not changed.

    `example` is an image (1, c, h, w), or its shape (c, h, w). `keep` are paths of modules that stay as they are. Channels are ranked by `scores`, by group (None: by
    `nas.pruning.ranking.magnitudes`). `resolutions` are the sides of images to choose from (None: half of the example's side to all of it, where the network runs). Each cut is tried before it is
    offered. Raises `ConfigError` for a network that cannot be analysed or has nothing to cut.
    """
    generator = torch.Generator().manual_seed(0)
    image = example if isinstance(example, Tensor) else torch.randn(1, *example, generator=generator)
    original = with_heads(_plain_copy(module, image), image)
    structure = analyse(original, image, keep)
    if not structure.groups and not structure.blocks:
        reasons = "; ".join(f"{path}: {why}" for path, why in list(structure.left_alone.items())[:3])
        raise ConfigError(f"nothing of the network can be cut ({reasons or 'it has no layer with weights'})")
    task = TaskSpec(image.shape[1], _classes(original, image), (image.shape[2], image.shape[3]))
    orders = _orders(magnitudes(original, structure) | dict(scores or {}))
    sides = _sides(original, image) if resolutions is None else sorted(set(resolutions))
    names = _names(original, structure)
    counts = _counts(original, structure, image, sides)
    if len(sides) > 1 and len({counts((), (), side)["madds"] for side in sides}) == 1:
        sides = []  # the network resizes its images itself
    parameters = _parameters(original, structure, names, sides)
    slow = Cutter(original, meta_copy(original), structure, names, orders, task)
    made, exact = (
        ModuleSpace(name, cutter, parameters, structure.left_alone)
        for cutter in (replace(slow, counts=counts), slow)
    )
    found = made if _agree(made, exact) else exact
    _check_training(found, image)
    return found


def _check_training(space: ModuleSpace, image: Tensor) -> None:
    """Raises `ConfigError` where a cut network cannot run in training, such as with layers that evaluation does not use."""
    batch = image.repeat(2, 1, 1, 1)
    for architecture in (space.whole, space.uniform(0.5)):
        network = space.build(
            architecture, num_classes=space.task.num_classes, in_channels=space.task.in_channels
        ).train()
        side = space.resolution(architecture)
        try:
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                out = network(batch if side is None else interpolate(batch, (side, side)))
        except Exception as error:
            unused = [path for path, why in space.left_alone.items() if why.startswith("it is not used")]
            hint = (
                f"; layers that evaluation does not use cannot be cut: {', '.join(unused[:4])}; remove them"
                if unused
                else ""
            )
            raise ConfigError(
                f"the {'cut network' if architecture != space.whole else 'network'} fails in training mode: {summarize_exception(error)}{hint}"
            ) from error
        if not isinstance(out, Tensor) or out.shape != (2, space.task.num_classes):
            raise ConfigError(
                f"in training mode the network returns {tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__}, expected one number a class, as in "
                "evaluation: remove its auxiliary outputs"
            )


def _counts(network: nn.Module, structure: Structure, image: Tensor, sides: Sequence[int]) -> Counts:
    spare = tuple(f"{name}." for name in training_only(network))
    used = {name for name, _ in network.named_parameters() if not name.startswith(spare)}
    images: dict[int | None, Tensor] = {None: image}
    images |= {side: interpolate(image, (side, side)) for side in sides}
    traces = {side: traced(network, one, structure.choices) for side, one in images.items()}
    return Counts(network, structure, used, traces)


def _agree(quick: ModuleSpace, slow: ModuleSpace) -> bool:
    """Whether quick costs are those of traced networks, for the whole network and a random one at every resolution."""
    rng = np.random.default_rng(0)
    side = next((i for i, gene in enumerate(quick.declaration.genes) if gene.name == RESOLUTION), None)
    tried = [quick.whole]
    for number in range(max(3, 1 if side is None else quick.cardinalities[side])):
        genes = list(quick.sample(rng).genes)
        if side is not None:
            genes[side] = number % quick.cardinalities[side]
        tried.append(Architecture(quick.name, tuple(genes)))
    for architecture in tried:
        exact, fast = slow.cost(architecture), quick.cost(architecture)
        if any(exact[name] != fast[name] for name in ("params", "madds")):
            return False
    return True


def _orders(scores: Mapping[str, FloatArray]) -> dict[str, list[int]]:
    """By group the places of its units, the largest score first."""
    return {name: np.argsort(-values, kind="stable").tolist() for name, values in scores.items()}


def _plain_copy(module: nn.Module, image: Tensor) -> nn.Module:
    """A copy on the CPU whose lazy layers have their shapes. Raises `ConfigError` for a compiled module."""
    if not isinstance(module, nn.Module):
        raise ConfigError(f"expected a torch.nn.Module to cut, got {type(module).__name__}")
    if any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
        raise ConfigError("a TorchScript module cannot be cut: give the Python module from which it was made")
    made = copy.deepcopy(module).cpu()
    if any(map(is_lazy, (*made.parameters(), *made.buffers()))):
        with evaluating(made), plain_operators():
            made(image)
    return made


def _classes(network: nn.Module, image: Tensor) -> int:
    with evaluating(network), plain_operators():
        out = network(image)
    if not isinstance(out, Tensor) or out.dim() != 2:
        shape = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise ConfigError(
            f"the network returns {shape} for one image: expected one number a class, shape (1, classes)"
        )
    return int(out.shape[1])


def _sides(network: nn.Module, image: Tensor) -> list[int]:
    """The sides of images at which the network returns as many numbers."""
    height, width = image.shape[2:]
    if height != width:
        return []
    found = []
    with evaluating(network), plain_operators():
        shape = network(image).shape
        for side in sorted({max(1, round(share * height)) for share in SIDES}):
            try:
                fits = network(interpolate(image, (side, side))).shape == shape
            except Exception:
                fits = False
            if fits:
                found.append(side)
    return found if len(found) > 1 else []


def _names(network: nn.Module, structure: Structure) -> dict[str, str]:
    """A parameter's name for each path: letters, digits, underscores and dots, a letter first."""
    found: dict[str, str] = {}
    for path in (*structure.blocks, *(group.name for group in structure.groups)):
        name = re.sub(r"[^\w.]", "_", path, flags=re.ASCII)
        if not name[0].isalpha() or name in (*RESERVED, *TAKEN, RESOLUTION):
            name = f"net.{name}"
        while name in found.values():
            name += "_"
        found[path] = name
    return found


def _parameters(
    network: nn.Module, structure: Structure, names: Mapping[str, str], sides: Sequence[int]
) -> dict[str, Choice]:
    """The parameters, in the order of the network's modules."""
    found: dict[str, Choice] = {RESOLUTION: Choice(*sides)} if sides else {}
    groups = {group.name: group for group in structure.groups}
    for path, _ in network.named_modules():
        if path in structure.blocks:
            found[names[path]] = Choice(False, True, ordered=True)
        if path in groups:
            group = groups[path]
            around = [b for b in structure.blocks if all(layer.startswith(f"{b}.") for layer in group.layers)]
            found[names[path]] = Choice(
                *_shares(len(group.units)), when={names[b]: True for b in around} or None
            )
    return found


def _shares(count: int) -> list[float]:
    """The shares that keep different numbers of `count` units."""
    kept: dict[int, float] = {}
    for share in SHARES:
        kept[max(1, round(share * count))] = share
    return list(kept.values())
