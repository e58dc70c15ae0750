"""`nas.search` without an evaluator trains the networks that the space builds."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

import nas
from nas.core.errors import ConfigError
from nas.core.objectives import AnyObjective
from nas.training.data import Folder

pytestmark = pytest.mark.usefixtures("no_plots")

QUICK = {"recipe": {"epochs": 1, "max_pictures": 60}}


def linear() -> nas.Space:
    space = nas.Space("linear", width=nas.Choice(2, 4, 8), bias=nas.Choice(True, False))

    @space.build
    def build(c: Any, *, num_classes: int, in_channels: int) -> nn.Module:
        pooled = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten())
        hidden = nn.Linear(16 * in_channels, c.width, bias=c.bias)
        return nn.Sequential(*pooled, hidden, nn.ReLU(), nn.Linear(c.width, num_classes))

    return space


def found(objectives: list[AnyObjective] | None = None, **more: Any) -> nas.SearchResult:
    wanted = objectives or ["error", "params"]
    return nas.search(linear(), wanted, **{"algorithm": "random", "budget": 2, **more})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    from PIL import Image

    rng = np.random.default_rng(0)
    for label in ("cat", "dog", "emu"):
        (tmp_path / label).mkdir()
        for i in range(12):
            image = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(image).save(tmp_path / label / f"{i}.png")
    return tmp_path


@pytest.mark.parametrize(
    "kind", [str, Path, lambda p: {"name": str(p), "resolution": 8}, lambda p: Folder(str(p))]
)
def test_a_folder_of_images_is_enough(kind: Any, folder: Path) -> None:
    front = found(data=kind(folder), training=QUICK).front
    assert front["error"].between(0, 100).all()
    assert set(front["params"]) <= {49 * w + (w + 1) * 3 for w in (2, 4, 8)} | {
        48 * w + (w + 1) * 3 for w in (2, 4, 8)
    }


def test_the_name_of_a_data_set_is_enough() -> None:
    assert len(found(data="digits", training=QUICK).history) == 2


def test_without_data_the_networks_train_on_digits_and_a_line_reports_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, logger="nas.data"):
        assert len(found(training={**QUICK, "data": "digits"}).history) == 2
        assert caplog.messages == []
        result = nas.search(linear(), ["params", nas.Objective("train_loss")], algorithm="random", budget=1)
    assert "data='digits'" in caplog.text
    assert result.front["params"].iloc[0] > 0


def test_nothing_is_trained_where_no_objective_needs_it() -> None:
    history = found(["params"]).history
    assert "train_loss" not in history.columns


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"data": "images"}, "data: 'images' is unknown: expected .* or the path of an existing folder of images"),
        ({"data": 3}, "data: expected the path of a folder of images, .* got 3"),
        ({"data": {"name": "digits", "sise": 8}}, "data 'digits' has no setting 'sise'"),
        ({"data": "digits", "training": {"data": "digits"}}, "'data' is given twice"),
        ({"data": "digits", "training": {"epochs": 3}}, "evaluator training: no setting 'epochs'; it has: data, recipe"),
        ({"data": "digits", "training": {"recipe": {"epoch": 3}}}, "recipe: setting 'epoch' is unknown.*epochs"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        found(**more)
