"""Run a network once, and follow the labels of its channels through every operator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nas.core.errors import ConfigError
from nas.pruning.axes import Axes
from nas.pruning.labels import Labels, Vector, zeros
from nas.pruning.layers import LAYERS
from nas.pruning.moving import MOVES, pointwise, same

aten = torch.ops.aten
_SUMS = (aten.add, aten.add_)
_NOT_CHANNELS = ("image", "img", "patch", "kernel", "class", "stride", "padding")  # in names of attributes
_READS = (aten._local_scalar_dense, aten.nonzero, aten.is_nonzero, aten.equal)  # the code reads values


@dataclass(frozen=True)
class Resized:
    """An attribute `name` of a module, a number of indices: cut, it is the number of those that remain of each vector.

    `item`: the place in a tuple or list (None: the attribute is the number itself).
    """

    module: str
    name: str
    labels: Vector
    item: int | None = None


@dataclass(frozen=True)
class Work:
    """Multiply-adds of an operator in a module: `times` by the number of indices of each of the dimensions."""

    module: str
    times: int
    dimensions: tuple[Vector, ...]


@dataclass
class Call:
    """A module with one tensor as argument and one as result: their labels, and the tensors."""

    name: str
    module: nn.Module
    given: Tensor
    made: Tensor
    given_axes: Axes
    made_axes: Axes


@dataclass
class Trace:
    """What is known while, and after, a network runs."""

    network: nn.Module
    labels: Labels = field(default_factory=Labels)
    # of parameters and buffers, by name
    tensors: dict[str, Axes] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    resized: list[Resized] = field(default_factory=list)
    work: list[Work] = field(default_factory=list)
    # convolutions whose number of groups is that of their channels
    depthwise: set[str] = field(default_factory=set)
    # operators without a rule, or that need all channels, and the module that calls them
    unknown: dict[str, str] = field(default_factory=dict)
    # the tensors that a tensor is the sum of, or a function element by element
    sums: dict[int, set[int]] = field(default_factory=dict)
    # tensors that are sums of several
    added: set[int] = field(default_factory=set)
    # tensors with channels of the network's outputs
    outputs: set[str] = field(default_factory=set)
    choices: Mapping[int, int] = field(default_factory=dict)
    # splits of labels, and the number of candidates
    sites: list[tuple[Vector, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._axes: dict[int, Axes] = {}
        self._alive: list[Tensor] = []  # so that no id is used twice
        self._names: dict[int, str] = {}
        self._stack: list[str] = []
        self._operator = ""  # that runs now
        self._heads: list[Vector] = []  # the labels of attention heads
        self._derived: set[int] = set()  # tensors that depend on the input
        both = (self.network.named_parameters, self.network.named_buffers)
        for named in both:
            for name, tensor in named():
                self._names[id(tensor)] = name
        self.modules = dict(self.network.named_modules())

    # -- for the rules

    def axes(self, tensor: Tensor) -> Axes:
        """The labels of a tensor: new ones of a parameter that is used first."""
        found = self._axes.get(id(tensor))
        if found is None:
            name = self._names.get(id(tensor))
            if name is None:
                found = zeros(tensor.shape)
            else:
                found = [
                    self.labels.new(name, d, size) if size > 1 else np.zeros(1, dtype=np.int64)
                    for d, size in enumerate(tensor.shape)
                ]
                self.tensors[name] = found
            self.keep(tensor, found)
        return found

    def keep(self, tensor: Tensor, axes: Axes) -> None:
        """Set the labels of a tensor."""
        assert [len(vector) for vector in axes] == list(tensor.shape)
        self._axes[id(tensor)] = axes
        self._alive.append(tensor)

    @property
    def owner(self) -> str:
        """The module whose code runs."""
        return self._stack[-1] if self._stack else ""

    def chosen(self, flat: Vector, sizes: Sequence[int], wide: list[int]) -> int | None:
        """Along which of the dimensions `wide` channels may be cut after a split of `flat` into `sizes`; None: none.

        The number of attention heads, by the name of an attribute of the module, is tried first, then the last dimension, then the others.
        Where the last dimension has this size too, it is that of a head. `choices` has the numbers of the candidates of a site that did not work.
        """
        counts = {value for name, value in self._numbers() if _counts_heads(name)}
        heads = [d for d in wide if sizes[d] in counts]
        heads = [d for d in heads if d != len(sizes) - 1 or len(heads) == 1][-1:]
        candidates = [*heads, *(d for d in reversed(wide) if d not in heads)]
        place = self.choices.get(len(self.sites), 0)
        self.sites.append((flat, len(candidates)))
        if place >= len(candidates):
            return None
        if candidates[place] in heads:
            self._heads.append(np.moveaxis(flat.reshape(sizes), heads[0], -1).reshape(-1, sizes[heads[0]])[0])
        return candidates[place]

    def counted(self, vector: Vector) -> None:
        """Record the attributes of the module that are the number of these labels.

        Where attributes of the heads' number and others have this value, those are meant that go with the labels.
        """
        roots = self.labels.roots(vector)
        if len(vector) == 1 or not roots.any():
            return
        names = [name for name, value in self._numbers() if value == len(vector)]
        if len({_counts_heads(name) for name in names}) == 2:
            of_heads = any(np.array_equal(self.labels.roots(heads), roots) for heads in self._heads)
            names = [name for name in names if _counts_heads(name) == of_heads]
        self.resized += [Resized(self.owner, name, vector) for name in names]

    def _numbers(self) -> Iterator[tuple[str, int]]:
        module = self.modules.get(self.owner)
        for name, value in vars(module).items() if module is not None else ():
            number = isinstance(value, int) and not isinstance(value, bool) and not name.startswith("_")
            if number and not any(word in name for word in _NOT_CHANNELS):
                yield name, value

    def parts(self, given: Any, parts: Sequence[Vector]) -> None:
        """Record a split: an attribute that has the sizes, or equal parts, which stay equal."""
        module = self.modules.get(self.owner)
        sizes = [len(part) for part in parts]
        if not any(self.labels.roots(part).any() for part in parts):
            return
        if isinstance(given, (list, tuple)) and module is not None:
            for name, value in vars(module).items():
                if isinstance(value, (list, tuple)) and list(value) == sizes and not name.startswith("_"):
                    self.resized += [Resized(self.owner, name, part, i) for i, part in enumerate(parts)]
                    return
        if len(set(sizes)) == 1:
            for part in parts[1:]:
                self.labels.tie(parts[0], part)
            self.resized += [
                Resized(self.owner, name, parts[0]) for name, value in self._numbers() if value == sizes[0]
            ]

    def bounds(self, vector: Vector, start: int, end: int) -> None:
        """Record a slice of one dimension: attributes that have its ends."""
        if not self.labels.roots(vector).any():
            return
        for name, value in self._numbers():
            for bound in (start, end):
                if bound == value and 0 < bound < len(vector):
                    self.resized.append(Resized(self.owner, name, vector[:bound]))

    def stays(self, vector: Vector) -> None:
        """Fix labels that the running operator needs, and record it if there are any."""
        if self.labels.roots(vector).any():
            self.unknown.setdefault(self._operator, self.owner)
            self.labels.fix(vector)

    def resized_groups(self) -> None:
        """Record that the running convolution has as many groups as channels."""
        self.depthwise.add(self.owner)

    def worked(self, times: int, vectors: Sequence[Vector]) -> None:
        """Record multiply-adds."""
        self.work.append(Work(self.owner, times, tuple(vectors)))

    # -- while the network runs

    def begin(self, example: Tensor) -> None:
        """Know the network's input."""
        self._derived.add(id(example))
        self._alive.append(example)

    def enter(self, name: str) -> None:
        """A module begins to run."""
        self._stack.append(name)

    def leave(self) -> None:
        """The last module that began has ended."""
        self._stack.pop()

    def operator(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> None:
        """Follow the labels through one operator."""
        packet, single = func._overloadpacket, isinstance(out, Tensor)
        self._operator = packet.__name__
        results = [out] if single else list(tensors_in(out if isinstance(out, (tuple, list)) else ()))
        tensors = [*tensors_in(args), *tensors_in(kwargs.values())]
        if self._derived & set(map(id, tensors)):
            if packet in _READS:
                raise ConfigError(
                    f"{self.owner or 'the network'}: its code reads values of tensors ({packet.__name__}), so what it computes depends on "
                    "the data; only networks that do the same for every image can be cut"
                )
            self._derived |= set(map(id, results))
        rule = MOVES.get(packet) or LAYERS.get(packet)
        if rule is None and torch.Tag.pointwise in func.tags:
            rule = pointwise
        made = None if rule is None or not results else rule(self, args, out)
        if made is None:
            for vector in (vector for tensor in tensors for vector in self.axes(tensor)):
                self.stays(vector)
            found = [zeros(t.shape) for t in results]
        else:
            several: Any = made
            found = several if several and isinstance(several[0], list) else [several]
        for result, axes in zip(results, found, strict=True):
            self.keep(result, axes)
        if single and (packet in _SUMS or (rule in (pointwise, same) and len(tensors) == 1)):
            self.sums.setdefault(id(out), set()).update(map(id, tensors))
            if packet in _SUMS and len(tensors) > 1:
                self.added.add(id(out))


def _counts_heads(name: str) -> bool:
    """Whether an attribute of this name is a number of attention heads."""
    return "head" in name and "dim" not in name


def tensors_in(values: Any) -> Iterator[Tensor]:
    """The tensors in nested lists and tuples."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from tensors_in(value)
