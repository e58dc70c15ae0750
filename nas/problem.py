"""The problem: a space, what matters about its architectures, and how that is measured.

The one place where signs flip: users and files see their own units and directions, algorithms see vectors
to be minimised.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nas.blame import explain
from nas.core.counting import counting
from nas.core.interrupts import is_interrupt
from nas.core.task_spec import TaskSpec
from nas.errors import ConfigError, NasError
from nas.interfaces import (
    Evaluate,
    HasBuild,
    HasCost,
    HasForSpace,
    HasResources,
    HasTask,
    SearchSpace,
)
from nas.objectives import AnyObjective, Limit, Objective, did_you_mean, objective
from nas.records import RESERVED, Architecture, FloatArray, Observation, Result, Status, Trial


@dataclass(frozen=True)
class Measure:
    """What runs on a worker: the user's evaluator, then every expensive objective that has a function."""

    evaluate: Evaluate | None
    functions: tuple[tuple[str, Callable[[Architecture], float]], ...] = ()
    space: SearchSpace | None = None  # whose costs the search reports, where networks are trained

    def __call__(self, trial: Trial) -> Mapping[str, float]:
        with counting(self.space):
            return self._measured(trial)

    def _measured(self, trial: Trial) -> Mapping[str, float]:
        if self.evaluate is None:
            values: dict[str, float] = {}
        elif not self.functions:
            return self.evaluate(trial)
        else:
            returned: Any = self.evaluate(trial)
            if not isinstance(returned, Mapping):
                return returned  # type: ignore[no-any-return]  # refused by who called, who names it
            values = dict(returned)
        for name, function in self.functions:
            values[name] = function(trial.architecture)
        return values

    def resources(self, trial: Trial) -> Mapping[str, float]:
        """What the user's evaluator says that this trial needs; nothing if it does not say."""
        return self.evaluate.resources(trial) if isinstance(self.evaluate, HasResources) else {}


