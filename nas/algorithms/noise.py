"""Repeated measurements: their means, and the front by a model's posterior mean.

One noisy measurement of each candidate favours lucky ones: among equal candidates the luckiest is on the front. Measuring front members again and smoothing by a model both correct for it (Fieldsend and
Everson, "The Rolling Tide Evolutionary Algorithm", IEEE TEVC 19(1), 2015, re-evaluate the members of the front too).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from nas.algorithms.acquisition import WEIGHTS, outcomes
from nas.algorithms.prediction import Predictor, in_chunks
from nas.core.algorithm import Algorithm, HasPosterior
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Observation, Result
from nas.core.space import text_of
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import hypervolume_alone
from nas.pareto.means import Means


def averaged(problem: Problem, known: Sequence[Observation], means: Means | None = None) -> list[Observation]:
    """One observation per architecture, in the order of the first ones: the mean of its successful observations.

    Given `means` of earlier observations, the averages continue from them.
    """
    means = Means() if means is None else means
    found: dict[Architecture, Observation] = {}
    for seen in known:
        point = means.add(seen.architecture, seen.objectives)
        if means.count(seen.architecture) > 1:
            seen = replace(seen, objectives=point, violation=problem.violation(point))
        found[seen.architecture] = seen
    return list(found.values())


def worth_repeating(front: FloatArray, counts: Sequence[int]) -> int:
    """The member of a front (n, m), minimised, to measure again, given the number of measurements `counts` (n,).

    Among those measured least, the one with the largest exclusive hypervolume (reference point: a tenth of the range
    beyond the nadir): the front depends on it most, and lucky measurements stand out most.
    """
    return int(np.lexsort((-hypervolume_alone(front), np.asarray(counts)))[0])


def posterior(
    problem: Problem,
    predictors: Sequence[Predictor],
    known: Sequence[Observation],
    architectures: Sequence[Architecture],
) -> tuple[FloatArray, FloatArray]:
    """Mean and deviation, each (n, m), minimised, that models of successful observations predict of architectures.

    `predictors` (one an expensive objective, in order) are fitted here: chosen and tuned on the mean of each
    architecture, since copies would leak between the folds of cross-validation, then updated with every
    observation. The deviation is that of one further measurement. Raises `ConfigError` without observations.
    """
    mean = np.array([problem.cheap_objectives(a) for a in architectures]).reshape(-1, problem.n_objectives)
    std = np.zeros_like(mean)
    measured = [j for j, o in enumerate(problem.objectives) if not o.cheap]
    means = averaged(problem, known)
    for j, predictor in zip(measured, predictors, strict=True):
        predictor.fit([seen.architecture for seen in means], np.array([s.objectives[j] for s in means]))
        every = [seen.architecture for seen in known]
        predictor.update(every, np.array([seen.objectives[j] for seen in known]))
        drawn = outcomes(*predictor.predict(in_chunks(architectures)), predictor.values)
        mean[:, j] = drawn @ WEIGHTS
        std[:, j] = np.sqrt(np.maximum((drawn - mean[:, [j]]) ** 2 @ WEIGHTS, 0.0))
    return mean, std


def posterior_front(problem: Problem, algorithm: Algorithm, results: Iterable[Result]) -> pd.DataFrame | None:
    """The front by posterior mean, in users' units; None when nothing was measured twice or the algorithm has no posterior.

    It holds the successfully measured architectures whose posterior means are feasible and not dominated. Columns:
    `architecture`, one per objective (the posterior mean), `<objective>_std` for each measured one, `measurements`.
    Sorted as front.csv.
    """
    measured = [result.trial for result in results if result.ok]
    counts = Counter(trial.architecture for trial in measured)
    # a measurement at another budget is not a repetition
    repeated = Counter((trial.architecture, trial.budget) for trial in measured)
    if not isinstance(algorithm, HasPosterior) or max(repeated.values(), default=0) < 2:
        return None
    architectures = list(counts)
    mean, std = algorithm.posterior(architectures)
    feasible = np.array([problem.violation(row) == 0 for row in mean], dtype=bool)
    rows = np.flatnonzero(feasible)
    rows = rows[non_dominated(mean[rows])] if len(rows) else rows
    columns: dict[str, object] = {
        "architecture": [text_of(problem.space, architectures[i]) for i in rows],
        **{o.name: o.sign * mean[rows, j] for j, o in enumerate(problem.objectives)},
        **{f"{o.name}_std": std[rows, j] for j, o in enumerate(problem.objectives) if not o.cheap},
        "measurements": [counts[architectures[i]] for i in rows],
    }
    order = [*problem.names, "architecture"]
    ascending = [*(not o.maximize for o in problem.objectives), True]
    return pd.DataFrame(columns).sort_values(order, ascending=ascending, ignore_index=True)
