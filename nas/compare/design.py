"""A shared initial design for every algorithm: architectures drawn once per problem and seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas.algorithms.candidates import Candidates
from nas.core.algorithm import Algorithm, HasNotes, HasRecall
from nas.core.problem import Problem
from nas.core.records import Architecture, Note, Observation

_STREAM = 101  # separates the draws of the design from other uses of the seed


def draw_design(problem: Problem, n: int, seed: int) -> tuple[Architecture, ...]:
    """Up to n different random architectures within the cheap limits, the same for the same seed."""
    candidates = Candidates(problem, np.random.default_rng([seed, _STREAM]))
    drawn = (candidates.random() for _ in range(n))
    return tuple(a for a in drawn if a is not None)


class SharedDesign(Algorithm):
    """Ask for a given design first; after all its results, continue with the algorithm.

    The algorithm receives them as a warm start: they replace as many of its initial candidates.
    """

    def __init__(self, inner: Algorithm, design: Sequence[Architecture]) -> None:
        self._inner = inner
        self.every_budget = inner.every_budget
        self._design = tuple(design)
        self._next = 0
        self._untold = set(design)

    @property
    def initial(self) -> int:
        """The longer of the design and the algorithm's initial population."""
        return max(self._inner.initial, len(self._design))

    def ask(self, n: int) -> list[Architecture]:
        """The rest of the design; after all its results, the candidates of the algorithm."""
        if self._waiting:
            asked = list(self._design[self._next : self._next + n])
            self._next += len(asked)
            return asked
        return self._inner.ask(n)

    @property
    def _waiting(self) -> bool:
        return self._next < len(self._design) or bool(self._untold)

    def tell(self, observations: Sequence[Observation]) -> None:
        self._untold.difference_update(seen.architecture for seen in observations)
        self._inner.tell(observations)

    def notes(self) -> list[Note]:
        """The notes of the algorithm."""
        return self._inner.notes() if isinstance(self._inner, HasNotes) else []


class SharedDesignWithRecall(SharedDesign):
    """The same for an algorithm that can replay earlier asks."""

    _inner: Any

    def recall(self, architecture: Architecture | None) -> None:
        """Replay an earlier ask without recomputing it."""
        if self._waiting:
            self._next += architecture is not None
        else:
            self._inner.recall(architecture)


@dataclass(frozen=True)
class WithDesign:
    """Factory of an algorithm that begins with a design; replaces its class."""

    make: Callable[..., Algorithm]
    name: str
    design: tuple[Architecture, ...]

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, problem: Problem, rng: np.random.Generator, settings: Any = None) -> Algorithm:
        """The algorithm itself if the design is empty."""
        inner = self.make(problem, rng, settings)
        if not self.design:
            return inner
        shared = SharedDesignWithRecall if isinstance(inner, HasRecall) else SharedDesign
        return shared(inner, self.design)
