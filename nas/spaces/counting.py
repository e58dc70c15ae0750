"""Count and enumerate the architectures of a declaration."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from nas.spaces.declaration import Declaration

INACTIVE = -1
State = tuple[tuple[int, int], ...]  # the genes that later conditions refer to, with a value of each


def number_of_architectures(declaration: Declaration) -> int:
    """The number of canonical gene vectors, exact, without enumerating them.

    Genes are eliminated one by one; only those that later conditions refer to are kept, and of their values only one of
    those that the conditions cannot tell apart.
    """
    last_use = {
        j: place for place, i in enumerate(declaration.order) for j, _ in declaration.genes[i].conditions
    }
    kinds = _kinds_of_values(declaration)
    counts: dict[State, int] = {(): 1}
    for place, i in enumerate(declaration.order):
        gene = declaration.genes[i]
        following: dict[State, int] = {}
        for state, number in counts.items():
            known = dict(state)
            active = all(known[j] in allowed for j, allowed in gene.conditions)
            kept = tuple((j, v) for j, v in state if last_use[j] > place)
            if i not in last_use:
                values = [(kept, len(gene.options) if active else 1)]
            elif active:
                values = [((*kept, (i, v)), many) for v, many in kinds[i]]
            else:
                values = [((*kept, (i, INACTIVE)), 1)]
            for after, many in values:
                following[after] = following.get(after, 0) + number * many
        counts = following
    return sum(counts.values())


def _kinds_of_values(declaration: Declaration) -> dict[int, list[tuple[int, int]]]:
    """For each gene in a condition: a value of each kind that the conditions tell apart, and how many there are."""
    used: dict[int, set[frozenset[int]]] = {}
    for gene in declaration.genes:
        for j, allowed in gene.conditions:
            used.setdefault(j, set()).add(allowed)
    found = {}
    for j, conditions in used.items():
        listed = list(conditions)
        signs = sorted(
            (tuple(v in allowed for allowed in listed), v) for v in range(len(declaration.genes[j].options))
        )
        grouped = [[v for _, v in members] for _, members in groupby(signs, key=lambda pair: pair[0])]
        found[j] = [(members[0], len(members)) for members in grouped]
    return found


def enumerate_genes(declaration: Declaration) -> Iterator[tuple[int, ...]]:
    """Every canonical gene vector once; the last genes vary fastest."""
    genes = [0] * len(declaration.genes)
    active = [True] * len(declaration.genes)

    def options(place: int) -> Iterator[int]:
        i = declaration.order[place]
        active[i] = all(active[j] and genes[j] in allowed for j, allowed in declaration.genes[i].conditions)
        return iter(range(len(declaration.genes[i].options) if active[i] else 1))

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
