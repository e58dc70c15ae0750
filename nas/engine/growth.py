"""How many evaluations ago the hypervolume of a search last grew, for the rules that stop it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.core.records import FloatArray, Result, Status
from nas.engine.expected import ExpectedFront
from nas.runs.fold import Fold

if TYPE_CHECKING:
    from nas.engine.search_state import SearchState

_NOISE = 1e-12  # relative rounding error of hypervolumes


class _Progress:
    """Evaluations since the last growth of the hypervolume, result by result."""

    def __init__(self, state: SearchState) -> None:
        problem = state.problem
        self._fold: Fold[Result] = Fold(problem.objectives, problem.limits, state.initial)
        self._left = max(2, state.initial)  # successes until the hypervolume's box is fixed
        self.since = 0
        self._best, self._budget = 0.0, self._fold.budget

    def begin_with(self, result: Result, point: FloatArray | None) -> None:
        """Add a result of a warm start; the `point` (m,) is minimised, None for one that does not count."""
        if point is not None:
            self._fold.put(result.trial.architecture, result.trial.budget, point, result)
            self._left -= 1
        self._best, self._budget = self._fold.volume, self._fold.budget

    def take(self, result: Result, point: FloatArray | None) -> None:
        """Add the next result."""
        if result.status is Status.INVALID:
            return
        if point is not None:
            self._fold.put(result.trial.architecture, result.trial.budget, point, result)
            self._left -= 1
        self.since += 1
        volume = self._fold.volume
        # volumes are not comparable until the box is fixed, nor those of fronts at different budgets
        new = (point is not None and self._left >= 0) or self._fold.budget != self._budget
        if new or volume > self._best * (1 + _NOISE):
            self.since, self._best, self._budget = 0, volume, self._fold.budget


class ByMeasurement:
    """The progress of a search, updated on access."""

    def __init__(self, state: SearchState) -> None:
        self._state = state
        self._progress = _Progress(state)
        for result in state.imported:
            self._progress.begin_with(result, self._point(result))
        self._taken = 0

    def _point(self, result: Result) -> FloatArray | None:
        seen, searched = self._state.problem.observe(result), self._state.rungs.searched
        counts = seen.ok and (searched is None or seen.budget == searched)
        return seen.objectives if counts else None

    def since(self) -> int:
        """Number of evaluations since the hypervolume first reached its maximum."""
        for result in self._state.results[self._taken :]:
            self._taken += 1
            self._progress.take(result, self._point(result))
        return self._progress.since


class ByExpectation:
    """The progress of a search by expected values: every architecture counts with its newest expected value from its result on."""

    def __init__(self, state: SearchState, patience: int) -> None:
        self._state = state
        self._patience = patience
        self._front: ExpectedFront | None = None
        self._since = 0

    def since(self) -> int:
        """Number of evaluations since the hypervolume first reached its maximum."""
        state, newest = self._state, self._state.expected
        if newest is not self._front:
            self._front, self._since = newest, self._measured(newest)
        told = 0 if newest is None else newest.results - len(state.imported)
        found = self._since + sum(r.status is not Status.INVALID for r in state.results[told:])
        if found < self._patience or told == len(state.results):
            return found
        return self._measured(ExpectedFront.of(state.problem, [*state.imported, *state.results]))

    def _measured(self, front: ExpectedFront | None) -> int:
        if front is None:
            return 0
        state, points = self._state, front.points
        budgets = {a: result.trial.budget for a, result in front.latest.items()}

        def point(result: Result) -> FloatArray | None:
            trial = result.trial
            counts = (
                result.ok and trial.architecture in points and budgets[trial.architecture] == trial.budget
            )
            return points[trial.architecture] if counts else None

        progress = _Progress(state)
        for result in state.imported:
            progress.begin_with(result, point(result))
        for result in state.results[: front.results - len(state.imported)]:
            progress.take(result, point(result))
        return progress.since
