"""Expected values of noisy objectives, and the front by them.

One measurement of each candidate favours lucky ones: of equal candidates the luckiest is on the front. The expected value
corrects a measurement by its companions and by what similar architectures reached (`surrogates.expected_value`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.algorithms.acquisition import FINE, outcomes
from nas.algorithms.fidelities import Continuation, Rung, budgets_to_learn, by_budget, several_budgets
from nas.algorithms.prediction import Encoding, Scale, expected_value, measurements, process_for
from nas.core.objectives import Objective, sampling_name
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Observation

# Half the width of a central 90% interval, in standard deviations: of Student's distribution with 10 degrees of freedom, since the
# noise is itself estimated from few results.
T90 = 1.8125


@dataclass(frozen=True)
class Estimates:
    """Estimates for `a` different architectures: minimised objectives, each (a, m); exact ones as measured.

    `noisy` are the columns of noisy ones. `measured` are the means of repeated measurements. `index` combines a measurement with its companions. `low` and `high`
    hold the value of a further measurement, with another seed and other images, with a probability of 90%.
    """

    architectures: tuple[Architecture, ...]
    measured: FloatArray
    index: FloatArray
    mean: FloatArray
    low: FloatArray
    high: FloatArray
    noisy: Sequence[int] = ()


@dataclass(frozen=True)
class Believed:
    """An observation of each architecture for the models, with its index, and one for the front, with its expected value.

    With several budgets the models learn the first, and `continuation` predicts the last from it; `values` are of the last.
    """

    learned: list[Observation]
    values: list[Observation]
    continuation: Continuation | None = None


class Expectation:
    """Estimates a problem's objectives where they are noisy (see `noisy_objectives`) or were measured at several budgets.

    With several budgets the estimates are of the highest with enough results; see `nas.algorithms.fidelities`.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._models: dict[int, _Noisy] = {}
        self._budgets = [0.0]  # of which it learned, in order
        self._first: Expectation | None = None  # of the most frequent of several budgets
        self._continuation: Continuation | None = None

    def needed(self, known: Sequence[Observation]) -> bool:
        """Whether an objective is noisy, or the observations have several budgets."""
        if several_budgets(known):
            return bool(self._problem.measured)
        return bool(noisy_objectives(self._problem, known))

    @cached_property
    def _process(self) -> tuple[Encoding, Callable[..., Any]]:
        return process_for(self._problem)

    def fit(self, known: Sequence[Observation]) -> Expectation:
        """Learn weights and hyperparameters from successful observations, at least one."""
        self._budgets = budgets_to_learn(known)
        own = self._at(self._budgets[-1], known)
        table = _Measured.of(own)
        encode, make = self._process
        X = encode(table.architectures)
        self._models = {
            j: _Noisy(self._problem.objectives[j], make).fit(X, table, j)
            for j in noisy_objectives(self._problem, own)
        }
        self._first = self._continuation = None
        if len(self._budgets) > 1:
            self._first = Expectation(self._problem).fit(self._at(self._budgets[0], known))
            rungs = self._rungs(known)
            self._continuation = Continuation.learn(self._problem, self._process, rungs)
        return self

    def estimate(self, known: Sequence[Observation]) -> Estimates:
        """Estimate from successful observations of one budget, with what was learned last."""
        table = _Measured.of(known)
        X = self._process[0](table.architectures)
        measured = table.means()
        index, mean, low, high = (measured.copy() for _ in range(4))
        for j, model in self._models.items():
            index[:, j], mean[:, j], low[:, j], high[:, j] = model.estimate(X, table, j)
        return Estimates(table.architectures, measured, index, mean, low, high, tuple(self._models))

    def believed(self, known: Sequence[Observation]) -> Believed:
        """All successful observations; with several budgets, measured at the last or predicted there."""
        found = self.estimate(self._at(self._budgets[-1], known))
        index, mean = (dict(zip(found.architectures, v, strict=True)) for v in (found.index, found.mean))
        if self._continuation is None:
            return Believed(self._observations(index), self._observations(mean))
        rungs = self._rungs(known)
        continuation = self._continuation.condition(rungs)
        values = continuation.complete(rungs) | mean
        return Believed(self._observations(rungs[0]), self._observations(values), continuation)

    def _at(self, budget: float, known: Sequence[Observation]) -> list[Observation]:
        return [seen for seen in known if (seen.budget or 0.0) == budget]

    def _rungs(self, known: Sequence[Observation]) -> list[Rung]:
        """The values at each budget, the lowest first: the index at the first and the last, means between."""
        assert self._first is not None
        first, *between, last = (by_budget(known)[budget] for budget in self._budgets)
        ends = self._first.estimate(first), self.estimate(last)
        low, high = (dict(zip(e.architectures, e.index, strict=True)) for e in ends)
        tables = [_Measured.of(of) for of in between]
        return [low, *(dict(zip(t.architectures, t.means(), strict=True)) for t in tables), high]

    def _observations(self, points: Mapping[Architecture, FloatArray]) -> list[Observation]:
        violation = self._problem.violation if self._problem.limits else lambda point: 0.0
        return [Observation(a, point, violation(point), ok=True) for a, point in points.items()]


