"""Results of several budgets as results of one: lower budgets inform about the highest.

With successive halving most architectures have results of a low budget alone, and few of a high one. One order of all of them is needed
at the highest budget that has enough results, the *target*. From one budget to the next a Gaussian process learns the higher value from
the lower one, on the architectures that have both, and predicts it for the others. Whether an architecture continues depends on its lower values,
which are the input, so the selection does not bias the prediction. A model that also sees the architecture (Perdikaris et al., "Nonlinear
information fusion algorithms for data-efficient multi-fidelity modelling", Proceedings of the Royal Society A 473, 2017) ranks architectures much
better, but searches with it did not find better fronts (experiments/halving).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from nas.algorithms.prediction import Scale, relation
from nas.core.objectives import Objective
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Observation

LEAST = 5  # results of a budget to learn from

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


def target_budget(known: Sequence[Observation]) -> float:
    """The highest budget with at least `LEAST` observations, else the lowest."""
    counts = Counter(seen.budget or 0.0 for seen in known)
    return max((budget for budget, count in counts.items() if count >= LEAST), default=min(counts))


class Completion:
    """Completes the values at the highest of several budgets, from those at the lower ones."""

    def __init__(self, problem: Problem) -> None:
        self._objectives = problem.objectives
        self._steps: dict[tuple[int, int], _Step] = {}

    def fit(self, rungs: Sequence[Rung]) -> Completion:
        """Learn from the values at each budget, the lowest first."""
        self._steps = {}
        self._run(rungs, learn=True)
        return self

    def __call__(self, rungs: Sequence[Rung]) -> dict[Architecture, FloatArray]:
        """The values of all architectures of the first of these budgets at the last one: measured, or predicted."""
        return self._run(rungs, learn=False)

    def _run(self, rungs: Sequence[Rung], learn: bool) -> dict[Architecture, FloatArray]:
        architectures = list(rungs[0])
        nothing = np.full(len(self._objectives), np.nan)
        points = np.array(list(rungs[0].values()))
        for j, objective in enumerate(self._objectives):
            # no budget changes a cheap objective
            for r, rung in enumerate(rungs[1:] if not objective.cheap else ()):
                found = np.array([rung.get(a, nothing)[j] for a in architectures])
                if learn:
                    self._steps[j, r] = _Step(objective, points[:, j], found)
                points[:, j] = self._steps[j, r](points[:, j], found)
        return dict(zip(architectures, points, strict=True))


class _Step:
    """From the values at a budget to those at the next, of one objective."""

    def __init__(self, objective: Objective, below: FloatArray, values: FloatArray) -> None:
        """Learn from values `below` (n,) at the lower budget and `values` (n,), NaN where not measured."""
        known = np.isfinite(values)
        self._below, self._own = Scale.of(objective, below), Scale.of(objective, values[known])
        self._process = relation().fit(self._column(below[known]), self._own.scores(values[known]))

    def __call__(self, below: FloatArray, values: FloatArray) -> FloatArray:
        """`values` with predictions where they are NaN."""
        known = np.isfinite(values)
        if known.all():
            return values
        process = self._process.condition(self._column(below[known]), self._own.scores(values[known]))
        completed = values.copy()
        completed[~known] = self._own.values(process.predict(self._column(below[~known]))[0])
        return completed

    def _column(self, below: FloatArray) -> FloatArray:
        return self._below.scores(below)[:, None]
