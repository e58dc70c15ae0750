"""The parts of a network that can be cut: groups of channels, and residual blocks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import nn

from nas.core.checks import did_you_mean
from nas.core.errors import ConfigError
from nas.pruning.attention import HeadsAttention
from nas.pruning.labels import FIXED, Vector, among
from nas.pruning.tracing import Resized, Trace

_WEIGHTED = (
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.Linear),
    HeadsAttention,
)


@dataclass(frozen=True)
class Group:
    """Channels that are cut together: `units` are the labels of what is cut at once, in the order of the first layer's results.

    `name` is the path of the first layer that makes them, `layers` those of all that do. Of each of `parts` one unit must stay, so that no layer is empty.
    """

    name: str
    units: Vector
    layers: tuple[str, ...]
    parts: tuple[Vector, ...]

    def kept(self, order: Sequence[int], count: int) -> Vector:
        """The first `count` units in this order (places in `units`), and as many more as `parts` ask for; sorted by place."""
        ranked = self.units[np.asarray(order)]
        chosen = np.isin(self.units, ranked[: max(1, count)])
        for part in self.parts:
            if not np.isin(self.units[chosen], part).any():
                chosen |= self.units == ranked[np.isin(ranked, part)][0]
        return self.units[chosen]


@dataclass(frozen=True)
class Structure:
    """What can be cut in a network, and what cannot.

    `tensors` has the units of every dimension of each parameter and buffer in use (0: never cut). `blocks` are the paths of modules that can be replaced by the identity. `left_alone`
    has the reasons by path. `choices` repeat the trace (`nas.pruning.running.traced`).
    """

    groups: tuple[Group, ...]
    blocks: tuple[str, ...]
    tensors: Mapping[str, Sequence[Vector]]
    resized: tuple[Resized, ...] = ()
    depthwise: frozenset[str] = frozenset()
    left_alone: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[int, int] = field(default_factory=dict)

    def group(self, name: str) -> Group:
        """The group of this name. Raises `ConfigError` for another."""
        for group in self.groups:
            if group.name == name:
                return group
        names = [group.name for group in self.groups]
        raise ConfigError(f"no group {name!r}{did_you_mean(name, names)}; groups: {', '.join(names)}")


def structure_of_trace(trace: Trace) -> Structure:
    """The parts of a network from its trace."""
    labels = trace.labels
    tensors = {name: [labels.roots(v) for v in axes] for name, axes in trace.tensors.items()}
    made = _made_by(trace)
    groups, left = list[Group](), dict[str, str]()
    for names in _families(made):
        units = units_of(np.concatenate([made[name] for name in names]))
        if len(units) > 1:
            groups.append(Group(names[0], units, tuple(names), ()))
        elif len(units):
            left |= dict.fromkeys(names, "all its channels must be cut together")
        else:
            left |= {name: _why_fixed(trace, name) for name in names}
    for name, module in trace.modules.items():
        if isinstance(module, _WEIGHTED) and name not in (*made, *trace.depthwise):
            left[name] = "it is not used, or computes its weights"
    dimensions = _dimensions(tensors)
    groups = [dataclasses.replace(group, parts=_parts(group, dimensions)) for group in groups]
    usable = among([int(u) for group in groups for u in group.units])
    kept = {name: [np.where(usable(v), v, FIXED) for v in axes] for name, axes in tensors.items()}
    resized = _unambiguous(Resized(r.module, r.name, labels.roots(r.labels), r.item) for r in trace.resized)
    return Structure(tuple(groups), tuple(_blocks(trace)), kept, resized, frozenset(trace.depthwise), left)


def _unambiguous(resized: Iterable[Resized]) -> tuple[Resized, ...]:
    """Each attribute once, without those that are the numbers of different labels: these would have two sizes where their cuts differ."""
    found: dict[tuple[str, str, int | None], dict[bytes, Resized]] = {}
    for one in resized:
        places = found.setdefault((one.module, one.name, one.item), {})
        places.setdefault(np.sort(one.labels).tobytes(), one)
    return tuple(one for places in found.values() if len(places) == 1 for one in places.values())


def units_of(vector: Vector) -> Vector:
    """The different labels of a vector that may be cut, in their order."""
    return np.array(list(dict.fromkeys(x for x in vector.tolist() if x != FIXED)), dtype=np.int64)


def _made_by(trace: Trace) -> dict[str, Vector]:
    """By layer with weights, in the order of their use, the labels of its results."""
    found: dict[str, Vector] = {}
    for name, axes in trace.tensors.items():
        path, _, own = name.rpartition(".")
        module = trace.modules[path]
        if not isinstance(module, _WEIGHTED) or own not in ("weight", "in_proj_weight"):
            continue
        transposed = isinstance(module, (nn.ConvTranspose1d, nn.ConvTranspose2d))
        if path not in trace.depthwise:
            found[path] = trace.labels.roots(axes[1 if transposed else 0])
    return found


def _families(made: Mapping[str, Vector]) -> list[list[str]]:
    """The layers by families: those whose results have a unit in common."""
    family: dict[str, list[str]] = {}
    owner: dict[int, str] = {}
    for name, vector in made.items():
        family[name] = [name]
        for unit in units_of(vector).tolist():
            other = owner.setdefault(unit, name)
            if family[other] is not family[name]:
                joined = family[other]
                joined += family[name]
                for member in family[name]:
                    family[member] = joined
    return list({id(names): names for names in family.values()}.values())


def _dimensions(tensors: Mapping[str, Sequence[Vector]]) -> list[Vector]:
    """The different sets of labels that are a whole dimension of a tensor."""
    found: dict[bytes, Vector] = {}
    for axes in tensors.values():
        for vector in axes:
            if vector.all():  # none is fixed
                units = np.unique(vector)
                found.setdefault(units.tobytes(), units)
    return list(found.values())


def _parts(group: Group, dimensions: Sequence[Vector]) -> tuple[Vector, ...]:
    """The sets of units, fewer than all, that are a whole dimension of a tensor."""
    own = among(group.units)
    return tuple(units for units in dimensions if len(units) < len(group.units) and own(units).all())


def _why_fixed(trace: Trace, name: str) -> str:
    if any(f"{name}.{own}" in trace.outputs for own in ("weight", "in_proj_weight")):
        return "its channels are the network's output"
    where = "; ".join(f"{operator} in {path or 'the network'}" for operator, path in trace.unknown.items())
    return f"its channels must keep their number{f' (for {where})' if where else ''}"


def _blocks(trace: Trace) -> list[str]:
    """Innermost modules with weights whose result is their argument plus a branch."""
    found: list[str] = []
    for call in trace.calls:
        if not call.name or any(f"{inner}.".startswith(f"{call.name}.") for inner in found):
            continue
        if call.given.shape != call.made.shape or not any(
            isinstance(module, _WEIGHTED) for module in call.module.modules()
        ):
            continue
        alike = all(
            np.array_equal(trace.labels.roots(a), trace.labels.roots(b))
            for a, b in zip(call.given_axes, call.made_axes, strict=True)
        )
        if alike and _adds_to(trace, id(call.made), id(call.given)):
            found.append(call.name)
    return found


def _adds_to(trace: Trace, made: int, given: int) -> bool:
    """Whether a tensor is a sum with `given` as a summand, or a function of it element by element."""
    todo, seen = [(made, made in trace.added)], set[tuple[int, bool]]()
    while todo:
        tensor, added = todo.pop()
        if tensor == given and added:
            return True
        if (tensor, added) in seen:
            continue
        seen.add((tensor, added))
        todo += [(t, added or t in trace.added) for t in trace.sums.get(tensor, ())]
    return False
