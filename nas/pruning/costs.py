"""Exact parameters and multiply-adds of cut networks, from the numbers of channels that stay."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from torch import nn

from nas.pruning.labels import FIXED, Vector, among
from nas.pruning.structure import Structure
from nas.pruning.tracing import Trace

# A sum of products: by removable block ("": none) and dimensions that may be cut (places in `Counts._arrays`), the constant.
Terms = dict[tuple[str, tuple[int, ...]], int]


class Counts:
    """`params` and `madds` of a cut network; quick, since nothing is built.

    `parameters` are the names of those that count; `traces` have the operators, by the side of the images (None: that of the example).
    """

    def __init__(
        self,
        network: nn.Module,
        structure: Structure,
        parameters: Collection[str],
        traces: Mapping[int | None, Trace],
    ) -> None:
        self._places: dict[bytes, int] = {}
        self._arrays: list[Vector] = []
        self._blocks = structure.blocks
        self._params: Terms = {}
        for name, parameter in network.named_parameters():
            if name in parameters:
                self._add(self._params, name, 1, structure.tensors.get(name, ()), parameter.shape)
        usable = among([int(unit) for group in structure.groups for unit in group.units])
        self._madds: dict[int | None, Terms] = {}
        for side, trace in traces.items():
            terms = self._madds.setdefault(side, {})
            for work in trace.work:
                roots = [trace.labels.roots(vector) for vector in work.dimensions]
                cut = [np.where(usable(vector), vector, FIXED) for vector in roots]
                self._add(terms, work.module, work.times, cut, map(len, cut))
        self._size = 1 + max((int(vector.max(initial=0)) for vector in self._arrays), default=0)

    def _add(self, terms: Terms, path: str, times: int, axes: Sequence[Vector], shape: Iterable[int]) -> None:
        """Add a product of numbers of indices: those of the dimensions, and beyond `axes` those of the shape."""
        sizes, cut = list(shape), list[int]()
        for vector, size in zip(axes, sizes, strict=False):
            if vector.any():
                key = vector.tobytes()
                if key not in self._places:
                    self._places[key] = len(self._arrays)
                    self._arrays.append(vector)
                cut.append(self._places[key])
            else:
                times *= size
        block = next((b for b in self._blocks if path == b or path.startswith(f"{b}.")), "")
        key_of = block, tuple(sorted(cut))
        terms[key_of] = terms.get(key_of, 0) + times * math.prod(sizes[len(axes) :])

    def __call__(self, gone: Sequence[int], removed: Collection[str], side: int | None) -> dict[str, float]:
        """The costs without these units and blocks."""
        stays = np.ones(self._size, dtype=bool)
        units = np.asarray(gone, dtype=np.int64)
        stays[units[units < self._size]] = False
        counts = [int(np.count_nonzero(stays[vector])) for vector in self._arrays]

        def total(terms: Terms) -> int:
            return sum(
                times * math.prod([counts[place] for place in cut])
                for (block, cut), times in terms.items()
                if block not in removed
            )

        return {"params": total(self._params), "madds": total(self._madds[side])}
