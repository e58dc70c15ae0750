"""Gradient boosting by LightGBM (Ke et al., NeurIPS 2017), an optional package."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from nas.core.checks import check_positive
from nas.core.errors import ConfigError
from nas.core.records import FloatArray
from surrogates._bagging import Bagged, bootstrapped
from surrogates.inputs import check_data


class LightGBM(Bagged):
    """LightGBM, a few bootstrapped members on one thread; std from their spread and left-out errors.

    Needs the package lightgbm; without it `fit` raises `ConfigError`.
    """

    def __init__(
        self, members: int = 4, trees: int = 100, learning_rate: float = 0.1, leaves: int = 8, seed: int = 0
    ) -> None:
        self.members = members
        self.trees = trees
        self.learning_rate = learning_rate
        self.leaves = leaves
        self.seed = seed

    def fit(self, X: FloatArray, y: FloatArray) -> LightGBM:
        """Learn from X (n, d) and y (n,)."""
        X, y = check_data(X, y)
        for name in ("members", "trees", "learning_rate"):
            check_positive(name, getattr(self, name))
        self.n_features_in_ = X.shape[1]
        if len(y) == 1:  # LightGBM needs two rows; repeating one adds no information
            X, y = np.repeat(X, 2, axis=0), np.repeat(y, 2)
        self.members_, self.error_ = bootstrapped(self._member, X, y, self.members, self.seed)
        return self

    def _member(self, seed: int) -> Any:
        try:
            lightgbm = import_module("lightgbm")
        except ImportError:
            raise ConfigError(
                "LightGBM: the package lightgbm is not installed; install it with `pip install lightgbm`, or use "
                "GradientBoosting, which needs no extra package"
            ) from None
        return lightgbm.LGBMRegressor(
            n_estimators=self.trees,
            learning_rate=self.learning_rate,
            num_leaves=self.leaves,
            min_child_samples=3,
            colsample_bytree=0.5,
            subsample=0.8,
            subsample_freq=1,
            random_state=seed,
            n_jobs=1,
            deterministic=True,
            force_col_wise=True,
            verbosity=-1,
        )
