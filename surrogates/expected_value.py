"""The expected value of noisy measurements, from their companions, repetitions, and other architectures.

An evaluation reports the target and companions: other values, such as a loss beside an error. Their noise is related: a lucky
training has a low error and a low loss. So a regression of the target on its companions predicts the luck too. The index used
here avoids that. Its weights are those of the selection index (Hazel, "The genetic basis for constructing selection indexes",
Genetics 28, 1943): P^-1 c with P the covariance of all values of an evaluation and c their covariance with the true target.
That of the target is its own variance without noise. That of a companion is a part of its covariance with the measured target:
true values and noise are taken as equally correlated, as correlations of both kinds often agree (Cheverud, Evolution 42, 1988).
Shrinkage of P keeps weights of similar companions alike.

The index of an architecture and the prediction of a Gaussian process from all *other* architectures have independent errors.
The expected value is their mean, weighted by precision; the variance of the prediction is that of its errors on held-out
indices, less the noise of these, times the process's own variance there relative to its mean: an architecture that is unlike all others keeps
more of its measurement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from nas.core.records import FloatArray
from surrogates.gaussian_process import GaussianProcess

IntArray = NDArray[np.int64]

FEWEST = 8  # least architectures, and least values of a companion, to learn from
_SHRINK = 0.5  # added to the variance of each standardised companion
_UNEXPLAINED = (
    2 / 3
)  # share of the variance not explained by other architectures that counts as noise, where noise is unknown
_BEYOND = (
    2.0  # most that the noise is beyond the variance that companions leave unexplained: they share some of it
)
_HIGHEST = 0.95  # of correlations with the true target
_REMAINING = 0.25  # least share of the noise variance that remains with companions
_LEAST_NOISE = 1e-3  # of the variance of the target
_PRIOR_REPEATS = 4.0  # repetitions that the assumed noise weighs as much as
_LEAST_SPREAD = 0.1  # least share of the errors on held-out indices that is no noise
_NEAR = 20  # least architectures whose errors decide about the precision of a prediction
_ROWS = 400  # most architectures that predict others


@dataclass(frozen=True)
class Measurements:
    """n measurements of `a` architectures with columns X (a, d): `group` (n,) are the rows of X.

    `y` (n,) is the target, `companions` (n, q) are NaN where missing. `relative` (n,) is the noise variance of each measurement, with
    a mean of about 1 (None: all have the same).
    """

    X: FloatArray
    group: IntArray
    y: FloatArray
    companions: FloatArray
    relative: FloatArray | None = None

    def sums(self, values: FloatArray) -> FloatArray:
        """Sums of values (n,) over the measurements of each architecture, (a,)."""
        return np.asarray(np.bincount(self.group, values, len(self.X)), dtype=np.float64)

    @property
    def counts(self) -> FloatArray:
        """Number of measurements of each architecture, (a,), at least 1."""
        return self.sums(np.ones(len(self.y)))

    @property
    def noise(self) -> FloatArray:
        """`relative`, (n,)."""
        return np.ones(len(self.y)) if self.relative is None else self.relative


@dataclass(frozen=True)
class Expected:
    """Estimates for `a` architectures: the index of the measurements, the expected value and its deviation, each (a,).

    `noise` is the standard deviation of one measurement of the target. All are in the units of the target.
    """

    index: FloatArray
    mean: FloatArray
    std: FloatArray
    noise: float


@dataclass(frozen=True)
class _Scores:
    """A companion on the target's scale: the quantile of the target at its rank, so that its scale and outliers do not matter."""

    known: FloatArray
    values: FloatArray

    @classmethod
    def of(cls, column: FloatArray, z: FloatArray) -> _Scores | None:
        """The scores beside targets z (n,), in the direction that agrees; None where finite values are too few or all equal."""
        finite = np.isfinite(column)
        found, target = column[finite], z[finite]
        if len(found) < FEWEST or np.ptp(found) == 0 or np.ptp(target) == 0:
            return None
        known, first = np.unique(found, return_index=True)
        rank = rankdata(found)
        sorted_z = np.sort(target)
        if float((rank - rank.mean()) @ (target - target.mean())) < 0:
            sorted_z = sorted_z[::-1]
        scores = np.interp(rank, np.arange(1, len(found) + 1), sorted_z)
        return cls(known, scores[first])

    def __call__(self, column: FloatArray) -> FloatArray:
        return np.where(np.isfinite(column), np.interp(column, self.known, self.values), np.nan)


