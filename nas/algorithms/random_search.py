"""Random search without repeats: the baseline of every other algorithm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas.algorithms.candidates import Candidates
from nas.core.algorithm import Algorithm
from nas.core.problem import Problem
from nas.core.records import Architecture, Observation


@dataclass(frozen=True)
class RandomSearchSettings:
    """Random search has no parameters."""


class RandomSearch(Algorithm):
    """Draws from the space's own `sample`, each architecture at most once."""

    Settings = RandomSearchSettings

    def __init__(
        self, problem: Problem, rng: np.random.Generator, settings: RandomSearchSettings | None = None
    ):
        self._candidates = Candidates(problem, rng)

    def ask(self, n: int) -> list[Architecture]:
        """The next n draws that are new."""
        asked: list[Architecture] = []
        while len(asked) < n and (found := self._candidates.random()) is not None:
            asked.append(found)
        return asked

    def tell(self, observations: Sequence[Observation]) -> None:
        """Mark the architectures as seen, so that none is asked again."""
        self._candidates.seen.update(seen.architecture for seen in observations)
