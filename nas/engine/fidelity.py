"""At which budget each trial is made, and which architectures are continued at a higher one."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from nas.core.records import Architecture, FloatArray, Observation, Result, Trial

IN_LINE = 8  # candidates of each rung that may go on next, whose weights are worth the disk


class Rule(Protocol):
    """Decides who goes on; see `nas.training.Halving`."""

    @property
    def budgets(self) -> tuple[int, ...]:
        """The rungs, increasing."""
        ...

    def promote(
        self,
        rung: int,
        observed: Sequence[tuple[Architecture, Sequence[float]]],
        promoted: frozenset[Architecture] | set[Architecture],
    ) -> list[Architecture]:
        """Who of those observed at a rung goes on to the next, best first."""
        ...

    def in_line(
        self,
        observed: Sequence[tuple[Architecture, Sequence[float]]],
        promoted: frozenset[Architecture] | set[Architecture],
    ) -> list[Architecture]:
        """Who of those observed at a rung has not gone on, best first."""
        ...


class Rungs:
    """The budgets of a search: one for all trials, or the rungs of a rule that continues the best.

    New architectures start on the first rung. Whenever a result of a rung is told, the rule says who of those on
    it goes on; each continuation is a trial of its own with the architecture and the seed of the first one
    and the next rung's budget. It comes before anything new. All of it depends on the order of telling alone.

    The algorithm is told the result of the first rung only: it then compares like with like, its surrogate learns from
    one fidelity, and no algorithm needs to know of the others. Limits on measured objectives do not keep a
    candidate from going on, since a longer training may meet them.
    """

    def __init__(self, fidelity: float | None = None, rule: Rule | None = None) -> None:
        self._rule = rule
        self.budgets: tuple[float | None, ...] = (
            (None if fidelity is None else float(fidelity),)
            if rule is None
            else tuple(float(budget) for budget in rule.budgets)
        )
        self.told_at: Counter[float | None] = Counter()  # results told, by budget
        last = len(self.budgets)
        self._observed: list[dict[Architecture, FloatArray]] = [{} for _ in range(last)]
        self._trials: dict[Architecture, Trial] = {}  # the latest of each that may go on
        self._promoted: list[set[Architecture]] = [set() for _ in range(last)]
        self._due: deque[Trial] = deque()
        self._under_way: dict[Architecture, Trial] = {}

    def first(self, number: int, architecture: Architecture, seed: int) -> Trial:
        """The trial with which a new architecture starts."""
        return Trial(number, architecture, seed, self.budgets[0])

    def next(self, number: int) -> Trial | None:
        """The continuation that is due, as trial `number`; None when there is none."""
        if not self._due:
            return None
        trial = replace(self._due.popleft(), id=number)
        self._under_way[trial.architecture] = trial
        return trial

    def told(self, result: Result, seen: Observation) -> bool:
        """Take in a result; whether the algorithm is to be told of it."""
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
        """Trials whose weights are needed, or likely to be needed, to continue them."""
        found = [*self._due, *self._under_way.values()]
        if self._rule is not None:
            for observed, promoted in zip(self._observed[:-1], self._promoted[:-1], strict=True):
                line = self._rule.in_line(list(observed.items()), promoted)  # type: ignore[arg-type]
                found += [self._trials[architecture] for architecture in line[:IN_LINE]]
        return found
