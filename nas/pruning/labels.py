"""Labels of channels: every index of a tensor's dimension has one, and indices that must be cut together have the same."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.int64]  # the labels of one dimension's indices
FIXED = 0  # the label of what is never cut


class Labels:
    """Sets of labels that are cut together (union-find), and the parameters' dimensions that they come from.

    A *source* is a dimension of a parameter or buffer, given as (name, dimension); its indices have new labels first.
    """

    def __init__(self) -> None:
        self._parent = np.array([FIXED])  # by label
        self._source_of = [-1]  # by label
        self.sources: list[tuple[str, int]] = []

    def new(self, name: str, dimension: int, size: int) -> Vector:
        """New labels for a source with `size` indices."""
        start = len(self._parent)
        self._parent = np.concatenate([self._parent, np.arange(start, start + size)])
        self._source_of.extend([len(self.sources)] * size)
        self.sources.append((name, dimension))
        return np.arange(start, start + size)

    def root(self, label: int) -> int:
        """The label that stands for all that are cut with this one; `FIXED` if it is never cut."""
        parent = self._parent
        while parent[label] != label:
            parent[label] = parent[parent[label]]
            label = int(parent[label])
        return label

    def roots(self, vector: Vector) -> Vector:
        """`root` of each label."""
        found = self._parent[vector]
        while not np.array_equal(further := self._parent[found], found):
            found = further
        return found

    def tie(self, first: Vector, second: Vector) -> None:
        """Cut the labels at the same place of both vectors, of equal length, together."""
        if len(first) != len(second):
            raise ValueError(f"expected vectors of one length, got {len(first)} and {len(second)}")
        a, b = self.roots(first), self.roots(second)
        for one, other in dict.fromkeys(zip(a[a != b].tolist(), b[a != b].tolist(), strict=True)):
            one, other = self.root(one), self.root(other)
            if one != other:
                self._parent[max(one, other)] = min(one, other)  # FIXED is the least

    def fix(self, vector: Vector) -> None:
        """Never cut these labels."""
        self.tie(vector, np.zeros_like(vector))

    def source_of(self, label: int) -> int:
        """The number of a label's source."""
        return self._source_of[label]


def zeros(shape: Sequence[int]) -> list[Vector]:
    """Vectors of a tensor of this shape that has nothing to cut."""
    return [np.zeros(size, dtype=np.int64) for size in shape]


def among(chosen: Collection[int] | Vector) -> Callable[[Vector], NDArray[np.bool_]]:
    """A function that returns which labels of a vector are among the chosen ones, `FIXED` never; as `np.isin`, without sorting."""
    given = np.fromiter(chosen, dtype=np.int64, count=len(chosen))
    table = np.zeros(int(given.max(initial=FIXED)) + 2, dtype=bool)  # the last place: all larger labels
    table[given] = True
    table[FIXED] = False
    return lambda vector: table[np.minimum(vector, len(table) - 1)]
