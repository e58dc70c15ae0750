"""Training of networks: candidates during a search, and one network fully. Importing this loads no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.core.errors import TrainingDiverged
from nas.core.lazy import lazy_names
from nas.training.data import DATASETS, check, data_from_config
from nas.training.halving import Halving
from nas.training.recipe import RECIPES, Published, Recipe, recipe_from_config

if TYPE_CHECKING:
    from nas.training.evaluator import TrainingEvaluator, evaluate_test
    from nas.training.full import FullResult, FullSettings, train_full

__all__ = [
    "DATASETS", "RECIPES", "FullResult", "FullSettings", "Halving", "Published", "Recipe",
    "TrainingDiverged", "TrainingEvaluator", "check", "data_from_config", "evaluate_test",
    "recipe_from_config", "train_full",
]  # fmt: skip

__getattr__ = lazy_names(
    __name__,
    {
        ".evaluator": ("TrainingEvaluator", "evaluate_test"),
        ".full": ("FullResult", "FullSettings", "train_full"),
        "nas.sharing.evaluator": ("SharedEvaluator",),  # of another room, under the name of its kind
    },
)
