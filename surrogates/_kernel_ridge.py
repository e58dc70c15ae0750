"""Ridge regression in its dual form, the penalty chosen by exact leave-one-out errors.

Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006: equation 2.26 for the variance, section 5.4.2
for the errors of leaving one row out, which follow from one decomposition.
"""

from __future__ import annotations

import numpy as np

from nas.core.checks import check_positive
from nas.core.records import FloatArray
from surrogates.inputs import Scaler, Target, check_data, check_queries

_MANY = 700  # rows beyond which half of `max_points` are used: the decomposition of all takes seconds
_PENALTIES = np.logspace(-5, 2, 15)  # in units of the mean of the kernel's diagonal


class KernelRidge:
    """A positive semi-definite kernel of standardised columns, fitted by least squares with a penalty.

    `_kernel` takes rows (n, d) and (m, d), scaled so that the mean square of their lengths is 1, and returns (n, m).
    Only the newest `max_points` rows are used; half as many when there are hundreds.
    """

    def __init__(self, max_points: int = 1000) -> None:
        self.max_points = max_points

    def _kernel(self, a: FloatArray, b: FloatArray) -> FloatArray:
        raise NotImplementedError("return the kernel matrix")

    def _own(self, a: FloatArray) -> FloatArray:
        """Kernel of each row with itself, shape (n,)."""
        raise NotImplementedError("return the kernel's diagonal")

    def _rows(self, X: FloatArray) -> FloatArray:
        rows: FloatArray = self.scaler_(X) / np.sqrt(max(1, len(self.scaler_.kept)))
        return rows

    def fit(self, X: FloatArray, y: FloatArray) -> KernelRidge:
        """Learn from X (n, d) and y (n,)."""
        X, y = check_data(X, y)
        check_positive("max_points", self.max_points)
        self.n_features_in_ = X.shape[1]
        kept = self.max_points if len(y) <= _MANY else self.max_points // 2
        X, y = X[-kept:], y[-kept:]
        self.scaler_, self.target_ = Scaler.of(X), Target.of(y)
        self.rows_, z = self._rows(X), self.target_.scaled(y)
        kernel = self._kernel(self.rows_, self.rows_)
        self.unit_ = float(np.mean(np.diag(kernel)))
        values, vectors = np.linalg.eigh(kernel / self.unit_)
        values, rotated = np.maximum(values, 0.0), vectors.T @ z
        errors = [_left_out(values, vectors, rotated, penalty) for penalty in _PENALTIES]
        best = int(np.argmin([np.mean(e**2) for e in errors]))
        self.penalty_ = float(_PENALTIES[best])
        self._inverse = (vectors / (values + self.penalty_)) @ vectors.T
        self.weights_ = self._inverse @ z
        # ratio of leave-one-out errors to their deviations under the model with unit noise
        ratio = float(np.sqrt(np.mean(errors[best] ** 2 * np.diag(self._inverse))))
        self._ratio = ratio if len(z) > 1 else 1.0
        return self

    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation, each (n,).

        The deviation is that of the Bayesian model, its noise scaled to the errors of left-out training rows.
        """
        rows = self._rows(check_queries(X, self.n_features_in_))
        across = self._kernel(rows, self.rows_) / self.unit_
        own = self._own(rows) / self.unit_
        variance = np.maximum(own - ((across @ self._inverse) * across).sum(axis=1), 0.0) + self.penalty_
        return self.target_.restored(across @ self.weights_, self._ratio * np.sqrt(variance))


def _left_out(values: FloatArray, vectors: FloatArray, rotated: FloatArray, penalty: float) -> FloatArray:
    """Errors of leaving out each row in turn, shape (n,)."""
    shrunk = 1.0 / (values + penalty)
    errors: FloatArray = (vectors @ (shrunk * rotated)) / ((vectors**2) @ shrunk)
    return errors
