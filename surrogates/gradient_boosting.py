"""Gradient boosting of regression trees (Friedman, "Stochastic gradient boosting", 2002)."""

from __future__ import annotations

from typing import Any

from nas.core.checks import check_positive
from nas.core.records import FloatArray
from surrogates._bagging import Bagged, bootstrapped
from surrogates.inputs import check_data


class GradientBoosting(Bagged):
    """scikit-learn's gradient boosting, a few bootstrapped members; std from their spread and left-out errors.

    The classic implementation: on the hundreds of rows of a search it is faster than the one with histograms, and
    runs on one thread.
    """

    def __init__(
        self,
        members: int = 4,
        trees: int = 60,
        learning_rate: float = 0.12,
        max_depth: int = 3,
        max_features: float = 0.3,
        seed: int = 0,
    ) -> None:
        self.members = members
        self.trees = trees
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.max_features = max_features
        self.seed = seed

    def fit(self, X: FloatArray, y: FloatArray) -> GradientBoosting:
        """Learn from X (n, d) and y (n,)."""
        X, y = check_data(X, y)
        for name in ("members", "trees", "learning_rate", "max_depth", "max_features"):
            check_positive(name, getattr(self, name))
        self.n_features_in_ = X.shape[1]
        # a share of few rows could be empty
        self._subsample = 0.7 if len(y) >= 10 else 1.0
        self.members_, self.error_ = bootstrapped(self._member, X, y, self.members, self.seed)
        return self

    def _member(self, seed: int) -> Any:
        from sklearn.ensemble import GradientBoostingRegressor

        return GradientBoostingRegressor(
            n_estimators=self.trees,
            learning_rate=self.learning_rate,
            max_depth=self.max_depth,
            max_features=self.max_features,
            subsample=self._subsample,
            random_state=seed,
        )
