"""Base class of random forests and extremely randomised trees: the deviation is the spread of the trees."""

from __future__ import annotations

from typing import Any

import numpy as np

from nas.core.checks import check_fraction, check_positive
from nas.core.records import FloatArray
from surrogates.inputs import check_data, check_queries


class Forest:
    """Trees of scikit-learn's class `_estimator()`, grown on one thread and averaged."""

    def __init__(
        self, trees: int = 100, max_features: float = 0.5, min_samples_leaf: int = 2, seed: int = 0
    ) -> None:
        self.trees = trees
        self.max_features = max_features
        self.min_samples_leaf = min_samples_leaf
        self.seed = seed

    def _estimator(self) -> type[Any]:
        raise NotImplementedError("return scikit-learn's class")

    def fit(self, X: FloatArray, y: FloatArray) -> Any:
        """Learn from X (n, d) and y (n,)."""
        X, y = check_data(X, y)
        check_positive("trees", self.trees)
        check_positive("max_features", self.max_features)
        check_fraction("max_features", self.max_features)
        check_positive("min_samples_leaf", self.min_samples_leaf)
        self.n_features_in_ = X.shape[1]
        self.forest_ = self._estimator()(
            self.trees,
            max_features=self.max_features,
            min_samples_leaf=min(self.min_samples_leaf, max(1, len(y) // 10)),
            random_state=self.seed,
        ).fit(X, y)
        return self

    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation over the trees, each (n,)."""
        rows = check_queries(X, self.n_features_in_).astype(np.float32)  # as the trees hold them
        votes = np.stack([tree.predict(rows, check_input=False) for tree in self.forest_.estimators_])
        return votes.mean(axis=0), votes.std(axis=0)
