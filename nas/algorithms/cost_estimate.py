"""Estimates of cheap objectives and quantities whose exact computation is slow.

At more than about a millisecond an architecture, a proposal cannot compute exact costs for its thousands of candidates.
There a model fitted to exact values replaces them; proposals, limits and records use exact values.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from nas.algorithms.prediction import in_chunks
from nas.core.bounds import check_time
from nas.core.plugins import registry
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray

_ROWS = 300  # most exact values to fit to: the newest
_TUNED = 150  # of these, to tune the model on
_FIRST = 80  # exact values at the first fit, if there are as many
_GROWN = 1.25  # refit when their number has grown by this factor


class CostEstimate:
    """Minimised cheap objectives of a problem, and its cheap quantities: exact for learned architectures, predicted for others.

    A Gaussian process for each on the genes, with a relevance for each (`surrogates.gaussian_process`); on a logarithmic
    scale where all values have one sign. Depends only on the learned sequence: the models are fitted to prefixes of it whose
    lengths grow by a quarter, so that one that learned in steps equals one that learned at once.
    """

    def __init__(self, problem: Problem, architectures: Iterable[Architecture] = ()) -> None:
        self._problem = problem
        self._cheap = [j for j, o in enumerate(problem.objectives) if o.cheap]
        self._items = [*(problem.objectives[j] for j in self._cheap), *problem.quantities]
        self._signs = np.array([o.sign for o in self._items])
        self._exact: dict[Architecture, FloatArray] = {}  # of the items, minimised
        self._failed: set[Architecture] = (
            set()
        )  # whose exact values cannot be computed: predicted like unknown ones
        self._fitted = 0  # length of the prefix
        self._whole: tuple[Sequence[Architecture], int, FloatArray] | None = None  # a whole space, predicted
        self._models: list[Any] = []
        self.learn(architectures)

    def __len__(self) -> int:
        return len(self._exact)

    def __contains__(self, architecture: Architecture) -> bool:
        return architecture in self._exact or architecture in self._failed

    def learn(self, architectures: Iterable[Architecture]) -> None:
        """Compute and store the exact values of new architectures."""
        for architecture in architectures:
            if architecture not in self:
                check_time()
                if self._problem.cost_failure(architecture):
                    self._failed.add(architecture)
                    continue
                values = self._problem.cheap_values(architecture)
                self._exact[architecture] = self._signs * [values[o.name] for o in self._items]

    def __call__(self, architectures: Sequence[Architecture]) -> FloatArray:
        """Rows (n, m), NaN where an objective is measured. Predictions of a tuple, a whole space, are kept."""
        rows = np.full((len(architectures), self._problem.n_objectives), np.nan)
        rows[:, self._cheap] = self._of(architectures)[:, : len(self._cheap)]
        return rows

    def excess(self, architectures: Sequence[Architecture]) -> FloatArray:
        """Total violation of the cheap limits, shape (n,)."""
        names = [o.name for o in self._items]
        rows = self._signs * self._of(architectures)
        return np.array(
            [self._problem.cheap_excess(dict(zip(names, row, strict=True))) for row in rows.tolist()]
        )

    def _of(self, architectures: Sequence[Architecture]) -> FloatArray:
        """The items, minimised, shape (n, k)."""
        rows = np.full((len(architectures), len(self._items)), np.nan)
        known = [i for i, a in enumerate(architectures) if a in self._exact]
        if len(known) < len(architectures) and self._items:
            check_time()
            self._fit()
            if isinstance(architectures, tuple):
                rows[:] = self._of_whole(architectures)
            else:
                unknown = np.setdiff1d(np.arange(len(architectures)), known)
                rows[unknown] = self._predict([architectures[i] for i in unknown])
        for i in known:
            rows[i] = self._exact[architectures[i]]
        return rows

    def _of_whole(self, architectures: Sequence[Architecture]) -> FloatArray:
        if self._whole is None or self._whole[0] is not architectures or self._whole[1] != self._fitted:
            parts = [self._predict(chunk) for chunk in in_chunks(architectures)]
            self._whole = architectures, self._fitted, np.concatenate(parts)
        return self._whole[2]

    def _features(self, architectures: Sequence[Architecture]) -> FloatArray:
        """Categories, then numbers from column `self._first` on, shape (n, d). Genes of unknown order are both."""
        space = self._problem.space
        if space.first_numeric is not None:
            self._first = space.first_numeric
            return space.encodings["mixed"](architectures)
        genes = np.array([a.genes for a in architectures], dtype=np.float64).reshape(len(architectures), -1)
        self._first = genes.shape[1]
        return np.concatenate([genes, genes], axis=1)

    def _fit(self) -> None:
        if not self._exact:
            raise ValueError("an estimate needs exact values to learn from")
        due = next_length = min(_FIRST, len(self._exact))
        while next_length <= len(self._exact):
            due, next_length = next_length, math.ceil(_GROWN * next_length)
        if due == self._fitted:
            return
        self._fitted = due
        known = list(self._exact)[:due][-_ROWS:]
        values = np.array([self._exact[a] for a in known])
        self._sign = np.where((values > 0).all(axis=0), 1.0, np.where((values < 0).all(axis=0), -1.0, 0.0))
        scores = np.where(self._sign != 0, np.log(np.where(self._sign != 0, np.abs(values), 1.0)), values)
        features = self._features(known)
        make = registry("surrogate")["gaussian-process"]
        numeric = slice(self._first, None)
        self._models = []
        for column in scores.T:
            check_time()
            self._models.append(
                make(numeric=numeric, tune_points=_TUNED, max_points=_ROWS).fit(features, column)
            )

    def _predict(self, architectures: Sequence[Architecture]) -> FloatArray:
        features = self._features(architectures)
        scores = np.column_stack([model.predict(features)[0] for model in self._models])
        grown = self._sign * np.exp(np.clip(scores, -700.0, 700.0))
        found: FloatArray = np.where(self._sign != 0, grown, scores)
        return found
