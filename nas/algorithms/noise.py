"""Repeated measurements and their means.

One noisy measurement of each candidate favours lucky ones: among equal candidates the luckiest is on the front. Measuring members of the
front again corrects for it (Fieldsend and Everson, "The Rolling Tide Evolutionary Algorithm", IEEE TEVC 19(1), 2015); so do expected values
(`nas.algorithms.expectation`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Observation
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
