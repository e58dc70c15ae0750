from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nas.core.errors import ConfigError
from nas.training import Halving
from nas.training.halving import crowding, fronts, ranking

AT_ANY_SPEED = how(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine too


@pytest.mark.parametrize(
    ("halving", "budgets"),
    [
        (Halving(1, 9, 3), (1, 3, 9)),
        (Halving(1, 10, 3), (1, 3, 9, 10)),
        (Halving(5, 5), (5,)),
        (Halving(1, 4, 1.3), (1, 2, 3, 4)),
        (Halving(2, 50, 5), (2, 10, 50)),
    ],
)
def test_budgets_grow_by_eta_up_to_the_last(halving, budgets):
    assert halving.budgets == budgets


@pytest.mark.parametrize("settings", [(-1, 3, 3), (0, 0, 3), (4, 3, 3), (1, 3, 1.0)])
def test_budgets_that_make_no_ladder_are_refused(settings):
    with pytest.raises(ConfigError, match="halving"):
        Halving(*settings)


def test_with_one_objective_the_best_third_continues():
    observed = [(k, [float(k)]) for k in (5, 3, 8, 1, 9, 2, 7, 4, 6)]
    assert Halving().promote(0, observed, set()) == [1, 2, 3]


def test_the_non_dominated_continue_before_the_dominated():
    observed = [("a", (1, 4)), ("b", (4, 1)), ("c", (5, 5)), ("d", (6, 6)), ("e", (7, 7)), ("f", (2, 6))]
    assert set(Halving().promote(0, observed, set())) == {"a", "b"}


def test_a_front_that_does_not_fit_sends_its_ends_and_its_loneliest():
    line = {"left": (0, 10), "near": (0.5, 9.5), "near too": (1, 9), "middle": (5, 5), "right": (10, 0)}
    chosen = Halving(eta=5 / 3).promote(0, list(line.items()), set())
    assert set(chosen) == {"left", "right", "middle"}


def test_who_went_on_already_does_not_go_again_but_keeps_the_place():
    observed = [(k, [float(k)]) for k in range(9)]
    assert Halving().promote(0, observed, {0, 1}) == [2]
    assert Halving().promote(0, observed, {0, 1, 2}) == []


def test_an_overtaken_trial_keeps_its_place_so_that_at_most_one_in_eta_continues():
    observed = [(k, [float(k)]) for k in range(9)]
    assert Halving().promote(0, observed, {5}) == [0, 1]
    assert Halving().promote(0, observed, {5, 6, 7, 8}) == []


def test_those_who_stayed_are_in_line_from_the_best_on():
    observed = [("bad", [9.0]), ("nan", [np.nan]), ("good", [1.0]), ("went", [0.0]), ("fair", [2.0])]
    assert Halving().in_line(observed, {"went"}) == ["good", "fair", "bad"]
    assert Halving().in_line([], set()) == []


def test_the_last_rung_sends_nobody_on():
    assert Halving(1, 9, 3).promote(2, [(k, [float(k)]) for k in range(9)], set()) == []


def test_a_failed_training_never_continues_and_takes_no_place():
    observed = [("nan", [np.nan]), ("inf", [np.inf]), *((k, [float(k)]) for k in range(3))]
    assert Halving().promote(0, observed, set()) == [0]


def test_too_few_results_send_nobody_on():
    assert Halving().promote(0, [("a", [1.0]), ("b", [2.0])], set()) == []
    assert Halving().promote(0, [], set()) == []


points = hnp.arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 3)), elements=st.integers(0, 4))


@AT_ANY_SPEED
@given(points)
def test_fronts_agree_with_the_definition(F):
    left = list(range(len(F)))
    for front in fronts(F):
        expected = [i for i in left if not any(np.all(F[j] <= F[i]) and np.any(F[j] < F[i]) for j in left)]
        assert front.tolist() == expected
        left = [i for i in left if i not in expected]
    assert left == []


@AT_ANY_SPEED
@given(points)
def test_ranking_is_a_permutation_that_never_puts_a_dominated_row_first(F):
    order = ranking(F)
    assert sorted(order) == list(range(len(F)))
    place = {row: k for k, row in enumerate(order)}
    for i in range(len(F)):
        for j in range(len(F)):
            if np.all(F[i] <= F[j]) and np.any(F[i] < F[j]):
                assert place[i] < place[j]


def test_promotion_does_not_change_its_input():
    observed, promoted = [(k, [float(k)]) for k in range(9)], {1}
    Halving().promote(0, observed, promoted)
    assert observed == [(k, [float(k)]) for k in range(9)]
    assert promoted == {1}


def test_crowding_is_the_normalised_size_of_the_box_between_the_neighbours():
    distance = crowding(np.array([[0.0, 4.0], [1.0, 2.0], [4.0, 0.0]]))
    assert distance.tolist() == [np.inf, 2.0, np.inf]
