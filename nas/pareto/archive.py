"""Dominance: the archive of non-dominated points."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

import numpy as np

from nas.core.records import FloatArray

T = TypeVar("T")


class ParetoArchive(Generic[T]):
    """All non-dominated points so far, each with an item. Minimisation; unbounded.

    Of points with equal objectives the first stays.
    """

    def __init__(self, n_objectives: int) -> None:
        self._columns = np.empty((n_objectives, 64))  # one point a column, for contiguous comparisons
        self._items: list[T] = []

    def __len__(self) -> int:
        return len(self._items)

    @property
    def points(self) -> FloatArray:
        """Objective vectors, shape (n, m); a view that the next `add` may overwrite."""
        return self._columns[:, : len(self._items)].T

    @property
    def items(self) -> Sequence[T]:
        """The item of each point, in the same order."""
        return self._items

    def add(self, point: FloatArray, item: T) -> bool:
        """Insert a finite point, shape (m,), unless it is dominated; return whether it was inserted."""
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


class LatestFront(Generic[T]):
    """A Pareto archive where a newer point replaces an older one with the same key.

    For architectures measured repeatedly, at a higher fidelity: only the latest measurement counts.
    """

    def __init__(self, n_objectives: int) -> None:
        self._m = n_objectives
        self._known: dict[Hashable, tuple[FloatArray, T]] = {}  # ordered by latest point
        self.archive: ParetoArchive[T] = ParetoArchive(n_objectives)

    @property
    def points(self) -> FloatArray:
        """Objective vectors of the front, shape (n, m)."""
        return self.archive.points

    @property
    def items(self) -> Sequence[T]:
        """The item of each point of the front, in the same order."""
        return self.archive.items

    def put(self, key: Hashable, point: FloatArray | None, item: T) -> bool:
        """Replace the point, shape (m,), of `key` (None if infeasible). Return whether the front changed."""
        before = self._known.pop(key, None)
        if point is not None:
            self._known[key] = point, item
        if before is None or not any(item is before[1] for item in self.archive.items):
            return point is not None and self.archive.add(point, item)
        if point is not None and (point <= before[0]).all() and (point < before[0]).any():
            return self.archive.add(point, item)  # which removes dominated points, including the older one
        self.archive = ParetoArchive(self._m)
        for kept, what in self._known.values():
            self.archive.add(kept, what)
        return True


def non_dominated(points: FloatArray) -> np.ndarray:
    """Indices of the non-dominated rows of (n, m), finite and minimised, ascending; the first of equal rows."""
    # a dominating row has a smaller sum, or an equal sum and an earlier place in this order
    order = np.lexsort((*points.T[::-1], points.sum(axis=1))) if len(points) else np.empty(0, dtype=np.int64)
    left, found = points[order].T.copy(), []  # one point a column, for contiguous comparisons
    while len(order):
        found.append(int(order[0]))
        beaten = (left >= left[:, :1]).all(axis=0)
        order, left = order[~beaten], left[:, ~beaten]
    return np.array(sorted(found), dtype=np.int64)


def dominated(points: FloatArray, front: FloatArray) -> list[int]:
    """Indices of points (n, m) that some point of front (k, m) weakly dominates."""
    if len(front) == 0:
        return []
    no_better = (front[:, None, :] <= points[None, :, :]).all(axis=2).any(axis=0)
    return np.flatnonzero(no_better).tolist()
