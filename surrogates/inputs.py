"""Check and scale the arguments of a surrogate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nas.core.errors import ConfigError
from nas.core.records import FloatArray

Z90 = 1.6448536269514722  # half the width of a central 90% interval, in standard deviations


def check_data(X: Any, y: Any) -> tuple[FloatArray, FloatArray]:
    """X (n, d) and y (n,) as arrays of floats. Raises `ConfigError` unless n >= 1 and all is finite."""
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if X.ndim != 2 or y.shape != (len(X),) or len(X) == 0:
        raise ConfigError(f"fit: expected X (n, d) and y (n,) with n >= 1, got {X.shape} and {y.shape}")
    if not (np.isfinite(X).all() and np.isfinite(y).all()):
        raise ConfigError("fit: X and y must be finite; leave failed results out of training")
    return X, y


def check_queries(X: Any, columns: int) -> FloatArray:
    """X (n, d) for prediction. Raises `ConfigError` unless d is that of the fit."""
    rows: FloatArray = np.asarray(X, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != columns:
        raise ConfigError(f"predict: expected X (n, {columns}), as in fit, got {rows.shape}")
    return rows


@dataclass(frozen=True)
class Scaler:
    """Columns to mean 0 and deviation 1; columns that never vary are left out."""

    kept: np.ndarray  # indices of the varying columns
    centre: FloatArray
    deviation: FloatArray

    @classmethod
    def of(cls, X: FloatArray) -> Scaler:
        """The scaler of these rows, shape (n, d)."""
        kept = np.flatnonzero(np.ptp(X, axis=0) > 0)
        return cls(kept, X[:, kept].mean(axis=0), X[:, kept].std(axis=0))

    def __call__(self, X: FloatArray) -> FloatArray:
        """Scaled, shape (n, number of varying columns)."""
        scaled: FloatArray = (X[:, self.kept] - self.centre) / self.deviation
        return scaled


@dataclass(frozen=True)
class Target:
    """The mean and deviation of the target; the deviation of a constant is taken as 1."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, y: FloatArray) -> Target:
        """The scaling of y (n,)."""
        return cls(float(y.mean()), float(y.std()) if np.ptp(y) > 0 else 1.0)

    def scaled(self, y: FloatArray) -> FloatArray:
        """To mean 0 and deviation 1."""
        return (y - self.mean) / self.deviation

    def restored(self, mean: FloatArray, std: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Back to the units of y."""
        return self.mean + self.deviation * mean, self.deviation * std
