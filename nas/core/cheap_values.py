"""The values of a problem that are known before training: computed once an architecture, timed, checked against limits, counted."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from nas.core.cost_timing import ALL_S, SLOW_S, CostFailed, Failing, Kept, seconds_of
from nas.core.errors import ConfigError, NasError
from nas.core.interrupts import is_interrupt
from nas.core.objectives import Limit, Objective
from nas.core.records import Architecture
from nas.core.space import HasChoices, SearchSpace, has_cost, with_choices
from nas.core.text import exact
from nas.core.tracebacks import summarize_exception

_QUICK = 0.1  # the largest share of the space's own costs in the time of all cheap values to check them first


@runtime_checkable
class HasReasons(Protocol):
    """A cheap quantity's function that says why an architecture violates a limit on it."""

    def reasons(self, architecture: Architecture) -> Sequence[str]:
        """Short texts, the same for all architectures with the same fault, such as ``"the operator Resize"``."""


class CheapValues:
    """The cheap objectives and quantities of a space, and the limits on them."""

    def __init__(self, space: SearchSpace, items: Sequence[Objective], limits: Sequence[Limit]) -> None:
        """`items` are bound to the space; `limits` are those on the items, others are ignored."""
        self._space = space
        self._vectors = math.prod(map(int, space.cardinalities))
        self._named = space if isinstance(space, HasChoices) else None
        self.items = tuple(items)
        names = {o.name for o in items}
        self.limits = tuple(x for x in limits if x.objective in names)
        own = {o.name for o in items if o.function is None}
        # on the space's own costs, where functions follow
        self._quick = tuple(x for x in self.limits if x.objective in own) if len(own) < len(items) else ()
        self._counted = self.limits  # whose violations `excluded` counts
        self._needs_cost = bool(own)
        self._kept: Kept[dict[str, float]] = Kept()
        self._kept_costs: Kept[Mapping[str, float]] = Kept()
        self._seen: Kept[bool] = Kept()  # architectures in the counts
        self._failing = Failing()
        self._excluded: dict[str, int] = {}  # by reason
        # once known: seconds an architecture, and the share of the space's own costs in them
        self._timed: list[float] = []

    def without_limits(self) -> CheapValues:
        """The same values, with the same cache, times and counts, without the limits."""
        loose = CheapValues(self._space, self.items, ())
        for name in ("_counted", "_kept", "_kept_costs", "_seen", "_failing", "_excluded", "_timed"):
            setattr(loose, name, getattr(self, name))
        return loose

    def of(self, architecture: Architecture) -> dict[str, float]:
        """The values by name. Raises `ConfigError` for one that is not a finite number, `CostFailed` where a function fails."""
        return dict(self._kept.get(architecture, self._compute)) if self.items else {}

    def costs(self, architecture: Architecture) -> Mapping[str, float]:
        """The entries of the space's `cost`, cached."""
        cost = self._space.cost  # type: ignore[attr-defined]

        def entries(given: Architecture) -> Mapping[str, float]:
            found = cost(given)
            return (
                found if isinstance(found, Mapping) else dict(found)
            )  # a mapping may compute some on demand

        return self._kept_costs.get(architecture, lambda a: self._ask("cost()", entries, a))

    def _entry(self, costs: Mapping[str, float], name: str, architecture: Architecture) -> Any:
        """An entry of the costs, which a mapping may compute on demand."""
        return self._ask("cost()", lambda _: costs[name], architecture)

    def failure(self, architecture: Architecture) -> str:
        """Why a cheap objective of this architecture cannot be computed, so that it is invalid for the search; "" if all can.

        Raises `ConfigError` when those of too many architectures cannot.
        """
        return "" if self._computed(architecture) is not None else self._failing.reasons[architecture]

    def _computed(self, architecture: Architecture) -> dict[str, float] | None:
        """The cheap objectives, not to be changed; None if they cannot be computed."""
        if not self.items:
            return {}
        if architecture in self._failing.reasons:
            return None
        try:
            return self._kept.get(architecture, self._compute)
        except CostFailed as error:
            self._failing.add(self._space, architecture, error, self._kept.computed)
            return None

    @property
    def seconds(self) -> float:
        """Seconds of exact costs an architecture, timed on first use unless set by `set_seconds`."""
        if not self._timed:
            seconds = seconds_of(self._space, self.of) if self.items else 0.0
            own = seconds
            if has_cost(self._space) and (self._quick or not self._needs_cost):
                own = seconds_of(self._space, self._space.cost)
            seconds = seconds if self._needs_cost else max(seconds, own)
            self._timed[:] = [seconds, min(1.0, own / seconds) if seconds > 0 else 1.0]
        return self._timed[0]

    @property
    def own_share(self) -> float:
        """The share of the space's own costs in `seconds`; the rest is that of the functions of objectives and quantities."""
        self.seconds  # noqa: B018 - times them
        return self._timed[1]

    def set_seconds(self, seconds: float, own_share: float = 1.0) -> None:
        """Set the times that an earlier session of the run measured, so that sessions agree on estimating costs."""
        self._timed[:] = [seconds, own_share]

    @property
    def slow(self) -> bool:
        """Whether exact costs are so slow that proposals use estimates."""
        return self.seconds > SLOW_S and self.seconds * self._vectors > ALL_S

    def excess(self, values: Mapping[str, float]) -> float:
        """Total violation of the cheap limits by the values of cheap objectives and quantities, by name."""
        return sum(limit.excess(values[limit.objective]) for limit in self.limits)

    @property
    def excluded(self) -> dict[str, int]:
        """For every reason the number of architectures that this process has checked and excluded before training.

        They violate a cheap limit, or their cheap values cannot be computed.
        """
        return {**self._excluded, **self._failing.kinds}

    @property
    def checked(self) -> int:
        """Number of architectures whose cheap values this process has computed, or tried to."""
        return self._seen.computed + len(self._failing.reasons)

    def _compute(self, architecture: Architecture) -> dict[str, float]:
        costs = self.costs(architecture) if self._needs_cost else {}
        values: dict[str, float] = {}
        for item in self.items:  # objectives, then quantities
            if item.function is None and item.name not in costs:
                raise ConfigError(
                    f"objective {item.name!r}: the cost of space {self._space.name!r} has no such entry; "
                    f"it has {', '.join(costs)}"
                )
            value = (
                self._entry(costs, item.name, architecture)
                if item.function is None
                else self._ask(f"objective {item.name!r}", item.function, architecture)
            )
            try:
                values[item.name] = float(value)
            except (TypeError, ValueError):
                values[item.name] = math.nan
            if not math.isfinite(values[item.name]):
                raise ConfigError(
                    f"objective {item.name!r}: expected a finite number for architecture "
                    f"{self._space.format(architecture)}, got {value!r}"
                )
        self._count(architecture, values, self._counted)
        return values

    def _count(
        self, architecture: Architecture, values: Mapping[str, float], limits: Sequence[Limit]
    ) -> None:
        """Count an architecture as checked, once, with the limits that it violates."""

        def count(_: Architecture) -> bool:
            for reason, _value in self._reasons(architecture, values, limits):
                self._excluded[reason] = self._excluded.get(reason, 0) + 1
            return True

        self._seen.get(architecture, count)

    @property
    def has_quick_limits(self) -> bool:
        """Whether limits on the space's own costs can be checked in a tenth of the time of all cheap values, or less."""
        return bool(self._quick) and self.slow and self.own_share <= _QUICK

    def quick_violation(self, architecture: Architecture) -> float:
        """Total violation of the limits on the space's own costs, without the functions of other cheap values; 0 where they fail."""
        values = self.quick_values(architecture)
        violation = sum(limit.excess(values[limit.objective]) for limit in self._quick) if values else 0.0
        if violation > 0:
            self._count(architecture, values, self._quick)
        return violation

    def quick_values(self, architecture: Architecture) -> dict[str, float]:
        """The space's own costs that have limits; empty where one is not a finite number, which `of` reports."""
        try:
            costs = self.costs(architecture)
            found = {x.objective: float(self._entry(costs, x.objective, architecture)) for x in self._quick}
        except (CostFailed, KeyError, TypeError, ValueError):
            return {}
        return found if all(map(math.isfinite, found.values())) else {}

    def _reasons(
        self, architecture: Architecture, values: Mapping[str, float], limits: Sequence[Limit]
    ) -> list[tuple[str, float | None]]:
        """Why an architecture with these values violates limits on them: each limit with the value, or the reasons of its function."""
        found: list[tuple[str, float | None]] = []
        for limit in limits:
            value = values[limit.objective]
            if limit.excess(value) > 0:
                function = next(o.function for o in self.items if o.name == limit.objective)
                own: Sequence[str] = (
                    function.reasons(architecture) if isinstance(function, HasReasons) else ()
                )
                found += [(reason, None) for reason in own] or [(str(limit), value)]
        return found

    def why_excluded(self, architecture: Architecture) -> str:
        """The cheap limits that an architecture violates, with its values, or the reasons; "" if none."""
        values = self._computed(architecture)
        if values is None or not self.limits:
            return ""
        return "; ".join(
            reason if value is None else f"{reason} (it has {exact(value)})"
            for reason, value in self._reasons(architecture, values, self.limits)
        )

    def _ask(self, what: str, function: Callable[[Architecture], Any], architecture: Architecture) -> Any:
        """Call a user's function of an architecture; report its exception with both names."""
        try:
            return function(with_choices(self._named, architecture))
        except CostFailed:
            raise
        except ConfigError as error:
            raise CostFailed(str(error)) from error
        except NasError:
            raise
        except BaseException as error:
            if is_interrupt(error):
                raise
            raise CostFailed(
                f"{what}: failed for architecture {self._space.format(architecture)} of space "
                f"{self._space.name!r}: {summarize_exception(error)}",
                f"{what} fails ({type(error).__name__})",
            ) from error

    def violation(self, architecture: Architecture) -> float:
        """Total violation of the cheap limits; 0 when all hold, infinite where a cheap objective cannot be computed.

        Without such limits slow costs are not computed here.
        """
        if not self.limits and (not self.items or self.slow):
            return 0.0
        values = self._computed(architecture)
        if values is None:
            return math.inf
        return sum(limit.excess(values[limit.objective]) for limit in self.limits)
