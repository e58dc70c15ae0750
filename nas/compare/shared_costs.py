"""Exact costs for algorithms that do not use them: proposals that cannot join the front are skipped.

An algorithm that models results knows the exact cheap objectives of every candidate; most others learn them from evaluations. For a
comparison of search alone, `share_costs` gives the others this knowledge as well, outside of the algorithm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas.core.algorithm import Algorithm, HasNotes
from nas.core.errors import ConfigError
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Note, Observation
from nas.pareto.archive import ParetoArchive

ASKS = 1000  # proposals for one evaluation; the last is evaluated in any case, so that a search ends


class SharedCosts(Algorithm):
    """Passes a proposal on only if it could join the front with the best measured objectives of all results so far.

    A skipped proposal costs no evaluation. The algorithm is told that it failed, so that it neither learns a value that was not
    measured nor proposes it again; optimisers of other packages report it to theirs as every failed proposal. Before the first
    result nothing is skipped.
    """

    def __init__(self, inner: Algorithm, problem: Problem) -> None:
        self._inner = inner
        self.every_budget = inner.every_budget
        self._problem = problem
        self._front: ParetoArchive[None] = ParetoArchive(problem.n_objectives)
        self._best = np.full(problem.n_objectives, np.inf)

    @property
    def initial(self) -> int:
        """That of the algorithm."""
        return self._inner.initial

    def ask(self, n: int) -> list[Architecture]:
        """Its next proposals that can join the front."""
        asked: list[Architecture] = []
        while len(asked) < n and (found := self._propose()) is not None:
            asked.append(found)
        return asked

    def _propose(self) -> Architecture | None:
        for number in range(ASKS):
            proposed = self._inner.ask(1)
            if not proposed:
                return None
            if number == ASKS - 1 or self._can_join(proposed[0]):
                return proposed[0]
            nothing = np.full(self._problem.n_objectives, np.nan)
            self._inner.tell([Observation(proposed[0], nothing, violation=np.inf, ok=False)])
        return None

    def _can_join(self, architecture: Architecture) -> bool:
        if self._problem.cost_failure(architecture):  # which the loop reports
            return True
        front = self._front.points
        return not (front <= self._hoped_for(architecture)).all(axis=1).any()

    def _hoped_for(self, architecture: Architecture) -> FloatArray:
        """Exact cheap objectives and the best measured ones so far, minimised, (m,)."""
        values, hoped = self._problem.cheap_values(architecture), self._best.copy()
        for j, item in enumerate(self._problem.objectives):
            if item.cheap:
                hoped[j] = item.sign * values[item.name]
        return hoped

    def tell(self, observations: Sequence[Observation]) -> None:
        """Keep the front of the feasible results; pass all on."""
        for seen in observations:
            if seen.ok:
                self._best = np.minimum(self._best, seen.objectives)
                if seen.violation == 0:
                    self._front.add(seen.objectives, None)
        self._inner.tell(observations)

    def notes(self) -> list[Note]:
        """The notes of the algorithm."""
        return self._inner.notes() if isinstance(self._inner, HasNotes) else []


@dataclass(frozen=True)
class WithCosts:
    """Factory of an algorithm to which exact costs are shared, unless it uses them itself; replaces its class."""

    make: Callable[..., Algorithm]
    name: str

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, problem: Problem, rng: np.random.Generator, settings: Any = None) -> Algorithm:
        """Raises `ConfigError` for a problem without cheap objectives."""
        if all(not item.cheap for item in problem.objectives):
            raise ConfigError(
                "share_costs: no objective of this problem is cheap, so no cost is known before an evaluation; remove share_costs"
            )
        inner = self.make(problem, rng, settings)
        return inner if inner.knows_costs else SharedCosts(inner, problem)
