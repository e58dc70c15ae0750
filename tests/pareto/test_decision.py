"""Choosing from a front: by a preference, and at the knee."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import nas
from nas.core.errors import ConfigError
from nas.pareto.archive import non_dominated
from nas.pareto.decision import knee, pick
from nas.pareto.preferences import Preference

FRONT = pd.DataFrame(
    {
        "architecture": ["a", "b", "c", "d"],
        "accuracy": [96.0, 94.0, 90.0, 80.0],
        "params": [2e6, 8e5, 2e5, 1e5],
    }
)


def by(text: str, front: pd.DataFrame = FRONT) -> nas.Picked:
    return pick(front, Preference.parse(text, ["accuracy", "params"]))


def names(picked: nas.Picked) -> list[str]:
    return picked.ranked["architecture"].tolist()


def test_a_pick_is_within_the_limits_and_nearest_to_the_aspiration() -> None:
    picked = by("accuracy=91%,params<1M")
    assert names(picked) == ["b", "c", "d"]
    assert picked.dropped == 1
    assert picked.best is not None
    assert picked.best["architecture"] == "b"
    assert (np.diff(picked.scores) > 0).all()


def test_the_distance_from_the_aspiration_is_in_the_objectives_own_unit_and_direction() -> None:
    picked = by("accuracy=91%,params=300k")
    worse = picked.worse_by.set_axis(names(picked), axis=0)
    assert worse.loc["b"].to_dict() == {"accuracy": -3.0, "params": 500e3}
    assert worse.loc["d"].to_dict() == {"accuracy": 11.0, "params": -200e3}


def test_levels_are_shown_in_the_users_units() -> None:
    assert by("accuracy=91%").aspiration == {"accuracy": 91.0, "params": 8e5}


def test_a_lower_limit_on_a_maximised_objective() -> None:
    assert sorted(names(by("accuracy>90"))) == ["a", "b", "c"]


def test_a_weight_moves_the_pick() -> None:
    assert names(by("accuracy:9"))[0] == "a"
    assert names(by("params:99"))[0] == "d"


def test_when_nothing_meets_the_limits_the_nearest_come_with_their_violation() -> None:
    picked = by("accuracy>=95,params<=500k")
    assert picked.best is None
    assert picked.dropped == 4
    assert picked.nearest["architecture"].tolist() == ["c", "d", "b", "a"]
    assert picked.misses.loc[0].to_dict() == {"accuracy >= 95": 5.0, "params <= 500000": 0.0}
    assert picked.misses.loc[2].to_dict() == {"accuracy >= 95": 1.0, "params <= 500000": 300e3}


def test_the_score_is_that_of_the_whole_front() -> None:
    """Limits change the ranked rows, not the scale."""
    with_limit, without = by("accuracy=91,params=300k,params<1M"), by("accuracy=91,params=300k")
    kept = [n != "a" for n in names(without)]
    assert with_limit.scores.tolist() == without.scores[kept].tolist()


def test_an_empty_front_gives_nothing() -> None:
    picked = by("accuracy=91,params<1M", FRONT.iloc[:0])
    assert picked.best is None
    assert (picked.dropped, len(picked.nearest)) == (0, 0)


def test_a_front_of_one_is_picked() -> None:
    assert names(by("accuracy=99,params=1k", FRONT.iloc[:1])) == ["a"]


def test_a_front_without_an_objectives_column_is_refused() -> None:
    with pytest.raises(
        ConfigError, match="front: expected a column for each of accuracy, params, but 'params'"
    ):
        by("accuracy=91", FRONT.drop(columns="params"))


def test_the_front_is_unchanged() -> None:
    before = FRONT.copy()
    by("accuracy=91,params<1M")
    pd.testing.assert_frame_equal(FRONT, before)


def test_picking_from_a_search() -> None:
    from nas.testing.toy import ToySpace, toy_error

    found = nas.search(ToySpace(), ["error", "params"], toy_error, budget=40, seed=1, algorithm="moead")
    assert found.table is not None
    picked = nas.pick(found.front, nas.Preference.parse("error:2", found.table.objectives))
    assert len(picked.ranked) == len(found.front)


curves = st.integers(0, 10_000).map(
    lambda seed: (lambda p: p[non_dominated(p)])(np.random.default_rng(seed).random((30, 2)))
)


@settings(max_examples=100, deadline=None)
@given(curves)
def test_with_two_objectives_the_knee_is_farthest_from_the_line_through_both_ends(front: np.ndarray) -> None:
    found = knee(front * [1.0, 1e6])
    scaled = (front - front.min(axis=0)) / np.maximum(np.ptp(front, axis=0), 1e-12)
    first, last = scaled[np.argmin(scaled[:, 0])], scaled[np.argmin(scaled[:, 1])]
    along = (last - first) / max(np.linalg.norm(last - first), 1e-12)
    across = scaled - first - ((scaled - first) @ along)[:, None] * along  # from the line to each point
    below = -across.sum(axis=1) / np.sqrt(2)
    if below.max() > 0.02:
        assert found.bends
        assert below[found.index] == pytest.approx(below.max())
        assert found.depth == pytest.approx(below.max() / np.sqrt(2))
    if below.max() < 0.01:
        assert not found.bends


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_with_three_objectives_the_depth_agrees_with_trying_all_mixtures(seed: int) -> None:
    points = np.random.default_rng(seed).random((12, 3))
    front = points[non_dominated(points)]
    assume(len(front) > 1)
    scaled = (front - front.min(axis=0)) / np.ptp(front, axis=0)
    ends = scaled[(scaled == 1).any(axis=1)]
    steps = 60 if len(ends) <= 3 else 12
    shares = [
        s for s in itertools.product(np.arange(steps + 1) / steps, repeat=len(ends) - 1) if sum(s) <= 1 + 1e-9
    ]
    mixtures = np.array([[*s, 1 - sum(s)] for s in shares]) @ ends
    tried = np.array([(mixtures - x).max(axis=1).min() for x in scaled])  # no less than the depth
    found = knee(front)
    assert found.depth <= tried.max() + 1e-9
    if found.bends:
        assert tried[found.index] == pytest.approx(found.depth, abs=1.5 / steps)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_a_duplicate_objective_does_not_move_the_knee(seed: int) -> None:
    """Parameters and multiply-adds rise together; that must not make size count twice."""
    points = np.random.default_rng(seed).random((40, 2))
    front = points[non_dominated(points)]
    once, twice = knee(front), knee(front[:, [0, 1, 1]])
    assert twice.depth == pytest.approx(once.depth)
    assert twice.index == once.index or not once.bends


def test_the_knee_may_be_the_best_in_an_objective() -> None:
    front = np.array([[0.0, 1.0, 0.6], [0.1, 0.2, 0.0], [0.3, 0.1, 1.0], [1.0, 0.0, 0.9]])
    assert knee(front).index == 1
    assert knee(front).bends


@pytest.mark.parametrize(
    ("front", "index"),
    [
        ([[3, 5]], 0),
        ([[0, 1], [1, 0]], 0),
        ([[0, 1, 1], [1, 0, 0]], 1),
        ([[0, 4], [1, 3], [2, 2], [3, 1], [4, 0]], 2),
        ([[0, 1, 1], [0.4, 0.6, 0.6], [1, 0, 0]], 1),
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.4, 0.3, 0.3]], 3),
        ([[0, 1], [0.8, 0.7], [1, 0]], 1),
        ([[2, 2], [2, 2], [2, 2]], 0),
        ([[7]], 0),
    ],
    ids=[
        "one",
        "two",
        "two of three",
        "a line",
        "a line in space",
        "a plane",
        "concave",
        "equal",
        "a number",
    ],
)
def test_a_front_without_a_bend_has_no_knee_but_a_balanced_member(front, index: int) -> None:
    found = knee(np.array(front, dtype=np.float64))
    assert not found.bends
    assert found.index == index


def test_the_knee_of_a_curved_surface_is_where_all_objectives_are_alike() -> None:
    x = np.random.default_rng(0).dirichlet(np.ones(3), size=300)
    front = np.vstack([x**2, np.eye(3), np.full((1, 3), 1 / 9)])
    assert knee(front).index == 303
    assert knee(front).depth == pytest.approx(1 / 3 - 1 / 9)


@pytest.mark.parametrize("points", [np.empty((0, 2)), np.array([[1.0, np.nan]]), np.ones(3)])
def test_a_knee_of_nothing_is_refused(points: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="points: expected a front of finite numbers, shape"):
        knee(points)
