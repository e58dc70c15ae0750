"""Hypervolume is a share of its box, so never above 1; a value better than the objective's `best` is reported."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nas
from nas.core.objectives import Objective
from nas.core.records import FloatArray, Trial
from nas.core.space import SearchSpace
from nas.monitor.records import Heading
from nas.monitor.tally import RunTally, Told
from nas.pareto.indicators import Box, beyond_best, hypervolume, reference_box
from nas.report import write_report
from nas.runs.fold import Fold


class Wide(SearchSpace):
    name = "wide"
    cardinalities = (20,) * 200


def measure(trial: Trial) -> dict[str, float]:
    genes = np.array(trial.architecture.genes, dtype=np.float64)
    return {
        "up": float(genes[:100].sum()),
        "down": float(1000.0 - genes[50:].sum()),
        "low": float(genes[0]) - 9,
    }


def search(objectives: list[Objective], out: Path | None = None, budget: int = 60) -> nas.SearchResult:
    return nas.search(
        Wide(), objectives, measure, algorithm="random", budget=budget, seed=3, out=out,
        algorithm_settings=None,
    )  # fmt: skip


def test_the_hypervolume_of_random_search_in_a_wide_space_is_a_share(tmp_path: Path) -> None:
    result = search([Objective("up"), Objective("down")], tmp_path / "run", budget=300)
    summary, curves = result.summary, pd.read_csv(tmp_path / "run" / "curves.csv")
    assert 0 < summary["hypervolume"] <= 1
    assert (curves["hypervolume"] <= 1).all()
    assert (np.diff(curves["hypervolume"]) >= 0).all()
    assert summary["beyond_best"] == {}
    best = min(result.history["up"])
    assert summary["hypervolume_ideal"]["up"] == best


def test_a_value_better_than_the_best_is_reported_by_objective_and_value(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        result = search([Objective("low", best=0.0), Objective("down")], tmp_path / "run")
    least = min(result.history["low"])
    assert least < 0
    sentence = result.summary["beyond_best"]["low"]
    assert "'low'" in sentence
    assert f"{least:g}" in sentence
    warned = [
        r.getMessage() for r in caplog.records if "better than its best possible value" in r.getMessage()
    ]
    assert len(warned) == 1
    assert "'low'" in warned[0]
    assert result.summary["hypervolume"] <= 1
    page = write_report(tmp_path / "run")
    assert "better than its best possible value" in Path(page).read_text(encoding="utf-8")


def test_a_maximised_objective_above_its_best_is_named_with_its_own_sign() -> None:
    found = beyond_best([Objective("accuracy", maximize=True, best=100.0)], np.array([-104.0]))
    assert "104" in found["accuracy"]
    assert "-104" not in found["accuracy"]


def test_nothing_is_reported_at_the_best_itself() -> None:
    assert beyond_best([Objective("error", best=0.0), Objective("x")], np.array([0.0, -5.0])) == {}


def test_points_beyond_the_ideal_of_a_box_count_as_at_it() -> None:
    box = Box(np.zeros(2), np.ones(2))
    assert hypervolume(np.array([[-5.0, -5.0]]), box) == 1.0
    assert hypervolume(np.array([[-5.0, 0.5]]), box) == pytest.approx(0.5)


def test_a_later_better_result_moves_the_ideal_and_leaves_the_reference() -> None:
    objectives, design = [Objective("a"), Objective("b")], np.array([[1.0, 4.0], [3.0, 2.0]])
    first, later = (reference_box(objectives, design, seen) for seen in (None, np.array([0.5, 3.0])))
    assert first is not None
    assert later is not None
    assert (first.reference == later.reference).all()
    assert later.ideal.tolist() == [0.5, 2.0]


def points(n: int) -> FloatArray:
    rng = np.random.default_rng(0)
    return np.linspace(2.0, 0.0, n)[:, None] + rng.uniform(0, 1, size=(n, 2))


def test_the_monitor_shows_the_same_share_and_curve_as_the_summary(tmp_path: Path) -> None:
    objectives = [Objective("up"), Objective("down")]
    result = search(objectives, tmp_path / "run", budget=40)
    assert result.table is not None
    tally = RunTally(_heading(), objectives, [], initial=1)
    for key, point in enumerate(result.table.points):
        tally.take(Told(str(key), None, point, "ok", ""))
    shown = tally.status(1.0)
    assert shown.hypervolume == pytest.approx(result.summary["hypervolume"], rel=1e-9)
    assert max(shown.curve) <= 1
    assert shown.curve[-10:] == pytest.approx((*result.table.curve[-9:], result.table.curve[-1]), rel=1e-9)


def test_the_volume_for_stopping_rules_grows_with_the_front_when_the_ideal_moves() -> None:
    fold: Fold[int] = Fold([Objective("a"), Objective("b")], [], initial=2)
    before = 0.0
    for key, point in enumerate(points(30)):
        fold.put(str(key), None, point, key)
        if key >= 2:
            assert fold.volume >= before * (1 - 1e-12)
            assert fold.hypervolume <= 1
        if key >= 1:
            before = fold.volume
    assert before > 1


def _heading() -> Heading:
    return Heading("wide", "random", 3, 40)
