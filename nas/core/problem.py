"""The problem: a space, objectives, limits, and the evaluator.

Signs flip only here: users and files see their own units and directions, algorithms see vectors to minimise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from nas.core.checks import did_you_mean
from nas.core.cost_timing import SLOW_S, CostFailed, Failing, Kept, seconds_of
from nas.core.errors import ConfigError, InfeasibleError, NasError
from nas.core.evaluator import Evaluate, HasForSpace, HasReports, HasTask, companions_of, takes_choices
from nas.core.interrupts import is_interrupt
from nas.core.measure import Measure
from nas.core.objectives import (
    OBJECTIVES,
    AnyObjective,
    Limit,
    Objective,
    exclusions_text,
    objective,
    sampling_name,
)
from nas.core.records import RESERVED, Architecture, FloatArray, Observation, Result, Status
from nas.core.space import HasChoices, SearchSpace, can_build, has_cost, with_choices
from nas.core.task_spec import TaskSpec
from nas.core.text import exact
from nas.core.tracebacks import summarize_exception

_QUICK = 0.5  # the largest share of the space's own costs in the time of all cheap values to check them first


@runtime_checkable
class HasReasons(Protocol):
    """A cheap quantity's function that says why an architecture violates a limit on it."""

    def reasons(self, architecture: Architecture) -> Sequence[str]:
        """Short texts, the same for all architectures with the same fault, such as ``"the operator Resize"``."""


