"""The unseen candidates of a surrogate-assisted search, with their known objectives."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from nas.algorithms._refinement import Improvement, Refinement
from nas.algorithms.cost_estimate import CostEstimate
from nas.algorithms.moead import MOEAD, MOEADSettings
from nas.algorithms.prediction import in_chunks, is_light, work_of
from nas.core.algorithm import Algorithm
from nas.core.bounds import SamplingError, TriesUsedUp, check_time, tries_at_most
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Observation
from nas.core.space import HasEnumeration, allowed_genes

_LARGEST_LIGHT_POOL, _SMALLEST_POOL = 400, 150
_POOL_WORK = 1_500_000  # candidates times one-hot columns times objectives
_REFINED = 0.15  # children of each round of the refinement, as a share of the inner search's candidates
_MOST_PREDICTED = 60_000  # architectures of a whole space times measured objectives
_WALKED = 4  # gene combinations enumerated for each architecture that a whole pool may hold


@dataclass(frozen=True)
class CandidateBatch:
    """n architectures, the same in chunks for prediction, and their objectives (n, m), NaN where unknown."""

    architectures: Sequence[Architecture]
    chunks: Sequence[Sequence[Architecture]]
    objectives: FloatArray

    @classmethod
    def of(
        cls, problem: Problem, architectures: Sequence[Architecture], estimate: CostEstimate | None = None
    ) -> CandidateBatch:
        """Compute, or estimate, the cheap objectives of these architectures."""
        if estimate is not None:
            rows = estimate(architectures)
        else:
            rows = np.array([_exact(problem, a) for a in architectures], dtype=np.float64)
        return cls(architectures, in_chunks(architectures), rows.reshape(-1, problem.n_objectives))


def _exact(problem: Problem, architecture: Architecture) -> FloatArray:
    check_time()
    return problem.cheap_objectives(architecture)


class CandidatePool:
    """The candidates that models predict at each fit: every architecture of a small space, else those of inner searches."""

    def __init__(self, problem: Problem, whole_space: int, size: int) -> None:
        """`whole_space`: largest space of which all are candidates; `size`: candidates of the inner MOEA/D elsewhere."""
        self._problem = problem
        self.inner: Callable[[int], InnerSearch] = InnerSearch  # of a number of candidates
        self._most = min(whole_space, _MOST_PREDICTED // max(1, len(problem.measured)))
        self._size = pool_size(problem, size)
        self._every: tuple[Architecture, ...] | None = None  # of a small space, else empty
        self._whole: CandidateBatch | None = None

    def whole(self, estimate: CostEstimate | None) -> CandidateBatch | None:
        """Every architecture of a small space, else None."""
        if self._whole is None or estimate is not None:
            if self._every is None:
                self._every = whole_space(self._problem, self._most) or ()
            kept = _within_requirements(self._problem, self._every, estimate)
            self._whole = CandidateBatch.of(self._problem, kept, estimate)
        return self._whole if self._every else None

    def search(
        self,
        optimistic: OptimisticObjectives,
        improvement: Improvement,
        start: Sequence[Observation],
        seen: Collection[Architecture],
        rng: np.random.Generator,
        distance: Callable[[FloatArray], float],
        estimate: CostEstimate | None,
    ) -> CandidateBatch:
        """Candidates along the whole predicted front, then around those whose `improvement` is largest."""
        # with slow costs infeasible candidates are allowed here; their violation ranks them last
        within = self._problem if estimate is None else self._problem.without_cheap_limits()
        over = estimate.excess if estimate is not None and self._problem.requirements else None
        found = self.inner(self._size)(within, optimistic, start, rng, distance, over)
        if found:
            refine = Refinement(children=max(1, round(_REFINED * self._size)))
            found = found + refine(within, improvement, found, seen, rng)
        kept = _within_requirements(self._problem, found, estimate)
        return CandidateBatch.of(self._problem, kept, estimate)


def _within_requirements(
    problem: Problem, architectures: Sequence[Architecture], estimate: CostEstimate | None
) -> Sequence[Architecture]:
    """Those that meet the limits on values other than objectives by their estimates, which their objectives do not show; all if none does."""
    if estimate is None or not problem.requirements or not architectures:
        return architectures
    over = estimate.excess(architectures).tolist()
    within = [a for a, excess in zip(architectures, over, strict=True) if excess == 0]
    return within or architectures


OptimisticObjectives = Callable[
    [Sequence[Architecture]], FloatArray
]  # optimistic minimised objectives (n, m)


def whole_space(problem: Problem, most: int) -> tuple[Architecture, ...] | None:
    """Every canonical architecture within the cheap constraints; None if there may be more than `most`.

    Where costs are slow, also those that violate the constraints.
    """
    space = problem.space
    if isinstance(space, HasEnumeration) and (space.size or math.inf) <= most:
        found = space.enumerate()
    elif math.prod(map(len, values := allowed_genes(space))) <= _WALKED * most:
        combinations = itertools.product(*values)
        every = (Architecture(space.name, genes) for genes in combinations)
        found = iter(dict.fromkeys(space.canonical(a) for a in every if space.is_valid(a)))
    else:
        return None
    kept = tuple(a for a in found if problem.slow_costs or problem.cheap_violation(a) == 0)
    return kept if len(kept) <= most else None


@dataclass(frozen=True)
class InnerSearch:
    """MOEA/D on predictions: `size` candidates in `generations`, with `population` sub-problems.

    Fewer candidates when valid architectures are rare: at most `draws` random draws are made.
    """

    size: int = 1000
    generations: int = 10
    population: int = 45
    draws: int = 50_000

    def make(self, problem: Problem, rng: np.random.Generator) -> Algorithm:
        """The search that finds them."""
        # MOEA/D's defaults find a better predicted front, but with less varied candidates the search as a whole gets worse
        settings = MOEADSettings(self.population, theta=1.0, archive_parents=0.8, guided=0.0)
        return MOEAD(problem, rng, settings)

    def __call__(
        self,
        problem: Problem,
        optimistic: OptimisticObjectives,
        known: Sequence[Observation],
        rng: np.random.Generator,
        violation: Callable[[FloatArray], float],
        excess: Callable[[Sequence[Architecture]], FloatArray] | None = None,
    ) -> list[Architecture]:
        """New candidates, found from the observations `known`.

        `optimistic` predicts optimistic objectives; `violation` is the distance of objectives (m,) from the target region, to which the `excess` (n,)
        of architectures is added.
        """
        inner = self.make(problem, rng)
        inner.tell([replace(seen, violation=violation(seen.objectives)) for seen in known])
        found: list[Architecture] = []
        with tries_at_most(self.draws):
            for _ in range(self.generations):
                asked = _asked(inner, self.size // self.generations)
                if not asked:
                    break
                found += asked
                rows = optimistic(asked)
                over = np.zeros(len(asked)) if excess is None else excess(asked)
                inner.tell(
                    [
                        Observation(a, row, violation(row) + float(more), ok=True)
                        for a, row, more in zip(asked, rows, over, strict=True)
                    ]
                )
        return found


def _asked(inner: Algorithm, n: int) -> list[Architecture]:
    """The next n candidates; fewer when the tries are used up."""
    asked: list[Architecture] = []
    with suppress(TriesUsedUp, SamplingError):
        while len(asked) < n and (found := inner.ask(1)):
            asked += found
    return asked


def pool_size(problem: Problem, wanted: int) -> int:
    """Number of candidates of an inner search: below `wanted` when predictions are expensive."""
    if not is_light(problem):
        return wanted
    most = max(_SMALLEST_POOL, int(_POOL_WORK / (work_of(problem) + _POOL_WORK / _LARGEST_LIGHT_POOL)))
    return min(wanted, most)