class ExpectedValue:
    """Learns how much each value of an evaluation tells about the target, then estimates the target's expected value.

    `noise` is the standard deviation of one measurement of the target (None: from repetitions, else a share of the variance
    that other architectures do not explain). `make` makes a `GaussianProcess` for the columns of X with further settings.
    """

    def __init__(
        self, make: Callable[..., GaussianProcess] = GaussianProcess, noise: float | None = None
    ) -> None:
        self.make = make
        self.noise = noise

    def fit(self, data: Measurements) -> ExpectedValue:
        """Learn weights, the noise and hyperparameters from measurements of which each architecture has at least one."""
        y, companions = data.y, data.companions
        self.centre_ = float(y.mean())
        self.scale_ = float(y.std()) if np.ptp(y) > 0 else 1.0
        z = (y - self.centre_) / self.scale_
        found = [(j, _Scores.of(companions[:, j], z)) for j in range(companions.shape[1])]
        self._scores = {j: scores for j, scores in found if scores is not None}
        self._process: GaussianProcess | None = None
        few = len(data.X) < FEWEST or np.ptp(y) == 0
        own = data.sums(z) / data.counts
        explained = 0.0 if few else _explained(self._fitted(data.X, own).leave_one_out()[0], own)
        table = self._table(z, companions)
        assumed = min(_UNEXPLAINED * (1.0 - max(0.0, explained)), _BEYOND * _residual(table))
        self.noise_ = self._variance_of_noise(assumed, z, data)
        self._covariance = _covariance(table)
        squares = np.maximum(self._covariance[0] ** 2, 1e-12)
        # less what chance alone gives
        self._related = self._covariance[0] * np.maximum(0.0, 1.0 - 1.0 / (len(table) * squares))
        if not few:
            self._process = self._fitted(data.X, self._indices(table, data)[0])
        return self

    def estimate(self, data: Measurements) -> Expected:
        """The expected value of each architecture, with the weights, noise and hyperparameters of the last fit."""
        z = (data.y - self.centre_) / self.scale_
        index, noise = self._indices(self._table(z, data.companions), data)
        mean, variance = index, noise
        if self._process is not None:
            counts = data.counts
            own, own_noise = data.sums(z) / counts, self.noise_ * data.sums(data.noise) / counts**2
            held_out, doubt = _held_out(self._process, data.X, index)
            predicted = _scaled_to(own, held_out)
            errors = (index - predicted) ** 2
            # of the prediction's two errors the larger: an index of unrelated companions is easy to predict
            of_both = [errors - noise, (own - predicted) ** 2 - own_noise, _LEAST_SPREAD * errors]
            spread = np.max([_near(predicted, values) for values in of_both], axis=0)
            spread = spread * doubt / _near(predicted, doubt)  # larger for one that is unlike the others
            variance = 1.0 / (1.0 / spread + 1.0 / noise)
            mean = variance * (predicted / spread + index / noise)
        return Expected(
            self.centre_ + self.scale_ * index,
            self.centre_ + self.scale_ * mean,
            self.scale_ * np.sqrt(variance),
            self.scale_ * float(np.sqrt(self.noise_)),
        )

    def _fitted(self, X: FloatArray, y: FloatArray) -> GaussianProcess:
        """A process that is small, and begins with as much noise as signal."""
        rows = _newest(len(X))
        process = self.make(tune_points=120, max_points=_ROWS, max_iterations=20, noise=0.5, noise_width=0.5)
        return process.fit(X[rows], y[rows])

    def _variance_of_noise(self, assumed: float, z: FloatArray, data: Measurements) -> float:
        """Variance of the noise of one measurement, on the standardised scale."""
        if self.noise is not None:
            return float(np.clip((self.noise / self.scale_) ** 2, _LEAST_NOISE, _HIGHEST))
        own = data.sums(z) / data.counts
        repeats = float(len(z) - len(own))
        within = float(((z - own[data.group]) ** 2).sum())
        variance = (within + _PRIOR_REPEATS * assumed) / (repeats + _PRIOR_REPEATS)
        return float(np.clip(variance, _LEAST_NOISE, _HIGHEST))

    def _table(self, z: FloatArray, companions: FloatArray) -> FloatArray:
        """The target and the scores of its companions, (n, 1 + q), NaN where missing."""
        return np.column_stack([z, *(scores(companions[:, j]) for j, scores in self._scores.items())])

    def _indices(self, table: FloatArray, data: Measurements) -> tuple[FloatArray, FloatArray]:
        """The index of each architecture, and the variance of its noise, each (a,), standardised."""
        index, noise = np.empty(len(table)), np.empty(len(table))
        known = np.isfinite(table)
        for pattern in np.unique(known, axis=0):
            rows = (known == pattern).all(axis=1)
            weights, noise[rows] = self._weights(np.flatnonzero(pattern))
            index[rows] = table[np.ix_(rows, pattern)] @ weights
        noise *= data.noise
        precision = data.sums(1.0 / noise)
        return data.sums(index / noise) / precision, 1.0 / precision

    def _weights(self, columns: np.ndarray) -> tuple[FloatArray, float]:
        """Weights of these columns, the target's first, so that the index is the target plus noise, and its variance."""
        true = 1.0 - self.noise_  # variance of the target without noise
        covariance = self._covariance[np.ix_(columns, columns)]
        highest = _HIGHEST * np.sqrt(true)
        # the companions' noise is taken as half the target's, and as related to it as the true values are
        of_true, of_noise = np.sqrt(true * (1.0 + true) / 2.0), np.sqrt((1.0 - true) ** 2 / 2.0)
        related = np.clip(self._related[columns] * of_true / (of_true + of_noise), -highest, highest)
        related[0] = true
        weights = np.linalg.solve(covariance + _SHRINK * np.diag(columns > 0), related)
        reached = float(related @ weights)
        variance = true * (true / reached - 1.0)
        variance = float(np.clip(variance, _REMAINING * self.noise_, self.noise_))
        return weights * np.sqrt((true + variance) / (weights @ covariance @ weights)), variance


