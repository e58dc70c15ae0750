"""The contract of a surrogate, a predictor of an objective: fit and predict."""

from __future__ import annotations

from typing import Protocol

from nas.core.records import FloatArray


class Surrogate(Protocol):
    """A predictor of one objective with scikit-learn's conventions."""

    def fit(self, X: FloatArray, y: FloatArray) -> Surrogate:
        """Fit to X (n, d) and y (n,), discarding earlier fits."""

    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation, each (n,)."""
