"""A pool as a space to search, and the evaluator that looks its trainings up; for `nas compare` and `nas.search`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pools import RESULTS, pool_of
from recorded import TEST, Recorded, read

import nas
from nas.core.errors import ConfigError
from nas.core.records import Architecture, FloatArray, Trial

NEAR = 5  # members among which variation chooses
REPORTED = "test_error"
NAMES = {  # of the values beside the error: as in an evaluation, and as in the tables
    "loss": "loss",
    "soft_error": "soft error",
    "train_loss": "training loss",
    "average_error": "error, averaged weights",
    "average_loss": "loss, averaged weights",
    "average_soft_error": "soft error, averaged weights",
}


class PoolSpace(nas.SearchSpace):
    """The trained networks of a pool, with the genes and encodings of its space.

    Every vector of genes stands for the nearest member: the one with the fewest other genes, then the least summed difference of
    choices relative to their number, then the first in the list. Mutation and crossover make an offspring in the whole space and
    return one of the `NEAR` members that are nearest to it and are not its parents.
    """

    def __init__(self, base: Any, table: pd.DataFrame) -> None:
        """`table` has a row for each member: network, params and madds."""
        self._base = base
        self.name, self.cardinalities = base.name, tuple(base.cardinalities)
        self.first_numeric = base.first_numeric
        self.members = tuple(base.parse(text) for text in table["network"])
        self.size = len(self.members)
        self._genes = np.array([a.genes for a in self.members])
        self._index = {a: i for i, a in enumerate(self.members)}
        self._costs = table[["params", "madds"]].to_dict("records")

    def row(self, architecture: Architecture) -> int:
        """The position in the list of the member that an architecture stands for."""
        found = self._index.get(architecture)
        return int(self._order(self._base.canonical(architecture))[0]) if found is None else found

    def _order(self, architecture: Architecture) -> np.ndarray:
        difference = self._genes - np.array(architecture.genes)
        by_size = np.abs(difference) / np.array(self.cardinalities)
        return np.lexsort((by_size.sum(axis=1), (difference != 0).sum(axis=1)))

    def _near(
        self, child: Architecture, parents: set[Architecture], rng: np.random.Generator
    ) -> Architecture:
        nearest = self._order(self._base.canonical(child))[: NEAR + len(parents)]
        others = [self.members[i] for i in nearest if self.members[i] not in parents][:NEAR]
        return others[rng.integers(len(others))] if others else self.canonical(child)

    def sample(self, rng: np.random.Generator) -> Architecture:
        return self.members[rng.integers(len(self.members))]

    def canonical(self, architecture: Architecture) -> Architecture:
        return self.members[self.row(architecture)]

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """One of the members nearest to a mutant."""
        return self._near(self._base.mutate(architecture, rng), {self.canonical(architecture)}, rng)

    def crossover(self, first: Architecture, second: Architecture, rng: np.random.Generator) -> Architecture:
        """One of the members nearest to a child."""
        parents = {self.canonical(first), self.canonical(second)}
        return self._near(self._base.crossover(first, second, rng), parents, rng)

    def neighbours(self, architecture: Architecture, rng: np.random.Generator) -> Iterator[Architecture]:
        """The `2 * NEAR` nearest members, in random order."""
        nearest = self._order(self.canonical(architecture))[1 : 2 * NEAR + 1]
        return iter([self.members[i] for i in rng.permutation(nearest)])

    def enumerate(self) -> Iterator[Architecture]:
        """Every member, in the order of the list."""
        return iter(self.members)

    def cost(self, architecture: Architecture) -> Mapping[str, float]:
        """Exact `params` and `madds`."""
        return self._costs[self.row(architecture)]  # type: ignore[return-value]

    def encode(self, architectures: Sequence[Architecture]) -> FloatArray:
        return np.asarray(self._base.encode([self.canonical(a) for a in architectures]))

    @property
    def encodings(self) -> Mapping[str, Callable[[Sequence[Architecture]], FloatArray]]:
        """Those of the space that the networks were drawn from."""
        return self._base.encodings  # type: ignore[no-any-return]

    def format(self, architecture: Architecture) -> str:
        return str(self._base.format(architecture))

    def parse(self, text: str) -> Architecture:
        return self.canonical(self._base.parse(text))


@cache
def trained(pool: str, results: str) -> Recorded:
    """The recorded values of a pool."""
    return read(Path(results) / f"{pool}.csv")


@cache
def space(pool: str = "muxnet", results: str = str(RESULTS)) -> PoolSpace:
    """The networks of a pool that were trained with both seeds."""
    return PoolSpace(pool_of(pool).space, trained(pool, results).table)


@dataclass(frozen=True)
class Replay:
    """Returns the values of one seed's training, and the test error of the other seed's as `test_error`.

    `value` is the recorded value returned as `error`; all other values of the same seed are returned besides (`NAMES`), and some of
    them are its `companions`, by default those of a training. With `swapped` the search sees seed B and seed A's test error is reported.
    """

    pool: str = "muxnet"
    value: str = "error"
    swapped: bool = False
    companions: Sequence[str] = ("loss", "soft_error", "train_loss")
    results: str = str(RESULTS)

    def __post_init__(self) -> None:
        if self.value not in trained(self.pool, self.results).values or self.value == TEST:
            raise ConfigError(f"value: expected a value of recorded.py such as 'loss', got {self.value!r}")

    def __call__(self, trial: Trial) -> dict[str, float]:
        """The looked-up values; the trial's seed and budget have no effect."""
        data, row = trained(self.pool, self.results), space(self.pool, self.results).row(trial.architecture)
        seen = int(self.swapped)
        others = {name: float(data.values[label][row, seen]) for name, label in NAMES.items()}
        return others | {
            "error": float(data.values[self.value][row, seen]),
            REPORTED: float(data.test[row, 1 - seen]),
        }
