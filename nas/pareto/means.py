"""Means of repeated measurements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from nas.core.records import FloatArray


class Means:
    """The mean of all measurements of each key so far; the first of a key is returned unchanged."""

    def __init__(self) -> None:
        self._sums: dict[Hashable, FloatArray] = {}
        self._counts: Counter[Hashable] = Counter()

    def add(self, key: Hashable, point: FloatArray) -> FloatArray:
        """Add a finite point, shape (m,); return the mean of the key's points, shape (m,)."""
        self._counts[key] += 1
        known = self._sums.get(key)
        self._sums[key] = point if known is None else known + point
        return self._sums[key] if known is None else self._sums[key] / self._counts[key]

    def count(self, key: Hashable) -> int:
        """Number of measurements of a key."""
        return self._counts[key]
