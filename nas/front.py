"""Dominance: the archive of non-dominated points that grows with a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np

from nas.records import FloatArray

T = TypeVar("T")


class ParetoArchive(Generic[T]):
    """Every non-dominated point told so far, with what belongs to it. Minimisation; unbounded.

    Of points with equal objectives the first stays.
    """

    def __init__(self, n_objectives: int) -> None:
        self._columns = np.empty((n_objectives, 64))  # a point a column: comparisons run along memory
        self._items: list[T] = []

    def __len__(self) -> int:
        return len(self._items)

    @property
    def points(self) -> FloatArray:
        """Objective vectors, shape (n, m); a view that the next `add` may overwrite."""
        return self._columns[:, : len(self._items)].T

    @property
    def items(self) -> Sequence[T]:
        """What was added with each point, in the same order."""
        return self._items

    def add(self, point: FloatArray, item: T) -> bool:
        """Insert a finite point, shape (m,), unless it is dominated; say whether it went in."""
        n = len(self._items)
        if n:
            columns, column = self._columns[:, :n], point[:, None]
            if (columns <= column).all(axis=0).any():
                return False
            beaten = (columns >= column).all(axis=0)
            if beaten.any():
                keep = np.flatnonzero(~beaten)
                n = len(keep)
                self._columns[:, :n] = columns[:, keep]
                self._items = [self._items[i] for i in keep.tolist()]
            elif n == self._columns.shape[1]:
                self._columns = np.concatenate([self._columns, np.empty_like(self._columns)], axis=1)
        self._columns[:, n] = point
        self._items.append(item)
        return True


def non_dominated(points: FloatArray) -> np.ndarray:
    """Indices of the non-dominated rows of (n, m), minimised, ascending; of equal rows the first."""
    archive: ParetoArchive[int] = ParetoArchive(points.shape[1])
    for index, point in enumerate(points):
        archive.add(point, index)
    return np.array(sorted(archive.items), dtype=np.int64)
