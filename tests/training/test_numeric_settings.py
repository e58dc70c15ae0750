"""Settings that are numbers: a text such as "32px" is a `ConfigError` that names the setting."""

from __future__ import annotations

import importlib
import pkgutil
import re
from dataclasses import MISSING, fields, is_dataclass

import numpy as np
import pytest

import nas.training
from nas.core.errors import ConfigError
from nas.core.objectives import Objective
from nas.training.data import DATASETS, Folder, data_from_config
from nas.training.recipe import Recipe, recipe_from_config
from nas.training.tasks.detection.data import DETECTION_SETS
from nas.training.tasks.segmentation.data import DATASETS as MASK_SETS

_NUMERIC = re.compile(r"(tuple\[)?(int|float)\b.*")


def _settings_classes():
    """Every dataclass of `nas.training` whose fields have defaults, but for the texts that the data need."""
    for module in pkgutil.walk_packages(nas.training.__path__, "nas.training."):
        loaded = importlib.import_module(module.name)
        for found in vars(loaded).values():
            if isinstance(found, type) and is_dataclass(found) and found.__module__ == module.name:
                needed = [f.name for f in fields(found) if f.default is f.default_factory is MISSING]
                if hasattr(found, "__post_init__") and set(needed) <= {"path"}:
                    yield found


CLASSES = [c for c in _settings_classes() if not getattr(c, "__abstractmethods__", None)]
CASES = [
    (c, f.name) for c in [*CLASSES, Objective] for f in fields(c) if _NUMERIC.match(str(f.type)) and f.init
]


def test_every_data_set_and_the_recipe_are_among_the_cases():
    for known in (*DATASETS.values(), *DETECTION_SETS.values(), *MASK_SETS.values(), Recipe):
        assert known in CLASSES


@pytest.mark.parametrize(("kind", "name"), CASES, ids=lambda value: getattr(value, "__name__", value))
@pytest.mark.parametrize("wrong", ["32px", [[3]], True])
def test_a_wrong_type_is_a_config_error_that_names_the_setting(kind, name, wrong):
    needed = {f.name: "somewhere" for f in fields(kind) if f.default is f.default_factory is MISSING}
    with pytest.raises(ConfigError, match=rf"{name}.*expected|{name} must be|expected .*{name}"):
        kind(**{**needed, name: wrong})


def test_the_error_names_what_is_expected():
    with pytest.raises(ConfigError, match="data: resolution: expected a whole number, got '32px'"):
        data_from_config({"name": "folder", "path": "images", "resolution": "32px"})
    with pytest.raises(ConfigError, match="recipe: epochs must be a whole number of at least 1, not '5'"):
        recipe_from_config({"epochs": "5"})
    with pytest.raises(ConfigError, match="recipe: epochs must be a whole number of at least 1, not nan"):
        recipe_from_config({"epochs": float("nan")})


def test_numbers_of_numpy_and_whole_floats_are_numbers():
    assert Folder("images", resolution=np.int64(32)).resolution == 32
    assert Recipe(epochs=5.0).epochs == 5
    assert Folder("images", resolution=None).resolution is None
