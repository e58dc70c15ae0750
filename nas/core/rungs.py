"""The contracts of rules that give a candidate several budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Protocol, runtime_checkable

from nas.core.records import Architecture, Result

Observed = Sequence[tuple[Architecture, Sequence[float]]]  # architectures of a rung with minimised objectives


class Rule(Protocol):
    """Decides which architectures are promoted; see `nas.training.Halving`."""

    @property
    def budgets(self) -> tuple[float, ...]:
        """The rungs in increasing order."""

    def promote(
        self, rung: int, observed: Observed, promoted: AbstractSet[Architecture]
    ) -> list[Architecture]:
        """The observations of a rung to promote to the next, best first; called after each result of the rung."""

    def in_line(self, observed: Observed, promoted: AbstractSet[Architecture]) -> list[Architecture]:
        """The observations of a rung that are not promoted yet, best first; the weights of the first ones are kept."""


@runtime_checkable
class FinishingRule(Rule, Protocol):
    """A rule of two rungs that also promotes at the end of the search, and may let new architectures start on the second rung."""

    @property
    def start(self) -> int:
        """The rung on which new architectures start now."""

    @property
    def reserve(self) -> int:
        """Evaluations of the budget that are left for `finish`."""

    @property
    def end_seconds(self) -> float:
        """Expected seconds of the trials of `finish` on one worker; 0 while unknown."""

    def told(self, result: Result) -> Mapping[str, Any] | None:
        """Take in a result; return what it changes as values of a note, None for nothing."""

    def finish(self, observed: Observed, promoted: AbstractSet[Architecture]) -> list[Architecture]:
        """The observations of the first rung to promote at the end, beside those that already are."""


@runtime_checkable
class HasRule(Protocol):
    """An evaluator that evaluates at several budgets by a rule."""

    def rule(self, evaluations: int | None, seconds: float | None) -> FinishingRule | None:
        """A new rule for a search with this budget (None: no limit); None where all trials have one budget."""

    def notice(self, rule: Any) -> str:
        """What a search with this rule, which `rule` made, does not do, in a sentence for its user; "" if nothing."""
