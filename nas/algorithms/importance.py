"""Importance of the parameters of a space for a measured objective, by permutation.

The measure is Breiman's ("Random forests", Machine Learning 45, 2001, section 10), as the model reliance of Fisher, Rudin
and Dominici ("All models are wrong, but many are useful", JMLR 20(177), 2019, section 3): how much the squared error of
predictions grows when the values of one parameter are permuted among the results. Here the predictions are of held-out
results, by the surrogate that the search's selector chooses. The growth is divided by twice the variance of the results:
if parameters are independent and the model is right, this is the share of the variance that involves the parameter
(Gregorutti, Michel and Saint-Pierre, Statistics and Computing 27, 2017, section 2, for additive models).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.algorithms.prediction import Predictor, by_parameters, in_chunks
from nas.core.errors import ConfigError
from nas.core.objectives import Objective
from nas.core.records import Architecture, FloatArray
from nas.core.space import HasChoices, SearchSpace, allowed_genes

FEWEST = 20  # results
_FOLDS = 5
_REPEATS = 5  # most permutations of a parameter
_PREDICTIONS = 6000  # results times parameters times permutations
_RESAMPLES = 500
_DRAWS = 5  # of a permuted architecture that is not valid
_LEVELS = (5.0, 95.0)


@dataclass(frozen=True)
class Importance:
    """The importance of a parameter, a share of the variance, with its 90% interval; NaN if no permutation is valid.

    `values` is the number of its values among the results; with one, the importance is 0.
    """

    parameter: str
    share: float
    low: float
    high: float
    values: int


@dataclass(frozen=True)
class Importances:
    """The importances of all parameters for an objective, the largest first.

    `explained` is the share of the variance that the model predicts on held-out results (R squared; at most 1, negative if
    the mean predicts better); `reliable` whether it orders architectures. `model` names the chosen surrogate.
    """

    objective: str
    results: int
    model: str
    explained: float
    reliable: bool
    parameters: tuple[Importance, ...]


def importances(
    space: SearchSpace,
    architectures: Sequence[Architecture],
    values: FloatArray,
    objective: Objective,
    seed: int = 0,
    predictions: int = _PREDICTIONS,
) -> Importances:
    """The importance of each parameter of the space (each gene, where parameters have no names) for the objective.

    `architectures` are n different canonical ones, `values` (n,) their finite values of the objective. Squared errors are on
    the model's scale: logarithmic where values are positive, with outliers drawn in. A parameter is permuted among the
    results in which it is active; one that becomes active takes the value of another result. The interval is a bootstrap
    over the results. At most about `predictions` architectures are predicted.

    Raises `ConfigError` for fewer than `FEWEST` results, or results that are all equal.
    """
    if len(values) < FEWEST:
        raise ConfigError(
            f"importance for {objective.name}: {len(values)} results are too few; at least {FEWEST} are needed"
        )
    if np.ptp(values) == 0:
        raise ConfigError(f"importance for {objective.name}: all results are equal")
    rng = np.random.default_rng(seed)
    table = _Table(space, architectures)
    predictor = by_parameters(space, objective).fit(architectures, objective.sign * values)
    errors = _Errors(predictor, table, objective.sign * values)
    count, free = len(values), max(1, len(table.free))
    repeats = int(np.clip(predictions // (count * free), 1, _REPEATS))
    kept = rng.permutation(count)[: max(FEWEST, predictions // free)]
    for _ in range(repeats):
        errors.add(kept, rng)
    share, intervals = errors.shares(kept, rng)
    found = [
        Importance(
            table.names[j], float(share[k]), float(intervals[0, k]), float(intervals[1, k]), table.distinct(j)
        )
        for k, j in enumerate(table.free)
    ]
    found.sort(key=lambda one: -one.share if np.isfinite(one.share) else np.inf)
    note = predictor.note(count).values
    return Importances(
        objective.name, count, str(note["chosen"]), errors.explained(kept), predictor.reliable, tuple(found)
    )


class _Table:
    """Gene vectors (n, d), and which of the genes are active."""

    def __init__(self, space: SearchSpace, architectures: Sequence[Architecture]) -> None:
        self.space, self.architectures = space, list(architectures)
        self.genes = np.array([a.genes for a in architectures], dtype=np.int64)
        columns = self.genes.shape[1]
        self.names = tuple(f"gene {j}" for j in range(columns))
        self.active = np.ones(self.genes.shape, dtype=bool)
        if isinstance(space, HasChoices) and len(space.parameters) == columns:
            self.names = tuple(space.parameters)
            present = [set(space.choices(a)) for a in architectures]
            self.active = np.array([[name in one for name in self.names] for one in present])
        self.allowed = allowed_genes(space)
        self.free = [j for j, values in enumerate(self.allowed) if len(values) > 1]

    def distinct(self, j: int) -> int:
        """The number of values of gene j among the results."""
        return len(np.unique(self.genes[self.active[:, j], j]))

    def permuted(
        self, rows: NDArray[np.int64], rng: np.random.Generator
    ) -> dict[int, list[Architecture | None]]:
        """For these results and each of `free`, the architecture with this gene permuted; None where none is valid."""
        donors = np.stack([self._donors(j, rng) for j in range(self.genes.shape[1])], axis=1)
        filled = np.where(self.active, self.genes, donors)
        found = {}
        for row in rows.tolist():
            genes = self._filled(row, filled[row].tolist())
            found[row] = [self._valid(row, genes.copy(), j, int(donors[row, j]), rng) for j in self.free]
        return found

    def _filled(self, row: int, genes: list[int]) -> list[int]:
        """The genes with values for inactive ones; those of the result where such values change its network."""
        known, filled = self.architectures[row], Architecture(self.space.name, tuple(genes))
        same = self.space.is_valid(filled) and self.space.canonical(filled) == known
        return genes if same else list(known.genes)

    def _donors(self, j: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Gene j permuted among the results with it; for the others that of a random one of them."""
        rows = np.flatnonzero(self.active[:, j])
        if not len(rows):
            return rng.integers(self.allowed[j].start, self.allowed[j].stop, len(self.genes))
        donors: NDArray[np.int64] = self.genes[rng.choice(rows, len(self.genes)), j]
        donors[rows] = self.genes[rng.permutation(rows), j]
        return donors

    def _valid(
        self, row: int, genes: list[int], j: int, value: int, rng: np.random.Generator
    ) -> Architecture | None:
        if not self.active[row, j]:
            return self.architectures[row]
        rows = np.flatnonzero(self.active[:, j])
        for _ in range(_DRAWS):
            if value == self.genes[row, j]:
                return self.architectures[row]
            genes[j] = value
            changed = Architecture(self.space.name, tuple(genes))
            if self.space.is_valid(changed):
                return self.space.canonical(changed)
            value = int(self.genes[rng.choice(rows), j])
        return None


