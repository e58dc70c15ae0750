"""Features of the architectures of a declared space for surrogates: order, category and absence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.core.records import FloatArray
from nas.spaces.declaration import Declaration, Gene

_ABSENT = 0.5  # of an absent ordered parameter, whose column is scaled to [0, 1]
_TOO_FEW = (
    -0.25
)  # where it is absent because a number is too small, as in items of a repeat beyond their count
_MOST_COUNTED = 12  # options of a category that are counted


class Encoding:
    """Columns of gene vectors; categories first, then ordered parameters on [0, 1] by rank.

    A category has its option as a number, -1 while absent. For ordered parameters that may be absent, a category per
    distinct condition says whether they are present.
    """

    def __init__(self, declaration: Declaration) -> None:
        self._declaration = declaration
        genes = declaration.genes
        several = [i for i, gene in enumerate(genes) if len(gene.allowed) > 1]
        self._ordered = [i for i in several if genes[i].ordered and len(genes[i].options) > 2]
        self._categories = [i for i in several if i not in set(self._ordered)]
        shown = {genes[i].conditions for i in self._categories}
        presence: dict[object, int] = {}
        for i in self._ordered:
            if genes[i].conditions and genes[i].conditions not in shown:
                presence.setdefault(genes[i].conditions, i)
        self._presence = list(presence.values())
        self._alike = _alike(genes, self._categories)
        self._top = np.array([len(genes[i].options) - 1.0 for i in self._ordered])
        self._conditional = [
            (i, [(j, sorted(allowed), _absent(genes[j], allowed)) for j, allowed in conditions])
            for i, conditions in declaration.conditional
        ]

    @property
    def plain(self) -> bool:
        """Whether all parameters are categories that are always active."""
        return not self._ordered and not self._declaration.conditional

    @property
    def first_numeric(self) -> int:
        """The number of categories in `mixed`; the columns from there on are numbers."""
        return len(self._categories) + len(self._presence)

    def _table(self, vectors: Sequence[tuple[int, ...]]) -> tuple[np.ndarray, np.ndarray, FloatArray]:
        """Genes, whether they are active, and the places of those that are not on an ordered scale, each (n, d)."""
        shape = (len(vectors), len(self._declaration.genes))
        genes = np.array(vectors, dtype=np.int64).reshape(shape)
        active, absent = np.ones(shape, dtype=bool), np.full(shape, _ABSENT)
        for i, conditions in self._conditional:
            for j, allowed, place in conditions:
                fails = active[:, i] & ~(active[:, j] & np.isin(genes[:, j], allowed))
                absent[fails, i] = np.where(active[fails, j], place, absent[fails, j])
                active[fails, i] = False
        return genes, active, absent

    def mixed(self, vectors: Sequence[tuple[int, ...]]) -> FloatArray:
        """Categories as numbers, then ordered parameters on [0, 1], shape (n, d).

        An absent ordered parameter is in the middle, or below the lowest option where a number is too small for it.
        """
        genes, active, absent = self._table(vectors)
        categories = np.where(active, genes, -1)[:, self._categories].astype(np.float64)
        present = active[:, self._presence].astype(np.float64)
        return np.concatenate([categories, present, self._scaled(genes, active, absent)], axis=1)

    def wide(self, vectors: Sequence[tuple[int, ...]]) -> FloatArray:
        """One-hot categories (all 0 while absent), presence, ordered parameters on [0, 1], shape (n, d)."""
        genes, active, absent = self._table(vectors)
        cards = self._declaration.cardinalities
        parts = [
            ((genes[:, [i]] == np.arange(cards[i])) & active[:, [i]]).astype(np.float64)
            for i in self._categories
        ]
        present = active[:, self._presence].astype(np.float64)
        middle = np.full_like(absent, _ABSENT)
        found = np.concatenate([*parts, present, self._scaled(genes, active, middle)], axis=1)
        return found if found.shape[1] else np.zeros((len(vectors), 1))

    def counts(self, vectors: Sequence[tuple[int, ...]]) -> FloatArray:
        """How many active categories with the same options have each option, shape (n, d)."""
        genes, active, _ = self._table(vectors)
        columns = [
            ((genes[:, places] == option) & active[:, places]).sum(axis=1)
            for places in self._alike
            for option in range(len(self._declaration.genes[places[0]].options))
        ]
        found: FloatArray = np.array(columns, dtype=np.float64).reshape(len(columns), len(vectors)).T
        return found

    @property
    def has_counts(self) -> bool:
        """Whether some categories have the same options."""
        return bool(self._alike)

    def _scaled(self, genes: np.ndarray, active: np.ndarray, absent: FloatArray) -> FloatArray:
        shown = self._ordered
        scaled: FloatArray = np.where(active[:, shown], genes[:, shown] / self._top, absent[:, shown])
        return scaled


def _absent(gene: Gene, allowed: frozenset[int]) -> float:
    """The place on an ordered scale of a parameter that is absent unless `gene` has one of these options."""
    largest = range(len(gene.options) - len(allowed), len(gene.options))
    return _TOO_FEW if gene.ordered and allowed == set(largest) else _ABSENT


def _alike(genes: Sequence[Gene], categories: Sequence[int]) -> list[list[int]]:
    """Groups of at least two categories with the same options."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for i in categories:
        if len(genes[i].options) <= _MOST_COUNTED:
            groups.setdefault(genes[i].words, []).append(i)
    return [places for places in groups.values() if len(places) > 1]
