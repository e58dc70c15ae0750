"""Results of several budgets: models of the lowest, continued to the highest.

With successive halving most architectures have results of a low budget alone, and few of a high one. The predictors learn the results of the
most frequent budget. A step to the next budget is learned from the architectures with results of both: a Gaussian process of the lower value, and another
of what remains, given the lower value and the architecture (as in Perdikaris et al., "Nonlinear information fusion algorithms for data-efficient
multi-fidelity modelling", Proceedings of the Royal Society A 473, 2017). Whether an architecture continues depends on its lower values,
which are an input, so the selection does not bias the step.

Far from the architectures that continued, the remainder is 0 and the order that of the lower values. One process of the lower value and the
architecture ranks as well, but it promises most where nothing continues, and no proposal there is ever refuted: its searches were far
worse (experiments/halving). For the same reason a prediction's deviation is that due to the lower value, which a proposal determines,
and not that of the steps.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from nas.algorithms.prediction import Encoding, Predictor, Scale, process_of_number
from nas.core.objectives import Objective
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Observation

LEAST = 5  # architectures with results of two budgets to learn from

# Minimised objectives (m,) of the architectures measured at a budget.
Rung = Mapping[Architecture, FloatArray]


def several_budgets(known: Sequence[Observation]) -> bool:
    """Whether the observations have more than one budget."""
    return any(seen.budget != known[0].budget for seen in known)


def by_budget(known: Sequence[Observation]) -> dict[float, list[Observation]]:
    """Observations by budget, the lowest first; None, the evaluator's default, as 0."""
    found: dict[float, list[Observation]] = {}
    for seen in known:
        found.setdefault(seen.budget or 0.0, []).append(seen)
    return dict(sorted(found.items()))


def budgets_to_learn(known: Sequence[Observation]) -> list[float]:
    """The most frequent budget, and the higher ones that share at least `LEAST` architectures with the one before, in order.

    Not a lower one than that on which the newest architecture started: a search that has left its lowest budget does not trust it.
    """
    counts = Counter(seen.budget or 0.0 for seen in known)
    started = {
        seen.architecture: seen.budget or 0.0 for seen in reversed(known)
    }  # by the first result of each
    newest = next(reversed(dict.fromkeys(seen.architecture for seen in known)))
    first = max(min(counts, key=lambda budget: (-counts[budget], budget)), started[newest])
    found = [first]
    members = {budget: {seen.architecture for seen in of} for budget, of in by_budget(known).items()}
    for budget, there in members.items():
        if budget > first and len(there & members[found[-1]]) >= LEAST:
            found.append(budget)
    return found


@dataclass(frozen=True)
class Step:
    """From the values of an objective at a budget, and the architecture, to those at the next."""

    below: Scale
    own: Scale
    line: Any  # a process of the lower value
    remainder: Any  # a process of the architecture and the lower value

    @classmethod
    def learn(
        cls,
        objective: Objective,
        make: Callable[..., Any],
        X: FloatArray,
        below: FloatArray,
        values: FloatArray,
    ) -> Step:
        """From encoded architectures X (n, d) with minimised values `below` and `values`, each (n,)."""
        found = cls(
            Scale.of(objective, below),
            Scale.of(objective, values),
            _process(process_of_number),
            _process(make),
        )
        return found._taught("fit", X, below, values)

    def condition(self, X: FloatArray, below: FloatArray, values: FloatArray) -> Step:
        """Learn from other values with the same scales and hyperparameters."""
        return self._taught("condition", X, below, values)

    def _taught(self, how: str, X: FloatArray, below: FloatArray, values: FloatArray) -> Step:
        x, z = self.below.scores(below)[:, None], self.own.scores(values)
        line = getattr(copy.copy(self.line), how)(x, z)
        rest = z - line.leave_one_out()[0]
        remainder = getattr(copy.copy(self.remainder), how)(np.column_stack([X, x]), rest)
        return replace(self, line=line, remainder=remainder)

    def __call__(self, X: FloatArray, below: FloatArray) -> FloatArray:
        """Expected scores (n,), on the scale `own`, of architectures with these lower values (n,)."""
        x = self.below.scores(below)[:, None]
        rest, _ = self.remainder.predict(np.column_stack([X, x]))
        return np.asarray(self.line.predict(x)[0] + rest)