@dataclass(frozen=True)
class Problem:
    """A space, one or more objectives, limits, and the evaluator of the expensive objectives.

    `objectives` takes `Objective` values, built-in names or plain functions, `limits` takes `Limit` values or texts such as
    ``"madds <= 300e6"``. `evaluate` may be None only when every objective is cheap or has a function. `task` is that of
    the data, once it is settled (`nas.engine.settle`). Raises `ConfigError` when the parts do not fit together.
    """

    space: SearchSpace
    objectives: tuple[Objective, ...]
    evaluate: Evaluate | None = None
    limits: tuple[Limit, ...] = ()
    task: TaskSpec | None = None
    measured: frozenset[str] = field(init=False)  # names that must come back from a worker
    _given: tuple[Objective, ...] = field(init=False, repr=False)  # not yet bound to the space
    _cheap: tuple[Objective, ...] = field(init=False, repr=False)
    _cheap_limits: tuple[Limit, ...] = field(init=False, repr=False)
    _needs_cost: bool = field(init=False, repr=False)

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[AnyObjective],
        evaluate: Evaluate | None = None,
        limits: Sequence[Limit | str] = (),
        task: TaskSpec | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "space", space)
        put(self, "task", task)
        for argument, value in (("objectives", objectives), ("limits", limits)):
            if isinstance(value, (str, Objective, Limit)):
                raise ConfigError(f"{argument}: expected a list, got {value!r} alone; write [{value!r}]")
            if not isinstance(value, Iterable):
                raise ConfigError(f"{argument}: expected a list, got {value!r:.200} alone")
        if not isinstance(space, SearchSpace):
            raise ConfigError(f"space: expected a SearchSpace, got {type(space).__name__}")
        put(self, "_given", tuple(objective(o) for o in objectives))
        put(self, "objectives", tuple(o.bound(space, task) for o in self._given))
        put(self, "evaluate", evaluate)
        put(self, "limits", tuple(Limit.parse(text) for text in limits))
        self._check()
        cheap = tuple(o for o in self.objectives if o.cheap)
        cheap_names = {o.name for o in cheap}
        put(self, "_cheap", cheap)
        put(self, "_cheap_limits", tuple(x for x in self.limits if x.objective in cheap_names))
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
                f"objectives: {taken[0]!r} is a column that every run's table has; choose another name"
            )
        if self.evaluate is not None and not callable(self.evaluate):
            raise ConfigError(f"evaluate: expected a callable, got {type(self.evaluate).__name__}")
        wanting = [o.name for o in self.objectives if not o.cheap and o.function is None]
        if wanting and self.evaluate is None:
            raise ConfigError(f"evaluate: needed to measure {', '.join(wanting)}, got None")
        from_cost = [o.name for o in self.objectives if o.cheap and o.function is None]
        if from_cost and not isinstance(self.space, HasCost):
            raise ConfigError(
                f"objectives {', '.join(from_cost)} are read from the space's cost(), but space "
                f"{self.space.name!r} has none: give them a function, or the space a cost(architecture)"
            )
        for limit in self.limits:
            if limit.objective not in names:
                raise ConfigError(
                    f"limit '{limit}': {limit.objective!r} is not an objective of this search"
                    f"{did_you_mean(limit.objective, names)}; objectives: {', '.join(names)}"
                )

    def settled(self, space: SearchSpace, evaluate: Evaluate | None, task: TaskSpec | None) -> Problem:
        """The same problem with another form of its space and evaluator: those of the data."""
        return Problem(space, self._given, evaluate, self.limits, task)

    @property
    def names(self) -> tuple[str, ...]:
        """The objectives' names, in order."""
        return tuple(o.name for o in self.objectives)

    @property
    def n_objectives(self) -> int:
        """How many objectives there are, m."""
        return len(self.objectives)

    def measure(self) -> Measure:
        """The function that executors run; picklable when the user's own parts are."""
        functions = tuple(
            (o.name, o.function) for o in self.objectives if not o.cheap and o.function is not None
        )
        evaluate: object = self.evaluate
        looked_up = isinstance(evaluate, HasTask) and not isinstance(evaluate, HasForSpace)
        trained = isinstance(self.space, HasCost) and isinstance(self.space, HasBuild) and not looked_up
        return Measure(self.evaluate, functions, self.space if trained else None)

    def cheap_values(self, architecture: Architecture) -> dict[str, float]:
        """The exact objectives, by name, without training. Raises `ConfigError` if one is no finite number."""
        costs = self._ask("cost()", self.space.cost, architecture) if self._needs_cost else {}  # type: ignore[attr-defined]
        values: dict[str, float] = {}
        for item in self._cheap:
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
        return values

    def _ask(self, what: str, function: Callable[[Architecture], Any], architecture: Architecture) -> Any:
        """Call somebody's function of an architecture; what it raises becomes a sentence that names both."""
        try:
            return function(architecture)
        except NasError:
            raise
        except BaseException as error:
            if is_interrupt(error):
                raise
            raise ConfigError(
                f"{what}: failed for architecture {self.space.format(architecture)} of space "
                f"{self.space.name!r}: {explain(error)}"
            ) from error

    def cheap_violation(self, architecture: Architecture) -> float:
        """How far the architecture breaks limits that are known before training; 0 when it meets them."""
        if not self._cheap_limits:
            return 0.0
        values = self.cheap_values(architecture)
        return sum(limit.excess(values[limit.objective]) for limit in self._cheap_limits)

    def cheap_objectives(self, architecture: Architecture) -> FloatArray:
        """The minimised objective vector, shape (m,), with NaN where an objective is expensive."""
        values = self.cheap_values(architecture)
        return np.array([o.sign * values[o.name] if o.cheap else np.nan for o in self.objectives])

    def violation(self, objectives: FloatArray) -> float:
        """How far minimised objectives, shape (m,), break the limits; 0 when they meet them."""
        return violation_of(self.objectives, self.limits, objectives)

    def observe(self, result: Result) -> Observation:
        """What algorithms see of a result: minimised objectives and the total violation of the limits."""
        if result.status is not Status.OK:
            nothing = np.full(len(self.objectives), np.nan)
            return Observation(result.trial.architecture, nothing, math.inf, ok=False)
        values = result.values
        vector = np.array([o.sign * values[o.name] for o in self.objectives])
        violation = (
            sum(limit.excess(values[limit.objective]) for limit in self.limits) if self.limits else 0.0
        )
        return Observation(result.trial.architecture, vector, violation, ok=True)


def violation_of(objectives: Sequence[Objective], limits: Sequence[Limit], point: FloatArray) -> float:
    """How far a point of minimised objectives, shape (m,), breaks the limits: the sum of relative excesses."""
    values = {o.name: o.sign * float(v) for o, v in zip(objectives, point, strict=True)}
    return sum(limit.excess(values[limit.objective]) for limit in limits)
