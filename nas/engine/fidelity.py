"""Budgets of trials, and the continuation of architectures at higher budgets."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from nas.core.records import Architecture, FloatArray, Observation, Result, Trial

IN_LINE = 8  # next candidates of each rung whose weights are kept


class Rule(Protocol):
    """Decides which architectures are promoted; see `nas.training.Halving`."""

    @property
    def budgets(self) -> tuple[int, ...]:
        """The rungs in increasing order."""

    def promote(
        self,
        rung: int,
        observed: Sequence[tuple[Architecture, Sequence[float]]],
        promoted: frozenset[Architecture] | set[Architecture],
    ) -> list[Architecture]:
        """The observations of a rung to promote to the next, best first."""

    def in_line(
        self,
        observed: Sequence[tuple[Architecture, Sequence[float]]],
        promoted: frozenset[Architecture] | set[Architecture],
    ) -> list[Architecture]:
        """The observations of a rung that are not promoted yet, best first."""


class Rungs:
    """The budgets of a search: one for all trials, or the rungs of a rule that continues the best.

    New architectures start on the first rung. After each result of a rung, the rule decides who is promoted; a continuation
    is a new trial with the architecture and seed of the first one and the budget of the next rung. Continuations precede new
    architectures. Everything depends on the order of results alone.

    An algorithm receives results of the first rung only, unless it takes those of every budget (`Algorithm.every_budget`): a
    population would compare results of different budgets, and a longer training is no better architecture. Limits on measured objectives do not
    prevent a promotion, since longer training may satisfy them.
    """

    def __init__(self, fidelity: float | None = None, rule: Rule | None = None) -> None:
        self._rule = rule
        self.budgets: tuple[float | None, ...] = (
            (None if fidelity is None else float(fidelity),)
            if rule is None
            else tuple(float(budget) for budget in rule.budgets)
        )
        self.told_at: Counter[float | None] = Counter()  # number of results by budget
        last = len(self.budgets)
        self._observed: list[dict[Architecture, FloatArray]] = [{} for _ in range(last)]
        self._trials: dict[
            Architecture, Trial
        ] = {}  # the latest trial of each architecture that may be promoted
        self._promoted: list[set[Architecture]] = [set() for _ in range(last)]
        self._due: deque[Trial] = deque()
        self._under_way: dict[Architecture, Trial] = {}

    def first(self, number: int, architecture: Architecture, seed: int) -> Trial:
        """The first trial of a new architecture."""
        return Trial(number, architecture, seed, self.budgets[0])

    def next(self, number: int) -> Trial | None:
        """The next due continuation, as trial `number`; None if none is due."""
        if not self._due:
            return None
        trial = replace(self._due.popleft(), id=number)
        self._under_way[trial.architecture] = trial
        return trial

    def told(self, result: Result, seen: Observation) -> bool:
        """Record a result; return whether it is one of the first rung."""
        trial = result.trial
        self.told_at[trial.budget] += 1
        if self._rule is None:
            return True
        rung = self.budgets.index(trial.budget)
        self._under_way.pop(trial.architecture, None)
        self._observed[rung][trial.architecture] = seen.objectives
        if rung < len(self.budgets) - 1:
            self._trials[trial.architecture] = trial
            observed = list(self._observed[rung].items())
            for architecture in self._rule.promote(rung, observed, self._promoted[rung]):  # type: ignore[arg-type]
                self._promoted[rung].add(architecture)
                self._due.append(replace(self._trials[architecture], budget=self.budgets[rung + 1]))
        return rung == 0

    def wanted(self) -> list[Trial]:
        """Trials whose weights are, or probably will be, needed for a continuation."""
        found = [*self._due, *self._under_way.values()]
        if self._rule is not None:
            for observed, promoted in zip(self._observed[:-1], self._promoted[:-1], strict=True):
                line = self._rule.in_line(list(observed.items()), promoted)  # type: ignore[arg-type]
                found += [self._trials[architecture] for architecture in line[:IN_LINE]]
        return found
