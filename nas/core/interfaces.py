"""The seams: what a space, an algorithm, an executor and a surrogate must offer, and nothing more."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from nas.core import bounds
from nas.core.errors import ArchitectureError
from nas.core.records import (
    Architecture,
    Block,
    FloatArray,
    Note,
    Observation,
    Result,
    Trial,
    WorkerState,
)

if TYPE_CHECKING:  # torch is not loaded until a network is built
    from torch import nn

    from nas.core.problem import Problem
    from nas.core.task_spec import TaskSpec


class SearchSpace:
    """A set of architectures, each a vector of integer genes.

    The smallest space is a subclass that sets `name` and `cardinalities`; everything else has a default
    that treats every combination as valid and distinct. Optional abilities are the protocols below
    (`HasVariation`, `HasCost`, `HasBuild`, `HasEnumeration`): a space has one by having its methods.
    """

    name: str = ""
    cardinalities: tuple[int, ...] = ()  # choices per gene; gene i takes 0 .. cardinalities[i] - 1
    size: int | None = None  # number of distinct architectures, where it is known

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Draw a valid architecture (canonical or not).

        By default genes are drawn until `is_valid` accepts them, at most `nas.core.bounds.DRAWS` times. Raises
        `SamplingError` after that: a space with few valid combinations overrides this method.
        """
        return rejection_sample(self, rng, bounds.DRAWS)

    def is_valid(self, architecture: Architecture) -> bool:
        """Whether the genes describe a network of this space."""
        genes, cardinalities = architecture.genes, self.cardinalities
        return (
            len(genes) == len(cardinalities)
            and min(genes) >= 0
            and all(map(operator.lt, genes, cardinalities))
        )

    def canonical(self, architecture: Architecture) -> Architecture:
        """The one representative of all architectures that are the same network; idempotent."""
        return architecture

    def encode(self, architectures: Sequence[Architecture]) -> FloatArray:
        """Features for surrogates, shape (n, d); by default one-hot genes."""
        return one_hot([a.genes for a in architectures], self.cardinalities)

    @property
    def encodings(self) -> Mapping[str, Callable[[Sequence[Architecture]], FloatArray]]:
        """Every encoding the space offers, by name, the default among them."""
        return {"default": self.encode}

    def format(self, architecture: Architecture) -> str:
        """Compact text form, the inverse of `parse`; what files and the command line show."""
        return "-".join(str(g) for g in architecture.genes)

    def parse(self, text: str) -> Architecture:
        """Read the text form. Raises `ArchitectureError` naming what is wrong with it."""
        try:
            genes = tuple(int(g) for g in text.split("-"))
        except ValueError:
            raise ArchitectureError(
                f"architecture {text!r}: expected {len(self.cardinalities)} whole numbers joined by '-'"
            ) from None
        architecture = Architecture(self.name, genes)
        if not self.is_valid(architecture):
            raise ArchitectureError(
                f"architecture {text!r} is not valid in space {self.name!r}: expected "
                f"{len(self.cardinalities)} genes below {self.cardinalities}"
            )
        return architecture


_ONE_BY_ONE = 32  # draws before they are made in blocks, which cost a fraction each
_BLOCK = 1000