def _covariance(table: FloatArray) -> FloatArray:
    """Covariance of standardised columns over the rows where both are known, positive definite with shrinkage."""
    known = np.isfinite(table)
    filled = np.where(known, table, 0.0)
    found = (filled.T @ filled) / np.maximum(known.T.astype(float) @ known, 1.0)
    np.fill_diagonal(found, 1.0)
    return np.asarray(np.clip(found, -1.0, 1.0), dtype=np.float64)


def _residual(table: FloatArray) -> float:
    """Variance of the target (the first column) around a linear regression on its companions, on held-out rows; 1 without any."""
    z, columns = table[:, 0], np.nan_to_num(table[:, 1:])
    if not columns.shape[1]:
        return 1.0
    X = np.column_stack([np.ones(len(z)), columns])
    hat = X @ np.linalg.solve(X.T @ X + 1e-3 * len(z) * np.eye(X.shape[1]), X.T)
    return float(np.mean(((z - hat @ z) / (1.0 - np.minimum(np.diag(hat), 0.9))) ** 2))


def _square(values: FloatArray) -> float:
    return float(np.mean(values**2))


def _explained(held_out: FloatArray, own: FloatArray) -> float:
    """Share of the variance of values (a,) that predictions of the newest of them explain."""
    return 1.0 - _square(own[_newest(len(own))] - held_out) / float(own.var())


def _near(places: FloatArray, values: FloatArray) -> FloatArray:
    """The mean of `values` (n,) over a third of the rows, at least `_NEAR`, with the nearest ranks of `places` (n,)."""
    n = len(values)
    width = min(n, max(_NEAR, n // 3))
    order = np.argsort(places, kind="stable")
    sums = np.concatenate([[0.0], np.cumsum(values[order])])
    starts = np.clip(np.arange(n) - width // 2, 0, n - width)
    found = np.empty(n)
    found[order] = (sums[starts + width] - sums[starts]) / width
    return found


def _scaled_to(own: FloatArray, predicted: FloatArray) -> FloatArray:
    """Predictions times the slope of the targets on them, from 0 to 1; a slope of 1 is assumed a priori."""
    prior = 2.0 * _square(own - predicted)
    slope = (float(own @ predicted) + prior) / (float(predicted @ predicted) + prior)
    return predicted * float(np.clip(slope, 0.0, 1.0))


def _newest(n: int) -> np.ndarray:
    return np.arange(max(0, n - _ROWS), n)


def _held_out(process: GaussianProcess, X: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Each y (n,) predicted from the other rows, and the variance without noise; older rows than the newest `_ROWS` from those."""
    rows = _newest(len(X))
    process = process.condition(X[rows], y[rows])
    predicted, std = np.empty(len(X)), np.empty(len(X))
    predicted[rows], std[rows] = process.leave_one_out()
    if rows[0] > 0:
        predicted[: rows[0]], std[: rows[0]] = process.predict(X[: rows[0]])
    return predicted, np.maximum(std**2 - process.noise_std_**2, 1e-3 * std**2)
