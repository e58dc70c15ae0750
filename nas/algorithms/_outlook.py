"""Select candidates from the predictions of a surrogate-assisted search, between two fits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

from nas.algorithms._pool import CandidateBatch
from nas.algorithms.acquisition import COARSE, FINE, Levels, improvement_over, outcomes
from nas.algorithms.cost_estimate import CostEstimate
from nas.algorithms.fidelities import Continuation
from nas.algorithms.prediction import Predictor
from nas.core.objectives import Limit
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Observation

_WIDE = 2.5  # deviations: candidates dominated even when they beat their prediction by this are left out
_SHORT = 600  # candidates evaluated again after every result
_LOOKS, _LOOKED_AT = 3, 6  # with slow costs: exact values per batch, batches per proposal
_RECENT = 1000  # most results used to update the models


@dataclass(frozen=True)
class Forecast:
    """Predictions for n candidates: q expensive objectives, normal on the models' own scales.

    `middle` (n, m) has all objectives, minimised: the exact ones, and the median of the expensive ones.
    """

    architectures: Sequence[Architecture]
    middle: FloatArray
    mean: FloatArray  # (n, q)
    std: FloatArray  # (n, q)

    def __getitem__(self, rows: np.ndarray) -> Forecast:
        kept = [self.architectures[i] for i in rows]
        return Forecast(kept, self.middle[rows], self.mean[rows], self.std[rows])


@dataclass(frozen=True)
class Target:
    """The region in which improvement counts: objectives scaled to 0 at `ideal` and 1 at `ideal + scale`, up to `reference` (m,).

    Values below `floor`, in the objectives' units, count as `floor`. A candidate must meet `limits`; improvement
    up to `least` counts as none.
    """

    ideal: FloatArray
    scale: FloatArray
    reference: FloatArray
    floor: FloatArray
    limits: tuple[Limit, ...] = ()
    least: float = 0.0

    def scaled(self, points: FloatArray, of: int | slice = slice(None)) -> FloatArray:
        """Points (n, m), or values of one objective, on the scale of the improvement."""
        return (np.maximum(points, self.floor[of]) - self.ideal[of]) / self.scale[of]


class Models:
    """The predictors of a problem's expensive objectives."""

    def __init__(
        self, problem: Problem, predictors: Sequence[Predictor], first: Sequence[Predictor] | None = None
    ) -> None:
        """`first` are the predictors of what is learned, where `predictors` continue these to another budget."""
        self._problem = problem
        self._predictors = predictors
        self._first = first or predictors
        self._measured = [j for j, o in enumerate(problem.objectives) if not o.cheap]

    def fit(self, number: int, known: Sequence[Observation]) -> None:
        """Choose and tune the model of the expensive objective with this number."""
        values = np.array([seen.objectives[self._measured[number]] for seen in known])
        self._predictors[number].fit([seen.architecture for seen in known], values)

    def update(self, architectures: Sequence[Architecture], points: FloatArray) -> None:
        """Learn from results (n, m) with the models chosen and tuned last."""
        for j, predictor in zip(self._measured, self._predictors, strict=True):
            predictor.update(architectures, points[:, j])

    def continued(self, continuation: Continuation | None) -> Models:
        """These models, which learn values at the first of several budgets, with predictions at the last; None: the same."""
        if continuation is None:
            return self
        continued = continuation.predictors(self._problem, self._predictors)
        return Models(self._problem, continued, self._predictors)

    def learnable(self, exact: CandidateBatch) -> FloatArray:
        """Predictions (n, m) of these candidates that `update` takes in place of results."""
        points = exact.objectives.copy()
        for j, predictor in zip(self._measured, self._first, strict=True):
            points[:, j] = predictor.values(predictor.predict(exact.chunks)[0])
        return points

    @property
    def reliable(self) -> bool:
        """Whether every predictor orders architectures reliably."""
        return all(p.reliable for p in self._predictors)

    def forecast(self, exact: CandidateBatch) -> Forecast:
        """Predict these candidates."""
        middle, q = exact.objectives.copy(), len(self._measured)
        mean, std = np.zeros((len(middle), q)), np.zeros((len(middle), q))
        for i, (j, predictor) in enumerate(zip(self._measured, self._predictors, strict=True)):
            mean[:, i], std[:, i] = predictor.predict(exact.chunks)
            middle[:, j] = predictor.values(mean[:, i])
        return Forecast(exact.architectures, middle, mean, std)

    def hoped(self, forecast: Forecast, deviations: float) -> FloatArray:
        """Minimised objectives (n, m) when each expensive one beats its prediction by this number of deviations."""
        hoped = forecast.middle.copy()
        for i, (j, predictor) in enumerate(zip(self._measured, self._predictors, strict=True)):
            hoped[:, j] = predictor.values(forecast.mean[:, i] - deviations * forecast.std[:, i])
        return hoped

    def improvement(
        self, forecast: Forecast, front: FloatArray, target: Target, levels: Levels = FINE
    ) -> FloatArray:
        """Expected hypervolume improvement over front (k, m), times the probability of meeting the limits, (n,)."""
        value = np.zeros(len(forecast.middle))
        front = target.scaled(front)
        hoped = target.scaled(self.hoped(forecast, _WIDE))
        rows = np.flatnonzero((hoped < target.reference).all(axis=1) & ~_dominated(hoped, front))
        if len(rows) == 0:
            return value
        some = forecast[rows]
        objectives = list(target.scaled(some.middle).T)
        for i, (j, predictor) in enumerate(zip(self._measured, self._predictors, strict=True)):
            drawn = outcomes(some.mean[:, i], some.std[:, i], predictor.values, levels)
            objectives[j] = target.scaled(drawn, of=j)
        value[rows] = improvement_over(objectives, front, target.reference, levels)
        value[rows] *= self._feasible(some, target.limits)
        return value

    def _feasible(self, forecast: Forecast, limits: Sequence[Limit]) -> FloatArray:
        """The probability that each candidate meets the limits, (n,)."""
        probability = np.ones(len(forecast.middle))
        for limit in limits:
            j = self._problem.names.index(limit.objective)
            sign = self._problem.objectives[j].sign
            upper = limit.upper == (sign > 0)  # of the minimised objective
            if j in self._measured:
                i = self._measured.index(j)
                bound = self._predictors[i].scores(np.array([sign * limit.bound]))[0]
                below = ndtr((bound - forecast.mean[:, i]) / np.maximum(forecast.std[:, i], 1e-12))
                probability *= below if upper else 1.0 - below
            else:
                inside = sign * limit.bound - forecast.middle[:, j]
                probability *= inside >= 0 if upper else inside <= 0
        return probability


