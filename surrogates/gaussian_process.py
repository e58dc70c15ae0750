"""A Gaussian process for architectures: a Hamming kernel on categorical genes, Matern 5/2 on numeric columns.

Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006: regression in section 2.2, a linear trend as
part of the covariance in section 2.7, marginal likelihood and its gradient in section 5.4.1. The categorical part, exp
of minus a weighted Hamming distance with a weight a gene (automatic relevance determination), is that of Hutter et al.,
LION 2011, section 4.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.linalg.blas import strmm
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs
from scipy.optimize import minimize

from nas.core.checks import check_positive
from nas.core.errors import ConfigError
from nas.core.records import FloatArray
from surrogates.inputs import check_data, check_queries

_JITTER = 1e-8
_BOUND = 7.0  # of log hyperparameters, either side of their prior means
_TOLERANCE = 1e-4  # relative, of the posterior: half the steps, and hardly another result
_MANY = 700  # rows beyond which half of `tune_points` tune
_FIRST = 3  # log hyperparameters before those of the columns: signal, noise, trend


@dataclass(frozen=True)
class _Priors:
    """Normal priors on log hyperparameters: with few data every gene has an equal, moderate weight."""

    signal: tuple[float, float] = (0.0, 0.5)  # variance of standardised targets
    noise: tuple[float, float] = (float(np.log(0.03)), 1.0)
    trend: tuple[float, float] = (float(np.log(0.5)), 1.0)
    spread: float = 1.0  # of log weights and log length scales


class GaussianProcess:
    """Exact Gaussian-process regression with a relevance for each gene, bounded in cost.

    Columns of X that `numeric` names (by index, or as a slice) are numbers, with a linear trend; all
    others are categories, compared for equality only.
    Hyperparameters maximise the posterior on at most `tune_points` rows (half as many when there are hundreds);
    predictions use at most
    `max_points` (half the best, half the newest, when there are more), which bounds the cost of both.
    `distance` is that of a random pair before tuning, in length scales: smaller for smoother functions.
    `noise` is the prior median of the noise variance of standardised targets, `noise_width` the deviation of its logarithm.
    `predict` gives the standard deviation of a new noisy observation.
    """

    def __init__(
        self,
        numeric: tuple[int, ...] | slice = (),
        tune_points: int = 250,
        max_points: int = 1000,
        max_iterations: int = 40,
        distance: float = 1.5,
        noise: float = 0.03,
        noise_width: float = 1.0,
    ) -> None:
        self.numeric = numeric
        self.tune_points = tune_points
        self.max_points = max_points
        self.max_iterations = max_iterations
        self.distance = distance
        self.noise = noise
        self.noise_width = noise_width

    def fit(self, X: FloatArray, y: FloatArray) -> GaussianProcess:
        """Learn from X (n, d), n >= 1, and finite y (n,). Raises `ConfigError` for anything else."""
        X, y = check_data(X, y)
        check_positive("tune_points", self.tune_points)
        check_positive("max_points", self.max_points)
        check_positive("distance", self.distance)
        check_positive("noise", self.noise)
        check_positive("noise_width", self.noise_width)
        varies = np.ptp(y) > 0
        self.mean_, self.scale_ = float(y.mean()), float(y.std()) if varies else 1.0
        self.n_features_in_ = X.shape[1]
        self._learn_columns(X)
        self._priors = _Priors(noise=(float(np.log(self.noise)), self.noise_width))
        z = (y - self.mean_) / self.scale_
        rows = _spread_rows(z, self.tune_points if len(z) <= _MANY else self.tune_points // 2)
        self.log_parameters_ = self._tune(X[rows], z[rows]) if varies else self._prior_means()
        rows = _kept_rows(z, self.max_points)
        self._condition(X[rows], z[rows])
        return self

    def condition(self, X: FloatArray, y: FloatArray) -> GaussianProcess:
        """Learn from other rows of the same columns, with the hyperparameters and scales of the last `fit`."""
        X, y = check_data(X, y)
        z = (y - self.mean_) / self.scale_
        rows = _kept_rows(z, self.max_points)
        self._condition(check_queries(X, self.n_features_in_)[rows], z[rows])
        return self

    def _learn_columns(self, X: FloatArray) -> None:
        d = X.shape[1]
        named = range(d)[self.numeric] if isinstance(self.numeric, slice) else self.numeric
        numeric = sorted({c % d if -d <= c < d else c for c in named})
        if numeric and numeric[-1] >= d:
            raise ConfigError(f"numeric: expected columns below {d}, got {self.numeric}")
        self._numeric = np.array(numeric, dtype=np.int64)
        self._categorical = np.setdiff1d(np.arange(d), self._numeric)
        # a constant column carries no information and would add a parameter to tune
        self._categorical = self._categorical[[len(np.unique(X[:, c])) > 1 for c in self._categorical]]
        self._levels = [np.unique(X[:, c]) for c in self._categorical]
        sizes = [len(levels) for levels in self._levels]
        self._gene_of = np.repeat(np.arange(len(sizes)), sizes)
        self._choices = np.concatenate([*self._levels, np.empty(0)])
        self._numeric = self._numeric[np.ptp(X[:, self._numeric], axis=0) > 0]
        self._centre = X[:, self._numeric].mean(axis=0)
        self._deviation = X[:, self._numeric].std(axis=0)

    def _prior_means(self) -> FloatArray:
        """Log of: signal, noise, trend, weights of genes, inverse squared length scales of numeric columns.

        A random pair of architectures is at about `distance`, for any number of columns.
        """
        genes, numbers = len(self._levels), len(self._numeric)
        share = self.distance / max(1, genes + numbers)
        weights = [share * len(levels) / (len(levels) - 1) for levels in self._levels]
        scales = np.exp([self._priors.signal[0], self._priors.noise[0], self._priors.trend[0]])
        return np.log([*scales, *weights, *[share] * numbers])

    def _features(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        """One-hot categories (n, D) and scaled numbers (n, k); unseen categories match nothing."""
        onehot = (X[:, self._categorical[self._gene_of]] == self._choices).astype(np.float64)
        return onehot, (X[:, self._numeric] - self._centre) / self._deviation

    def _kernel(
        self, a: tuple[FloatArray, FloatArray], b: tuple[FloatArray, FloatArray], log_p: FloatArray
    ) -> FloatArray:
        """Covariance (n, m) without noise: a local part and a linear trend in the numeric columns."""
        value = self._local(a, b, log_p, self._distances(a, b, log_p))
        if len(self._numeric):
            value += self._trend(a, b, log_p)
        return value

    def _distances(
        self, a: tuple[FloatArray, FloatArray], b: tuple[FloatArray, FloatArray], log_p: FloatArray
    ) -> FloatArray:
        """Distances (n, m) in the numeric columns, in length scales, times the root of 5; an empty array without such columns."""
        if not len(self._numeric):
            return np.empty((0, 0))
        squared = _squared(a[1], b[1], 5.0 * np.exp(log_p[_FIRST + len(self._levels) :]))
        return np.sqrt(squared, out=squared)

    def _local(
        self,
        a: tuple[FloatArray, FloatArray],
        b: tuple[FloatArray, FloatArray],
        log_p: FloatArray,
        distances: FloatArray,
    ) -> FloatArray:
        genes = len(self._levels)
        weights = np.exp(log_p[_FIRST : _FIRST + genes])
        exponent = (a[0] * weights[self._gene_of]) @ b[0].T
        exponent -= weights.sum()
        np.minimum(exponent, 0.0, out=exponent)
        exponent += log_p[0]
        if not len(self._numeric):
            return np.exp(exponent, out=exponent)
        exponent -= distances
        value = np.exp(exponent, out=exponent)
        value *= _matern(distances)
        return value

    def _trend(
        self, a: tuple[FloatArray, FloatArray], b: tuple[FloatArray, FloatArray], log_p: FloatArray
    ) -> FloatArray:
        return np.asarray((a[1] * (np.exp(log_p[2]) / np.float32(len(self._numeric)))) @ b[1].T)

    def _tune(self, X: FloatArray, z: FloatArray) -> FloatArray:
        features, start = self._features(X), self._prior_means()
        bounds = [(v - _BOUND, v + _BOUND) for v in start]
        found = minimize(
            self._negative_log_posterior,
            start,
            args=(features, z),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": self.max_iterations, "ftol": _TOLERANCE},
        )
        return np.asarray(found.x if np.isfinite(found.fun) else start, dtype=np.float64)

    def _negative_log_posterior(
        self, log_p: FloatArray, features: tuple[FloatArray, FloatArray], z: FloatArray
    ) -> tuple[float, FloatArray]:
        """Minus the log marginal likelihood and log prior, and their gradient in the log parameters."""
        n, genes = len(z), len(self._levels)
        distances = self._distances(features, features, log_p)
        signal = self._local(features, features, log_p, distances)
        trend = self._trend(features, features, log_p) if len(self._numeric) else np.zeros_like(signal)
        noise = np.exp(log_p[1])
        covariance = signal + trend
        covariance.flat[:: n + 1] += noise + _JITTER
        # LAPACK directly: the overhead of SciPy's functions dominates at these sizes
        factor, failed = dpotrf(covariance, lower=True)
        if failed:
            return np.inf, np.zeros_like(log_p)
        alpha, _ = dpotrs(factor, z, lower=True)
        value = 0.5 * z @ alpha + np.log(np.diag(factor)).sum() + 0.5 * n * np.log(2 * np.pi)
        # d value / d theta = -1/2 tr((alpha alpha' - K^-1) dK / d theta)
        inverse, _ = dpotri(factor, lower=True, overwrite_c=True)
        inner = np.multiply.outer(alpha, alpha)
        inner -= inverse  # the lower half
        inner -= inverse.T
        inner.flat[:: n + 1] += np.diag(inverse)
        weighted = inner * signal
        total = weighted.sum()
        gradient = np.empty_like(log_p)
        gradient[0] = -0.5 * total
        gradient[1] = -0.5 * noise * np.trace(inner)
        gradient[2] = -0.5 * np.vdot(inner, trend)
        agreeing = np.bincount(self._gene_of, (features[0] * (weighted @ features[0])).sum(axis=0), genes)
        end = _FIRST + genes
        gradient[_FIRST:end] = 0.5 * np.exp(log_p[_FIRST:end]) * (total - agreeing)
        if len(self._numeric):
            scales = np.exp(log_p[end:])
            # Matern 5/2 of r: d log k / d (r^2) = -(5/6) (1 + sqrt5 r) / (1 + sqrt5 r + 5 r^2 / 3), and distances are sqrt5 r
            slope = 1.0 + distances
            slope *= weighted
            slope /= _matern(distances)
            slope *= -5.0 / 6.0
            x = features[1]
            apart = 2.0 * (slope.sum(axis=1) @ (x * x) - ((slope @ x) * x).sum(axis=0))
            gradient[end:] = -0.5 * scales * apart
        centre, width = self._prior_means(), self._prior_widths(len(log_p))
        off = (log_p - centre) / width
        return float(value + 0.5 * off @ off), gradient + off / width

    def _prior_widths(self, n: int) -> FloatArray:
        widths = np.full(n, self._priors.spread)
        widths[:_FIRST] = [self._priors.signal[1], self._priors.noise[1], self._priors.trend[1]]
        return widths

    def _condition(self, X: FloatArray, z: FloatArray) -> None:
        known = self._features(X)
        covariance = self._kernel(known, known, self.log_parameters_)
        noise = np.exp(self.log_parameters_[1]) + _JITTER
        lower = cholesky(covariance + noise * np.eye(len(z)), lower=True)
        self._z, self._alpha = z, cho_solve((lower, True), z)
        self._inverse = solve_triangular(lower, np.eye(len(z)), lower=True)
        # predictions do not need double precision, and a search makes millions
        self._known32 = _single(known)
        self._alpha32 = self._alpha.astype(np.float32)
        self._inverse32 = np.asfortranarray(self._inverse, dtype=np.float32)

    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of a new observation, each (n,), in the units of y."""
        X = check_queries(X, self.n_features_in_)
        features = _single(self._features(X))
        across = self._kernel(features, self._known32, self.log_parameters_.astype(np.float32))
        explained = strmm(1.0, self._inverse32, across.T, lower=True)
        signal, noise, trend = np.exp(self.log_parameters_[:_FIRST])
        prior = signal + noise + trend * (features[1] ** 2).sum(axis=1) / max(1, len(self._numeric))
        variance = prior - np.einsum("ij,ij->j", explained, explained)
        std = np.sqrt(np.maximum(variance, 1e-12))
        mean = (across @ self._alpha32).astype(np.float64)
        return self.mean_ + self.scale_ * mean, self.scale_ * std.astype(np.float64)

    def leave_one_out(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of a new observation of each row of the last fit or `condition`, from its other rows.

        Each (n,), in the units of y. Rasmussen and Williams, equation 5.12; hyperparameters are those of all rows.
        """
        precision = (self._inverse**2).sum(axis=0)
        held_out = self._z - self._alpha / precision
        return self.mean_ + self.scale_ * held_out, self.scale_ / np.sqrt(precision)

    @property
    def noise_std_(self) -> float:
        """Standard deviation of the noise, in the units of y."""
        return float(self.scale_ * np.exp(0.5 * self.log_parameters_[1]))


def _single(features: tuple[FloatArray, FloatArray]) -> tuple[Any, Any]:
    return features[0].astype(np.float32), features[1].astype(np.float32)


def _matern(distances: FloatArray) -> FloatArray:
    """Factor of a Matern 5/2 kernel before its exponential; distances are times the root of 5."""
    value = distances / 3.0
    value += 1.0
    value *= distances
    value += 1.0
    return value


def _squared(a: FloatArray, b: FloatArray, scales: FloatArray) -> FloatArray:
    """Weighted squared distances (n, m)."""
    scaled = a * scales
    lengths = (scaled * a).sum(axis=1)[:, None] + (b * scales * b).sum(axis=1)[None, :]
    lengths -= 2.0 * scaled @ b.T
    distances: FloatArray = np.maximum(lengths, 0.0, out=lengths)
    return distances


def _spread_rows(z: FloatArray, limit: int) -> np.ndarray:
    """At most `limit` rows whose targets cover the whole range evenly in rank."""
    if len(z) <= limit:
        return np.arange(len(z))
    order = np.argsort(z, kind="stable")
    return np.sort(order[np.linspace(0, len(z) - 1, limit).round().astype(np.int64)])


def _kept_rows(z: FloatArray, limit: int) -> np.ndarray:
    """At most `limit` rows: the lowest targets (a search needs those) and the newest."""
    if len(z) <= limit:
        return np.arange(len(z))
    best = np.argsort(z, kind="stable")[: limit // 2]
    newest = np.setdiff1d(np.arange(len(z)), best)[-(limit - len(best)) :]
    return np.sort(np.concatenate([best, newest]))
