"""Mutation and crossover on the 26 genes; both resample until the child is a valid cell and a new one."""

from __future__ import annotations

import numpy as np

from nas.core.bounds import DRAWS, attempts, no_valid_sample
from search_spaces.nasbench101.canonical import canonical_genes
from search_spaces.nasbench101.cell import FULL_BITS, INNER, MAX_VERTICES, OPERATIONS, pruned_from_genes

Genes = tuple[int, ...]

# Expected changes: three edges (of 21) and one operation (of five), as in regularized evolution on this
# benchmark (Ying et al. 2019, section 5).
EDGE_RATE = 1 / MAX_VERTICES
OPERATION_RATE = 1 / INNER
_CROSSOVER_TRIES = 20
_GENES = FULL_BITS + INNER


def mutate_genes(genes: Genes, rng: np.random.Generator) -> Genes:
    """A valid child that is not isomorphic to its parent.

    Each edge bit flips with probability 1/7, each operation becomes one of the two others with probability
    1/5. Every cell can become every other, so the resampling ends.
    """
    parent = canonical_genes(genes)
    for _ in attempts(DRAWS, lambda: no_valid_sample("nasbench101", DRAWS)):
        draws = rng.random(_GENES).tolist()
        child = tuple(
            [g ^ (d < EDGE_RATE) for g, d in zip(genes[:FULL_BITS], draws, strict=False)]
            + [
                # a draw below the rate picks one of the two others by its half
                (g + 1 + (d < OPERATION_RATE / 2)) % len(OPERATIONS) if d < OPERATION_RATE else g
                for g, d in zip(genes[FULL_BITS:], draws[FULL_BITS:], strict=True)
            ]
        )
        if pruned_from_genes(child) is not None and canonical_genes(child) != parent:
            return child
    raise AssertionError("attempts end in a return or an error")


def cross_genes(first: Genes, second: Genes, rng: np.random.Generator) -> Genes:
    """A valid child that takes each gene from either parent with equal probability.

    Not isomorphic to a parent: where twenty draws give nothing new (always, for equal parents) the child is a
    mutant of the first parent, which may equal the second.
    """
    known = {canonical_genes(first), canonical_genes(second)}
    if len(known) == 2:
        for _ in range(_CROSSOVER_TRIES):
            draws = rng.random(_GENES).tolist()
            child = tuple([a if d < 0.5 else b for a, b, d in zip(first, second, draws, strict=True)])
            if pruned_from_genes(child) is not None and canonical_genes(child) not in known:
                return child
    return mutate_genes(first, rng)
