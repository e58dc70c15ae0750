from __future__ import annotations

from nas.records import Trial
from nas.training import Recipe, TrainingEvaluator


def test_three_epochs_on_the_digits_pass_ninety_percent(space, architecture):
    values = TrainingEvaluator(space, recipe=Recipe(epochs=3))(Trial(0, architecture, seed=1))
    assert values["error"] < 10
    assert values["top5_error"] < 2
