"""How often genes with the same choices take each of them: a short description of any architecture.

Networks repeat their parts, so several genes of a space usually choose among the same options: operations of a cell's
edges, kernels of its stages. How often each option occurs says much about size and error, whatever its place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.core.records import Architecture, FloatArray

_MOST_CHOICES = 12  # of a gene whose choices are counted


class Counts:
    """Counts of choices over the genes of equal cardinality, at least two; no space says that its genes are alike."""

    def __init__(self, cardinalities: Sequence[int]) -> None:
        sizes = np.array(cardinalities)
        alike = {c: np.flatnonzero(sizes == c) for c in sorted(set(cardinalities)) if 1 < c <= _MOST_CHOICES}
        self._groups = {c: genes for c, genes in alike.items() if len(genes) > 1}

    def __bool__(self) -> bool:
        """Whether there is anything to count."""
        return bool(self._groups)

    def __call__(self, architectures: Sequence[Architecture]) -> FloatArray:
        """Features (n, d), one column for each choice of each group."""
        table = np.array([a.genes for a in architectures])
        columns = [(table[:, genes] == v).sum(axis=1) for c, genes in self._groups.items() for v in range(c)]
        return np.stack(columns, axis=1).astype(np.float64)
