"""Make the space of a trained network's cut networks: analyse it, name the parameters, try what is offered."""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.nn.parameter import is_lazy

from nas.core.errors import ConfigError
from nas.core.records import RESERVED, Architecture, FloatArray
from nas.core.task_spec import TaskSpec
from nas.core.tracebacks import summarize_exception
from nas.pruning.analysis import Progress, analyse
from nas.pruning.attention import with_heads
from nas.pruning.checks import check_network
from nas.pruning.costs import Counts
from nas.pruning.ranking import magnitudes, ranks
from nas.pruning.running import evaluating, plain_operators, traced
from nas.pruning.structure import Structure
from nas.spaces.cut_networks import RESOLUTION, SHARES, Cutter, ModuleSpace
from nas.spaces.flattening import TAKEN
from nas.spaces.modules import training_only
from nas.spaces.parameters import Choice
from nas.spaces.tracing import meta_copy

SIDES = (1 / 2, 5 / 8, 3 / 4, 7 / 8, 1.0)  # of the images' side


def from_module(
    module: nn.Module,
    example: Tensor | tuple[int, int, int],
    *,
    keep: Collection[str] = (),
    scores: Mapping[str, FloatArray] | None = None,
    resolutions: Collection[int] | None = None,
    name: str = "module",
    progress: Progress = lambda done, of: None,
) -> ModuleSpace:
    """The space of the networks that remain when `module`, a classifier of images, is cut; `module` itself is not changed.

    `example` is an image (1, c, h, w), or its shape (c, h, w). `keep` are paths of modules that stay as they are. Channels are ranked by `scores`, by group (None: by
    `nas.pruning.ranking.magnitudes`). `resolutions` are the sides of images to choose from (None: half of the example's side to all of it, where the network runs). Each cut is tried before it is
    offered; `progress` gets the number of layers and blocks that were tried, and that of all. Raises `ConfigError` for a network that cannot be analysed or has nothing to cut.
    """
    generator = torch.Generator().manual_seed(0)
    image = example if isinstance(example, Tensor) else torch.randn(1, *example, generator=generator)
    original = with_heads(_plain_copy(module, image), image)
    structure = analyse(original, image, keep, progress)
    if not structure.groups and not structure.blocks:
        reasons = "; ".join(f"{path}: {why}" for path, why in list(structure.left_alone.items())[:3])
        raise ConfigError(f"nothing of the network can be cut ({reasons or 'it has no layer with weights'})")
    task = TaskSpec(image.shape[1], _classes(original, image), (image.shape[2], image.shape[3]))
    orders = ranks(magnitudes(original, structure) | dict(scores or {}))
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
    images |= {side: interpolate(image, (side, side)) for side in sides if (side, side) != image.shape[2:]}
    traces = {side: traced(network, one, structure.choices) for side, one in images.items()}
    traces |= {side: traces[None] for side in sides if side not in traces}
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


def _plain_copy(module: nn.Module, image: Tensor) -> nn.Module:
    """A copy on the CPU whose lazy layers have their shapes. Raises `ConfigError` for a network that cannot be cut."""
    if not isinstance(module, nn.Module):
        raise ConfigError(f"expected a torch.nn.Module to cut, got {type(module).__name__}")
    check_network(module)
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