@dataclass(frozen=True)
class _Measured:
    """n successful observations of `a` architectures: their rows `group` (n,), and objectives (n, m)."""

    architectures: tuple[Architecture, ...]
    group: NDArray[np.int64]
    points: FloatArray
    observations: Sequence[Observation]

    @classmethod
    def of(cls, known: Sequence[Observation]) -> _Measured:
        rows: dict[Architecture, int] = {}
        group = np.array([rows.setdefault(seen.architecture, len(rows)) for seen in known])
        return cls(tuple(rows), group, np.array([seen.objectives for seen in known]), known)

    def means(self) -> FloatArray:
        """The mean of each architecture's measurements, (a, m); of a single one itself."""
        counts = np.bincount(self.group)[:, None]
        sums = np.zeros((len(counts), self.points.shape[1]))
        np.add.at(sums, self.group, self.points)
        return sums / counts

    def companions(self, names: Sequence[str]) -> FloatArray:
        """Companions (n, q), NaN where missing."""
        return np.array([[seen.companions.get(name, np.nan) for name in names] for seen in self.observations])


class _Noisy:
    """The expected value of one noisy objective."""

    def __init__(self, objective: Objective, make: Any) -> None:
        self._objective = objective
        self._make = make
        self._names = [n for n in objective.companions or () if n != sampling_name(objective.name)]

    def fit(self, X: FloatArray, table: _Measured, j: int) -> _Noisy:
        y = table.points[:, j]
        noise = self._objective.noise
        self._constant = bool(np.ptp(y) == 0)
        if self._constant:  # a single result, or equal ones, have no scale
            return self
        self._scale = Scale.of(self._objective, y)
        self._step = max(0.01 * float(y.std()), 1e-9)
        spread = noise or self._sampling(table)
        self._usual = float(np.mean((self._slopes(y) * spread) ** 2))
        if noise:
            noise = self._usual**0.5
        self._model = expected_value(self._make, noise).fit(self._measurements(X, table, y))
        return self

    def _measurements(self, X: FloatArray, table: _Measured, y: FloatArray) -> Any:
        """The table on the models' scale."""
        names = self._names
        relative = self._relative(y, self._sampling(table))
        return measurements(X, table.group, self._scale.scores(y), table.companions(names), relative)

    def _relative(self, y: FloatArray, sampling: FloatArray) -> FloatArray:
        """Noise variance on the models' scale at values y (n,), whose mean is about 1: exactly, where the noise is given.

        Else a half is the same everywhere, and a half varies like the deviation due to the number of images, where reported: on a
        logarithmic scale small errors have more noise.
        """
        if self._objective.noise:
            return (self._slopes(y) * self._objective.noise) ** 2 / self._usual
        if not self._usual:
            return np.ones(len(y))
        return 0.5 + 0.5 * (self._slopes(y) * sampling) ** 2 / self._usual

    def _slopes(self, y: FloatArray) -> FloatArray:
        """Of the models' scale, by the objective's, at values y (n,)."""
        return (self._scale.scores(y + self._step) - self._scale.scores(y - self._step)) / (2.0 * self._step)

    def estimate(self, X: FloatArray, table: _Measured, j: int) -> tuple[FloatArray, ...]:
        """Index, expected value, and 90% interval of a further measurement, each (a,), minimised."""
        y = table.points[:, j]
        sampling = np.bincount(table.group, self._sampling(table)) / np.bincount(table.group)
        if self._constant:
            mean = table.means()[:, j]
            half = T90 * np.maximum(sampling, self._objective.noise or 0.0)
            return mean, mean, mean - half, mean + half
        found = self._model.estimate(self._measurements(X, table, y))
        noise = found.noise * np.sqrt(self._relative(self._scale.values(found.mean), sampling))
        std = np.hypot(found.std, noise)
        mean = outcomes(found.mean, std, self._scale.values) @ FINE.weights
        low = mean - np.hypot(mean - self._scale.values(found.mean - T90 * std), T90 * sampling)
        high = mean + np.hypot(self._scale.values(found.mean + T90 * std) - mean, T90 * sampling)
        best = self._objective.best
        if best is not None:
            low = np.maximum(low, best * self._objective.sign)
        return self._scale.values(found.index), mean, low, high

    def _sampling(self, table: _Measured) -> FloatArray:
        """The deviation due to the number of images, (n,); 0 where it was not reported."""
        return np.nan_to_num(table.companions([sampling_name(self._objective.name)])[:, 0])


def estimates(problem: Problem, known: Sequence[Observation]) -> Estimates | None:
    """Estimates from all successful observations; None if no objective is noisy, or without observations."""
    expectation = Expectation(problem)
    if not known or not expectation.needed(known):
        return None
    return expectation.fit(known).estimate(known)


def noisy_objectives(problem: Problem, known: Sequence[Observation]) -> list[int]:
    """The objectives that are noisy: as declared, or without a declared noise by repeated measurements that differ.

    `known` are successful observations of one budget.
    """
    unknown = [j for j, o in enumerate(problem.objectives) if not o.cheap and o.noise is None and not o.noisy]
    varies = dict.fromkeys(unknown, False)
    first: dict[Architecture, FloatArray] = {}
    for seen in known if unknown else ():
        before = first.setdefault(seen.architecture, seen.objectives)
        if before is not seen.objectives:
            varies = {j: there or before[j] != seen.objectives[j] for j, there in varies.items()}
    return [j for j, o in enumerate(problem.objectives) if o.noisy or varies.get(j, False)]
