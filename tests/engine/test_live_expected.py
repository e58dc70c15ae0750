"""While a search runs, and in every part that reads it, the front is the one by expected values."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from engine_parts import Grid, interrupt_at, quick
from noisy_parts import COLUMNS, ERROR, noisy, search

import nas
from nas.algorithms.sa_moead import SAMOEADSettings
from nas.core.objectives import Objective
from nas.core.records import Trial
from nas.engine.expected import ExpectedFront
from nas.engine.loop import LoopSettings
from nas.engine.search_state import SearchState
from nas.pareto.archive import non_dominated

pytestmark = pytest.mark.usefixtures("no_plots")
REPEATING = SAMOEADSettings(initial=8, surrogate="rbf", whole_space=100, pool=100, growth=0.5, repeats=0.25)


def points(front: pd.DataFrame) -> list[tuple[float, float]]:
    return sorted(zip(front["error_expected"], front["params"], strict=True))


def held(state: SearchState) -> list[tuple[float, float]]:
    return sorted((float(p[0]), float(p[1])) for p in state.front.points)


class Watching(nas.Callback):
    """Compares the state with all results so far, and with the log; counts the estimates."""

    def __init__(self) -> None:
        self.estimates: set[int] = set()
        self.last: list[tuple[float, float]] = []

    def told(self, state: SearchState, result: Any) -> None:
        assert state.expected is not None
        self.estimates.add(state.expected.results)
        if len(state.results) in (9, 30):
            found = ExpectedFront.of(state.problem, state.results)
            assert found is not None
            assert held(state) == sorted((float(p[0]), float(p[1])) for p in found.archive.points)
            assert state.out is not None
            assert held(state) == points(nas.load_run(state.out)[0].front)
            measured = [r.values["error"] for r in state.front.items]
            assert set(measured) <= {r.values["error"] for r in state.results}

    def end(self, state: SearchState, outcome: str) -> None:
        self.last = held(state)


def test_the_state_the_log_and_front_csv_have_one_front(tmp_path: Path) -> None:
    watching = Watching()
    result = search(tmp_path / "run", callbacks=[watching])
    assert watching.last == points(result.front) == points(pd.read_csv(tmp_path / "run" / "front.csv"))
    measured = result.history[["error", "params"]].to_numpy()
    assert len(result.front) != len(non_dominated(measured)) or set(result.front["architecture"]) != set(
        result.history["architecture"].iloc[non_dominated(measured)]
    )


def test_it_is_estimated_after_each_of_the_first_forty_results_and_then_when_they_have_grown(
    tmp_path: Path,
) -> None:
    watching = Watching()
    search(callbacks=[watching], budget=80, out=tmp_path / "run")
    assert watching.estimates >= set(range(1, 41))
    later = sorted(n for n in watching.estimates if n > 40)
    assert later == [42, 44, 46, 48, 50, 52, 54, 56, 58, 60, 63, 66, 69, 72, 75, 78]


def test_the_log_has_the_front_after_each_estimate_also_after_an_interruption(tmp_path: Path) -> None:
    seen: dict[int, list[int]] = {}

    def look(state: SearchState) -> None:
        if state.expected is not None:
            seen[state.expected.results] = sorted(r.trial.id for r in state.front.items)

    search(tmp_path / "whole", callbacks=[look], budget=46)
    _, meta = nas.load_run(tmp_path / "whole")
    assert {told: sorted(trials) for told, trials in meta["expected_fronts"]} == seen
    search(tmp_path / "run", callbacks=[interrupt_at(23)], budget=46)
    search(tmp_path / "run", resume=True, budget=46)
    _, again = nas.load_run(tmp_path / "run")
    assert again["expected"] == meta["expected"]
    assert dict(map(tuple, again["expected_fronts"])) == dict(map(tuple, meta["expected_fronts"]))


def test_an_exact_search_has_no_expected_values() -> None:
    seen = []
    search(
        objective=Objective("error"), evaluate=quick, callbacks=[lambda state: seen.append(state.expected)]
    )
    assert set(seen) == {None}


def test_a_run_that_was_killed_says_which_results_are_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from nas.cli.show import front_note

    notes = []

    def look(state: SearchState) -> None:
        if len(state.results) == 61:
            table, _ = nas.load_run(tmp_path / "run")
            assert list(table.front) == COLUMNS
            assert not table.compared[-1]
            notes.append(front_note(table))

    search(tmp_path / "run", budget=62, callbacks=[look])
    assert notes[0].startswith("The front and its order follow from the expected error")
    assert "of 61 results are not in it yet." in notes[0]
    assert "not in it yet" not in front_note(nas.load_run(tmp_path / "run")[0])


def test_a_study_shows_the_front_of_all_results_with_and_without_a_folder(tmp_path: Path) -> None:
    fronts = []
    for out in (None, tmp_path / "study"):
        with nas.Study(Grid(), [ERROR, "params"], out=out, algorithm="random", seed=3) as study:
            for _ in range(44):
                trial = study.ask()
                study.tell(trial, dict(noisy(trial)))
            fronts.append(study.front)
        assert points(study.front) == points(fronts[-1])
    assert list(fronts[0]) == COLUMNS
    pd.testing.assert_frame_equal(fronts[0], fronts[1])
    assert len(non_dominated(fronts[0][["error_expected", "params"]].to_numpy())) == len(fronts[0])


def test_the_hypervolume_along_a_run_and_the_best_value_are_those_of_expected_values() -> None:
    result = search()
    table = result.table
    assert table is not None
    assert (np.diff(table.curve) >= 0).all()
    signs = np.array([1.0, 1.0])
    assert sorted(map(tuple, table.final * signs)) == points(result.front)
    assert result.summary["best"]["error"] == result.front["error_expected"].min()
    assert result.summary["hypervolume"] == table.curve[-1]


def test_a_lucky_measurement_reaches_no_target() -> None:
    full = search(budget=80)
    lowest = full.history["error"].min()
    assert full.front["error_expected"].min() > lowest + 1
    goal = f"error <= {lowest + 0.5}"
    assert search(budget=80, stop=[{"reached": goal}]).summary["stopped_by"] is None
    goal = f"error <= {search(budget=20).front['error_expected'].min() + 0.001}"
    found = search(budget=80, stop=[{"reached": goal}])
    assert len(found.history) <= 20 + 8  # trials in flight are awaited
    assert " expected = " in found.summary["stopped_by"]


def test_a_search_has_stalled_when_the_hypervolume_of_expected_values_has() -> None:
    found = search(budget=200, stop=[{"stalled": 15}], loop=LoopSettings(concurrency=1))
    assert found.summary["stopped_by"] == (
        "stalled: the hypervolume by expected values has not grown for 15 evaluations"
    )
    assert found.table is not None
    curve = found.table.curve
    assert curve[-1] == curve[-16]
    assert len(curve) < 200


def test_repeated_measurements_that_differ_make_an_objective_noisy(tmp_path: Path) -> None:
    plain = Objective("error", "%")
    given: dict[str, Any] = {"algorithm": "sa-moead", "algorithm_settings": REPEATING, "objective": plain}
    found = search(tmp_path / "run", **given)
    assert max(Counter(found.history["architecture"]).values()) > 1
    assert set(COLUMNS) < set(found.front)
    assert "measurements" in found.front
    read, _ = nas.load_run(tmp_path / "run")
    assert points(read.front) == points(found.front)


def test_repeated_measurements_that_agree_leave_it_exact() -> None:
    def exact(trial: Trial) -> dict[str, float]:
        return {"error": 20 + sum((5 - g) ** 2 for g in trial.architecture.genes) / 3}

    given: dict[str, Any] = {"algorithm": "sa-moead", "algorithm_settings": REPEATING, "evaluate": exact}
    found = search(objective=Objective("error", "%"), **given)
    assert not set(COLUMNS) < set(found.front)
