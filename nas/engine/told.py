"""What the user of a study tells: values of a trial, checked and completed, or an exception."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from nas.core.checks import did_you_mean
from nas.core.errors import ConfigError
from nas.core.interrupts import is_interrupt
from nas.core.problem import Problem
from nas.core.records import Status, Trial
from nas.core.space import with_choices
from nas.core.text import storable
from nas.executors.worker import describe_failure, is_out_of_memory


def told_values(problem: Problem, given: Any) -> dict[str, float]:
    """All given numbers by name; an objective may be infinite or NaN here. Raises `ConfigError` for a mistake of the caller."""
    measured = [o for o in problem.objectives if not o.cheap]
    told = [o for o in measured if o.function is None] or measured
    if not isinstance(given, Mapping):
        number = number_of(given)
        if number is None or len(told) != 1:
            names = ", ".join(o.name for o in told)
            raise ConfigError(
                f"tell: expected a mapping with the measured objectives ({names}) by name, or an exception, got "
                f"{type(given).__name__}"
            )
        return {told[0].name: number}
    values: dict[str, float] = {}
    for name, value in given.items():
        if not isinstance(name, str):
            raise ConfigError(f"tell: expected names of values as text, got {name!r:.100}")
        number = number_of(value)
        if number is None and name in problem.names:
            raise ConfigError(f"tell: {name}: expected a number, got {value!r:.100} ({type(value).__name__})")
        if number is not None and (math.isfinite(number) or name in problem.names):
            values[storable(name)] = number
    missing = [o.name for o in measured if o.function is None and o.name not in values]
    if missing:
        near = did_you_mean(missing[0], values).replace("did you mean", "misspelt as")
        raise ConfigError(f"tell: {', '.join(missing)} missing{near}; got: {', '.join(values) or 'nothing'}")
    return values


def completed(problem: Problem, trial: Trial, values: dict[str, float]) -> tuple[Status, str]:
    """Check and complete the values of a trial; return its status and the reason if it failed."""
    exact = problem.cheap_values(trial.architecture)
    for name, value in exact.items():
        if name in values and not math.isclose(values[name], value, rel_tol=1e-9):
            raise ConfigError(
                f"tell: {name} = {values[name]:.10g}, but its exact value is {value:.10g} for this architecture; omit it"
                ", or give the study the task of your data"
            )
    for item in problem.objectives:
        if item.cheap:
            continue
        if item.name not in values and item.function is not None:
            try:
                values[item.name] = float(item.function(with_choices(problem.named, trial.architecture)))
            except BaseException as error:
                if is_interrupt(error):
                    raise
                return kind_of(error), storable(describe_failure(error))
        if not math.isfinite(values[item.name]):
            return Status.FAILED, f"{item.name} is {values[item.name]}; expected a finite number"
    return Status.OK, ""


def kind_of(error: BaseException) -> Status:
    """The status of a trial that ended with this exception."""
    if is_out_of_memory(error):
        return Status.OUT_OF_MEMORY
    return Status.TIMEOUT if isinstance(error, TimeoutError) else Status.FAILED


def number_of(value: Any) -> float | None:
    """A number as a float, also a NumPy value or tensor with one element; None for anything else."""
    if isinstance(value, (str, bytes, bool)) or value is None:
        return None
    try:
        if np.ma.is_masked(value):
            return math.nan
        plain = value.item() if hasattr(value, "item") else value
        return None if isinstance(plain, (str, bytes, bool, complex)) else float(plain)
    except OverflowError:
        return math.inf
    except BaseException as error:
        if is_interrupt(error):
            raise
        return None
