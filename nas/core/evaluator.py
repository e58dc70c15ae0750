"""The contract of an evaluator, a function of a trial, and its optional abilities as protocols."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from nas.core.objectives import Limit, companion_names
from nas.core.records import Trial
from nas.core.space import SearchSpace
from nas.core.task_spec import TaskSpec


class Evaluate(Protocol):
    """Measure one candidate; return a finite number for every expensive objective, by name.

    The history keeps further finite numbers in the mapping. An exception marks the candidate as failed.
    Runs on a worker, so it must be picklable by cloudpickle and must not rely on global state.
    """

    def __call__(self, trial: Trial) -> Mapping[str, float]: ...


@runtime_checkable
class HasPrepare(Protocol):
    """An evaluator that checks its requirements before a search."""

    def prepare(self) -> object:
        """Raise a `NasError` that names missing data or a missing device. Called once, in the driver's process."""


@runtime_checkable
class HasTask(Protocol):
    """An evaluator that knows the data of its networks; costs, limits and exports then follow these data."""

    def task_spec(self) -> TaskSpec:
        """Channels, classes and image size of the data. Called once, in the driver's process, before a search.

        Raises a `NasError` when the data cannot be read.
        """


@runtime_checkable
class HasIdentity(Protocol):
    """An evaluator whose values depend on something that a search must not change when it is resumed."""

    def identity(self) -> Mapping[str, Any]:
        """Plain values that describe it, recorded with the run. Raises a `NasError` where it cannot be read."""


@runtime_checkable
class HasForSpace(Protocol):
    """An evaluator that builds networks of a space, and accepts the space of the search."""

    def for_space(self, space: SearchSpace, task: TaskSpec | None) -> Evaluate:
        """Return the same evaluator for networks of `space`.

        `task` is the task that the data must have (None: unknown in the driver's process).
        """


@runtime_checkable
class HasLimits(Protocol):
    """An evaluator that serves only the networks within the limits of the search."""

    def for_limits(self, limits: Sequence[Limit]) -> Evaluate:
        """Return the same evaluator for a search with these limits, such as ``"madds <= 5e6"``."""


@runtime_checkable
class HasResources(Protocol):
    """An evaluator whose candidates need different resources."""

    def resources(self, trial: Trial) -> Mapping[str, float]:
        """`cpus` and `gpus` of this trial; the executor's settings give the rest.

        Called in the driver's process, once per trial, by the Ray executor alone.
        """


@runtime_checkable
class HasWeights(Protocol):
    """An evaluator that trains networks and can keep their weights."""

    def keeping(self, folder: str | None, horizon: float | None) -> Evaluate:
        """Return the same evaluator, keeping each trial's weights in `folder` (None: keeping none).

        A trial of the same architecture and seed with a higher budget continues from these weights, or retrains from the
        start when they are missing: values must not depend on which weights exist. `horizon` (None: the trial's own
        budget) is the largest budget of a continued training, where the learning rate schedule ends.
        """

    def weights_file(self, trial: Trial) -> Path:
        """The file of this trial's weights."""


@runtime_checkable
class HasLeastBudget(Protocol):
    """An evaluator whose trials have a budget of at least this."""

    @property
    def least_budget(self) -> float:
        """The smallest budget, such as 1 epoch; 0 where a network can be evaluated without training."""


@runtime_checkable
class HasCompanions(Protocol):
    """An evaluator that returns further values which tell something about its objectives."""

    @property
    def companions(self) -> Sequence[str] | Mapping[str, Sequence[str]]:
        """Names of these values, for every objective that it measures, or a mapping from objectives to names.

        A value that is missing in a result, or not a finite number, never makes the trial fail.
        """


@runtime_checkable
class HasReports(Protocol):
    """An evaluator that knows the names of its values before it measures any."""

    @property
    def reports(self) -> Sequence[str] | None:
        """The names; None if unknown. An objective outside of them is refused before the search."""


@runtime_checkable
class HasMeasuredAgain(Protocol):
    """An evaluator with values that differ from measurement to measurement, such as a latency."""

    def measured_again(self, trial: Trial) -> Mapping[str, float]:
        """Such values of a trial, measured once more without a training; empty where there are none, or no weights."""


def companions_of(evaluate: object, objective: str) -> tuple[str, ...]:
    """The companions that an evaluator declares for an objective, without the objective itself; () if it declares none.

    Raises `ConfigError` unless they are a list of names, or a mapping to such lists.
    """
    if not isinstance(evaluate, HasCompanions):
        return ()
    declared: object = evaluate.companions
    if isinstance(declared, Mapping):
        declared = declared.get(objective, ())
    if declared is None:
        return ()
    names = companion_names(declared, "evaluator: companions")
    return tuple(name for name in names if name != objective)


def takes_choices(evaluate: object) -> bool:
    """Whether an evaluator is a function of the choices: its argument is annotated so, or else named ``c`` or ``choices``."""
    try:
        first = next(iter(inspect.signature(evaluate).parameters.values()))  # type: ignore[arg-type]
    except (TypeError, ValueError, StopIteration):
        return False
    if first.annotation is first.empty:
        return first.name in ("c", "choices")
    annotation = getattr(first.annotation, "__name__", first.annotation)
    return str(annotation).rpartition(".")[2] == "Choices"
