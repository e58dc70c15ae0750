"""The labels of a tensor, one vector a dimension: an element is cut if the label of any of its indices is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from nas.pruning.labels import FIXED, Labels, Vector, zeros

Axes = list[Vector]


class Following(Protocol):
    """A network that runs while its labels are followed; see `nas.pruning.tracing.Trace`."""

    labels: Labels

    def axes(self, tensor: Tensor) -> Axes:
        """The labels of a tensor."""

    def chosen(self, flat: Vector, sizes: Sequence[int], wide: list[int]) -> int | None:
        """Along which of the dimensions `wide` channels may be cut after a split of `flat` into `sizes`; None: none."""

    def counted(self, vector: Vector) -> None:
        """The code may name the number of these labels."""

    def parts(self, given: Any, parts: Sequence[Vector]) -> None:
        """A split into parts, by a size or several."""

    def bounds(self, vector: Vector, start: int, end: int) -> None:
        """A slice of a dimension."""

    def stays(self, vector: Vector) -> None:
        """The running operator needs all of these labels: they are never cut."""

    def resized_groups(self) -> None:
        """The running convolution has as many groups as its channels allow."""

    def worked(self, times: int, vectors: Sequence[Vector]) -> None:
        """An operator has `times` multiply-adds for each combination of indices of these dimensions."""


# The labels of an operator's result (several: of each) from its arguments; it ties what must be cut together. None: unknown.
Rule = Callable[[Following, tuple[Any, ...], Any], "Axes | list[Axes] | None"]


def broadcast(trace: Following, tensors: Sequence[Tensor], out: Tensor) -> Axes:
    """Labels of an operation element by element, with broadcasting."""
    found = zeros(out.shape)
    known = [False] * out.dim()
    for tensor in tensors:
        for d, vector in enumerate(trace.axes(tensor)):
            place = d + out.dim() - tensor.dim()
            if len(vector) == 1 and len(found[place]) != 1:
                continue
            if known[place]:
                trace.labels.tie(found[place], vector)
            found[place], known[place] = vector, True
    return found


def reshaped(trace: Following, axes: Axes, old: Sequence[int], new: Sequence[int]) -> Axes:
    """Labels after a change of shape that keeps the order of the elements."""
    found: Axes = []
    for a, b in factors(old, new):
        found += _split(trace, _merged(trace, [axes[i] for i in a]), [new[j] for j in b])
    return found


def factors(old: Sequence[int], new: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """The smallest runs of dimensions of both shapes with equal numbers of elements; dimensions of size 1 go with their neighbours."""
    found: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(old) or j < len(new):
        a, b = ([i] if i < len(old) else []), ([j] if j < len(new) else [])
        i, j = i + len(a), j + len(b)
        size, other = math.prod(old[x] for x in a), math.prod(new[x] for x in b)
        while size != other:
            if size < other or (size == other and i < len(old)):
                size, a, i = size * old[i], [*a, i], i + 1
            else:
                other, b, j = other * new[j], [*b, j], j + 1
        found.append((a, b))
    return found


def _merged(trace: Following, vectors: Axes) -> Vector:
    """The labels of several dimensions as one; of two with labels, the smaller one's are fixed."""
    cut = [v for v in vectors if trace.labels.roots(v).any()]
    for vector in sorted(cut, key=len)[:-1]:
        trace.labels.fix(vector)
    flat = np.zeros(1, dtype=np.int64)
    for vector in vectors:
        live = trace.labels.roots(vector)
        flat = np.where(live[None, :] != FIXED, vector[None, :], flat[:, None]).reshape(-1)
    return flat


def _split(trace: Following, flat: Vector, sizes: Sequence[int]) -> Axes:
    """The labels of one dimension as several; those of one alone may be cut, so the others' indices are tied."""
    found = zeros(sizes)
    if not trace.labels.roots(flat).any():
        return found
    if len(sizes) == 1:
        return [flat]
    block = flat.reshape(sizes)
    wide = [d for d, size in enumerate(sizes) if size > 1]
    if not wide:
        return [flat if d == 0 else found[d] for d in range(len(sizes))]
    d = next((d for d in wide if _only_along(trace, block, d)), None)
    if d is None:
        d = trace.chosen(flat, sizes, wide)
    if d is None:
        trace.labels.fix(flat)
        return found
    rows = np.moveaxis(block, d, -1).reshape(-1, sizes[d])
    for row in rows[1:]:
        trace.labels.tie(rows[0], row)
    found[d] = rows[0]
    return found


def _only_along(trace: Following, block: Vector, d: int) -> bool:
    rows = trace.labels.roots(np.moveaxis(block, d, -1).reshape(-1)).reshape(-1, block.shape[d])
    return bool((rows == rows[0]).all())
