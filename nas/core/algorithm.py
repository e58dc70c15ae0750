"""The contract of a search algorithm: `ask` and `tell`, and optional abilities as protocols."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from nas.core.problem import Problem
from nas.core.records import Architecture, Note, Observation


@dataclass(frozen=True)
class NoSettings:
    """The settings of an algorithm that has none."""


class Algorithm(ABC):
    """Proposes architectures and learns from their results; independent of workers and files.

    Constructed as `Algorithm(problem, rng, settings)`; `Settings` is the frozen dataclass of its parameters, each with a
    default; without any, leave it out. Deterministic: the same generator state and the same calls give the same proposals, so a run resumes by
    replay. Optional abilities: `HasNotes`, `HasRecall`.
    """

    Settings: ClassVar[type[Any]] = NoSettings
    knows_costs: bool = False
    """Whether its proposals depend on the exact cheap objectives of candidates, beyond limits on them (`share_costs` of `nas compare`)."""
    single_objective: bool = False
    """Whether it optimises one objective of several; `nas compare` states it. A setting `objective` names it, else it is the first."""
    every_budget: bool = False
    """Whether `tell` takes results of every budget, told apart by `Observation.budget`, when a search has several
    (`halving`). Otherwise it receives those of the lowest alone, the one that every architecture has, and compares like with like."""

    @abstractmethod
    def __init__(self, problem: Problem, rng: np.random.Generator, settings: Any = None) -> None: ...

    @classmethod
    def default_settings(cls, n_objectives: int, evaluations: int | None) -> Any:
        """Default settings for a budget of `evaluations` (None: unknown)."""
        return cls.Settings()

    @property
    def initial(self) -> int:
        """Size of the initial design in evaluations; a smaller budget is random sampling."""
        return 1

    @abstractmethod
    def ask(self, n: int) -> list[Architecture]:
        """Propose up to n canonical, valid architectures within cheap limits, none proposed before.

        A setting, off by default, may allow repeats: each is measured with a new seed.

        Return fewer than n only when the space is exhausted.
        """

    @abstractmethod
    def tell(self, observations: Sequence[Observation]) -> None:
        """Learn from results in any order and any batch, failures included."""


@runtime_checkable
class HasNotes(Protocol):
    """An algorithm that records notes; the loop collects them after every ask and every tell."""

    def notes(self) -> list[Note]:
        """Return the notes since the last call, oldest first, and forget them."""


@runtime_checkable
class HasRecall(Protocol):
    """An algorithm with an expensive `ask` that can restore its state on resume without recomputing it."""

    def recall(self, architecture: Architecture | None) -> None:
        """Replay one `ask(1)` that returned this architecture (None: the space was exhausted).

        Later asks propose the same as after the original ask.
        """


@runtime_checkable
class TakesStarts(Protocol):
    """An algorithm without `recall` that takes the user's initial architectures before its first ask.

    Other algorithms receive them as results.
    """

    def begin_with(self, architectures: Sequence[Architecture]) -> None:
        """Take the architectures that are evaluated first, in this order; `ask` must not propose them."""
