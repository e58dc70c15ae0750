"""Surrogate predictors of expensive objectives, one per file. To add one, add its file and a line here.

Each entry is loaded on use, so listing the names loads neither torch nor scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nas.core.lazy import Lazy

SURROGATES: dict[str, Callable[..., Any]] = {
    "constant": Lazy("surrogates.constant", "Constant"),
    "extra-trees": Lazy("surrogates.extra_trees", "ExtraTrees"),
    "gaussian-process": Lazy("surrogates.gaussian_process", "GaussianProcess"),
    "gradient-boosting": Lazy("surrogates.gradient_boosting", "GradientBoosting"),
    "graph-network": Lazy("surrogates.graph_network", "GraphNetwork"),
    "lightgbm": Lazy("surrogates.light_gbm", "LightGBM"),
    "mlp-ensemble": Lazy("surrogates.mlp_ensemble", "MLPEnsemble"),
    "pairwise-ridge": Lazy("surrogates.pairwise_ridge", "PairwiseRidge"),
    "random-forest": Lazy("surrogates.random_forest", "RandomForest"),
    "rbf": Lazy("surrogates.rbf", "RBF"),
    "support-vector": Lazy("surrogates.support_vector", "SupportVector"),
}
