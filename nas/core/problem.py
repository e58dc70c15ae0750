"""The problem: a space, objectives, limits, and the evaluator.

Signs flip only here: users and files see their own units and directions, algorithms see vectors to minimise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nas.core.cheap_values import CheapValues
from nas.core.checks import did_you_mean
from nas.core.errors import ConfigError, InfeasibleError
from nas.core.evaluator import Evaluate, HasForSpace, HasReports, HasTask, companions_of, takes_choices
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
from nas.core.space import HasChoices, SearchSpace, can_build, has_cost
from nas.core.task_spec import TaskSpec


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
    cheap: CheapValues = field(init=False, repr=False, compare=False)  # what is known before training

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
        self._check()
        cheap = (*(o for o in self.objectives if o.cheap), *self.quantities)
        put(self, "cheap", CheapValues(space, cheap, self.all_limits))
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
        object.__setattr__(loose, "quantities", self.quantities)
        object.__setattr__(loose, "cheap", self.cheap.without_limits())
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
        return self.cheap.of(architecture)

    def costs(self, architecture: Architecture) -> Mapping[str, float]:
        """The entries of the space's `cost`, cached like `cheap_values`."""
        return self.cheap.costs(architecture)

    def cost_failure(self, architecture: Architecture) -> str:
        """Why a cheap objective of this architecture cannot be computed, so that it is invalid for the search; "" if all can.

        Raises `ConfigError` when those of too many architectures cannot.
        """
        return self.cheap.failure(architecture)

    @property
    def cost_seconds(self) -> float:
        """Seconds of exact costs an architecture, timed on first use unless set by `set_cost_seconds`."""
        return self.cheap.seconds

    @property
    def own_cost_share(self) -> float:
        """The share of the space's own costs in `cost_seconds`; the rest is that of the functions of objectives and quantities."""
        return self.cheap.own_share

    def set_cost_seconds(self, seconds: float, own_share: float = 1.0) -> None:
        """Set the times that an earlier session of the run measured, so that sessions agree on estimating costs."""
        self.cheap.set_seconds(seconds, own_share)

    @property
    def slow_costs(self) -> bool:
        """Whether exact costs are so slow that proposals use estimates."""
        return self.cheap.slow

    @property
    def has_cheap_values(self) -> bool:
        """Whether an objective or a quantity is known before training."""
        return bool(self.cheap.items)

    @property
    def has_cheap_limits(self) -> bool:
        """Whether a limit applies to a cheap objective."""
        return bool(self.cheap.limits)

    def cheap_excess(self, values: Mapping[str, float]) -> float:
        """Total violation of the cheap limits by the values of cheap objectives and quantities, by name."""
        return self.cheap.excess(values)

    @property
    def all_limits(self) -> tuple[Limit, ...]:
        """The limits on objectives, then those on other quantities."""
        return (*self.limits, *self.requirements)

    @property
    def excluded(self) -> dict[str, int]:
        """For every reason the number of architectures that this process has checked and excluded before training.

        They violate a cheap limit, or their cheap values cannot be computed.
        """
        return self.cheap.excluded

    @property
    def checked(self) -> int:
        """Number of architectures that this process has checked against the cheap limits, or whose cheap values it has tried to compute."""
        return self.cheap.checked

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

    @property
    def has_quick_limits(self) -> bool:
        """Whether limits on the space's own costs can be checked in a tenth of the time of all cheap values, or less."""
        return self.cheap.has_quick_limits

    def quick_violation(self, architecture: Architecture) -> float:
        """Total violation of the limits on the space's own costs, without the functions of other cheap values; 0 where they fail."""
        return self.cheap.quick_violation(architecture)

    def why_excluded(self, architecture: Architecture) -> str:
        """The cheap limits that an architecture violates, with its values, or the reasons; "" if none."""
        return self.cheap.why_excluded(architecture)

    def cheap_violation(self, architecture: Architecture) -> float:
        """Total violation of the cheap limits; 0 when all hold, infinite where a cheap objective cannot be computed.

        Without such limits slow costs are not computed here.
        """
        return self.cheap.violation(architecture)

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
