"""Genes as a table of categories and numbers, and distances between its rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.core.records import Architecture, FloatArray
from nas.core.space import SearchSpace


def gene_table(space: SearchSpace, architectures: Sequence[Architecture]) -> tuple[FloatArray, int]:
    """Columns of the genes, shape (n, d), and the number of those that are categories; the others are on [0, 1].

    The columns are those of the space's encoding "mixed" where it knows the order of its genes, else the genes.
    """
    if space.first_numeric is not None:
        return space.encodings["mixed"](architectures), space.first_numeric
    genes = np.array([a.genes for a in architectures], dtype=np.float64)
    return genes.reshape(len(architectures), -1), len(space.cardinalities)


def distances(a: FloatArray, b: FloatArray, categories: int) -> FloatArray:
    """The number of different categories, plus the sum of the differences of the other columns, shape (n, k)."""
    differ = (a[:, None, :categories] != b[None, :, :categories]).sum(axis=2)
    apart: FloatArray = differ + np.abs(a[:, None, categories:] - b[None, :, categories:]).sum(axis=2)
    return apart