class Continued(Predictor):
    """A predictor of values at the first budget, continued to the last by `steps`, at least one.

    It learns values at the first budget; `predict`, `values` and `scores` are of the last one.
    """

    def __init__(self, predictor: Predictor, encode: Encoding, steps: Sequence[Step]) -> None:
        self.objective = predictor.objective
        self._predictor = predictor
        self._encode = encode
        self._steps = steps

    def fit(self, architectures: Sequence[Architecture], y: FloatArray) -> Continued:
        self._predictor.fit(architectures, y)
        return self

    def update(self, architectures: Sequence[Architecture], y: FloatArray) -> Continued:
        self._predictor.update(architectures, y)
        return self

    def predict(self, chunks: Sequence[Sequence[Architecture]]) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation, each (n,), on the scale of the last budget, of what results of the first budget will predict."""
        first = self._predictor
        mean, std = first.predict(chunks)
        X = np.concatenate([self._encode(chunk) for chunk in chunks])
        # one deviation below and above the mean stand for the normal distribution
        low, high = (self._last(X, first.values(mean + side * std)) for side in (-1.0, 1.0))
        return (low + high) / 2.0, np.abs(high - low) / 2.0

    def _last(self, X: FloatArray, values: FloatArray) -> FloatArray:
        """The scores at the last budget, from values at the first, each (n,)."""
        for step in self._steps[:-1]:
            values = step.own.values(step(X, values))
        return self._steps[-1](X, values)

    def values(self, scores: FloatArray) -> FloatArray:
        return self._steps[-1].own.values(scores)

    def scores(self, values: FloatArray) -> FloatArray:
        return self._steps[-1].own.scores(values)

    @property
    def reliable(self) -> bool:
        """Of the predictor at the first budget."""
        return self._predictor.reliable


@dataclass(frozen=True)
class Continuation:
    """The steps of each objective from budget to budget, none of cheap ones, which no budget changes."""

    encode: Encoding
    steps: Mapping[int, Sequence[Step]]  # by the number of the objective

    @classmethod
    def learn(
        cls, problem: Problem, process: tuple[Encoding, Callable[..., Any]], rungs: Sequence[Rung]
    ) -> Continuation:
        """From the values at two or more budgets, the lowest first; `process` as `nas.algorithms.prediction.process_for` makes it."""
        encode, make = process
        pairs = _pairs(encode, rungs)
        return cls(
            encode,
            {
                j: [Step.learn(o, make, X, below[:, j], values[:, j]) for X, below, values in pairs]
                for j, o in enumerate(problem.objectives)
                if not o.cheap
            },
        )

    def condition(self, rungs: Sequence[Rung]) -> Continuation:
        """Learn from other results of the same budgets."""
        pairs = _pairs(self.encode, rungs)
        return replace(
            self,
            steps={
                j: [
                    s.condition(X, below[:, j], values[:, j])
                    for s, (X, below, values) in zip(steps, pairs, strict=True)
                ]
                for j, steps in self.steps.items()
            },
        )

    def complete(self, rungs: Sequence[Rung]) -> dict[Architecture, FloatArray]:
        """The values at the last of these budgets: measured, or predicted for the others of the first budget."""
        architectures = list(rungs[0])
        X, points = self.encode(architectures), np.array(list(rungs[0].values()))
        nothing = np.full(points.shape[1], np.nan)
        for j, steps in self.steps.items():
            for step, rung in zip(steps, rungs[1:], strict=True):
                found = np.array([rung.get(a, nothing)[j] for a in architectures])
                points[:, j] = np.where(np.isfinite(found), found, step.own.values(step(X, points[:, j])))
        return dict(zip(architectures, points, strict=True)) | dict(rungs[-1])

    def predictors(self, problem: Problem, first: Sequence[Predictor]) -> list[Predictor]:
        """The predictors `first` of values at the first budget, one for each expensive objective, continued to the last."""
        numbers = [j for j, o in enumerate(problem.objectives) if not o.cheap]
        return [Continued(p, self.encode, self.steps[j]) for j, p in zip(numbers, first, strict=True)]


def _pairs(encode: Encoding, rungs: Sequence[Rung]) -> list[tuple[FloatArray, FloatArray, FloatArray]]:
    """For each budget but the first: the encoded architectures that have results there and at the one before, and both values."""
    found = []
    for below, rung in pairwise(rungs):
        both = [a for a in rung if a in below]
        found.append((encode(both), np.array([below[a] for a in both]), np.array([rung[a] for a in both])))
    return found


def _process(make: Callable[..., Any]) -> Any:
    """A process for few noisy results: before it learns, half of the variance is noise."""
    return make(tune_points=120, max_iterations=20, noise=0.5, noise_width=0.5)
