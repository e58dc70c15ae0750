"""Training of networks: candidates during a search, and one network fully. Importing this loads no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nas.training.data import DATASETS, check, data_from_config
from nas.training.errors import TrainingDiverged
from nas.training.recipe import RECIPES, Published, Recipe, recipe_from_config

if TYPE_CHECKING:
    from nas.training.evaluator import TrainingEvaluator

__all__ = [
    "DATASETS",
    "RECIPES",
    "Published",
    "Recipe",
    "TrainingDiverged",
    "TrainingEvaluator",
    "check",
    "data_from_config",
    "recipe_from_config",
]

_LAZY = {"TrainingEvaluator": "nas.training.evaluator"}  # names whose modules load torch


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