@dataclass(frozen=True)
class Problem:
    """A space, one or more objectives, limits, and the evaluator of the expensive objectives.

    `objectives` takes `Objective` values, built-in names or plain functions; `limits` takes `Limit` values or texts such as
    ``"madds <= 300e6"``. `evaluate` may be None only when every objective is cheap or has a function. `task` is the task
    of the data, once settled (`nas.engine.settle`). Raises `ConfigError` when the parts do not fit together.

    A limit may also bound a cheap quantity that is not an objective: a built-in one by its name (``"params <= 1e6"`` beside
    other objectives), or one of `quantities`. Such limits are `requirements`, not `limits`: they decide which architectures are
    trained, and their quantities are part of `cheap_values` alone.
    """

    space: SearchSpace
    objectives: tuple[Objective, ...]
    evaluate: Evaluate | None = None
    limits: tuple[Limit, ...] = ()
    task: TaskSpec | None = None
    quantities: tuple[Objective, ...] = ()
    deployment: Mapping[str, Any] | None = None  # plain values of the target that values are measured for
    requirements: tuple[Limit, ...] = field(init=False)
    measured: frozenset[str] = field(init=False)  # names that a worker must return
    companions: tuple[str, ...] = field(init=False)  # names of values that inform about objectives
    named: HasChoices | None = field(init=False, repr=False)  # the space, where its parameters have names
    _observed: tuple[str, ...] = field(init=False, repr=False)  # companions, and deviations due to sampling
    _given: tuple[Objective, ...] = field(init=False, repr=False)  # not yet bound to the space
    _given_quantities: tuple[Objective, ...] = field(init=False, repr=False)  # likewise
    _cheap: tuple[Objective, ...] = field(init=False, repr=False)
    _cheap_limits: tuple[Limit, ...] = field(init=False, repr=False)
    _quick_limits: tuple[Limit, ...] = field(
        init=False, repr=False
    )  # on the space's own costs, where functions follow
    _counted_limits: tuple[Limit, ...] = field(init=False, repr=False)  # whose violations `excluded` counts
    _needs_cost: bool = field(init=False, repr=False)
    _kept: Kept[dict[str, float]] = field(init=False, repr=False, compare=False)  # cache of cheap values
    _kept_costs: Kept[Mapping[str, float]] = field(
        init=False, repr=False, compare=False
    )  # cache of the space's costs
    _checked: Kept[bool] = field(init=False, repr=False, compare=False)  # architectures in the counts
    _failing: Failing = field(init=False, repr=False, compare=False)
    _excluded: dict[str, int] = field(init=False, repr=False, compare=False)  # by reason
    # once known: seconds per architecture, and the share of the space's own costs in them
    _timed: list[float] = field(init=False, repr=False, compare=False)

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[AnyObjective],
        evaluate: Evaluate | None = None,
        limits: Sequence[Limit | str] = (),
        task: TaskSpec | None = None,
        quantities: Sequence[Objective] = (),
        deployment: Mapping[str, Any] | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "space", space)
        put(self, "task", task)
        put(self, "deployment", deployment)
        check_list("limits", limits)
        put(self, "_given", as_objectives(objectives))
        if not isinstance(space, SearchSpace):
            raise ConfigError(f"space: expected a SearchSpace, got {type(space).__name__}")
        put(self, "named", space if isinstance(space, HasChoices) else None)
        put(self, "objectives", tuple(_whole(o.bound(space, task), evaluate) for o in self._given))
        put(self, "companions", tuple(dict.fromkeys(c for o in self.objectives for c in o.companions or ())))
        noisy = (sampling_name(o.name) for o in self.objectives if o.noisy)
        put(self, "_observed", tuple(dict.fromkeys((*self.companions, *noisy))))
        put(self, "evaluate", evaluate)
        put(self, "_given_quantities", tuple(quantities))
        put(self, "limits", tuple(Limit.parse(text) for text in limits))
        put(self, "quantities", tuple(o.bound(space, task) for o in self._limited()))
        named = {o.name for o in self.quantities}
        put(self, "requirements", tuple(x for x in self.limits if x.objective in named))
        put(self, "limits", tuple(x for x in self.limits if x.objective not in named))
        put(self, "_excluded", {})
        put(self, "_kept", Kept())
        put(self, "_kept_costs", Kept())
        put(self, "_checked", Kept())
        put(self, "_failing", Failing())
        put(self, "_timed", [])
        self._check()
        cheap = (*(o for o in self.objectives if o.cheap), *self.quantities)
        cheap_names = {o.name for o in cheap}
        put(self, "_cheap", cheap)
        put(self, "_cheap_limits", tuple(x for x in self.all_limits if x.objective in cheap_names))
        own = {o.name for o in cheap if o.function is None}
        quick = tuple(x for x in self._cheap_limits if x.objective in own) if len(own) < len(cheap) else ()
        put(self, "_quick_limits", quick)
        put(self, "_counted_limits", self._cheap_limits)
        put(self, "_needs_cost", any(o.function is None for o in cheap))
        put(self, "measured", frozenset(o.name for o in self.objectives if not o.cheap))

    def _check(self) -> None:
        if not self.objectives:
            raise ConfigError("objectives: expected at least one, got none")
        names = [o.name for o in self.objectives]
        if len(set(names)) < len(names):
            raise ConfigError(f"objectives: each name may appear once, got {', '.join(names)}")
        taken = sorted(RESERVED & set(names))
        if taken:
            raise ConfigError(
                f"objectives: {taken[0]!r} is a reserved column of every run's table; choose another name"
            )
        named = () if self.named is None else self.named.parameters
        columns = sorted(RESERVED.intersection(named))
        if columns or len(set(named)) < len(named):
            what = f"{columns[0]!r} is a column of every run's table" if columns else "two have one name"
            raise ConfigError(f"parameters of space {self.space.name!r}: {what}; rename it")
        both = [name for name in names if name in named]
        if both:
            raise ConfigError(
                f"objectives: {both[0]!r} is also a parameter of space {self.space.name!r}, and both are columns; rename one"
            )
        if self.evaluate is not None and not callable(self.evaluate):
            raise ConfigError(f"evaluate: expected a callable, got {type(self.evaluate).__name__}")
        wanting = [o.name for o in self.objectives if o.by_evaluator]
        if wanting and self.evaluate is None:
            raise ConfigError(
                f"evaluate: needed to measure {', '.join(wanting)}, got None: pass a function of a trial that returns "
                f"{'it' if len(wanting) == 1 else 'them'} by name; or, for networks that the space builds (@space.build), "
                'data="FOLDER" trains them (in a config: evaluator: training)'
            )
        evaluator: object = self.evaluate
        known = evaluator.reports if isinstance(evaluator, HasReports) else None
        for name in wanting:
            if known is not None and name not in known:
                raise ConfigError(
                    f"objective {name!r}: the evaluator does not report it{did_you_mean(name, known)}; it reports: {', '.join(known)}"
                )
        from_cost = [o.name for o in (*self.objectives, *self.quantities) if o.cheap and o.function is None]
        if from_cost and not has_cost(self.space):
            raise ConfigError(
                f"objectives {', '.join(from_cost)} are read from the space's cost(), but space "
                f"{self.space.name!r} has none: give them a function, or the space a cost (@space.build or @space.cost; in a SearchSpace a method cost)"
            )
        for limit in self.limits:
            if limit.objective not in names:
                raise ConfigError(
                    f"limit '{limit}': {limit.objective!r} is not an objective of this search"
                    f"{did_you_mean(limit.objective, names)}; objectives: {', '.join(names)}"
                )

    def _limited(self) -> list[Objective]:
        """The quantities that limits bound and that are not objectives: those given, else built-in ones that are known before training."""
        names = {o.name for o in self.objectives}
        known = {o.name: o for o in (*OBJECTIVES.values(), *self._given_quantities) if o.cheap}
        wanted = dict.fromkeys(limit.objective for limit in self.limits)
        return [known[name] for name in wanted if name in known and name not in names]

    def settled(self, space: SearchSpace, evaluate: Evaluate | None, task: TaskSpec | None) -> Problem:
        """Return the problem with the space and evaluator settled for the data."""
        return Problem(
            space, self._given, evaluate, self.all_limits, task, self._given_quantities, self.deployment
        )

    def without_cheap_limits(self) -> Problem:
        """The same problem, with the same exact values, without its limits on cheap objectives."""
        limits = [limit for limit in self.limits if limit.objective in self.measured]
        loose = Problem(self.space, self.objectives, self.evaluate, limits, self.task)
        # with the same cache and counts, the quantities of the limits included
        for name in (
            *("quantities", "_cheap", "_needs_cost", "_kept", "_kept_costs"),
            *("_failing", "_timed", "_excluded", "_counted_limits", "_checked"),
        ):
            object.__setattr__(loose, name, getattr(self, name))
        return loose

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the objectives, in order."""
        return tuple(o.name for o in self.objectives)

    @property
    def n_objectives(self) -> int:
        """The number of objectives, m."""
        return len(self.objectives)

    def measure(self) -> Measure:
        """The function that executors run; picklable if the user's parts are."""
        functions = tuple(
            (o.name, o.function) for o in self.objectives if not o.cheap and o.function is not None
        )
        evaluate: object = self.evaluate
        looked_up = isinstance(evaluate, HasTask) and not isinstance(evaluate, HasForSpace)
        trained = has_cost(self.space) and can_build(self.space) and not looked_up
        by_choices = self.named is not None and takes_choices(self.evaluate)
        return Measure(self.evaluate, functions, self.space if trained else None, self.named, by_choices)

    def cheap_values(self, architecture: Architecture) -> dict[str, float]:
        """Exact objectives by name, without training. Raises `ConfigError` for a value that is not a finite number.

        Raises its subclass `CostFailed` where a function fails for this architecture. Cached for the last
        `nas.core.cost_timing.KEPT` architectures.
        """
        return dict(self._kept.get(architecture, self._cheap_values)) if self._cheap else {}

    def costs(self, architecture: Architecture) -> Mapping[str, float]:
        """The entries of the space's `cost`, cached like `cheap_values`."""
        cost = self.space.cost  # type: ignore[attr-defined]

        def found(a: Architecture) -> Mapping[str, float]:
            entries = self._ask("cost()", cost, a)
            return (
                entries if isinstance(entries, Mapping) else dict(entries)
            )  # a mapping may compute some on demand

        return self._kept_costs.get(architecture, found)

    def cost_failure(self, architecture: Architecture) -> str:
        """Why a cheap objective of this architecture cannot be computed, so that it is invalid for the search; "" if all can.

        Raises `ConfigError` when those of too many architectures cannot.
        """
        return "" if self._computed(architecture) is not None else self._failing.reasons[architecture]

    def _computed(self, architecture: Architecture) -> dict[str, float] | None:
        """The cheap objectives, not to be changed; None if they cannot be computed."""
        if not self._cheap:
            return {}
        if architecture in self._failing.reasons:
            return None
        try:
            return self._kept.get(architecture, self._cheap_values)
        except CostFailed as error:
            self._failing.add(self.space, architecture, error, self._kept.computed)
            return None

    @property
    def cost_seconds(self) -> float:
        """Seconds of exact costs an architecture, timed on first use unless set by `set_cost_seconds`."""
        if not self._timed:
            seconds = seconds_of(self.space, self.cheap_values) if self._cheap else 0.0
            own = seconds
            if has_cost(self.space) and (self._quick_limits or not self._needs_cost):
                own = seconds_of(self.space, self.space.cost)
            seconds = seconds if self._needs_cost else max(seconds, own)
            self._timed[:] = [seconds, min(1.0, own / seconds) if seconds > 0 else 1.0]
        return self._timed[0]

    @property
    def own_cost_share(self) -> float:
        """The share of the space's own costs in `cost_seconds`; the rest is that of the functions of objectives and quantities."""
        self.cost_seconds  # noqa: B018 - times them
        return self._timed[1]

    def set_cost_seconds(self, seconds: float, own_share: float = 1.0) -> None:
        """Set the times that an earlier session of the run measured, so that sessions agree on estimating costs."""
        self._timed[:] = [seconds, own_share]

    @property
    def slow_costs(self) -> bool:
        """Whether exact costs are so slow that proposals use estimates."""
        return self.cost_seconds > SLOW_S

    @property
    def has_cheap_values(self) -> bool:
        """Whether an objective or a quantity is known before training."""
        return bool(self._cheap)

    @property
    def has_cheap_limits(self) -> bool:
        """Whether a limit applies to a cheap objective."""
        return bool(self._cheap_limits)

    def cheap_excess(self, values: Mapping[str, float]) -> float:
        """Total violation of the cheap limits by the values of cheap objectives and quantities, by name."""
        return sum(limit.excess(values[limit.objective]) for limit in self._cheap_limits)

    @property
    def all_limits(self) -> tuple[Limit, ...]:
        """The limits on objectives, then those on other quantities."""
        return (*self.limits, *self.requirements)

    @property
    def excluded(self) -> dict[str, int]:
        """For every reason the number of architectures that this process has checked and excluded before training.

        They violate a cheap limit, or their cheap values cannot be computed.
        """
        return {**self._excluded, **self._failing.kinds}

    @property
    def checked(self) -> int:
        """Number of architectures whose cheap values this process has computed, or tried to."""
        return self._checked.computed + len(self._failing.reasons)

    def infeasible(self, what: str) -> InfeasibleError:
        """The error of a search without an architecture within its limits; `what` is the observation.

        The message counts the reasons, and names the settings that the limits follow from.
        """
        counts = exclusions_text(self.excluded)
        sources = [limit.source for limit in self.all_limits if limit.source]
        remedy = "Loosen the limits" if any(not limit.source for limit in self.all_limits) else ""
        if sources:
            remedy += f"{', or change' if remedy else 'Change'} {', '.join(dict.fromkeys(sources))}"
        return InfeasibleError(
            f"limits {'; '.join(limit.with_source for limit in self.all_limits)}: {what}. "
            f"Excluded before training, of {self.checked:,} checked architectures: {counts}. {remedy}."
        )

    def _cheap_values(self, architecture: Architecture) -> dict[str, float]:
        costs = self.costs(architecture) if self._needs_cost else {}
        values: dict[str, float] = {}
        for item in self._cheap:  # objectives, then quantities
            if item.function is None and item.name not in costs:
                raise ConfigError(
                    f"objective {item.name!r}: the cost of space {self.space.name!r} has no such entry; "
                    f"it has {', '.join(costs)}"
                )
            value = (
                costs[item.name]
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
                    f"{self.space.format(architecture)}, got {value!r}"
                )
        self._count(architecture, values, self._counted_limits)
        return values

    def _count(
        self, architecture: Architecture, values: Mapping[str, float], limits: Sequence[Limit]
    ) -> None:
        """Count an architecture as checked, once, with the limits that it violates."""

        def count(_: Architecture) -> bool:
            for reason, _value in self._reasons(architecture, values, limits):
                self._excluded[reason] = self._excluded.get(reason, 0) + 1
            return True

        self._checked.get(architecture, count)

    @property
    def has_quick_limits(self) -> bool:
        """Whether limits on the space's own costs can be checked in less than half the time of all cheap values."""
        return bool(self._quick_limits) and self.slow_costs and self.own_cost_share <= _QUICK

    def quick_violation(self, architecture: Architecture) -> float:
        """Total violation of the limits on the space's own costs, without the functions of other cheap values; 0 where they fail."""
        try:
            costs = self.costs(architecture)
            values = {limit.objective: float(costs[limit.objective]) for limit in self._quick_limits}
        except (CostFailed, KeyError, TypeError, ValueError):  # `cheap_values` reports it
            return 0.0
        violation = sum(limit.excess(values[limit.objective]) for limit in self._quick_limits)
        if violation > 0:
            self._count(architecture, values, self._quick_limits)
        return violation

    def _reasons(
        self, architecture: Architecture, values: Mapping[str, float], limits: Sequence[Limit]
    ) -> list[tuple[str, float | None]]:
        """Why an architecture with these values violates limits on them: each limit with the value, or the reasons of its function."""
        found: list[tuple[str, float | None]] = []
        for limit in limits:
            value = values[limit.objective]
            if limit.excess(value) > 0:
                function = next(o.function for o in self._cheap if o.name == limit.objective)
                own: Sequence[str] = (
                    function.reasons(architecture) if isinstance(function, HasReasons) else ()
                )
                found += [(reason, None) for reason in own] or [(str(limit), value)]
        return found

    def why_excluded(self, architecture: Architecture) -> str:
        """The cheap limits that an architecture violates, with its values, or the reasons; "" if none."""
        values = self._computed(architecture)
        if values is None or not self._cheap_limits:
            return ""
        return "; ".join(
            reason if value is None else f"{reason} (it has {exact(value)})"
            for reason, value in self._reasons(architecture, values, self._cheap_limits)
        )

    def _ask(self, what: str, function: Callable[[Architecture], Any], architecture: Architecture) -> Any:
        """Call a user's function of an architecture; report its exception with both names."""
        try:
            return function(with_choices(self.named, architecture))
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
                f"{what}: failed for architecture {self.space.format(architecture)} of space "
                f"{self.space.name!r}: {summarize_exception(error)}",
                f"{what} fails ({type(error).__name__})",
            ) from error

    def cheap_violation(self, architecture: Architecture) -> float:
        """Total violation of the cheap limits; 0 when all hold, infinite where a cheap objective cannot be computed.

        Without such limits slow costs are not computed here.
        """
        if not self._cheap_limits and (not self._cheap or self.slow_costs):
            return 0.0
        values = self._computed(architecture)
        if values is None:
            return math.inf
        return sum(limit.excess(values[limit.objective]) for limit in self._cheap_limits)

    def cheap_objectives(self, architecture: Architecture) -> FloatArray:
        """The minimised objective vector, shape (m,), NaN for expensive objectives."""
        values = self.cheap_values(architecture)
        return np.array([o.sign * values[o.name] if o.cheap else np.nan for o in self.objectives])

    def violation(self, objectives: FloatArray) -> float:
        """Total violation of the limits by a minimised vector, shape (m,); 0 when all hold."""
        return violation_of(self.objectives, self.limits, objectives)

    def observe(self, result: Result) -> Observation:
        """The observation of a result for algorithms: minimised objectives and total violation of the limits."""
        if result.status is not Status.OK:
            nothing = np.full(len(self.objectives), np.nan)
            return Observation(
                result.trial.architecture, nothing, math.inf, ok=False, budget=result.trial.budget
            )
        values = result.values
        vector = np.array([o.sign * values[o.name] for o in self.objectives])
        violation = (
            sum(limit.excess(values[limit.objective]) for limit in self.limits) if self.limits else 0.0
        )
        companions = {name: values[name] for name in self._observed if name in values}
        trial = result.trial
        return Observation(trial.architecture, vector, violation, True, companions, trial.budget)


