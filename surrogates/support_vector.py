"""Support vector regression (Smola and Schölkopf, "A tutorial on support vector regression", 2004)."""

from __future__ import annotations

import numpy as np

from nas.core.checks import check_positive
from nas.core.records import FloatArray
from surrogates.inputs import Scaler, Target, check_data, check_queries

_FOLDS = 3


class SupportVector:
    """Support vector regression with a Gaussian kernel; std is its cross-validated error, the same everywhere.

    Columns are standardised; the kernel's width follows their number (scikit-learn's gamma="scale").
    """

    def __init__(self, cost: float = 3.0, tube: float = 0.1) -> None:
        self.cost = cost
        self.tube = tube

    def fit(self, X: FloatArray, y: FloatArray) -> SupportVector:
        """Learn from X (n, d) and y (n,)."""
        from sklearn.svm import SVR

        X, y = check_data(X, y)
        check_positive("cost", self.cost)
        check_positive("tube", self.tube)
        self.n_features_in_ = X.shape[1]
        self.scaler_, self.target_ = Scaler.of(X), Target.of(y)
        rows, z = self._scaled(X), self.target_.scaled(y)
        self.model_ = SVR(C=self.cost, epsilon=self.tube).fit(rows, z)
        fold = np.arange(len(z)) % _FOLDS
        errors = [
            SVR(C=self.cost, epsilon=self.tube).fit(rows[fold != k], z[fold != k]).predict(rows[fold == k])
            - z[fold == k]
            for k in range(_FOLDS)
            if len(z) >= 2 * _FOLDS
        ]
        self.error_ = float(np.sqrt(np.mean(np.concatenate(errors) ** 2))) if errors else 1.0
        return self

    def _scaled(self, X: FloatArray) -> FloatArray:
        scaled = self.scaler_(X)
        return scaled if scaled.shape[1] else np.zeros((len(X), 1))

    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation, each (n,)."""
        mean = self.model_.predict(self._scaled(check_queries(X, self.n_features_in_)))
        return self.target_.restored(mean, np.full(len(mean), self.error_))
