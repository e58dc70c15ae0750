"""What measures a candidate: a function of a trial, and its optional abilities as protocols."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from nas.core.records import Trial
from nas.core.space import SearchSpace
from nas.core.task_spec import TaskSpec


class Evaluate(Protocol):
    """Measures one candidate: a mapping with a finite number for every expensive objective.

    Further finite numbers in the mapping are kept in the history. Raising means a failed candidate.
    Runs on a worker, so it must be picklable by cloudpickle and must not rely on global state.
    """

    def __call__(self, trial: Trial) -> Mapping[str, float]: ...


@runtime_checkable
class HasPrepare(Protocol):
    """An evaluator that can find out, before a search, what would make every candidate fail."""

    def prepare(self) -> object:
        """Raise a `NasError` that says what is missing: data, a device. Called once, in the driver's process."""
        ...


@runtime_checkable
class HasTask(Protocol):
    """An evaluator that knows the data of its networks. Costs, limits and exports are then of these data."""

    def task_spec(self) -> TaskSpec:
        """Channels, classes and image size of the data. Called once, in the driver's process, before a search.

        Raises a `NasError` when the data cannot be read.
        """
        ...


@runtime_checkable
class HasForSpace(Protocol):
    """An evaluator that builds networks of a space, and can take the space that the search counts with."""

    def for_space(self, space: SearchSpace, task: TaskSpec | None) -> Evaluate:
        """The same evaluator, for networks of `space`.

        `task` is what the data have to be (None: not known where the search runs).
        """
        ...


@runtime_checkable
class HasResources(Protocol):
    """An evaluator whose candidates need different parts of a machine."""

    def resources(self, trial: Trial) -> Mapping[str, float]:
        """`cpus` and `gpus` that this trial needs; what is left out is as the executor's settings say.

        Called in the driver's process, once a trial. Only the Ray executor asks.
        """
        ...


@runtime_checkable
class HasWeights(Protocol):
    """An evaluator that trains networks and can keep their weights."""

    def keeping(self, folder: str | None, horizon: float | None) -> Evaluate:
        """The same evaluator, which keeps each trial's weights in `folder` (None: it keeps none).

        A trial of the same architecture and seed with a higher budget goes on from them, or does the same from the
        start when they are gone: values must not depend on what is kept. `horizon` (None: each trial's own
        budget) is the budget that trainings may be continued to, where a learning rate's schedule ends.
        """
        ...

    def weights_file(self, trial: Trial) -> Path:
        """Where this trial's weights are kept."""
        ...
