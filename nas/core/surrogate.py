"""What predicts an objective: fit and predict."""

from __future__ import annotations

from typing import Protocol

from nas.core.records import FloatArray


class Surrogate(Protocol):
    """A predictor of one objective, by scikit-learn's conventions."""

    def fit(self, X: FloatArray, y: FloatArray) -> Surrogate:
        """Learn from X (n, d) and y (n,), forgetting any earlier fit."""
        ...

    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation, each (n,)."""
        ...
