"""Variation of the most promising candidates: a second inner search, for expected improvement itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from nas.algorithms.candidates import Candidates
from nas.core.bounds import SamplingError, TriesUsedUp, tries_at_most
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray

Improvement = Callable[[Sequence[Architecture]], FloatArray]  # of n candidates, (n,)


@dataclass(frozen=True)
class Refinement:
    """Rounds of variation of the `parents` candidates with the largest improvement, `children` in each.

    An inner search on predicted objectives spreads its candidates along the whole front; this one gathers them where a
    result would improve it most. Half of the children have two parents, half one.
    """

    rounds: int = 6
    parents: int = 20
    children: int = 150
    draws: int = 20_000

    def __call__(
        self,
        problem: Problem,
        improvement: Improvement,
        start: Sequence[Architecture],
        known: Collection[Architecture],
        rng: np.random.Generator,
    ) -> list[Architecture]:
        """New candidates that descend from `start`, none of them `known`."""
        best = list(start)
        value = improvement(best)
        found: dict[Architecture, None] = {}
        candidates = Candidates(problem, rng, set(known).union(start))
        with tries_at_most(self.draws):
            for _ in range(self.rounds):
                order = np.argsort(-value, kind="stable")[: self.parents]
                best, value = [best[i] for i in order], value[order]
                drawn = self._children(candidates, best, rng)
                if not drawn:
                    break
                found.update(dict.fromkeys(drawn))
                best, value = best + drawn, np.concatenate([value, improvement(drawn)])
        return list(found)

    def _children(
        self, candidates: Candidates, parents: Sequence[Architecture], rng: np.random.Generator
    ) -> list[Architecture]:
        drawn: list[Architecture] = []
        vary = candidates.variation
        candidates.begin()
        with suppress(TriesUsedUp, SamplingError):
            for _ in range(3 * self.children):
                if len(drawn) == self.children:
                    break
                first, second = (parents[i] for i in rng.integers(len(parents), size=2))
                child = vary.crossover(first, second, rng) if rng.random() < 0.5 else first
                accepted = candidates.accept(vary.mutate(child, rng))
                if accepted is not None:
                    drawn.append(accepted)
        return drawn
