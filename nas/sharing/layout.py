"""The shapes of a space's shared tensors: one tensor a shared name, as large as the largest network needs.

A network's parameter is a slice of its shared tensor: the leading entries of each dimension, and the centre of the dimensions
of a convolution's kernel, unless the space names other entries (`HasSharedEntries`). Once-for-all networks share weights in the same way (Cai et al., ICLR
2020, section 3.3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from nas.core.errors import ConfigError
from nas.core.records import Architecture
from nas.core.space import HasSharedNames, SearchSpace

Shape = tuple[int, ...]
IntArray = NDArray[np.int64]
Entries = Sequence[
    slice | IntArray | None
]  # of a shared tensor, by dimension; None, or a missing one: the leading ones


@runtime_checkable
class HasSharedEntries(Protocol):
    """A space whose networks do not order their channels alike: a parameter has other entries of a shared tensor than the leading ones."""

    def shared_entries(self, architecture: Architecture, name: str) -> Entries:
        """The entries of the shared tensor that the parameter `name` of this architecture's network has, for each dimension.

        A slice with a start and a stop, or an array of whole numbers, each as long as the dimension; None, or an end before the last dimension: the leading ones.
        Two parameters of one network may have one shared name where their slices of the first dimension do not overlap.
        """


class Places:
    """The places of the parameters of a space's networks in the shared tensors."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        # asked once: checks of protocols are slow, and a step asks for hundreds of parameters
        self._name = space.shared_name if isinstance(space, HasSharedNames) else None
        self._entries = space.shared_entries if isinstance(space, HasSharedEntries) else None

    def name(self, architecture: Architecture, own: str) -> str:
        """The shared name of a parameter: by the space's method if it has one, else the parameter's own name."""
        return own if self._name is None else self._name(architecture, own)

    def entries(self, architecture: Architecture, own: str) -> Entries:
        """The entries of the shared tensor, by dimension."""
        return () if self._entries is None else self._entries(architecture, own)


_REMEDY = (
    "declare a function with @space.shared_name, or give your own SearchSpace a method shared_name(architecture, name), that returns different names "
    "for them (docs/weight-sharing.md)"
)


@dataclass(frozen=True, slots=True)
class Layer:
    """A parameter in a network: its shape, and the layer that owns it.

    `kernel` is the number of trailing dimensions that are a convolution's kernel; `group` the channels of a group in
    the second dimension of a grouped convolution (inputs, or outputs of a transposed one; 1: depthwise), else None.
    """

    kind: str  # such as "Conv2d.weight"
    shape: Shape
    kernel: int = 0
    group: int | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """A shared tensor: the element-wise largest shape, and the first network with the most entries of it."""

    layer: Layer
    witness: Architecture
    entries: int  # of the witness

    @property
    def shape(self) -> Shape:
        return self.layer.shape


