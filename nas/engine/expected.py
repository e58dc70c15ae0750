"""The front by expected values, where an objective is noisy: at the end of a search and while it runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nas.algorithms.expectation import Estimates, estimates
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Result
from nas.core.space import SearchSpace, text_of
from nas.pareto.archive import ParetoArchive, non_dominated
from nas.runs.expected import FRONTS, META, ExpectedValues
from nas.runs.history import History

GROWTH = 0.05  # of the number of results: a running search estimates again


@dataclass(frozen=True)
class ExpectedFront:
    """Estimates of the architectures with the highest `budget`, and the latest result of each; they follow from `results` results."""

    problem: Problem
    estimates: Estimates
    latest: dict[Architecture, Result]
    results: int
    budget: float

    @classmethod
    def of(cls, problem: Problem, results: Sequence[Result]) -> ExpectedFront | None:
        """From all results, in order; None if no objective is noisy (see `noisy_objectives`), or none succeeded.

        Results of several budgets are not comparable: those of the highest count.
        """
        good = [result for result in results if result.ok]
        highest = max((result.trial.budget or 0.0 for result in good), default=0.0)
        good = [result for result in good if (result.trial.budget or 0.0) == highest]
        declared = any(o.noisy for o in problem.objectives)
        if not declared and len({result.trial.architecture for result in good}) == len(good):
            return None
        found = estimates(problem, [problem.observe(result) for result in good])
        if found is None:
            return None
        return cls(
            problem, found, {result.trial.architecture: result for result in good}, len(results), highest
        )

    @property
    def noisy(self) -> list[int]:
        """The columns of noisy objectives."""
        return list(self.estimates.noisy)

    @property
    def archive(self) -> ParetoArchive[Result]:
        """The members, with their expected values as points."""
        archive: ParetoArchive[Result] = ParetoArchive(self.problem.n_objectives)
        for i in self._members():
            archive.add(self.estimates.mean[i], self.latest[self.estimates.architectures[i]])
        return archive

    @property
    def points(self) -> dict[Architecture, FloatArray]:
        """Expected values (m,), minimised, by architecture."""
        return dict(zip(self.estimates.architectures, self.estimates.mean, strict=True))

    @property
    def members(self) -> list[Result]:
        """The latest result of each feasible architecture that no other dominates, by expected values."""
        return [self.latest[self.estimates.architectures[i]] for i in self._members()]

    def _members(self) -> np.ndarray:
        feasible = self._feasible(self.estimates.mean)
        return np.asarray(feasible[non_dominated(self.estimates.mean[feasible])])

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

    def values(self, text: Callable[[Architecture], str], imported: int = 0) -> ExpectedValues:
        """The values for the log; `text` gives the text form of an architecture. The first `imported` results are of a warm start."""
        noisy = self.noisy
        rows: list[list[float]] = [[] for _ in self.estimates.architectures]
        for j in noisy:
            o = self.problem.objectives[j]
            least, most = o.possible
            ends = (
                (self.estimates.high, self.estimates.low)
                if o.maximize
                else (self.estimates.low, self.estimates.high)
            )
            for row, *cells in zip(
                rows, self.estimates.mean[:, j], *(end[:, j] for end in ends), strict=True
            ):
                mean, *interval = (o.sign * float(cell) for cell in cells)
                row += [mean, *(min(max(end, least), most) for end in interval)]
        texts = [text(a) for a in self.estimates.architectures]
        return ExpectedValues(
            tuple(self.problem.names[j] for j in noisy),
            dict(zip(texts, rows, strict=True)),
            self.results - imported,
            self.budget,
        )


class LiveExpectation:
    """The front by expected values of a running search.

    It is estimated after each of the first forty results, then whenever their number has grown by `GROWTH`: at every result it
    would cost more than some evaluations. It depends on the results and their order alone, not on when it is read.
    """

    def __init__(self, problem: Problem, imported: Sequence[Result], results: Sequence[Result]) -> None:
        """`results` may grow, those of a warm start precede them."""
        self._problem = problem
        self._imported = imported
        self._results = results
        self._due = 1
        self._count = 0  # results of the last estimate
        self._last: ExpectedFront | None = None

    @property
    def front(self) -> ExpectedFront | None:
        """The front as estimated last; None if no objective is noisy, or none succeeded."""
        count, there = self._count, len(self._imported) + len(self._results)
        while self._due <= there:
            count, self._due = self._due, self._due + max(1, math.floor(GROWTH * self._due))
        return self._estimate(max(count, self._count, len(self._imported)))

    def settle(self) -> ExpectedFront | None:
        """The front of all results, also from now on until it is due again."""
        return self._estimate(len(self._imported) + len(self._results))

    def _estimate(self, count: int) -> ExpectedFront | None:
        if count != self._count:
            results = [*self._imported, *self._results[: count - len(self._imported)]]
            self._count, self._last = count, ExpectedFront.of(self._problem, results)
        return self._last


class ExpectedLog:
    """Writes expected values to the log of a run, for `nas front` and `nas watch`, which have neither its space nor its code.

    Also the front after each estimate, for `nas compare`: later results must not decide what counts as found early.
    """

    def __init__(self, history: History, space: SearchSpace) -> None:
        self._history = history
        self._space = space
        self._texts: dict[Architecture, str] = {}
        self._recorded: ExpectedFront | None = None

    def record(self, front: ExpectedFront | None, imported: int) -> None:
        """Write a front that follows from `imported` results of a warm start and those of the run, unless it did."""
        if front is None or front is self._recorded:
            return
        values = front.values(self._text, imported)
        earlier = [entry for entry in self._history.meta(FRONTS) or [] if entry[0] < values.results]
        now = [values.results, [result.trial.id for result in front.members]]
        self._history.write_meta({META: values.as_meta(), FRONTS: [*earlier, now]})
        self._recorded = front

    def _text(self, architecture: Architecture) -> str:
        if architecture not in self._texts:
            self._texts[architecture] = text_of(self._space, architecture)
        return self._texts[architecture]
