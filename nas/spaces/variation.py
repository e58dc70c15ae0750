"""Mutation, crossover and neighbours in a declared space: steps along ordered parameters, items of repeats together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nas.spaces.declaration import Declaration

STEP = 0.25  # of the mutations of an ordered parameter: to the next option up or down; others jump, which explores
TOGETHER = 0.8  # of the crossovers: an item of a repeat comes from one parent as a whole

Genes = tuple[int, ...]


class Variation:
    """Draws children of gene vectors; a parameter that becomes active gets a random option."""

    def __init__(self, declaration: Declaration) -> None:
        self._declaration = declaration
        self._cards = declaration.cardinalities
        self._ordered = [gene.ordered for gene in declaration.genes]
        numbers: dict[str, int] = {}
        self._group_of = [
            numbers.setdefault(gene.group or gene.name, len(numbers)) for gene in declaration.genes
        ]
        self._several = [i for i, gene in enumerate(declaration.genes) if len(gene.allowed) > 1]
        self._groups = len(numbers)
        self._grouped = self._groups < len(declaration.genes)

    def mutate(self, genes: Genes, rng: np.random.Generator) -> Genes:
        """Change each active parameter with probability 1 / (number of active ones), at least one."""
        declaration = self._declaration
        active = declaration.active(genes) if declaration.conditional else None
        free = self._several if active is None else [i for i in self._several if active[i]]
        if not free:
            return genes
        n = len(free)
        draws: list[float] = rng.random(n + 1).tolist()
        # n * draw is uniform again, given that draw < 1 / n
        hit = [(i, n * draw) for i, draw in zip(free, draws, strict=False) if draw < 1.0 / n]
        if not hit:
            place, draw = divmod(n * draws[-1], 1.0)
            hit = [(free[int(place)], draw)]
        child = list(genes) if active is None else self._filled(genes, active, rng)
        for i, draw in hit:
            child[i] = self._changed(i, genes[i], draw)
        return declaration.canonical(tuple(child))

    def _filled(self, genes: Genes, active: list[bool], rng: np.random.Generator) -> list[int]:
        """The genes with random options for the inactive ones."""
        if all(active):
            return list(genes)
        random = self._random(rng)
        return [g if on else r for g, on, r in zip(genes, active, random, strict=True)]

    def _random(self, rng: np.random.Generator) -> list[int]:
        """A random option of each gene; that of the fixed ones."""
        drawn: list[int] = rng.integers(0, self._cards).tolist()
        for i, value in self._declaration.fixed.items():
            drawn[i] = value
        return drawn

    def _changed(self, i: int, value: int, draw: float) -> int:
        """Another option of gene i, from a uniform number."""
        card = self._cards[i]
        if self._ordered[i]:
            if draw < STEP:
                step = 1 if draw < 0.5 * STEP else -1
                return value + step if 0 <= value + step < card else value - step
            draw = (draw - STEP) / (1.0 - STEP)
        return (value + 1 + min(card - 2, int(draw * (card - 1)))) % card

    def crossover(self, first: Genes, second: Genes, rng: np.random.Generator) -> Genes:
        """Each parameter, mostly each item of a repeat, from either parent; where only one has it active, from that one."""
        together = self._grouped and rng.random() < TOGETHER
        coin = (rng.random(self._groups if together else len(first)) < 0.5).tolist()
        if not self._declaration.conditional:
            group = self._group_of if together else range(len(first))
            return tuple([a if coin[g] else b for a, b, g in zip(first, second, group, strict=True)])
        ours, theirs = self._declaration.active(first), self._declaration.active(second)
        random = None if all(ours) and all(theirs) else self._random(rng)
        child = []
        for i, (a, b) in enumerate(zip(first, second, strict=True)):
            if ours[i] and theirs[i]:
                child.append(a if coin[self._group_of[i] if together else i] else b)
            elif ours[i] or theirs[i]:
                child.append(a if ours[i] else b)
            else:
                assert random is not None
                child.append(random[i])
        return self._declaration.canonical(tuple(child))

    def neighbours(self, genes: Genes, rng: np.random.Generator) -> Iterator[Genes]:
        """All changes of one active parameter, in random order: one step if it is ordered, else any other option."""
        active = self._declaration.active(genes)
        steps = [
            (i, value)
            for i in self._several
            if active[i]
            for value in (
                [v for v in (genes[i] - 1, genes[i] + 1) if 0 <= v < self._cards[i]]
                if self._ordered[i]
                else [v for v in range(self._cards[i]) if v != genes[i]]
            )
        ]
        for place in rng.permutation(len(steps)).tolist():
            i, value = steps[place]
            child = self._filled(genes, active, rng)
            child[i] = value
            yield self._declaration.canonical(tuple(child))