def as_objectives(values: Sequence[AnyObjective]) -> tuple[Objective, ...]:
    """The objectives of a list of names, functions and objectives. Raises `ConfigError` for anything but a list."""
    check_list("objectives", values)
    return tuple(objective(value) for value in values)


def _whole(item: Objective, evaluate: Evaluate | None) -> Objective:
    """The objective with its companions: its own, else those that the evaluator declares."""
    if item.companions is None:
        return replace(item, companions=companions_of(evaluate, item.name) if item.by_evaluator else ())
    return item


def check_list(argument: str, value: object) -> None:
    """Raises `ConfigError`, naming the argument, for one value in place of a list, and for anything that is not iterable."""
    if isinstance(value, (str, Objective, Limit)):
        raise ConfigError(f"{argument}: expected a list, got {value!r} alone; write [{value!r}]")
    if not isinstance(value, Iterable):
        raise ConfigError(f"{argument}: expected a list, got {value!r:.200} alone")


def violation_of(objectives: Sequence[Objective], limits: Sequence[Limit], point: FloatArray) -> float:
    """Total violation of the limits by a minimised vector, shape (m,): the sum of relative excesses."""
    values = {o.name: o.sign * float(v) for o, v in zip(objectives, point, strict=True)}
    return sum(limit.excess(values[limit.objective]) for limit in limits)
