"""What a search algorithm offers: ask and tell, and the optional abilities as protocols."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Note, Observation


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
