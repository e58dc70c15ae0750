"""Estimates of cheap objectives whose exact computation is slow.

At more than about a millisecond an architecture, a proposal cannot compute exact costs for its thousands of candidates.
There a model fitted to exact values replaces them; proposals, limits and records use exact values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

from nas.core.bounds import check_time
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray

_ROWS = 300  # most exact values to fit to: the newest
_GROWN = 1.25  # refit when the number of exact values has grown by this factor
_PENALTIES = np.logspace(-6, 1, 8)

T = TypeVar("T")


class CostEstimate:
    """Minimised cheap objectives of a problem: exact for learned architectures, predicted for others.

    Kernel ridge regression on genes and products of two genes (which genes agree, and their distance), on a logarithmic
    scale where all values are positive; leave-one-out chooses the penalty. Depends only on the learned sequence.
    """

    def __init__(self, problem: Problem, architectures: Iterable[Architecture] = ()) -> None:
        self._problem = problem
        cards = np.maximum(np.array(problem.space.cardinalities, dtype=np.float64) - 1.0, 1.0)
        self._half = 0.5 * cards
        self._cheap = [j for j, o in enumerate(problem.objectives) if o.cheap]
        self._exact: dict[Architecture, FloatArray] = {}
        self._fitted = 0
        self.learn(architectures)

    def __len__(self) -> int:
        return len(self._exact)

    def __contains__(self, architecture: Architecture) -> bool:
        return architecture in self._exact

    def learn(self, architectures: Iterable[Architecture]) -> None:
        """Compute and store the exact values of new architectures."""
        for architecture in architectures:
            if architecture not in self._exact:
                check_time()
                self._exact[architecture] = self._problem.cheap_objectives(architecture)

    def __call__(self, architectures: Sequence[Architecture]) -> FloatArray:
        """Rows (n, m), NaN where an objective is measured."""
        rows = np.full((len(architectures), self._problem.n_objectives), np.nan)
        unknown = [i for i, a in enumerate(architectures) if a not in self._exact]
        for i, a in enumerate(architectures):
            if a in self._exact:
                rows[i] = self._exact[a]
        if unknown and self._cheap:
            check_time()
            self._fit()
            rows[np.ix_(unknown, self._cheap)] = self._predict([architectures[i] for i in unknown])
        return rows

    def _scaled(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, FloatArray]:
        genes = np.array([a.genes for a in architectures], dtype=np.int64).reshape(len(architectures), -1)
        return genes, genes / self._half - 1.0

    def _kernel(self, a: tuple[np.ndarray, FloatArray], b: tuple[np.ndarray, FloatArray]) -> FloatArray:
        agree = np.zeros((len(a[0]), len(b[0])))
        for g in range(a[0].shape[1]):
            agree += a[0][:, [g]] == b[0][:, g]
        together = (agree + a[1] @ b[1].T) / max(1, a[0].shape[1])
        kernel: FloatArray = (1.0 + together) ** 2
        return kernel

    def _fit(self) -> None:
        if self._fitted and len(self._exact) < _GROWN * self._fitted:
            return
        if not self._exact:
            raise ValueError("an estimate needs exact values to learn from")
        self._fitted = len(self._exact)
        known = list(self._exact)[-_ROWS:]
        values = np.array([self._exact[a] for a in known])[:, self._cheap]
        self._sign = np.where((values > 0).all(axis=0), 1.0, np.where((values < 0).all(axis=0), -1.0, 0.0))
        z = self._forward(values)
        self._mean, deviation = z.mean(axis=0), z.std(axis=0)
        self._deviation = np.where(deviation > 0, deviation, 1.0)
        self._known = self._scaled(known)
        own, vectors = np.linalg.eigh(self._kernel(self._known, self._known))
        own, rotated = np.maximum(own, 0.0), vectors.T @ ((z - self._mean) / self._deviation)
        weights, least = [], np.full(z.shape[1], np.inf)
        for penalty in _PENALTIES:
            shrunk = 1.0 / (own + penalty)
            solved = vectors @ (shrunk[:, None] * rotated)
            errors = np.mean((solved / ((vectors**2) @ shrunk)[:, None]) ** 2, axis=0)
            weights.append((errors < least, solved))
            least = np.minimum(least, errors)
        self._weights = np.zeros_like(z)
        for better, solved in weights:
            self._weights[:, better] = solved[:, better]

    def _forward(self, values: FloatArray) -> FloatArray:
        log = np.log(np.where(self._sign != 0, np.abs(values), 1.0))
        scores: FloatArray = np.where(self._sign != 0, log, values)
        return scores

    def _predict(self, architectures: Sequence[Architecture]) -> FloatArray:
        scores = self._kernel(self._scaled(architectures), self._known) @ self._weights
        scores = scores * self._deviation + self._mean
        grown = self._sign * np.exp(np.clip(scores, -700.0, 700.0))
        found: FloatArray = np.where(self._sign != 0, grown, scores)
        return found