@dataclass
class Layout:
    """The shared tensors of a space by name; grows with every network that is added.

    `parts` has the rows of a part of the tensors that stack several (`rows_of_parts`), as the first network has them; `cut` the
    names of those whose parts have other sizes in other networks, so that the leading rows mix them.
    """

    space: SearchSpace
    slots: dict[str, Slot] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)

    def add(self, architecture: Architecture, network: nn.Module) -> set[str]:
        """Make room for a network; return the shared names whose tensors grew.

        Raises `ConfigError` with both networks where a shared name stands for two kinds of layers, or for shapes that do not nest.
        """
        grown = set()
        stacked = rows_of_parts(network)
        for own, name, layer, leading in self._named(architecture, network):
            rows = stacked.get(own) if leading else None
            if rows is not None and self.parts.setdefault(name, rows) != rows:
                self.cut.add(name)
            known, entries = self.slots.get(name), prod(layer.shape)
            merged = layer if known is None else self._merged(name, known, architecture, layer)
            if known is None or merged.shape != known.shape:
                grown.add(name)
            if known is None or entries > known.entries:
                self.slots[name] = Slot(merged, architecture, entries)
            elif merged != known.layer:
                self.slots[name] = replace(known, layer=merged)
        return grown

    def widen(self, other: Layout) -> None:
        """Make room for all networks of another layout of the space; the witnesses remain.

        Raises `ConfigError` as `add`.
        """
        self.cut |= other.cut
        self.cut |= {n for n, rows in other.parts.items() if self.parts.setdefault(n, rows) != rows}
        for name, slot in other.slots.items():
            known = self.slots.get(name)
            if known is None:
                self.slots[name] = slot
            else:
                self.slots[name] = replace(known, layer=self._merged(name, known, slot.witness, slot.layer))

    @property
    def entries(self) -> int:
        """Numbers in all shared tensors."""
        return sum(prod(slot.shape) for slot in self.slots.values())

    def shapes(self, architecture: Architecture, network: nn.Module) -> dict[str, Shape]:
        """The shape that a network needs of each of its shared tensors."""
        found: dict[str, Shape] = {}
        for _, name, layer, _ in self._named(architecture, network):
            found[name] = tuple(map(max, found.get(name, layer.shape), layer.shape))
        return found

    def _named(
        self, architecture: Architecture, network: nn.Module
    ) -> Iterator[tuple[str, str, Layer, bool]]:
        """The name of each parameter, its shared name, the layer that its tensor needs, and whether it has the leading rows."""
        places, used = Places(self.space), dict[str, list[tuple[str, Entries]]]()
        about = f"space {self.space.name!r}: the network {self.space.format(architecture)!r}"
        for own, layer in layers_of(network, about):
            name, entries = places.name(architecture, own), places.entries(architecture, own)
            for other, taken in used.setdefault(name, []):
                if not _apart(taken, entries):
                    raise ConfigError(
                        f"space {self.space.name!r}: the parameters {other!r} and {own!r} of the network "
                        f"{self.space.format(architecture)!r} have one shared name, {name!r}; shared_name must tell them apart"
                    )
            used[name].append((own, entries))
            yield own, name, needed(layer, entries), not entries or entries[0] is None

    def _merged(self, name: str, known: Slot, architecture: Architecture, layer: Layer) -> Layer:
        reason = mismatch(known.layer, layer)
        if reason is not None:
            first, second = (self.space.format(a) for a in (known.witness, architecture))
            raise ConfigError(
                f"space {self.space.name!r}: the networks {first!r} and {second!r} cannot share the parameter {name!r}: "
                f"{reason}; {_REMEDY}"
            )
        shape = tuple(map(max, known.layer.shape, layer.shape))
        group = known.layer.group if layer.group is None else layer.group
        return Layer(layer.kind, shape, layer.kernel, group)


def mismatch(first: Layer, second: Layer) -> str | None:
    """The reason why one of two layers cannot be a slice of a common tensor; None if both can."""
    if first.kind != second.kind:
        return f"one is {first.kind}, the other {second.kind}"
    one, two = first.shape, second.shape
    if len(one) != len(two):
        return f"shapes {one} and {two} differ in rank"
    group = first.group if second.group is None else second.group
    if group is not None and (one[1] != group or two[1] != group or first.group not in (None, group)):
        return f"weights of shapes {one} and {two} of convolutions, at least one of them grouped, have {one[1]} and {two[1]} channels a group"
    kernels = zip(one[len(one) - first.kernel :], two[len(two) - second.kernel :], strict=True)
    if any((a - b) % 2 for a, b in kernels):
        return f"kernels of shapes {one} and {two} have no common centre: one side is even, the other odd"
    return None


def needed(layer: Layer, entries: Entries) -> Layer:
    """The layer with the shape that a shared tensor must have for these entries. Raises `ConfigError` for as many as the layer has not."""
    if not entries:
        return layer
    shape = list(layer.shape)
    for i, one in enumerate(entries):
        if one is None:
            continue
        count, end = (one.stop - one.start, one.stop) if isinstance(one, slice) else (len(one), one.max() + 1)
        if count != shape[i]:
            raise ConfigError(
                f"shared_entries: dimension {i} of a parameter of shape {layer.shape}: expected {shape[i]} entries, got {count}"
            )
        shape[i] = int(end)
    return replace(layer, shape=tuple(shape))


