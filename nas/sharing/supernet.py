"""A supernet: the shared weights of a space for one task, and its networks with inherited weights."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from nas.core.errors import ConfigError
from nas.core.records import Architecture
from nas.core.space import SearchSpace, can_build, for_task, has_cost
from nas.core.task_spec import TaskSpec
from nas.core.text import counted
from nas.sharing.extremes import Extremes, enlarged, find_extremes, variants
from nas.sharing.layout import Layout, Places
from nas.sharing.limited import Draws
from nas.sharing.weights import Inherited, SharedWeights, allocate
from nas.spaces.tracing import without_memory
from nas.training.data.account import NOTICES
from nas.training.fresh import with_shapes

NETWORKS = 256  # random ones from which the shapes of the tensors follow
MOST_ENTRIES = 100_000_000  # of the shared tensors of a whole space where a search has limits: 400 MB, and as much for the optimiser
_RUN = 8  # random networks that are run once
_IMAGES = 2  # of a check
_SIZE = (32, 32)  # of its images where the data have several sizes


@dataclass(frozen=True, eq=False)
class Supernet:
    """Shared weights, and the networks of `space` for images and classes of `task` that inherit them; trained are those within `limits`."""

    space: SearchSpace
    task: TaskSpec
    shared: SharedWeights
    extremes: Extremes
    limits: tuple[str, ...] = ()

    def network(self, architecture: Architecture, shared: SharedWeights | None = None) -> Inherited:
        """The network with views of the shared tensors (or of another set of them) as parameters.

        Batch norm has fresh statistics: `recalibrate` before an evaluation. Raises `ConfigError` for a network outside
        the shapes of the shared tensors.
        """
        shared = shared or self.shared
        device = shared.tensors[0].device
        with torch.device(device):
            network = build(self.space, self.task, architecture)
        return Inherited(network, shared.views(network, architecture, Places(self.space)))

    def copy(self, architecture: Architecture) -> nn.Module:
        """The plain network with copies of its slices as parameters. Raises `ConfigError` as `network` does."""
        inherited = self.network(architecture)
        missing = inherited.network.load_state_dict(
            {name: view.detach() for name, view in inherited.views.items()}, strict=False
        )
        assert not missing.unexpected_keys
        return inherited.network


def build(space: SearchSpace, task: TaskSpec, architecture: Architecture) -> nn.Module:
    """A network of the space for the task, with its own first weights."""
    built: Any = space
    network: nn.Module = built.build(architecture, num_classes=task.num_classes, in_channels=task.in_channels)
    return with_shapes(network, lambda: (1, task.in_channels, *(task.image_size or _SIZE)))


def make_supernet(
    space: SearchSpace, task: TaskSpec, seed: int, networks: int | None = None, limits: tuple[str, ...] = ()
) -> Supernet:
    """A supernet with initial weights; the same for the same arguments.

    Shapes follow from `networks` random networks (None: 256), the largest and the smallest that were found, every change of one gene of the
    largest, and for layers that none of these has, the largest network with them. With `limits` on costs, such as ``"madds <= 5e6"``, networks within them
    give the initial values, and are the largest and smallest that are trained; the shapes are those of the whole space, so that every network is covered, unless
    these have more than 100 million entries. Raises `ConfigError` for a space that builds no networks, or whose networks cannot share weights, and for limits
    that no network meets.
    """
    if not can_build(space):
        raise ConfigError(f"space {space.name!r} has no build(architecture): it has no weights to share")
    space = for_task(space, task)
    rng = np.random.default_rng(seed)
    count = networks or NETWORKS
    whole = None
    if limits:
        _, whole, _ = _layout(space, task, Draws(space), count, np.random.default_rng([seed, 1]))
    wide = whole is not None and whole.entries <= MOST_ENTRIES
    extremes, layout, checked = _layout(space, task, Draws(space, limits), count, rng, complete=not wide)
    if whole is not None and wide:
        layout.widen(whole)
    _warn_of_cut_parts(layout)
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(seed)
        images = torch.randn(_IMAGES, task.in_channels, *(task.image_size or _SIZE))
        shared = allocate(layout, lambda a: build(space, task, a), images, task.num_classes, checked)
    return Supernet(space, task, shared, extremes, limits)


def _warn_of_cut_parts(layout: Layout) -> None:
    """Warn, in the first process, of tensors whose slices mix the parts that they stack."""
    if not layout.cut or (dist.is_available() and dist.is_initialized() and dist.get_rank()):
        return
    first, *others = sorted(layout.cut, key=lambda name: ("weight" not in name, name))
    kind = layout.slots[first].layer.kind.partition(".")[0]
    more = f", and {counted(len(others), 'other')}" if others else ""
    NOTICES.warning(
        "space %r: the rows of the parameter %r (%s%s) are several parts (q, k and v of an attention, gates, or groups of a convolution), of other sizes in "
        "other networks. Networks share the leading rows, so a part of a small network is mixed with other parts of a large one. Use a separate layer for each "
        "part (linear layers for q, k and v), or a shared_name that has the width (docs/weight-sharing.md)",
        *(layout.space.name, first, kind, more),
    )


def _layout(
    space: SearchSpace,
    task: TaskSpec,
    draw: Draws,
    count: int,
    rng: np.random.Generator,
    complete: bool = True,
) -> tuple[Extremes, Layout, list[Architecture]]:
    """The extremes and the shapes of `count` drawn networks, and those of them to run once; `complete` adds the largest networks that have their layers.

    Run are the smallest, some random ones, and one for each kind of layer that may have a state.
    """
    drawn = [draw(rng) for _ in range(count)]
    extremes = find_extremes(space, drawn, cache(lambda a: size_of(space, task, a)), draw.holds)
    layout, stateful = Layout(space), dict[str, Architecture]()
    nearby = filter(draw.holds, variants(space, extremes.largest))
    for architecture in dict.fromkeys([extremes.largest, extremes.smallest, *nearby]):
        _add(layout, task, architecture, stateful)
    for architecture in dict.fromkeys(drawn):
        grown = _add(layout, task, architecture, stateful)
        if complete and grown:
            _add_enlarged(layout, task, architecture, grown, extremes.largest, draw)
    return extremes, layout, [extremes.smallest, *drawn[:_RUN], *stateful.values()]


def _add(
    layout: Layout, task: TaskSpec, architecture: Architecture, stateful: dict[str, Architecture]
) -> set[str]:
    """Add a network to a layout, and to `stateful` where it is the first with a kind of layer that has buffers; return the names of tensors that grew."""
    network = on_meta(layout.space, task, architecture)
    for module in network.modules():
        if not isinstance(module, _BatchNorm) and next(module.buffers(recurse=False), None) is not None:
            stateful.setdefault(f"{type(module).__module__}.{type(module).__qualname__}", architecture)
    return layout.add(architecture, network)


def _add_enlarged(
    layout: Layout,
    task: TaskSpec,
    architecture: Architecture,
    grown: set[str],
    largest: Architecture,
    draw: Draws,
) -> None:
    """Add the largest network whose tensors are at least as large as those of `grown` that a network needs."""
    wanted = {name: layout.slots[name].shape for name in grown}

    def keeps(other: Architecture) -> bool:
        if not draw.holds(other):
            return False
        has = layout.shapes(other, on_meta(layout.space, task, other))
        return all(n in has and all(map(operator.ge, has[n], shape)) for n, shape in wanted.items())

    found = enlarged(layout.space, architecture, largest, keeps)
    layout.add(found, on_meta(layout.space, task, found))


def on_meta(space: SearchSpace, task: TaskSpec, architecture: Architecture) -> nn.Module:
    """A network without memory for its weights; with memory if its code reads values while it is built."""
    with torch.random.fork_rng(devices=[]):
        try:
            with without_memory():
                return build(space, task, architecture)
        except Exception:
            return build(space, task, architecture)


def size_of(space: SearchSpace, task: TaskSpec, architecture: Architecture) -> tuple[float, ...]:
    """Parameters and multiply-adds; parameters alone in a space without these costs."""
    if has_cost(space):
        costs = space.cost(architecture)
        found = tuple(float(costs[name]) for name in ("params", "madds") if name in costs)
        if found:
            return found
    network = on_meta(space, task, architecture)
    return (float(sum(p.numel() for p in network.parameters())),)
