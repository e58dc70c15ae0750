"""Surrogate predictors of expensive objectives, one file each. A new one is a file and a line here.

Each entry is loaded when it is used, so that listing the names loads neither torch nor scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


class Lazy:
    """A class that is imported when it is first called."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name
        self.__name__ = name

    def _target(self) -> Any:
        return getattr(import_module(self._module), self._name)

    @property
    def __signature__(self) -> Any:
        import inspect

        return inspect.signature(self._target())

    @property
    def summary(self) -> str:
        """First line of the docstring."""
        return (self._target().__doc__ or "").strip().splitlines()[0]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Make it."""
        return self._target()(*args, **kwargs)


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
