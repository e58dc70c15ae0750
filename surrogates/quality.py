"""Quality of a surrogate: ranking, error and coverage of its intervals, by repeated cross-validation. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from nas.core.errors import ConfigError
from nas.core.records import FloatArray
from nas.core.surrogate import Surrogate
from surrogates.inputs import Z90

Folds = Sequence[np.ndarray]

_COMPARED = 500  # rows up to which pairs are compared directly, ten times faster than SciPy's function


def kendall_tau(predicted: FloatArray, observed: FloatArray) -> float:
    """Kendall's tau-b, -1 to 1; 0 when either side is constant (no order, so no agreement) or has one row."""
    if len(observed) < 2 or np.ptp(predicted) == 0 or np.ptp(observed) == 0:
        return 0.0
    if len(observed) > _COMPARED:
        return float(kendalltau(predicted, observed).statistic)
    ours, theirs = _orders(predicted), _orders(observed)
    agreeing = int((ours * theirs).sum(dtype=np.int64))
    untied = np.sqrt(np.count_nonzero(ours)) * np.sqrt(np.count_nonzero(theirs))
    return float(np.clip(agreeing / untied, -1.0, 1.0))


def _orders(values: FloatArray) -> NDArray[np.int8]:
    """The sign of each difference of two of n values, (n, n)."""
    return (values[:, None] > values).astype(np.int8) - (values[:, None] < values)


def best_half_tau(predicted: FloatArray, observed: FloatArray) -> float:
    """Kendall's tau among the rows whose observed value is at most the median (small is good)."""
    best = observed <= np.median(observed)
    return kendall_tau(predicted[best], observed[best])


def best_tenth_precision(predicted: FloatArray, observed: FloatArray) -> float:
    """Share of the observed best tenth of n rows among as many with the lowest predictions; of 2 rows at least."""
    k = min(len(observed), max(2, round(0.1 * len(observed))))
    lowest = np.argsort(predicted, kind="stable")[:k]
    return float(np.isin(lowest, np.argsort(observed, kind="stable")[:k]).mean())


def rmse(predicted: FloatArray, observed: FloatArray) -> float:
    """Root mean square error, in the units of the target."""
    return float(np.sqrt(np.mean((predicted - observed) ** 2)))


def coverage(mean: FloatArray, std: FloatArray, observed: FloatArray) -> float:
    """Share of observations inside the central 90% interval of a normal distribution; 0.9 is honest."""
    return float(np.mean(np.abs(observed - mean) <= Z90 * std))


def calibration(mean: FloatArray, std: FloatArray, observed: FloatArray) -> float:
    """The factor on `std` with which the 90% interval holds 90% of these observations; at most 10 either way."""
    ratio = np.abs(observed - mean) / np.maximum(std, 1e-300)
    # the conformal quantile: a little above 0.9 when there are few observations
    level = min(1.0, np.ceil(0.9 * (len(ratio) + 1)) / len(ratio))
    at = int(np.ceil(level * (len(ratio) - 1)))
    return float(np.clip(np.partition(ratio, at)[at] / Z90, 0.1, 10.0))


def make_folds(n: int, folds: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Row numbers 0 .. n - 1, shuffled into `folds` parts of (nearly) equal size. Raises `ConfigError` if n < folds."""
    if not 2 <= folds <= n:
        raise ConfigError(f"folds: expected 2 to {n} (the number of rows), got {folds}")
    return [np.sort(part) for part in np.array_split(rng.permutation(n), folds)]


@dataclass(frozen=True)
class OutOfFold:
    """Predictions of rows by a model that did not see them, one repeat of cross-validation; each array (n,)."""

    mean: FloatArray
    std: FloatArray


def cross_validate(make: Callable[[], Surrogate], X: FloatArray, y: FloatArray, folds: Folds) -> OutOfFold:
    """Fit on all folds but one, predict that one, for each in turn. X (n, d), y (n,)."""
    mean, std = np.empty(len(y)), np.empty(len(y))
    for left_out in folds:
        rest = np.setdiff1d(np.arange(len(y)), left_out)
        mean[left_out], std[left_out] = make().fit(X[rest], y[rest]).predict(X[left_out])
    return OutOfFold(mean, std)


@dataclass(frozen=True)
class Estimate:
    """A measure of quality on unseen rows, with the standard error of that estimate."""

    mean: float
    deviation: float

    @property
    def cautious(self) -> float:
        """Mean minus one deviation, the score by which candidates are compared."""
        return self.mean - self.deviation


@dataclass(frozen=True)
class TauEstimate(Estimate):
    """Kendall's tau on unseen rows, with the standard error of that estimate."""

    @property
    def interval(self) -> tuple[float, float]:
        """The 90% interval, within -1 and 1."""
        half = Z90 * self.deviation
        return max(-1.0, self.mean - half), min(1.0, self.mean + half)


def estimate(
    measure: Callable[[OutOfFold, FloatArray], float],
    repeats: Sequence[OutOfFold],
    observed: FloatArray,
    folds: Sequence[Folds],
) -> Estimate:
    """`measure` of held-out predictions of all n rows, with its folds for each repeat of cross-validation.

    The mean is over the repeats. The deviation is the delete-a-fold jackknife's (Efron and
    Tibshirani, "An Introduction to the Bootstrap", 1993, section 11.5), averaged in variance over the repeats, so it
    estimates the variation over samples of architectures.
    """
    values, variances = [], []
    for found, parts in zip(repeats, folds, strict=True):
        values.append(measure(found, observed))
        without = []
        for part in parts:
            kept = np.delete(np.arange(len(observed)), part)
            without.append(measure(OutOfFold(found.mean[kept], found.std[kept]), observed[kept]))
        variances.append((len(parts) - 1) * np.var(without))
    return Estimate(float(np.mean(values)), float(np.sqrt(np.mean(variances))))


def estimate_tau(repeats: Sequence[OutOfFold], observed: FloatArray, folds: Sequence[Folds]) -> TauEstimate:
    """`estimate` of Kendall's tau."""
    found = estimate(lambda parts, rows: kendall_tau(parts.mean, rows), repeats, observed, folds)
    return TauEstimate(found.mean, found.deviation)


def honest_coverage(mean: FloatArray, std: FloatArray, observed: FloatArray, folds: Folds) -> float:
    """Coverage after calibration, where each fold's factor comes from the other folds."""
    inside = 0.0
    for part in folds:
        rest = np.setdiff1d(np.arange(len(observed)), part)
        factor = calibration(mean[rest], std[rest], observed[rest])
        inside += len(part) * coverage(mean[part], factor * std[part], observed[part])
    return inside / len(observed)
