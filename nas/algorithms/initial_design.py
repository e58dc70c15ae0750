"""The initial design of a search with models: architectures that cover the space and the range of cheap objectives."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from nas.algorithms.candidates import Candidates
from nas.algorithms.cost_estimate import CostEstimate
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray

Costs = Callable[
    [list[Architecture]], FloatArray
]  # the cheap objectives, minimised, (n, number of cheap ones)

_DRAWN = 50  # random architectures drawn for each one chosen
_STEPS = 150  # of each climb to an extreme cost


def initial_design(
    problem: Problem,
    candidates: Candidates,
    rng: np.random.Generator,
    n: int,
    estimate: CostEstimate | None = None,
) -> list[Architecture]:
    """Up to n different new architectures, none of them marked as seen.

    The first two have the lowest and highest cheap objectives found; the others follow in random order, evenly
    spread in cost: half by rank, to follow the density of the space, half by the logarithm, to cover both ends of
    the front. Among architectures of similar cost the one whose genes differ most from those chosen is taken;
    without cheap objectives this alone decides. With an `estimate` (slow costs) the costs are estimated, and
    `candidates` may ignore the constraints.
    """
    costs_of = partial(_costs, problem) if estimate is None else partial(_estimated, estimate)
    drawn = candidates.peek(n * _DRAWN)
    if problem.n_objectives > len(problem.measured):
        climbed = [a for up in (False, True) for a in _climb(costs_of, candidates, drawn, rng, up)]
        drawn = list(dict.fromkeys([*drawn, *climbed]))
    if estimate is not None and problem.has_cheap_limits:
        within = [a for a, over in zip(drawn, estimate.excess(drawn), strict=True) if over == 0]
        drawn = within or drawn
    if len(drawn) <= n:
        return drawn
    place = _places(costs_of(drawn), rng)
    genes = np.array([a.genes for a in drawn])
    order = np.argsort(place, kind="stable")
    chosen = [int(order[0]), int(order[-1])][: min(n, 2)]
    for level in rng.permutation(np.linspace(0.0, 1.0, n)[1:-1]):
        left = np.setdiff1d(order, chosen)
        near = left[np.argsort(np.abs(place[left] - level), kind="stable")[: max(5, _DRAWN // 2)]]
        apart = (genes[near][:, None] != genes[chosen][None]).sum(axis=2).min(axis=1)
        chosen.append(int(near[np.argmax(apart)]))
    return [drawn[i] for i in chosen]


def _costs(problem: Problem, architectures: list[Architecture]) -> FloatArray:
    """The cheap objectives of each, minimised, (n, number of cheap ones)."""
    values = np.array([problem.cheap_objectives(a) for a in architectures])
    cheap: FloatArray = values[:, np.isfinite(values[0])]
    return cheap


def _estimated(estimate: CostEstimate, architectures: list[Architecture]) -> FloatArray:
    values = estimate(architectures)
    cheap: FloatArray = values[:, np.isfinite(values[0])]
    return cheap


def _levels(costs: FloatArray) -> FloatArray:
    """Costs (n, c), each column from 0 (least) to 1 (most), in logarithm where all are positive."""
    positive = (costs > 0).all(axis=0)
    scaled = np.where(positive, np.log(np.where(positive, costs, 1.0)), costs)
    low, high = scaled.min(axis=0), scaled.max(axis=0)
    result: FloatArray = (scaled - low) / np.where(high > low, high - low, 1.0)
    return result


def _places(costs: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Place of each row between the cheapest (0) and the most expensive (1), (n,); random without costs."""
    n = len(costs)
    if costs.shape[1] == 0:
        return rng.permutation(n) / (n - 1)
    level = _levels(costs).mean(axis=1)
    rank = np.empty(n)
    rank[np.lexsort((rng.random(n), level))] = np.arange(n) / (n - 1)
    spread = np.ptp(level)
    place: FloatArray = 0.5 * rank + 0.5 * (level - level.min()) / (spread if spread > 0 else 1.0)
    return place


def _climb(
    costs_of: Costs, candidates: Candidates, drawn: list[Architecture], rng: np.random.Generator, up: bool
) -> list[Architecture]:
    """The architectures on a climb by mutation to lower (or higher) cheap objectives."""
    if not drawn:
        return []
    sign = -1.0 if up else 1.0
    costs = costs_of(drawn)
    positive = (costs > 0).all(axis=0)

    def level(a: Architecture) -> float:
        row = costs_of([a])[0]
        return sign * float(np.where(positive, np.log(np.maximum(row, 1e-300)), row).mean())

    levels = [level(a) for a in drawn]
    current, least = drawn[int(np.argmin(levels))], min(levels)
    passed = []
    for _ in range(_STEPS):
        tried = candidates.check(candidates.variation.mutate(current, rng))
        if tried is not None and (here := level(tried)) < least:
            current, least = tried, here
            passed.append(tried)
    return passed
