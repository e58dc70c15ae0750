"""Successive halving for several objectives: the trainings to continue.

Successive halving (Jamieson and Talwalkar 2016) trains many candidates briefly and continues the best share.
With several objectives "best" is: a lower non-dominated front first, and within the front that does not fit
whole, the members that spread furthest (crowding distance, Deb et al. 2002, section III-B), as in
Schmucker et al. 2021, "Multi-objective asynchronous successive halving".
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from nas.core.checks import check_numbers
from nas.core.errors import ConfigError
from nas.core.records import FloatArray
from nas.pareto.indicators import pareto_ranks

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Halving:
    """Budgets `first`, `first * eta`, ... up to `last` (epochs); one in `eta` continues at each.

    Budgets are rounded to whole numbers; the last rung is `last` itself. With `first` 0 the first rung has no training, for
    networks that inherit weights, and the second has one epoch: 0, 1, `eta`, ... Raises `ConfigError` otherwise than
    0 <= first <= last, last >= 1 and eta > 1.
    """

    first: int = 1
    last: int = 9
    eta: float = 3.0

    def __post_init__(self) -> None:
        check_numbers("halving", self)
        if not 0 <= self.first <= self.last or self.last < 1:
            raise ConfigError(
                f"halving: expected 0 <= first <= last and last of at least 1, got {self.first} and {self.last}"
            )
        if self.eta <= 1:
            raise ConfigError(f"halving: eta must be above 1, not {self.eta!r}")

    @property
    def budgets(self) -> tuple[int, ...]:
        """The rungs, increasing."""
        rungs = [0, 1][: 1 + (self.last > 1)] if self.first == 0 else [self.first]
        power = max(1, self.first) * self.eta
        while round(power) < self.last:
            if round(power) > rungs[-1]:
                rungs.append(round(power))
            power *= self.eta
        return (*rungs, self.last) if self.last > rungs[-1] else tuple(rungs)

    def promote(
        self, rung: int, observed: Sequence[tuple[K, Sequence[float]]], promoted: AbstractSet[K]
    ) -> list[K]:
        """Keys of `observed` at rung `rung` (0 is the first) that continue to the next, best first.

        `observed` holds the key and the minimised objectives of every finished candidate of this rung;
        those with a number that is not finite never continue. `promoted` are the keys that continued already. Calling
        this after each result is the asynchronous form: a candidate continues as soon as it is among the best
        1/eta of the known results. A continued one that is overtaken keeps its place, so that no more than one in
        `eta` continues even where a search finds ever better ones. Depends only on its arguments, and on their order only for exact ties.
        """
        if rung >= len(self.budgets) - 1:
            return []
        ranked = _ranked(observed)
        places = int(len(ranked) / self.eta)
        left = places - sum(key in promoted for key in ranked)
        return [key for key in ranked[:places] if key not in promoted][: max(0, left)]

    def in_line(self, observed: Sequence[tuple[K, Sequence[float]]], promoted: AbstractSet[K]) -> list[K]:
        """Keys that have not continued, best first: the order in which further places are filled."""
        return [key for key in _ranked(observed) if key not in promoted]


def _ranked(observed: Sequence[tuple[K, Sequence[float]]]) -> list[K]:
    """The keys from best to worst, without those that have a number that is not finite."""
    if not observed:
        return []
    values = np.array([v for _, v in observed], dtype=np.float64)
    finite = np.flatnonzero(np.isfinite(values).all(axis=1))
    return [observed[finite[i]][0] for i in ranking(values[finite])]


def ranking(objectives: FloatArray) -> list[int]:
    """Rows of (n, m) minimised objectives from best to worst: by front, then by crowding distance, then by row."""
    order: list[int] = []
    for front in fronts(objectives):
        distance = crowding(objectives[front])
        order += [int(front[i]) for i in np.argsort(-distance, kind="stable")]
    return order


def fronts(objectives: FloatArray) -> list[NDArray[np.int64]]:
    """Non-dominated sorting: row numbers of the first front, the second, and so on."""
    ranks = pareto_ranks(objectives)
    return [np.flatnonzero(ranks == rank) for rank in range(ranks.max(initial=-1) + 1)]


def crowding(objectives: FloatArray) -> FloatArray:
    """Crowding distance of each row within a front, infinite at the ends of every objective."""
    n, m = objectives.shape
    distance = np.zeros(n)
    for j in range(m):
        order = np.argsort(objectives[:, j], kind="stable")
        values = objectives[order, j]
        span = values[-1] - values[0]
        distance[order[[0, -1]]] = np.inf
        if span > 0 and n > 2:
            distance[order[1:-1]] += (values[2:] - values[:-2]) / span
    return distance
