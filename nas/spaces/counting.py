"""Count and enumerate the architectures of a declaration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from nas.spaces.declaration import Declaration


def number_of_architectures(declaration: Declaration) -> int:
    """The number of canonical gene vectors, exact, without enumerating them.

    Genes are eliminated one by one. Of those before, only one thing matters: which of the later genes a failed condition has
    made inactive.
    """
    kinds = _kinds_of_values(declaration)
    counts: dict[frozenset[int], int] = {frozenset(): 1}  # by the later genes that are inactive
    for i in declaration.order:
        following: dict[frozenset[int], int] = {}
        for inactive, number in counts.items():
            left = inactive - {i}
            for made_inactive, many in kinds[i] if i not in inactive else [(declaration.followers[i], 1)]:
                after = left | made_inactive
                following[after] = following.get(after, 0) + number * many
        counts = following
    return sum(counts.values())


def _kinds_of_values(declaration: Declaration) -> list[list[tuple[frozenset[int], int]]]:
    """For each gene: the sets of genes that its values make inactive, and the number of values of each."""
    conditions: list[list[tuple[int, frozenset[int]]]] = [[] for _ in declaration.genes]
    for k, gene in enumerate(declaration.genes):
        for j, allowed in gene.conditions:
            conditions[j].append((k, allowed))
    found = []
    for gene, given in zip(declaration.genes, conditions, strict=True):
        if not given:
            found.append([(frozenset[int](), len(gene.allowed))])
            continue
        kinds = Counter(frozenset(k for k, allowed in given if v not in allowed) for v in gene.allowed)
        found.append(list(kinds.items()))
    return found


def enumerate_genes(declaration: Declaration) -> Iterator[tuple[int, ...]]:
    """Every canonical gene vector once; the last genes vary fastest."""
    genes = [0] * len(declaration.genes)
    active = [True] * len(declaration.genes)

    def options(place: int) -> Iterator[int]:
        i = declaration.order[place]
        active[i] = all(active[j] and genes[j] in allowed for j, allowed in declaration.genes[i].conditions)
        return iter(declaration.genes[i].allowed if active[i] else range(1))

    stack = [options(0)]
    while stack:
        place = len(stack) - 1
        value = next(stack[-1], None)
        if value is None:
            stack.pop()
            continue
        genes[declaration.order[place]] = value
        if place + 1 == len(declaration.order):
            yield tuple(genes)
        else:
            stack.append(options(place + 1))
