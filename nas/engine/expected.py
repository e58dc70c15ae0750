"""The front by expected values, where an objective is noisy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from nas.algorithms.expectation import Estimates, estimates
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Result
from nas.pareto.archive import non_dominated
from nas.runs.expected import ExpectedValues


@dataclass(frozen=True)
class ExpectedFront:
    """Estimates of the architectures with the highest budget, and the latest result of each."""

    problem: Problem
    estimates: Estimates
    latest: dict[Architecture, Result]

    @classmethod
    def of(cls, problem: Problem, results: Iterable[Result]) -> ExpectedFront | None:
        """From all results, in order; None if no objective is noisy, or none succeeded.

        Results of several budgets are not comparable: those of the highest count.
        """
        if not any(o.noisy for o in problem.objectives):
            return None
        good = [result for result in results if result.ok]
        highest = max((result.trial.budget or 0.0 for result in good), default=0.0)
        good = [result for result in good if (result.trial.budget or 0.0) == highest]
        found = estimates(problem, [problem.observe(result) for result in good])
        if found is None:
            return None
        return cls(problem, found, {result.trial.architecture: result for result in good})

    @property
    def members(self) -> list[Result]:
        """The latest result of each feasible architecture that no other dominates, by expected values."""
        feasible = self._feasible(self.estimates.mean)
        rows = feasible[non_dominated(self.estimates.mean[feasible])]
        return [self.latest[self.estimates.architectures[i]] for i in rows]

    @property
    def possible(self) -> list[Result]:
        """The members, and each result that would be a member at the low end of its interval."""
        mean, low = self.estimates.mean, self.estimates.low
        rivals = mean[self._feasible(mean)]
        return [
            self.latest[self.estimates.architectures[i]]
            for i in self._feasible(low)
            if not ((rivals <= low[i]).all(axis=1) & (rivals < low[i]).any(axis=1)).any()
        ]

    def _feasible(self, points: FloatArray) -> np.ndarray:
        return np.flatnonzero([self.problem.violation(point) == 0 for point in points])

    def values(self, text: Callable[[Architecture], str], results: int) -> ExpectedValues:
        """The values for the log; `text` gives the text form of an architecture."""
        noisy = [j for j, o in enumerate(self.problem.objectives) if o.noisy]
        rows: list[list[float]] = [[] for _ in self.estimates.architectures]
        for j in noisy:
            o = self.problem.objectives[j]
            ends = (
                (self.estimates.high, self.estimates.low)
                if o.maximize
                else (self.estimates.low, self.estimates.high)
            )
            for row, *cells in zip(
                rows, self.estimates.mean[:, j], *(end[:, j] for end in ends), strict=True
            ):
                row += [o.sign * float(cell) for cell in cells]
        texts = [text(a) for a in self.estimates.architectures]
        return ExpectedValues(
            tuple(self.problem.names[j] for j in noisy), dict(zip(texts, rows, strict=True)), results
        )
