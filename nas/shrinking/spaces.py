"""The space of the smaller networks within one network: its ends, uniform networks, and limits that none meets."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from nas.core.errors import ConfigError
from nas.core.objectives import Limit
from nas.core.records import Architecture
from nas.core.space import for_task
from nas.core.task_spec import TaskSpec
from nas.spaces.space import Space

UNIFORM = (0.875, 0.75, 0.625, 0.5, 0.375, 0.25)  # shares of the channels of every layer
_RESOLUTION = "resolution"  # the parameter of the images' side


def shrinkable(
    network: nn.Module, task: TaskSpec, keep: Sequence[str] = (), resolutions: Sequence[int] | None = None
) -> Any:
    """The space of the smaller networks within `network`, for images and classes of `task`. Raises `ConfigError`."""
    if isinstance(keep, str):
        keep = [name.strip() for name in keep.split(",") if name.strip()]
    assert task.image_size is not None
    example = torch.zeros(1, task.in_channels, *task.image_size)
    make = importlib.import_module("nas.spaces.from_module").from_module
    more = {} if resolutions is None else {"resolutions": tuple(resolutions)}
    return for_task(make(network, example, keep=tuple(keep), **more), task)


def uniform(space: Any, share: float) -> Architecture:
    """The network with the share of every layer's channels that is nearest to `share`, all blocks and the whole images."""
    return _with(space, lambda name, options: min(options, key=lambda o: (abs(o - share), -o)))


def smallest(space: Any) -> Architecture:
    """The network with the fewest channels, without the blocks that can be removed, at the smallest resolution."""
    values: dict[str, Any] = {}
    for gene in space.declaration.genes:
        values[gene.name] = min(gene.options)  # False comes first
    return _architecture(space, values)


def _with(space: Any, choose: Any) -> Architecture:
    values: dict[str, Any] = dict(space.choices(space.whole))
    for gene in space.declaration.genes:
        shares = all(isinstance(o, (int, float)) and not isinstance(o, bool) for o in gene.options)
        if gene.name in values and gene.name != _RESOLUTION and shares:
            values[gene.name] = choose(gene.name, gene.options)
    return _architecture(space, values)


def _architecture(space: Space, values: Mapping[str, Any]) -> Architecture:
    """The architecture with these values, without those of inactive parameters."""
    genes = tuple(gene.index(values.get(gene.name, gene.options[0])) for gene in space.declaration.genes)
    found: Architecture = space.canonical(Architecture(space.name, genes))
    return found


def initial_design(space: Any) -> list[Architecture]:
    """The whole network, then the uniform ones from large to small, each once."""
    return list(dict.fromkeys([space.whole, *(uniform(space, share) for share in UNIFORM)]))


def check_limits(space: Any, limits: Sequence[Limit | str]) -> None:
    """Raise `ConfigError` for an upper limit on an exact cost that the smallest network exceeds."""
    if not limits:
        return
    least = smallest(space)
    costs = dict(space.cost(least))
    for limit in map(Limit.parse, limits):
        cost = costs.get(limit.objective)
        if cost is not None and limit.upper and cost > limit.bound:
            raise ConfigError(
                f"limit {limit}: the smallest candidate has {cost:,.0f} {limit.objective}, the original "
                f"{dict(space.cost(space.whole))[limit.objective]:,.0f}; raise the limit to {cost:,.0f} or more, or keep fewer "
                "modules"
            )
