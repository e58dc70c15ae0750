"""Budgets of trials, and the continuation of architectures at higher budgets."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import replace

from nas.core.records import Architecture, FloatArray, Note, Observation, Result, Trial
from nas.core.rungs import FinishingRule, Rule
from nas.runs.sharing_quality import SHARING

IN_LINE = 8  # next candidates of each rung whose weights are kept


class Rungs:
    """The budgets of a search: one for all trials, or the rungs of a rule that continues the best.

    New architectures start on the first rung. After each result of a rung, the rule decides who is promoted; a continuation
    is a new trial with the architecture and seed of the first one and the budget of the next rung. Continuations precede new
    architectures. Everything depends on the order of results alone.

    An algorithm receives results of the first rung only, unless it takes those of every budget (`Algorithm.every_budget`): a
    population would compare results of different budgets, and a longer training is no better architecture. Limits on measured objectives do not
    prevent a promotion, since longer training may satisfy them.

    A rule that finishes (`nas.core.rungs.FinishingRule`) also promotes at the end of the search, and may let new architectures start on its second rung.
    """

    def __init__(self, fidelity: float | None = None, rule: Rule | None = None) -> None:
        self._rule = rule
        self._finishing = rule if isinstance(rule, FinishingRule) else None
        self.at_end = False  # since the last new architecture, the end began
        self._notes: list[Note] = []
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
        self.at_end = False
        return Trial(number, architecture, seed, self.starting)

    @property
    def _start(self) -> int:
        return 0 if self._finishing is None else self._finishing.start

    @property
    def starting(self) -> float | None:
        """The budget of new architectures."""
        return self.budgets[self._start]

    @property
    def searched(self) -> float | None:
        """The budget whose results show the progress of the search; None: the highest that has results."""
        return None if self._finishing is None else self.starting

    @property
    def reserve(self) -> int:
        """Evaluations of the budget that are left for the end."""
        return 0 if self._finishing is None else self._finishing.reserve

    @property
    def end_seconds(self) -> float:
        """Expected seconds of the end of the search on one worker."""
        return 0.0 if self._finishing is None else self._finishing.end_seconds

    @property
    def due(self) -> int:
        """Number of continuations that `next` will return."""
        return len(self._due)

    def finish(self) -> bool:
        """Begin the end of the search, of a rule that finishes: promote what it wants; return whether a continuation is due."""
        if self._finishing is None:
            return False
        if not self.at_end:
            self.at_end = True
            observed = list(self._observed[0].items())
            self._promote(0, self._finishing.finish(observed, self._promoted[0]))  # type: ignore[arg-type]
        return self.due > 0

    def take_notes(self) -> list[Note]:
        """The notes of the rule since the last call."""
        notes, self._notes = self._notes, []
        return notes

    def next(self, number: int) -> Trial | None:
        """The next due continuation, as trial `number`; None if none is due."""
        if not self._due:
            return None
        trial = replace(self._due.popleft(), id=number)
        self._under_way[trial.architecture] = trial
        return trial

    def told(self, result: Result, seen: Observation) -> bool:
        """Record a result; return whether it has the budget on which new architectures start."""
        trial = result.trial
        self.told_at[trial.budget] += 1
        if self._rule is None:
            return True
        rung, start = self.budgets.index(trial.budget), self._start
        self._under_way.pop(trial.architecture, None)
        self._observed[rung][trial.architecture] = seen.objectives
        if self._finishing is not None and (found := self._finishing.told(result)) is not None:
            self._notes.append(Note(self.told_at.total(), SHARING, found))
        if rung < len(self.budgets) - 1:
            self._trials[trial.architecture] = trial
            observed = list(self._observed[rung].items())
            self._promote(rung, self._rule.promote(rung, observed, self._promoted[rung]))  # type: ignore[arg-type]
        return rung == start

    def _promote(self, rung: int, architectures: list[Architecture]) -> None:
        for architecture in architectures:
            self._promoted[rung].add(architecture)
            self._due.append(replace(self._trials[architecture], budget=self.budgets[rung + 1]))

    def wanted(self) -> list[Trial]:
        """Trials whose weights are, or probably will be, needed for a continuation."""
        found = [*self._due, *self._under_way.values()]
        if self._rule is not None:
            for observed, promoted in zip(self._observed[:-1], self._promoted[:-1], strict=True):
                line = self._rule.in_line(list(observed.items()), promoted)  # type: ignore[arg-type]
                found += [self._trials[architecture] for architecture in line[:IN_LINE]]
        return found