def rejection_sample(space: SearchSpace, rng: np.random.Generator, most: int) -> Architecture:
    """The first of at most `most` uniform draws of the genes that is valid. Raises `SamplingError` when none is."""

    def failure() -> Exception:
        return bounds.no_valid_sample(space.name, most)

    cardinalities = space.cardinalities
    for done in bounds.attempts(most, failure):
        if done == _ONE_BY_ONE:
            break
        drawn = Architecture(space.name, tuple(int(g) for g in rng.integers(0, cardinalities)))
        if space.is_valid(drawn):
            return drawn
    shape = (_BLOCK, len(cardinalities))
    blocks = max(1, -(-(most - _ONE_BY_ONE) // _BLOCK))
    for _ in bounds.attempts(blocks, failure, at_once=_BLOCK):
        state = rng.bit_generator.state
        table = rng.integers(0, np.broadcast_to(cardinalities, shape)).tolist()
        for row, genes in enumerate(table):
            drawn = Architecture(space.name, tuple(genes))
            if space.is_valid(drawn):
                # the generator ends where it would be had they been drawn one by one
                rng.bit_generator.state = state
                rng.integers(0, np.broadcast_to(cardinalities, (row + 1, len(cardinalities))))
                return drawn
    raise failure()


def one_hot(genes: Sequence[Sequence[int]], cardinalities: Sequence[int]) -> FloatArray:
    """One column per (gene, choice), shape (n, sum of cardinalities)."""
    table = np.asarray(genes, dtype=np.int64).reshape(len(genes), len(cardinalities))
    offsets = np.concatenate([[0], np.cumsum(cardinalities)[:-1]]).astype(np.int64)
    encoded = np.zeros((len(genes), int(np.sum(cardinalities))))
    np.put_along_axis(encoded, table + offsets, 1.0, axis=1)
    return encoded


@runtime_checkable
class HasVariation(Protocol):
    """A space with variation of its own; both return valid architectures (canonical or not)."""

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture: ...

    def crossover(
        self, first: Architecture, second: Architecture, rng: np.random.Generator
    ) -> Architecture: ...


@runtime_checkable
class HasCost(Protocol):
    """A space that knows exact costs without building: at least `params` and `madds` (plain numbers)."""

    def cost(self, architecture: Architecture) -> Mapping[str, float]: ...


@runtime_checkable
class HasBuild(Protocol):
    """A space whose architectures become PyTorch networks from (b, in_channels, h, w) to (b, num_classes)."""

    def build(
        self, architecture: Architecture, *, num_classes: int = 10, in_channels: int = 3
    ) -> nn.Module: ...


@runtime_checkable
class HasForTask(Protocol):
    """A space whose costs and networks follow the data: their channels, classes and image size."""

    def for_task(self, task: TaskSpec) -> SearchSpace:
        """The same architectures, with the costs and the networks of this task; nothing here changes.

        Settings that the user did not give follow the task. Raises `ConfigError` for one that contradicts it.
        """
        ...


@runtime_checkable
class HasFeatures(Protocol):
    """A space whose architectures also serve as bodies of other networks, such as of segmentations."""

    def body(self, architecture: Architecture) -> Architecture:
        """The one representative of all architectures that have the same body; idempotent."""
        ...

    def build_features(self, architecture: Architecture, *, in_channels: int = 3) -> nn.Module:
        """A module from (b, in_channels, h, w) to a list of maps; its `strides` and `widths` say which."""
        ...

    def features_cost(
        self, architecture: Architecture, picture: tuple[int, int], output_stride: int, in_channels: int
    ) -> Mapping[str, float]:
        """Exact `params` and `madds` of the body for pictures (height, width); the last map's `width` and `pixels`.

        With strides beyond `output_stride` taken out (dilation).
        """
        ...


@runtime_checkable
class HasBlocks(Protocol):
    """A space that can take its networks apart, for people to look at."""

    def blocks(self, architecture: Architecture) -> Sequence[Block]:
        """The network from its first block to its last; parameters and MAdds add up to those of `cost`."""
        ...


@runtime_checkable
class HasDrawing(Protocol):
    """A space that can draw its architectures and put them into words."""

    def to_svg(self, architecture: Architecture) -> str:
        """A self-contained SVG element."""
        ...

    def describe(self, architecture: Architecture) -> str:
        """The same in words, in some lines."""
        ...


@runtime_checkable
class HasEnumeration(Protocol):
    """A space small enough to walk through: every canonical architecture once."""

    def enumerate(self) -> Iterator[Architecture]: ...


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


class Algorithm(ABC):
    """Proposes architectures and learns from what came of them; knows nothing of workers or files.

    Made as `Algorithm(problem, rng, settings)`; `Settings` is the frozen dataclass of its parameters,
    with a default for each. Deterministic: the same generator state and the same sequence of calls give the
    same proposals, which is what makes resuming by replay possible. Optional abilities: `HasNotes`, `HasRecall`,
    `HasPosterior`.
    """

    Settings: ClassVar[type[Any]]

    @abstractmethod
    def __init__(self, problem: Problem, rng: np.random.Generator, settings: Any = None) -> None: ...

    @classmethod
    def default_settings(cls, n_objectives: int, evaluations: int | None) -> Any:
        """Settings that suit a search of so many evaluations (None: unknown)."""
        return cls.Settings()

    @property
    def initial(self) -> int:
        """How many evaluations the initial design takes; a smaller budget would only sample at random."""
        return 1

    @abstractmethod
    def ask(self, n: int) -> list[Architecture]:
        """Up to n canonical architectures, valid, within cheap limits, never asked before.

        An algorithm may have a setting, off by default, to ask for some again: each is measured with a seed of its own.

        Fewer (or none) only when nothing new can be found: then the space is exhausted.
        """

    @abstractmethod
    def tell(self, observations: Sequence[Observation]) -> None:
        """Learn from results in any order and any batch, failures included."""


@runtime_checkable
class HasNotes(Protocol):
    """An algorithm with something to put on record; it is asked after every ask and every tell."""

    def notes(self) -> list[Note]:
        """The notes since the last call, oldest first; they are forgotten here."""
        ...


@runtime_checkable
class HasRecall(Protocol):
    """An algorithm whose asks are dear, and which can be brought to where it was without making them again."""

    def recall(self, architecture: Architecture | None) -> None:
        """Take note that this was asked (None: nothing new was left), in place of the `ask(1)` that gave it.

        The state afterwards is what it would be after that ask: later asks propose the same.
        """
        ...


@runtime_checkable
class TakesStarts(Protocol):
    """An algorithm that wants the architectures that a user gives to begin with before its first ask.

    Any other gets to know them when their results are told. Only for one without `recall`.
    """

    def begin_with(self, architectures: Sequence[Architecture]) -> None:
        """These are evaluated first, in this order, and told as they finish; do not ask for them."""
        ...


@runtime_checkable
class HasPosterior(Protocol):
    """An algorithm with a model of the objectives, which can say what it makes of noisy measurements."""

    def posterior(self, architectures: Sequence[Architecture]) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the minimised objectives, each (n, m), after all that was told.

        Exact objectives have a deviation of 0. What is asked later does not depend on whether this was called.
        """
        ...


class Executor(Protocol):
    """Runs trials somewhere. Made with the function to run; results come back in any order."""

    @property
    def free(self) -> int:
        """How many more trials can start at once."""
        ...

    def submit(self, trial: Trial) -> None: ...

    def collect(self, timeout: float | None = None) -> list[Result]:
        """Finished results; waits for at least one, at most `timeout` seconds (then possibly none)."""
        ...

    def close(self) -> None:
        """Stop what runs and release the workers; may be called twice."""
        ...


@runtime_checkable
class HasClock(Protocol):
    """An executor with a clock of its own, by which a search counts its time instead of the wall clock's."""

    def now(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...


@runtime_checkable
class HasWorkers(Protocol):
    """An executor that can tell what each of its workers does."""

    def workers(self) -> Sequence[WorkerState]:
        """One entry a worker that is there, in a steady order; may be called on another thread than the rest."""
        ...


class Surrogate(Protocol):
    """A predictor of one objective, by scikit-learn's conventions."""

    def fit(self, X: FloatArray, y: FloatArray) -> Surrogate:
        """Learn from X (n, d) and y (n,), forgetting any earlier fit."""
        ...

    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation, each (n,)."""
        ...