class _Errors:
    """Sums of squared errors of held-out results: as they are (n,), and their growth by a permutation (n, parameters)."""

    def __init__(self, predictor: Predictor, table: _Table, y: FloatArray) -> None:
        self._predictor, self._table, self._y = predictor, table, y
        self._target = predictor.scores(y)
        self._plain, self._repeats = np.zeros(len(y)), 0
        self._growth = np.zeros((len(y), len(table.free)))
        self._counts = np.zeros((len(y), len(table.free)))

    def add(self, kept: NDArray[np.int64], rng: np.random.Generator) -> None:
        """Permute every parameter once, and predict the results `kept` by models that did not see them."""
        permuted, everything = self._table.permuted(kept, rng), np.arange(len(self._y))
        self._repeats += 1
        for fold in np.array_split(rng.permutation(everything), _FOLDS):
            rest = np.setdiff1d(everything, fold)
            self._predictor.update([self._table.architectures[i] for i in rest], self._y[rest])
            held = np.intersect1d(fold, kept).tolist()
            known = self._predicted(
                {a for i in held for a in (self._table.architectures[i], *permuted[i]) if a is not None}
            )
            for i in held:
                target = self._target[i]
                plain = (known[self._table.architectures[i]] - target) ** 2
                self._plain[i] += plain
                for k, changed in enumerate(permuted[i]):
                    if changed is not None:
                        self._growth[i, k] += (known[changed] - target) ** 2 - plain
                        self._counts[i, k] += 1

    def _predicted(self, architectures: set[Architecture]) -> dict[Architecture, float]:
        each = sorted(architectures, key=lambda a: a.genes)
        mean = self._predictor.predict(in_chunks(each))[0] if each else np.empty(0)
        return dict(zip(each, mean.tolist(), strict=True))

    def explained(self, kept: NDArray[np.int64]) -> float:
        """R squared of the held-out results."""
        error = float(np.mean(self._plain[kept])) / self._repeats
        return 1.0 - error / float(np.var(self._target[kept]))

    def shares(self, kept: NDArray[np.int64], rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """The importances (parameters,) and the ends of their intervals (2, parameters)."""
        weights = rng.multinomial(len(kept), np.full(len(kept), 1.0 / len(kept)), _RESAMPLES)
        together = self._weighted(kept, np.ones((1, len(kept))))[0]
        with np.errstate(invalid="ignore"):
            return together, np.percentile(self._weighted(kept, weights.astype(np.float64)), _LEVELS, axis=0)

    def _weighted(self, kept: NDArray[np.int64], weights: FloatArray) -> FloatArray:
        """The importances (b, parameters) with weights (b, n) of the results."""
        target = self._target[kept]
        mean = weights @ target / weights.sum(axis=1)
        variance = weights @ target**2 / weights.sum(axis=1) - mean**2
        with np.errstate(invalid="ignore", divide="ignore"):
            growth = weights @ self._growth[kept] / (weights @ self._counts[kept])
            found: FloatArray = growth / (2.0 * variance[:, None])
        return found
