"""Find what can be cut in a network, and try each cut before it is offered."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from nas.core.checks import did_you_mean
from nas.core.errors import ConfigError
from nas.core.tracebacks import summarize_exception
from nas.pruning.checks import check_network
from nas.pruning.cutting import cut
from nas.pruning.labels import FIXED, among
from nas.pruning.running import WithoutStatistics, evaluating, plain_operators, traced
from nas.pruning.structure import Group, Structure, structure_of_trace

_ROUNDS = 4  # of alternatives for splits of channels that did not work
_TOLERANCE = 1e-4  # of the results of two networks that compute the same, relative to their spread
_NOTHING = Structure((), (), {})


Progress = Callable[[int, int], None]  # of cuts that were tried, and all of this round


def analyse(
    network: nn.Module,
    example: Tensor,
    keep: Collection[str] = (),
    progress: Progress = lambda done, of: None,
) -> Structure:
    """What can be cut in a network for images like `example` (1, c, h, w).

    Every group is cut in several ways and every block removed, each alone; then all groups at once. A cut network must return what the original returns with the same channels at zero, both without the statistics of norms and means, which a cut
    changes; without a block, what it returns with the block's parameters at zero. What fails is left alone, with the reason. `keep` are paths of modules whose tensors all stay as they are.
    `progress` is called with the number of groups and blocks that were tried, and that of all; another round may follow. Raises `ConfigError` for a network that cannot be analysed, or an unknown module.
    """
    check_network(network)
    check_modules(network, keep)
    network = _lively(network)
    choices: dict[int, int] = {}
    first: dict[str, str] = {}
    for attempt in range(_ROUNDS):
        trace = traced(network, example, choices)
        structure = dataclasses.replace(structure_of_trace(trace), choices=dict(choices))
        with evaluating(network):
            reasons = _failures(network, structure, example, progress)
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
    found = _without(dataclasses.replace(structure, left_alone=left), reasons, keep)
    with evaluating(network):
        together = _failing_together(network, found, example)
    return _without(found, together, ()) if together else found


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


def _failures(
    network: nn.Module, structure: Structure, example: Tensor, progress: Progress
) -> dict[str, str]:
    """For each group and block that cannot be cut alone, the reason."""
    rng, found = np.random.default_rng(0), dict[str, str]()
    total = len(structure.groups) + len(structure.blocks)
    for done, group in enumerate(structure.groups):
        progress(done, total)
        count = len(group.units)
        mixed, whole = rng.permutation(count).tolist(), list(range(count))
        for order, stay in ((mixed, count // 2), (whole[::-1], (count + 1) // 2), (mixed[::-1], count // 4)):
            gone = np.setdiff1d(group.units, group.kept(order, stay))
            reason = _failure(network, structure, example, gone.tolist())
            if reason:
                found[group.name] = reason
                break
    for done, block in enumerate(structure.blocks, len(structure.groups)):
        progress(done, total)
        reason = _not_residual(network, block, example)
        if reason:
            found[block] = reason
    return found


def _failing_together(network: nn.Module, structure: Structure, example: Tensor) -> dict[str, str]:
    """For each group that cannot be cut together with those before it, the reason; none where all can be cut at once."""
    rng, found = np.random.default_rng(1), dict[str, str]()
    for _ in range(2):
        gone = {}
        for group in structure.groups:
            count = len(group.units)
            kept = group.kept(rng.permutation(count).tolist(), int(rng.integers(1, count)))
            gone[group.name] = np.setdiff1d(group.units, kept).tolist()
        usable = {name: units for name, units in gone.items() if name not in found}
        if not _failure(network, structure, example, [u for units in usable.values() for u in units]):
            continue
        before: list[int] = []
        for name, units in usable.items():
            reason = _failure(network, structure, example, before + units)
            if reason:
                found[name] = f"cut together with other layers: {reason}"
            else:
                before += units
    return found


def _failure(network: nn.Module, structure: Structure, example: Tensor, gone: Sequence[int]) -> str:
    try:
        made = cut(network, structure, gone, share=True)
        with plain_operators(), WithoutStatistics():
            out = _flat(made(example))
            with silenced(network, structure, gone):
                wanted = _flat(network(example))
    except Exception as error:
        return f"the cut network fails: {summarize_exception(error)}"
    return "" if _alike(out, wanted) else "the cut network computes something else"


def _alike(out: Tensor, wanted: Tensor) -> bool:
    """Whether results are equal to rounding, relative to their spread."""
    if out.shape != wanted.shape:
        return False
    spread = float((wanted - wanted.mean()).abs().max()) or float(wanted.abs().max())
    return bool(torch.allclose(out, wanted, rtol=1e-5, atol=_TOLERANCE * max(1e-6, spread)))


def _not_residual(network: nn.Module, block: str, example: Tensor) -> str:
    """A reason unless the block returns its argument where its parameters are zero, so that it can be left out."""
    module = network.get_submodule(block)
    calls: list[tuple[Tensor, Tensor]] = []
    handle = module.register_forward_hook(lambda _, given, out: calls.append((given[0].clone(), out)))
    tensors = [t for t in (*module.parameters(), *module.buffers()) if t.is_floating_point()]
    kept = [tensor.detach().clone() for tensor in tensors]
    try:
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            if tensor.is_floating_point() and not name.endswith("running_var"):
                tensor.data.zero_()
        with plain_operators():
            network(example)
    except Exception as error:
        return f"the network fails without it: {summarize_exception(error)}"
    finally:
        handle.remove()
        for tensor, values in zip(tensors, kept, strict=True):
            tensor.data.copy_(values)
    same = calls and all(_alike(out.flatten(), given.flatten()) for given, out in calls)
    if not same:
        return "without its branch the block changes its argument"
    try:
        with plain_operators():
            cut(network, _NOTHING, (), (block,), share=True)(example)
    except Exception as error:
        return f"the network fails without it: {summarize_exception(error)}"
    return ""


@contextmanager
def silenced(network: nn.Module, structure: Structure, gone: Sequence[int]) -> Iterator[None]:
    """The network has these units at zero in every tensor meanwhile."""
    lost, kept = among(gone), dict[Tensor, Tensor]()
    try:
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
            for d, units in enumerate(structure.tensors.get(name, ())):
                places = np.flatnonzero(lost(units))
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
    guarded: dict[int, str] = {}
    for name, axes in structure.tensors.items():
        for path in keep:
            if name.startswith(f"{path}."):
                guarded |= {
                    unit: path for vector in axes for unit in np.unique(vector).tolist() if unit != FIXED
                }

    def stays(group: Group) -> bool:
        paths = {guarded[unit] for unit in group.units.tolist() if unit in guarded}
        if paths:
            left[group.name] = f"{min(paths)} is kept"
        return bool(paths)

    groups = [group for group in structure.groups if group.name not in reasons and not stays(group)]
    blocks = [
        block
        for block in structure.blocks
        if block not in reasons
        and not any(f"{path}.".startswith(f"{block}.") or f"{block}.".startswith(f"{path}.") for path in keep)
    ]
    usable = among([unit for group in groups for unit in group.units.tolist()])
    tensors = {
        name: [np.where(usable(v), v, FIXED) for v in axes] for name, axes in structure.tensors.items()
    }
    return dataclasses.replace(
        structure, groups=tuple(groups), blocks=tuple(blocks), left_alone=left, tensors=tensors
    )
