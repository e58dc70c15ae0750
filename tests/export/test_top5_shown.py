"""The top-5 error of 5 classes or fewer is always 0, so it is not shown."""

from __future__ import annotations

import pytest

from nas.cli.tasks import ClassificationCommand
from nas.export.card import _score_rows
from nas.export.making import Scores
from nas.training.loop import Score


@pytest.mark.parametrize(("classes", "shown"), [(4, False), (5, False), (6, True)])
def test_the_top_5_error_is_shown_for_more_than_five_classes(classes: int, shown: bool) -> None:
    scores = Scores({"error": 10.0, "top5_error": 0.0, "loss": 0.5}, 80)
    rows = [name for name, *_ in _score_rows("test", scores, "measured", classes)]
    assert rows == ["test error", *["test top5 error"] * shown, "test loss"]
    score = Score(80, 0.5, 10.0, 0.0, (10.0,) * classes, 12.0)
    line = ClassificationCommand.scores.lines(score, ("a",) * classes, details=False)[0]
    assert ("top-5" in line) is shown
    assert line.startswith("error 10.00%")
