"""Find what can be cut in a network, and try each cut before it is offered."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nas.core.checks import did_you_mean
from nas.core.errors import ConfigError
from nas.core.tracebacks import summarize_exception
from nas.pruning.cutting import cut
from nas.pruning.labels import FIXED, Vector
from nas.pruning.running import evaluating, plain_operators, traced
from nas.pruning.structure import Group, Structure, check_unshared, structure_of_trace

_ROUNDS = 4  # of alternatives for splits of channels that did not work
_TOLERANCE = 1e-3  # of the results of two networks that compute the same, relative to the largest


def analyse(network: nn.Module, example: Tensor, keep: Collection[str] = ()) -> Structure:
    """What can be cut in a network for images like `example` (1, c, h, w).

    Every group is cut by half at random and every block removed, each alone. The cut network must run, and return what the original returns with the same channels at zero; where statistics are
    computed over the channels, the same channels must belong together in it. What fails is left alone, with the reason. `keep` are paths of modules that stay as they are, with all within.
    Raises `ConfigError` for a network that cannot be analysed, or an unknown module.
    """
    check_unshared(network)
    check_modules(network, keep)
    network = _lively(network)
    choices: dict[int, int] = {}
    first: dict[str, str] = {}
    for attempt in range(_ROUNDS):
        trace = traced(network, example, choices)
        structure = dataclasses.replace(structure_of_trace(trace), choices=dict(choices))
        with evaluating(network):
            reasons = _failures(network, structure, example)
        first = reasons | first
        bad = {int(u) for group in structure.groups if group.name in reasons for u in group.units}
        sites = [
            i
            for i, (flat, count) in enumerate(trace.sites)
            if bad & set(trace.labels.roots(flat).tolist()) and choices.get(i, 0) < count
        ]
        if not sites or attempt == _ROUNDS - 1:
            break
        for i in sites:
            choices[i] = choices.get(i, 0) + 1
    left = {name: first.get(name, why) for name, why in structure.left_alone.items()}
    return _without(dataclasses.replace(structure, left_alone=left), reasons, keep)


def meta_copy(network: nn.Module) -> nn.Module:
    """A copy whose tensors have shapes alone."""
    memo: dict[int, Any] = {}
    for tensor in [*network.parameters(), *network.buffers()]:
        bare = torch.empty_like(tensor, device="meta")
        memo[id(tensor)] = (
            nn.Parameter(bare, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else bare
        )
    return copy.deepcopy(network, memo)


def _lively(network: nn.Module) -> nn.Module:
    """A copy in which every layer matters: scales, biases and statistics are random, and so are weights that are zero."""
    made, generator = copy.deepcopy(network), torch.Generator().manual_seed(0)
    for name, tensor in [*made.named_parameters(), *made.named_buffers()]:
        if not tensor.is_floating_point():
            continue
        values = tensor.data
        if tensor.dim() == 1:
            values.uniform_(0.5, 1.5, generator=generator)
            if name.endswith(("bias", "mean")):
                values.sub_(1.0).mul_(0.2)
        elif not values.any():
            values.normal_(std=0.1, generator=generator)
    return made


def check_modules(network: nn.Module, names: Collection[str]) -> None:
    """Raises `ConfigError` for a path that is not one of the network's modules."""
    known = [name for name, _ in network.named_modules() if name]
    for name in names:
        if name not in known:
            raise ConfigError(
                f"keep: the network has no module {name!r}{did_you_mean(name, known)}; modules are {', '.join(known[:12])}{', ...' if len(known) > 12 else ''}"
            )


def _failures(network: nn.Module, structure: Structure, example: Tensor) -> dict[str, str]:
    """For each group and block that cannot be cut alone, the reason."""
    rng, found = np.random.default_rng(0), dict[str, str]()
    for group in structure.groups:
        count = len(group.units)
        gone = np.setdiff1d(group.units, group.kept(rng.permutation(count).tolist(), count // 2))
        reason = _failure(network, structure, example, gone.tolist(), (), exact=not group.averaged)
        if not reason and group.averaged:
            reason = _other_ties(network, structure, example, gone)
        if reason:
            found[group.name] = reason
    for block in structure.blocks:
        reason = _failure(network, structure, example, (), (block,), exact=False)
        if reason:
            found[block] = reason
    return found


def _failure(
    network: nn.Module,
    structure: Structure,
    example: Tensor,
    gone: Sequence[int],
    removed: Sequence[str],
    exact: bool,
) -> str:
    try:
        made = cut(network, structure, gone, removed, share=True)
        with plain_operators():
            out = _flat(made(example))
            if exact:
                with silenced(network, structure, gone):
                    wanted = _flat(network(example))
            else:
                wanted = out
    except Exception as error:
        return f"the cut network fails: {summarize_exception(error)}"
    if out.shape != wanted.shape:
        return "the cut network returns another shape"
    if not torch.allclose(out, wanted, rtol=0, atol=_TOLERANCE * max(1e-6, float(wanted.abs().max()))):
        return "the cut network computes something else"
    return ""


def _other_ties(network: nn.Module, structure: Structure, example: Tensor, gone: Vector) -> str:
    """A reason where channels that are cut together in the original are not, or others are, in the cut network."""
    made = cut(network, structure, gone.tolist(), share=True)
    trace = traced(made, example, structure.choices)
    there, back = dict[int, int](), dict[int, int]()
    for name, axes in trace.tensors.items():
        for units, vector in zip(structure.tensors.get(name, ()), axes, strict=False):
            stays = units[~np.isin(units, gone) | (units == FIXED)]
            for unit, label in zip(stays.tolist(), trace.labels.roots(vector).tolist(), strict=True):
                if unit == FIXED or len(stays) == 1:  # a single index has no label
                    continue
                if there.setdefault(unit, label) != label or back.setdefault(label, unit) != unit:
                    return f"the cut network computes something else ({name})"
    return ""


@contextmanager
def silenced(network: nn.Module, structure: Structure, gone: Sequence[int]) -> Iterator[None]:
    """The network has these units at zero in every tensor meanwhile."""
    lost, kept = np.asarray(gone), dict[Tensor, Tensor]()
    try:
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
            for d, units in enumerate(structure.tensors.get(name, ())):
                places = np.flatnonzero(np.isin(units, lost) & (units != FIXED))
                if len(places):
                    kept.setdefault(tensor, tensor.detach().clone())
                    tensor.data.index_fill_(d, torch.from_numpy(places), 0)
        yield
    finally:
        for tensor, values in kept.items():
            tensor.data.copy_(values)


def _flat(out: object) -> Tensor:
    if isinstance(out, Tensor):
        return out.flatten()
    if isinstance(out, dict):
        out = list(out.values())
    assert isinstance(out, (list, tuple))
    return torch.cat([_flat(one) for one in out])


def _without(structure: Structure, reasons: dict[str, str], keep: Collection[str]) -> Structure:
    """The structure without what failed, and what the user keeps."""
    left = {**structure.left_alone, **reasons}

    def kept(group: Group) -> bool:
        within = [
            path for path in keep for layer in group.layers if layer == path or layer.startswith(f"{path}.")
        ]
        if within:
            left[group.name] = f"{within[0]} is kept"
        return not within

    groups = [group for group in structure.groups if group.name not in reasons and kept(group)]
    blocks = [
        block
        for block in structure.blocks
        if block not in reasons
        and not any(
            path == block or path.startswith(f"{block}.") or block.startswith(f"{path}.") for path in keep
        )
    ]
    return dataclasses.replace(structure, groups=tuple(groups), blocks=tuple(blocks), left_alone=left)
