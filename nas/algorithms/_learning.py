"""When a surrogate-assisted search tunes its models and renews its candidates, spread over several proposals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_AT_ONCE = 30  # results, for each group of models, up to which everything takes one proposal
_GROUPS = 3  # most proposals that tuning takes


@dataclass(frozen=True)
class Moment:
    """Numbers of successful results, of asks, and of told results at some time of a search."""

    known: int
    asked: int
    told: int


@dataclass(frozen=True)
class Renewal:
    """The candidates were renewed at this moment, with models tuned at these, one for each expensive objective."""

    at: Moment
    tuned: tuple[Moment, ...]


class LearningPlan:
    """Decides at each ask which models are tuned before it and whether the candidates are renewed.

    A cycle begins when the results have grown by `growth` since the last: the models are tuned, then the candidates renewed. With
    few results, and in the first cycle, all of this takes one ask; otherwise each step takes the next ask, so that none is slow. The
    plan depends on the numbers alone, so a resumed search that calls `step` for each earlier ask has the same one.
    """

    def __init__(self, objectives: int, first: int, growth: float) -> None:
        """`first`: results when the first cycle begins."""
        self._growth = growth
        self._next = first
        self._groups = min(objectives, _GROUPS)
        self._steps: list[
            int
        ] = []  # of the present cycle: groups to tune; the number of groups stands for renewal
        self._tuned: list[Moment | None] = [None] * objectives
        self.renewal: Renewal | None = None

    @property
    def tuned(self) -> tuple[Moment, ...]:
        """The moment when each model was tuned last; all are known after the first renewal."""
        return tuple(moment for moment in self._tuned if moment is not None)

    def step(self, now: Moment, at_once: bool = False) -> None:
        """The part of a cycle that takes place before an ask at this moment; if `at_once`, all of it."""
        if now.known >= self._next and not self._steps:
            self._next = now.known + max(1, int(np.ceil(self._growth * now.known)))
            self._steps = list(range(self._groups + 1))
        at_once = at_once or now.known < _AT_ONCE * self._groups or self.renewal is None
        for _ in range(len(self._steps) if at_once else min(1, len(self._steps))):
            self._take(self._steps.pop(0), now)

    def _take(self, step: int, now: Moment) -> None:
        if step == self._groups:
            self.renewal = Renewal(now, self.tuned)
        else:
            self._tuned[step :: self._groups] = [now] * len(self._tuned[step :: self._groups])
