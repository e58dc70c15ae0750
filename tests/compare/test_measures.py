"""Quality along a run, against slow and plain ways to work it out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from compare_parts import Compare, make_runs, one_objective, two_objectives

from nas.compare.analysis import Study, overall, study
from nas.compare.frames import difference, frames, targets
from nas.compare.measures import Curve, Measure, evaluation_grid, quartiles, time_grid
from nas.compare.reference import references
from nas.compare.results import read_runs
from nas.compare.runs import Comparison, RunKey
from nas.compare.tables import described
from nas.core.errors import ConfigError
from nas.core.records import Trial
from nas.core.space import SearchSpace
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import Box, attainment_difference, attainment_surfaces, epsilon_additive
from nas.testing.toy import ToySpace, toy_error

KEY = RunKey("p", "a", 0)
UP = Measure("hypervolume", "hypervolume", True, lambda p: 0.0, 0.0)


def area(points: np.ndarray, box: Box) -> float:
    """Hypervolume in two dimensions, a strip at a time."""
    scaled = (points - box.ideal) / (box.reference - box.ideal)
    scaled = scaled[(scaled < 1).all(axis=1)]
    scaled = scaled[np.argsort(scaled[:, 0])]
    total, height = 0.0, 1.0
    for x, y in scaled:
        if y < height:
            total += (1 - x) * (height - y)
            height = y
    return total


@pytest.fixture(scope="module")
def studies(made: Comparison) -> list[Study]:
    return [s for part in made.config.problems for s in study(made, part)]


def test_searched_and_reported_values_are_studied_apart(studies: list[Study]) -> None:
    named = [(s.part.name, s.kind, s.view.columns) for s in studies]
    assert named == [
        ("error & params", "searched", ("error", "params")),
        ("error & params", "reported", ("test_error", "params")),
        ("error", "searched", ("error",)),
        ("error", "reported", ("test_error",)),
    ]


def test_a_curve_of_hypervolume_is_that_of_every_beginning_of_the_run(studies: list[Study]) -> None:
    searched = studies[0]
    assert searched.reference is not None
    for run in searched.runs[:3]:
        points = run.rows[["error", "params"]].to_numpy()
        curve = searched.curves["hypervolume"][run.key]
        for n in (1, 2, 7, 24):
            assert curve.at([n])[0] == pytest.approx(area(points[:n], searched.reference.box))


def test_reported_values_are_those_of_the_architectures_that_the_search_would_choose(
    studies: list[Study],
) -> None:
    reported = studies[1]
    assert reported.reference is not None
    for run in reported.runs[:3]:
        for n in (3, 24):
            rows = run.rows[:n]
            chosen = non_dominated(rows[["error", "params"]].to_numpy())
            points = rows[["test_error", "params"]].to_numpy()[chosen]
            curve = reported.curves["hypervolume"][run.key]
            assert curve.at([n])[0] == pytest.approx(area(points, reported.reference.box))


def test_with_one_objective_quality_is_the_best_searched_and_its_reported_value(studies: list[Study]) -> None:
    searched, reported = studies[2], studies[3]
    for run in searched.runs:
        for n in (1, 5, 24):
            best = run.rows["error"][:n].idxmin()
            assert searched.curves["best"][run.key].at([n])[0] == run.rows["error"][best]
            assert reported.curves["best"][run.key].at([n])[0] == run.rows["test_error"][best]


def test_the_true_front_is_that_of_the_whole_space(studies: list[Study]) -> None:
    space = ToySpace()
    every = {space.canonical(a) for a in _all(space) if space.is_valid(a)}
    points = np.array([(toy_error(Trial(0, a, 0))["error"], space.cost(a)["params"]) for a in every])
    front = points[non_dominated(points)]
    found = studies[1].reference
    assert found is not None
    assert found.front.tolist() == sorted(front.tolist())
    assert "true front" in found.source


def _all(space: SearchSpace) -> Any:
    import itertools

    import nas

    return (nas.Architecture(space.name, g) for g in itertools.product(*map(range, space.cardinalities)))


def test_the_box_is_the_true_fronts_with_a_tenth_beyond_its_nadir(studies: list[Study]) -> None:
    found = studies[1].reference
    assert found is not None
    low, high = found.front.min(axis=0), found.front.max(axis=0)
    assert found.box.ideal.tolist() == low.tolist()
    assert found.box.reference == pytest.approx(high + 0.1 * (high - low))


def test_reference_points_may_be_given(made: Comparison, comparison: Compare) -> None:
    given = {"ideal": {"error": 0.0, "test_error": 0.5}, "point": {"params": 40}}
    problem = two_objectives(objectives=[{"name": "error", "reference": 20}, "params"], reference=given)
    changed = comparison(made.out, problems=[problem])
    views, runs = read_runs(changed, changed.config.problems[0])
    found = references(changed, changed.config.problems[0], views, runs)
    assert found["searched"].box.reference.tolist() == [20, 40]
    assert found["searched"].box.ideal[0] == 0.0
    assert found["reported"].box.ideal[0] == 0.5
    assert "all runs" in found["searched"].source


def test_without_a_front_the_best_of_all_runs_is_the_reference(made: Comparison, comparison: Compare) -> None:
    changed = comparison(made.out, problems=[two_objectives(reference={})])
    searched, _ = study(changed, changed.config.problems[0])
    assert searched.reference is not None
    points = np.concatenate([run.rows[["error", "params"]].to_numpy() for run in searched.runs])
    front = points[non_dominated(points)]
    assert {tuple(p) for p in searched.reference.front.tolist()} == {tuple(p) for p in front.tolist()}


def test_a_front_may_come_from_a_file(made: Comparison, comparison: Compare, parts: Path) -> None:
    pd.DataFrame({"error": [1.0, 5.0, 6.0], "params": [30.0, 12.0, 12.5]}).to_csv(
        parts / "front.csv", index=False
    )
    changed = comparison(made.out, problems=[two_objectives(reference={"front": "front.csv"})])
    searched, reported = study(changed, changed.config.problems[0])
    assert searched.reference is not None
    assert searched.reference.front.tolist() == [[1.0, 30.0], [5.0, 12.0]]
    assert searched.reference.source == "the front in front.csv"
    assert reported.reference is not None
    assert "all runs" in reported.reference.source  # the file has no test_error


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"report": {"error": "tset_error"}},
            r"report: the results have no 'tset_error' \(did you mean 'test_error'\?\)",
        ),
        (
            {"time": "training_second"},
            r"time: the results have no 'training_second' \(did you mean 'training_seconds'",
        ),
        ({"time": "train_seconds_told"}, r"time: the results have no 'train_seconds_told'(?!.*told_seconds)"),
        ({"reference": {"front": "none.csv"}}, r"reference.front: cannot read"),
        (
            {"reference": {"ideal": {"error": 50}, "point": {"error": 20}}},
            r"ideal value of 'error' must be better",
        ),
    ],
)
def test_missing_results_are_explained(
    changes: dict[str, Any], message: str, made: Comparison, comparison: Compare
) -> None:
    changed = comparison(made.out, problems=[two_objectives(**changes)])
    with pytest.raises(ConfigError, match=message):
        study(changed, changed.config.problems[0])


def test_the_clock_adds_up_the_value_that_the_problem_names(studies: list[Study]) -> None:
    run = studies[0].runs[0]
    assert run.rows["clock"].tolist() == np.cumsum(60.0 + np.arange(24)).tolist()


def test_a_curve_holds_its_value_until_the_next_and_after_the_end() -> None:
    curve = Curve(KEY, UP, np.array([1, 4]), np.array([0.2, 0.5]), np.array([10.0, 20.0, 30.0, 40.0, 50.0]))
    assert curve.at([0, 1, 3, 4, 5, 99]).tolist() == [0.0, 0.2, 0.2, 0.5, 0.5, 0.5]
    assert curve.at_time(np.array([9.9, 10.0, 39.9, 40.0, 1e9])).tolist() == [0.0, 0.2, 0.2, 0.5, 0.5]


def test_a_target_is_reached_at_the_first_evaluation_that_is_as_good() -> None:
    curve = Curve(KEY, UP, np.array([1, 4]), np.array([0.2, 0.5]), np.array([10.0, 20.0, 30.0, 40.0]))
    assert curve.reaches(0.2) == (1, 10.0)
    assert curve.reaches(0.21) == (4, 40.0)
    assert curve.reaches(0.51) == (np.inf, np.inf)
    down = Curve(
        KEY,
        Measure("best", "error", False, lambda p: 0.0, np.inf),
        np.array([1, 3]),
        np.array([9.0, 7.0]),
        curve.clock,
    )
    assert down.reaches(7.5) == (3, 30.0)


def test_runs_that_never_reach_a_target_are_counted(studies: list[Study]) -> None:
    found = targets(studies)
    never = found[(found["problem"] == "error") & (found["target"] == 0.1)]
    assert (never["reached"] == 0).all()
    assert np.isinf(never["median"]).all()
    assert (never["runs"] == 4).all()
    some = found[(found["problem"] == "error & params") & (found["target"] == 0.8)]
    reached = [
        sum(c.reaches(0.8 * s.reference.hypervolume)[0] < np.inf for c in s.of("hypervolume")[label])  # type: ignore[union-attr]
        for s in studies[:2]
        for label in s.labels
    ]
    assert some["reached"].tolist() == reached


def test_quartiles_count_infinite_values_as_worst() -> None:
    values = np.array([[1.0, np.inf], [2.0, np.inf], [3.0, np.inf], [np.inf, 1.0]])
    low, middle, high = quartiles(values)
    assert middle.tolist() == [2.5, np.inf]
    assert (low[0], high[0]) == (1.75, np.inf)


def test_grids_cover_the_whole_budget_and_all_of_the_time() -> None:
    assert evaluation_grid(5).tolist() == [1, 2, 3, 4, 5]
    assert evaluation_grid(10_000, 50)[[0, -1]].tolist() == [1, 10_000]
    curves = [
        Curve(KEY, UP, np.array([1]), np.array([0.2]), np.array([1.0, 9.0])),
        Curve(KEY, UP, np.array([2]), np.array([0.2]), np.array([1.0, 4.0])),
    ]
    assert time_grid(curves, 3).tolist() == [4.0, 6.5, 9.0]
    assert len(time_grid([])) == 0


def test_seeds_that_one_algorithm_lacks_are_left_out_of_pairs(made: Comparison, comparison: Compare) -> None:
    more = comparison(made.out, seeds=[2, 3, 9])  # nobody has made the runs of seed 9
    found = study(more, more.config.problems[0])[0]
    assert found.seeds == (2, 3)
    assert found.matrix(24).shape == (2, 3)


def test_epsilon_is_the_largest_gap_to_the_front() -> None:
    box = Box(np.zeros(2), np.ones(2))
    front = np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]])
    points = np.array([[0.6, 0.7], [0.1, 1.0]])
    slow = max(min(max(p - f) for p in points) for f in front)
    assert epsilon_additive(points, front, box) == pytest.approx(slow)
    assert epsilon_additive(np.empty((0, 2)), front, box) == np.inf


def test_an_attainment_surface_is_what_enough_runs_weakly_dominate() -> None:
    runs = [np.array([[1.0, 2.0], [2.0, 1.0]]), np.array([[1.5, 1.5]])]
    found = attainment_surfaces(runs, [50.0, 100.0])
    assert found[50.0].tolist() == [[1.0, 2.0], [1.5, 1.5], [2.0, 1.0]]
    assert found[100.0].tolist() == [[1.5, 2.0], [2.0, 1.5]]


def test_a_difference_of_attainment_is_the_difference_of_shares() -> None:
    first, second = [np.array([[1.0, 1.0]]), np.array([[3.0, 3.0]])] * 2, [np.array([[2.0, 2.0]])] * 4
    found = attainment_difference(first, second)
    for x, y, wanted in ((1.5, 1.5, 0.5), (2.5, 2.5, -0.5), (3.5, 3.5, 0.0)):
        inside = [v for x0, y0, x1, y1, v in found.tolist() if x0 <= x < x1 and y0 <= y < y1]
        assert sum(inside) == pytest.approx(wanted)


def test_sides_that_attain_the_same_differ_nowhere() -> None:
    runs = [np.array([[0.0, 1.0], [1.0, 0.0]])] * 2
    assert attainment_difference(runs, runs[::-1]).shape == (0, 5)


def test_a_difference_of_attainment_needs_as_many_runs_of_both() -> None:
    with pytest.raises(ValueError, match="the same number of runs on both sides, got 1 and 2"):
        attainment_difference([np.ones((1, 2))], [np.ones((1, 2))] * 2)


def test_the_difference_of_a_problem_is_of_the_two_algorithms_that_were_chosen(studies: list[Study]) -> None:
    found = difference(studies[0], 0, 1)
    assert found is not None
    assert studies[0].config.pair == ("moead", "NSGA-II <10>")
    assert (np.abs(found[:, 4]) <= 1).all()


def test_ranks_over_problems_are_those_of_the_medians(studies: list[Study], made: Comparison) -> None:
    found = overall(studies, made.config)
    assert set(found) == {"searched", "reported"}
    medians = np.array(
        [
            [s.measure.sign * np.median([c.at([24])[0] for c in s.of(s.measure.name)[x]]) for x in s.labels]
            for s in (studies[0], studies[2])
        ]
    )
    from nas.compare.statistics import ranks_of

    assert found["searched"].ranks.tolist() == ranks_of(medians).mean(axis=0).tolist()
    assert "too few problems" in found["searched"].note


def test_the_tables_have_a_row_for_everything(studies: list[Study], made: Comparison) -> None:
    found = frames(studies, made.config)
    assert len(found["runs"]) == 24
    assert len(found["evaluations"]) == 24 * 24
    assert len(found["pairs"]) == 4 * 3 * 3  # views, checkpoints, pairs
    assert set(found["curves"]["measure"]) == {"hypervolume", "igd_plus", "epsilon", "best"}
    assert len(found["summary"]) == (2 * 3 + 2) * 3 * 3  # measures of the views, checkpoints, algorithms
    assert set(found["reference"]["read"]) == {"error", "test_error", "params"}
    last = found["quality"].query("evaluations == 24 and measure == 'hypervolume' and values == 'searched'")
    assert last["value"].tolist() == found["runs"]["searched_hypervolume"].dropna().tolist()


def test_a_larger_value_may_be_better(comparison: Compare, tmp_path: Path) -> None:
    problem = one_objective(
        objectives=[{"name": "accuracy", "function": "parts.py:accuracy", "maximize": True}],
        evaluator=None, report={}, targets=[60.0],
    )  # fmt: skip
    found = comparison(tmp_path, problems=[problem], seeds=2)
    assert not make_runs(found).failed
    searched = study(found, found.config.problems[0])[0]
    for run in searched.runs:
        assert searched.curves["best"][run.key].at([24])[0] == run.rows["accuracy"].max()
    assert searched.matrix(24).max() == max(run.rows["accuracy"].max() for run in searched.runs)


def test_with_a_noisy_objective_fronts_are_those_by_expected_values(
    comparison: Compare, tmp_path: Path
) -> None:
    error = {"name": "error", "noise": 0.02}
    problem = two_objectives(objectives=[error, "params"], reference={})
    made = comparison(tmp_path, problems=[problem], algorithms=["random", "moead"], seeds=2)
    assert not make_runs(made).failed
    part = made.config.problems[0]
    (_, reported), (run, *others) = read_runs(made, part)
    front = pd.read_csv(made.folder(run.key) / "front.csv")
    assert set(run.rows["architecture"].iloc[list(run.members[-1])]) == set(front["architecture"])
    assert run.steps.tolist() == list(range(1, 25))
    measured = run.rows[["error", "params"]].to_numpy()
    assert (run.points["searched"][:, 0] != measured[:, 0]).all()
    assert (run.points["searched"][:, 1] == measured[:, 1]).all()
    tested = run.rows.set_index("architecture")["test_error"][front["architecture"]]
    assert sorted(run.front(reported)[:, 0]) == sorted(tested)
    values: dict[str, float] = {}  # one of each architecture in all runs
    for found in (run, *others):
        for text, point in zip(found.rows["architecture"], found.points["searched"], strict=True):
            assert values.setdefault(text, point[0]) == point[0]
    assert "Fronts are selected by the expected error of each run at the time" in " ".join(
        described(study(made, part)[0])
    )
