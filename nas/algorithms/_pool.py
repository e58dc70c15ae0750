"""The unseen candidates that a surrogate-assisted search chooses from, with what is predicted of each."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nas.algorithms.moead import MOEAD, MOEADSettings
from nas.interfaces import HasEnumeration
from nas.prediction import in_chunks
from nas.problem import Problem
from nas.records import Architecture, FloatArray, Observation

_WALKED = 4  # combinations of genes walked through for each architecture that a whole pool may hold


@dataclass(frozen=True)
class Pool:
    """n candidates and their minimised objectives, normal with `mean` and `std` (n, m); a std of 0 is exact."""

    architectures: Sequence[Architecture]
    mean: FloatArray
    std: FloatArray


@dataclass(frozen=True)
class Exact:
    """n architectures, the same in chunks for prediction, and what is known of them: objectives (n, m), else NaN."""

    architectures: Sequence[Architecture]
    chunks: Sequence[Sequence[Architecture]]
    objectives: FloatArray

    @classmethod
    def of(cls, problem: Problem, architectures: Sequence[Architecture]) -> Exact:
        """Compute the cheap objectives of these architectures."""
        rows = np.array([problem.cheap_objectives(a) for a in architectures], dtype=np.float64)
        return cls(architectures, in_chunks(architectures), rows.reshape(-1, problem.n_objectives))


Predict = Callable[[Sequence[Architecture]], Pool]


def whole_space(problem: Problem, most: int) -> tuple[Architecture, ...] | None:
    """Every canonical architecture within the cheap limits, or None if there may be more than `most`."""
    space = problem.space
    if isinstance(space, HasEnumeration) and (space.size or math.inf) <= most:
        found = space.enumerate()
    elif math.prod(space.cardinalities) <= _WALKED * most:
        combinations = itertools.product(*map(range, space.cardinalities))
        every = (Architecture(space.name, genes) for genes in combinations)
        found = iter(dict.fromkeys(space.canonical(a) for a in every if space.is_valid(a)))
    else:
        return None
    kept = tuple(a for a in found if problem.cheap_violation(a) == 0)
    return kept if len(kept) <= most else None


@dataclass(frozen=True)
class InnerSearch:
    """MOEA/D on predictions: optimistic for what is expensive, exact for what is cheap.

    `size` candidates in `generations`; `optimism` standard deviations are taken off each prediction.
    """

    size: int = 2000
    generations: int = 10
    optimism: float = 1.0
    population: int = 45

    def __call__(
        self,
        problem: Problem,
        predict: Predict,
        known: Sequence[Observation],
        rng: np.random.Generator,
        violation: Callable[[FloatArray], float],
    ) -> Pool:
        """Candidates found from where the observations `known` are; none of those among them.

        `violation` says of minimised objectives (m,) how far they are from where candidates are wanted.
        """
        inner = MOEAD(problem, rng, MOEADSettings(population=self.population))
        inner.tell([replace(seen, violation=violation(seen.objectives)) for seen in known])
        found = []
        for _ in range(self.generations):
            asked = inner.ask(self.size // self.generations)
            if not asked:
                break
            pool = predict(asked)
            found.append(pool)
            hoped = pool.mean - self.optimism * pool.std
            inner.tell(
                [Observation(a, row, violation(row), ok=True) for a, row in zip(asked, hoped, strict=True)]
            )
        return joined(found, problem.n_objectives)


def joined(pools: Sequence[Pool], m: int) -> Pool:
    """One pool of several."""
    if not pools:
        return Pool((), np.empty((0, m)), np.empty((0, m)))
    architectures = [a for pool in pools for a in pool.architectures]
    return Pool(
        architectures, np.concatenate([p.mean for p in pools]), np.concatenate([p.std for p in pools])
    )
