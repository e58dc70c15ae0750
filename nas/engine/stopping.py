"""Rules that end a search before its budget is spent: no improvement, or a reached target.

A rule ends a run as a time limit does: no new asks, running trials are awaited and told, and the run is ``finished`` with the
reason in its summary. A resumed run may have other rules.
"""

from __future__ import annotations

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.core.checks import check_whole, did_you_mean
from nas.core.errors import ConfigError
from nas.core.interrupts import is_interrupt
from nas.core.objectives import Limit
from nas.core.problem import Problem
from nas.core.space import text_of
from nas.core.tracebacks import summarize_exception
from nas.engine.growth import ByExpectation, ByMeasurement

if TYPE_CHECKING:
    from nas.engine.search_state import SearchState

_LOG = logging.getLogger(__name__)

Reason = Callable[[], str]


class StopRule(ABC):
    """A condition for stopping. Rules are stateless: several searches may share one.

    `start` is called once per session, with a state that holds the results of earlier sessions and of a warm start. It returns
    a function that the search calls then and after each result: the reason to stop in one line, or "" to continue. Depend on
    `state.results` and their order alone; then a resumed search stops where an uninterrupted one does.
    """

    def check(self, problem: Problem) -> None:  # noqa: B027 (optional)
        """Raise `ConfigError` if the rule does not fit the problem; called before any work."""

    @abstractmethod
    def start(self, state: SearchState) -> Reason:
        """Start to watch a search."""


@dataclass(frozen=True)
class Stalled(StopRule):
    """Stop after `evaluations` without growth of the hypervolume, counted from the end of the initial design.

    Where an objective is noisy, the hypervolume is that of expected values.
    """

    evaluations: int

    def __post_init__(self) -> None:
        check_whole("stop: stalled: evaluations", self.evaluations)

    def start(self, state: SearchState) -> Reason:
        """Count the evaluations since the last growth."""
        measured, expected = ByMeasurement(state), ByExpectation(state, self.evaluations)

        def reason() -> str:
            noisy = state.expected is not None and state.rungs.searched is None
            if (expected.since() if noisy else measured.since()) < self.evaluations:
                return ""
            by = " by expected values" if noisy else ""
            return f"stalled: the hypervolume{by} has not grown for {self.evaluations} evaluations"

        return reason

    def __str__(self) -> str:
        return f"stalled: {self.evaluations}"


@dataclass(frozen=True)
class Reached(StopRule):
    """Stop when a member of the front meets every condition, such as ``"error <= 2, params <= 1e6"``; by its expected values."""

    target: str

    def __post_init__(self) -> None:
        self._conditions()

    def _conditions(self) -> tuple[Limit, ...]:
        if not isinstance(self.target, str) or not self.target.strip():
            raise ConfigError(
                f"stop: reached: expected conditions such as 'error <= 2, params <= 1e6', got {self.target!r}"
            )
        try:
            return tuple(Limit.parse(part) for part in re.split(r",|\band\b", self.target))
        except ConfigError as error:
            raise ConfigError(f"stop: reached: {error}") from None

    def check(self, problem: Problem) -> None:
        """Check that every condition is on an objective of the search."""
        for condition in self._conditions():
            if condition.objective not in problem.names:
                raise ConfigError(
                    f"stop: reached: {condition.objective!r} is not an objective of this search"
                    f"{did_you_mean(condition.objective, problem.names)}; objectives: {', '.join(problem.names)}"
                )

    def start(self, state: SearchState) -> Reason:
        """Check the front whenever it changes."""
        conditions, problem = self._conditions(), state.problem
        signs = np.array([o.sign for o in problem.objectives])
        columns = [problem.names.index(c.objective) for c in conditions]
        bounds = np.array([c.bound if c.upper else -c.bound for c in conditions])
        turned = np.array([1.0 if c.upper else -1.0 for c in conditions])

        def reason() -> str:
            front = state.front
            values = (front.points * signs)[:, columns]
            meets = (values * turned <= bounds).all(axis=1)
            if state.rungs.searched is not None:  # inherited values are not those of a training
                last = state.rungs.budgets[-1]
                meets &= np.array([item.trial.budget == last for item in front.items], dtype=bool)
            if not meets.any():
                return ""
            first = int(np.argmax(meets))
            text = text_of(problem.space, front.items[first].trial.architecture)
            noisy = () if state.expected is None else state.expected.noisy
            named = ", ".join(
                f"{c.objective}{' expected' * (j in noisy)} = {v:.6g}"
                for c, j, v in zip(conditions, columns, values[first], strict=True)
            )
            return f"reached: {', '.join(map(str, conditions))} by {text} ({named})"

        return reason

    def __str__(self) -> str:
        return f"reached: {self.target}"


AnyRules = StopRule | Mapping[str, Any] | Sequence[StopRule | Mapping[str, Any]]
RULES: Mapping[str, Callable[[Any], StopRule]] = {"stalled": Stalled, "reached": Reached}
_EXPECTED = "expected a list of rules such as [{stalled: 30}, {reached: 'error <= 2'}], nas.Stalled(30) or nas.Reached(...)"


def stop_rules(given: AnyRules, problem: Problem | None = None) -> tuple[StopRule, ...]:
    """Convert rule objects, or mappings of a name to its argument (a list or a single one), to rules.

    Checks each rule against the problem, if given. Raises `ConfigError`.
    """
    if isinstance(given, (Mapping, StopRule)):
        given = [given]
    if not isinstance(given, (list, tuple)):
        raise ConfigError(f"stop: {_EXPECTED}; got {given!r}")
    rules: list[StopRule] = []
    for item in given:
        rules += [item] if isinstance(item, StopRule) else _from_mapping(item)
    if problem is not None:
        for rule in rules:
            rule.check(problem)
    return tuple(rules)


def _from_mapping(item: Any) -> list[StopRule]:
    if not isinstance(item, Mapping) or not item:
        raise ConfigError(f"stop: {_EXPECTED}; got {item!r} in it")
    found = []
    for name, value in item.items():
        if name not in RULES:
            raise ConfigError(
                f"stop: unknown rule {name!r}{did_you_mean(str(name), RULES)}; known: {', '.join(RULES)}"
            )
        found.append(RULES[name](value))
    return found


class Watch:
    """The rules of a running search, combined.

    A rule that raises is logged and dropped: its error must not cost the search's results.
    """

    def __init__(self, rules: Sequence[StopRule], state: SearchState) -> None:
        self._watching: list[tuple[StopRule, Reason]] = []
        for rule in rules:
            try:
                self._watching.append((rule, rule.start(state)))
            except BaseException as error:
                if is_interrupt(error):
                    raise
                _report(rule, error)

    def reason(self) -> str:
        """The first reason to stop, or ""."""
        for watched in tuple(self._watching):
            rule, ask = watched
            try:
                found = ask()
            except BaseException as error:
                if is_interrupt(error):
                    raise
                self._watching.remove(watched)
                _report(rule, error)
                continue
            if found:
                return " ".join(str(found).split())
        return ""


def _report(rule: StopRule, error: BaseException) -> None:
    _LOG.warning(
        "stop: rule %s: %s; the search continues without it", type(rule).__name__, summarize_exception(error)
    )