def _apart(one: Entries, other: Entries) -> bool:
    """Whether both are slices of the first dimension that do not overlap."""
    first, second = (entries[0] if entries else None for entries in (one, other))
    if not isinstance(first, slice) or not isinstance(second, slice):
        return False
    return bool(first.stop <= second.start or second.stop <= first.start)


def _slices(shape: Shape, inner: Layer, entries: Entries) -> list[slice | IntArray]:
    """The part of a shared tensor of `shape` that is this layer's parameter, by dimension."""
    lead = len(shape) - inner.kernel
    found: list[slice | IntArray] = [
        slice(0, size) if i < lead else slice((whole - size) // 2, (whole - size) // 2 + size)
        for i, (whole, size) in enumerate(zip(shape, inner.shape, strict=True))
    ]
    for i, one in enumerate(entries):
        if one is not None:
            found[i] = one
    return found


def part(tensor: Tensor, inner: Layer, entries: Entries) -> Tensor:
    """The part of a shared tensor that is this layer's parameter: a view, or a copy where entries are an array; gradients flow into the tensor."""
    found = _slices(tuple(tensor.shape), inner, entries)
    view = tensor[tuple(one if isinstance(one, slice) else slice(None) for one in found)]
    for i, one in enumerate(found):
        if not isinstance(one, slice):
            view = view.index_select(i, torch.as_tensor(one, device=tensor.device))
    return view


def put(tensor: Tensor, inner: Layer, entries: Entries, values: Tensor) -> None:
    """Write the values of this layer's parameter to its part of a shared tensor."""
    found = _slices(tuple(tensor.shape), inner, entries)
    rows = np.ix_(*(np.arange(one.start, one.stop) if isinstance(one, slice) else one for one in found))
    tensor[tuple(map(torch.as_tensor, rows))] = values


def layers_of(network: nn.Module, about: str = "the network") -> Iterator[tuple[str, Layer]]:
    """Every parameter of a network by its name.

    Raises `ConfigError`, beginning with `about`, for a parameter that it holds twice, or one of another type than float32.
    """
    seen: dict[int, str] = {}
    for path, module in network.named_modules(remove_duplicate=False):
        for leaf, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
            name = f"{path}.{leaf}" if path else leaf
            if id(parameter) in seen:
                raise ConfigError(
                    f"{about} uses the parameter {seen[id(parameter)]!r} a second time as {name!r}: weight sharing needs "
                    "every module once; build a separate module for each use"
                )
            seen[id(parameter)] = name
            if parameter.dtype != torch.float32:
                raise ConfigError(
                    f"{about} has the parameter {name!r} of type {parameter.dtype}: weight sharing needs torch.float32"
                )
            yield name, _layer(module, leaf, parameter)


def _layer(module: nn.Module, leaf: str, parameter: Tensor) -> Layer:
    kind, shape = f"{type(module).__name__}.{leaf}", tuple(parameter.shape)
    if not isinstance(module, _ConvNd) or parameter.ndim < 3:
        return Layer(kind, shape)
    return Layer(kind, shape, parameter.ndim - 2, shape[1] if module.groups > 1 else None)


_STACKED: tuple[tuple[type[nn.Module], int, tuple[str, ...]], ...] = (  # modules, parts, beginnings of names
    (nn.MultiheadAttention, 3, ("in_proj_",)),
    (nn.LSTM, 4, ("weight_ih", "weight_hh", "bias_")),
    (nn.GRU, 3, ("weight_ih", "weight_hh", "bias_")),
    (nn.LSTMCell, 4, ("weight_", "bias_")),
    (nn.GRUCell, 3, ("weight_", "bias_")),
)


def rows_of_parts(network: nn.Module) -> dict[str, int]:
    """The rows of a part of each parameter that stacks several: q, k and v of an attention, gates, groups of a convolution."""
    found: dict[str, int] = {}
    for path, module in network.named_modules():
        prefix = f"{path}." if path else ""
        for leaf, parameter in module.named_parameters(recurse=False):
            parts = next(
                (n for kind, n, names in _STACKED if isinstance(module, kind) and leaf.startswith(names)), 1
            )
            if isinstance(module, _ConvNd) and leaf == "weight":
                parts = module.groups
            if parts > 1:
                found[prefix + leaf] = parameter.shape[0] // parts
    return found


def check_shareable(network: nn.Module, images: Tensor, classes: int, about: str) -> None:
    """Run a network in training mode on `images` (n, channels, height, width); its own tensors on their device.

    Raises `ConfigError`, beginning with `about`, where a module with parameters or buffers runs twice, where a buffer of a
    layer other than batch norm changes (its state would be that of another network), where the pass fails or does not give a tensor (n, classes), or where a
    module has no memory, since it is one of another network, built to find its shapes.
    """
    modules = {
        path: m
        for path, m in network.named_modules()
        if [*m.parameters(recurse=False), *m.buffers(recurse=False)]
    }
    for path, module in modules.items():
        if any(t.is_meta for t in (*module.parameters(recurse=False), *module.buffers(recurse=False))):
            raise ConfigError(
                f"{about} has a module of an earlier network, {path or 'itself'!r} ({type(module).__name__}): let build make "
                "new modules in each call"
            )
    runs = dict.fromkeys(modules, 0)
    before = {p: [(b, b._version) for b in m.buffers(recurse=False)] for p, m in modules.items()}
    hooks = [m.register_forward_pre_hook(_counting(runs, path)) for path, m in modules.items()]
    training = network.training
    try:
        found = network.train()(images)
    except Exception as error:
        raise ConfigError(
            f"{about} fails for images of shape {tuple(images.shape)} in training mode: {error}"
        ) from error
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    expected = (len(images), classes)
    if not isinstance(found, Tensor) or tuple(found.shape) != expected:
        given = tuple(found.shape) if isinstance(found, Tensor) else f"a {type(found).__name__}"
        raise ConfigError(
            f"{about} gives {given} for {len(images)} images of {classes} classes: expected a tensor of shape {expected}, one output for each class "
            "(build gets num_classes)"
        )
    for path, module in modules.items():
        if runs[path] > 1:
            raise ConfigError(
                f"{about} runs its module {path or 'itself'!r} ({type(module).__name__}) {runs[path]} times in a forward pass: weight sharing "
                "needs every module once; build a separate module for each use"
            )
        if not isinstance(module, _BatchNorm) and _changed(before[path], module):
            raise ConfigError(
                f"{about} has a layer with a state, {path or 'itself'!r} ({type(module).__name__}): weight sharing recalibrates batch "
                "norm only; replace the layer"
            )


def check_same_buffers(network: nn.Module, again: nn.Module, about: str) -> None:
    """Raise `ConfigError`, beginning with `about`, unless two builds of one network have the same buffers; those of batch norm are recalibrated.

    A network is built in each evaluation, so other values would be those of another function.
    """
    others = dict(again.named_buffers())
    for path, module in network.named_modules():
        if isinstance(module, _BatchNorm):
            continue
        for leaf, buffer in module.named_buffers(recurse=False):
            name = f"{path}.{leaf}" if path else leaf
            if name not in others or not _equal(buffer, others[name]):
                raise ConfigError(
                    f"{about} has random values in its buffer {name!r} ({type(module).__name__}), other ones each time that it is built: draw them "
                    "with a torch.Generator of a fixed seed, or make the buffer a parameter"
                )


def _equal(one: Tensor, other: Tensor) -> bool:
    if one.shape == other.shape and one.is_floating_point() and other.is_floating_point():
        return torch.allclose(one, other, equal_nan=True)
    return torch.equal(one, other)


def _counting(runs: dict[str, int], path: str) -> Callable[[nn.Module, Any], None]:
    def count(module: nn.Module, inputs: Any) -> None:
        runs[path] += 1

    return count


def _changed(before: list[tuple[Tensor, int]], module: nn.Module) -> bool:
    now = list(module.buffers(recurse=False))
    return len(now) != len(before) or any(
        b is not a or b._version != version for b, (a, version) in zip(now, before, strict=True)
    )