class InfillSelector:
    """Selects candidates between two fits from the most promising at the fit, evaluated again after every result.

    Candidates outside that short list seldom become promising by one result, so they are not evaluated again.
    """

    def __init__(
        self,
        problem: Problem,
        models: Models,
        forecast: Forecast,
        front: FloatArray,
        targets: Sequence[Target],
        estimate: CostEstimate | None = None,
    ) -> None:
        """Improvement is over `front` (k, m); the short list has the best candidates for each target.

        `estimate` replaces slow costs; exact ones are computed only for candidates about to be proposed.
        """
        self._estimate = estimate
        self._problem = problem
        self.reliable = models.reliable
        places: dict[int, None] = {}
        for target in targets:
            value = models.improvement(forecast, front, target, COARSE)
            best = np.argsort(-value, kind="stable")[:_SHORT]
            places.update(dict.fromkeys(best[value[best] > 0].tolist()))
        self._short = CandidateBatch.of(problem, [forecast.architectures[i] for i in places], estimate)

    def best(
        self,
        models: Models,
        known: Sequence[Observation],
        pending: Collection[Architecture],
        front: FloatArray,
        targets: Sequence[Target],
        seen: Collection[Architecture],
    ) -> Architecture | None:
        """The candidate with the largest expected improvement for the first target that any improves, else None.

        The models learn `known`, then count their predictions of `pending` as results.
        """
        short = self._short.architectures
        free = np.array([i for i, a in enumerate(short) if a not in seen], dtype=np.int64)
        if len(free) == 0:
            return None
        architectures = [o.architecture for o in known]
        points = np.array([o.objectives for o in known])
        recent = _recent(points)
        architectures, points = [architectures[i] for i in recent], points[recent]
        models.update(architectures, points)
        pending = [a for a in pending if not self._problem.cost_failure(a)]  # until they are told
        if pending:
            batch = CandidateBatch.of(self._problem, pending)
            believed, learnable = models.forecast(batch).middle, models.learnable(batch)
            models.update([*architectures, *pending], np.concatenate([points, learnable]))
            front = np.concatenate([front, believed])
        forecast = models.forecast(self._short)[free]
        for target in targets:
            value = models.improvement(forecast, front, target)
            if self._estimate is not None:
                value = self._exactly(models, forecast, value, front, target)
            if value.max() > target.least:
                return forecast.architectures[int(np.argmax(value))]
        return None

    def _exactly(
        self, models: Models, forecast: Forecast, value: FloatArray, front: FloatArray, target: Target
    ) -> FloatArray:
        """Improvement (n,) of the most promising candidates with their exact costs; 0 for all others."""
        assert self._estimate is not None
        exact = np.zeros(len(value))
        known = np.zeros(len(value), dtype=bool)
        for _ in range(_LOOKS):
            rows = np.argsort(-value, kind="stable")[:_LOOKED_AT]
            rows = rows[value[rows] > target.least]
            if len(rows) == 0:
                break
            some = forecast[rows]
            costs = np.array([self._costs(a) for a in some.architectures])
            meets = [self._meets(a) for a in some.architectures]
            middle = np.where(np.isfinite(costs), costs, some.middle)
            some = replace(some, middle=middle)
            exact[rows] = models.improvement(some, front, target) * meets
            known[rows] = True
            value = np.where(known, 0.0, value)
            if exact.max() >= value.max():
                break
        return exact

    def _meets(self, architecture: Architecture) -> bool:
        problem = self._problem
        return not problem.cost_failure(architecture) and problem.cheap_violation(architecture) == 0

    def _costs(self, architecture: Architecture) -> FloatArray:
        """The cheap objectives (m,), NaN where unknown, as all are where they cannot be computed."""
        if self._problem.cost_failure(architecture):
            return np.full(self._problem.n_objectives, np.nan)
        return self._problem.cheap_objectives(architecture)


def _recent(points: FloatArray) -> np.ndarray:
    """Ascending indices of the rows (n, m) to learn from: the newest and the best in each objective, when there are many."""
    n, m = points.shape
    if n <= _RECENT:
        return np.arange(n)
    best = np.argsort(points, axis=0, kind="stable")[: _RECENT // (2 * m)].ravel()
    newest = np.arange(n - _RECENT // 2, n)
    return np.union1d(best, newest)


def _dominated(points: FloatArray, front: FloatArray) -> np.ndarray:
    """Which points (n, m) are weakly dominated by front (k, m)."""
    beaten = np.zeros(len(points), dtype=bool)
    for known in front:
        beaten |= (known <= points).all(axis=1)
    return beaten
