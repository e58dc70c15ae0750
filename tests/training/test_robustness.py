"""Errors under corruption: evaluated images, mCE, and robustness as an objective of a search."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from nas.config.assemble import assemble
from nas.config.schema import check_config, read_config
from nas.core.errors import ConfigError, DataError
from nas.core.records import Architecture, Trial
from nas.core.space import SearchSpace
from nas.training import Recipe, TrainingEvaluator
from nas.training.data import Digits
from nas.training.robustness import (
    ALEXNET,
    Robustness,
    corruption_error,
    mean_corruption_error,
    relative_corruption_error,
)

pytestmark = pytest.mark.usefixtures("no_plots")

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")
FEW = Robustness(("gaussian_noise", "contrast"), (3,), pictures=60, white=16)


class Mean(nn.Module):
    """Tells dark images from light ones, in two of ten classes."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        light = x.mean((1, 2, 3))
        return torch.stack([light, -light, *[torch.full_like(light, -9.0)] * 8], dim=1)


def test_errors_are_by_corruption_and_severity_and_repeat() -> None:
    how = Robustness(("fog", "jpeg"), (1, 5), pictures=30, white=16)
    errors = how.errors(Mean(), Digits(), "test", None, CPU)
    assert set(errors) == {("fog", 1), ("fog", 5), ("jpeg", 1), ("jpeg", 5)}
    assert errors == how.errors(Mean(), Digits(), "test", None, CPU)


def test_robustness_is_the_mean_accuracy_over_corruptions_and_severities() -> None:
    errors = FEW.errors(Mean(), Digits(), "validation", None, CPU)
    assert FEW(Mean(), Digits(), None, CPU) == {
        "robustness": pytest.approx(100 - np.mean(list(errors.values())))
    }


def test_mce_is_100_for_the_reference_and_weighs_corruptions_by_its_errors() -> None:
    errors = {("fog", 1): 10.0, ("fog", 2): 30.0, ("snow", 1): 50.0, ("snow", 2): 50.0}
    assert corruption_error(errors) == {"fog": 20.0, "snow": 50.0}
    assert mean_corruption_error(errors, corruption_error(errors)) == pytest.approx(100)
    assert mean_corruption_error(errors, {"fog": 40.0, "snow": 100.0}) == pytest.approx(50)
    # clean errors 10 and 20: (10 / 20 + 40 / 80) / 2
    assert relative_corruption_error(errors, 10.0, {"fog": 40.0, "snow": 100.0}, 20.0) == pytest.approx(50)


def test_a_reference_without_a_corruption_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected an error above 0 for fog"):
        mean_corruption_error({("fog", 1): 10.0}, {"snow": 3.0})


def test_alexnets_published_errors_are_of_all_fifteen() -> None:
    assert set(ALEXNET) == set(Robustness().corruptions)
    assert all(50 < error < 95 for error in ALEXNET.values())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"corruptions": ("fogg",)}, r"corruptions: expected some of .*got \['fogg'\]"),
        ({"corruptions": ()}, "corruptions"),
        ({"severities": (0, 1)}, "severities"),
        ({"severities": (1, 1)}, "each once"),
        ({"pictures": 0}, "pictures: expected a whole number of at least 1"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings: Mapping[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Robustness(**settings)  # type: ignore[arg-type]


def test_a_data_set_without_such_images_is_refused() -> None:
    with pytest.raises(DataError, match="no validation image"):
        FEW(Mean(), Digits(validation=0.0), None, CPU)


def test_the_training_evaluator_reports_robustness_of_the_trained_network(
    space: SearchSpace, architecture: Architecture
) -> None:
    plain = TrainingEvaluator(space, recipe=Recipe(epochs=1, max_pictures=200))  # type: ignore[arg-type]
    both = TrainingEvaluator(space, recipe=plain.recipe, also=(FEW,))  # type: ignore[arg-type]
    trial = Trial(0, architecture, seed=1)
    before, values = plain(trial), both(trial)
    assert "robustness" not in before
    assert values["error"] == before["error"]
    assert 5 < values["robustness"] <= 100
    assert both(trial)["robustness"] == values["robustness"]


def test_a_config_makes_robustness_an_objective() -> None:
    config = read_config(ROOT / "configs" / "robust_digits.yaml")
    problem = assemble(check_config(config), ROOT).problem
    assert problem.names == ("error", "robustness", "madds")
    assert problem.objectives[1].maximize
    assert problem.evaluate.also[0].white == 16  # type: ignore[union-attr]
    config["evaluator"]["robustness"]["severity"] = 3
    with pytest.raises(ConfigError, match="did you mean 'severities'"):
        assemble(check_config(config), ROOT)


def test_a_search_finds_a_front_of_robustness(space: SearchSpace) -> None:
    import nas

    evaluate = TrainingEvaluator(space, recipe=Recipe(epochs=1, max_pictures=100), also=(FEW,))  # type: ignore[arg-type]
    found = nas.search(space, ["error", "robustness"], evaluate, algorithm="random", budget=3, seed=1)
    assert found.history["robustness"].between(0, 100).all()
    assert len(found.front) >= 1
