"""Preferences: parsing, scores, the box of interest, directions."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.core.errors import ConfigError
from nas.core.objectives import Limit, Objective
from nas.pareto.archive import non_dominated
from nas.pareto.preferences import Preference

NAMES = ["error", "params", "madds"]
NONE = (None, None, None)


def parse(text: str, names: list[str] | None = None) -> Preference:
    return Preference.parse(text, names or NAMES)


@pytest.mark.parametrize(
    ("text", "aspirations", "limits", "weights"),
    [
        ("error=5%", (5.0, None, None), [], (1, 1, 1)),
        (" error = 5 % ,params<1M ", (5.0, None, None), [Limit("params", 1e6)], (1, 1, 1)),
        ("madds<=300e6", NONE, [Limit("madds", 3e8)], (1, 1, 1)),
        ("error>1,error<=10%", NONE, [Limit("error", 1.0, upper=False), Limit("error", 10.0)], (1, 1, 1)),
        ("params>=1_000", NONE, [Limit("params", 1e3, upper=False)], (1, 1, 1)),
        ("error:2,madds*.5", NONE, [], (2, 1, 0.5)),
        ("error=5,error:3", (5.0, None, None), [], (3, 1, 1)),
        ("params=1.5k,madds=2G", (None, 1500.0, 2e9), [], (1, 1, 1)),
        ("params=3k parameters,madds<2multiply-adds", (None, 3000.0, None), [Limit("madds", 2.0)], (1, 1, 1)),
        ("params=3K", (None, 3000.0, None), [], (1, 1, 1)),
        ("error=-1e-3", (-0.001, None, None), [], (1, 1, 1)),
    ],
)
def test_each_form_of_a_term_is_read(text, aspirations, limits, weights) -> None:
    found = parse(text)
    assert found.aspirations == aspirations
    assert list(found.limits) == limits
    assert found.weights == weights


@pytest.mark.parametrize(
    "text",
    ["error=5%", "error=0.1%, params<=1500, madds>=7, params:2", "error>=1%, error:0.25", "madds=1e+15"],
)
def test_a_preference_round_trips(text: str) -> None:
    assert str(parse(text)) == text
    assert parse(str(parse(text))) == parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"prefer: expected terms such as error=5% .* got nothing"),
        ("eror=5", r"'eror' is not an objective of this search \(did you mean 'error'\?\); objectives: error, params"),
        ("latency<3", r"'latency' is not an objective of this search; objectives"),
        ("error", r"'error' is not a term; expected terms such as error=5%"),
        ("error=5,", r"'' is not a term"),
        ("error=", r"'error=' is not a term"),
        ("params<1,000,000", r"'000' is not a term; .* thousands have no commas: write 1_000_000 or 1M"),
        ("error==5", r"prefer 'error==5': expected a number, alone or with k, M, G \(1M = 1e6\), % or its unit, got '=5'"),
        ("params=<5", r"expected a number.* got '<5'"),
        ("params<300m", r"params is in parameters, got 'm'; numbers may have k, M or G \(1M = 1e6\)"),
        ("params<3MB", r"expected a number.* got '3MB'"),
        ("error=5k%", r"expected a number.* got '5k%'"),
        ("error=nan", r"expected a number.* got 'nan'"),
        ("error=1e999", r"expected a finite number, got '1e999'"),
        ("params=5%", r"prefer 'params=5%': % is for levels in percent, but params is in parameters; remove it"),
        ("error:5percents", r"a weight has no unit, got 'percents'"),
        ("error:5%", r"% is for levels in percent, but a weight; remove it"),
        ("error:0", r"prefer 'error:0': expected a weight above 0, got 0"),
        ("error*-1", r"expected a weight above 0, got -1"),
        ("error=5,error=6", r"prefer 'error=6': error has two aspirations; give one"),
        ("error:5,error*5", r"error has two weights"),
        ("error<5,error>6", r"no value of error meets all of its limits: error <= 5, error >= 6"),
    ],
)  # fmt: skip
def test_an_invalid_preference_is_explained(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(text)


def test_percent_of_a_custom_unit_is_refused() -> None:
    with pytest.raises(ConfigError, match="but share is in plain numbers"):
        Preference.parse("share=5%", [Objective("share")])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"aspirations": (1.0,)}, "aspirations: expected one for each of 3 objectives, got 1"),
        ({"aspirations": (float("nan"), None, None)}, "aspirations: expected finite numbers or None"),
        ({"weights": (1.0, 0.0, 1.0)}, "weights: expected finite numbers above 0"),
        ({"limits": (Limit("latency", 3.0),)}, "limit 'latency <= 3': expected one of error, params, madds"),
    ],
)
def test_a_preference_made_by_hand_is_checked(arguments, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        Preference(**{"objectives": parse("error=5").objectives, "aspirations": NONE, **arguments})


# ------------------------------------------------------------------ points

fronts = (
    st.integers(0, 10_000)
    .map(lambda seed: np.random.default_rng(seed).random((25, 3)))
    .map(lambda points: points[non_dominated(points)])
    .filter(lambda front: len(front) > 1)
)
texts = st.sampled_from(
    ["error=0.3", "error=0.3,params=0.2", "error=-1", "error=2,params=2,madds=2", "params:4", "error<0.5",
     "error=0.1,params<0.4,madds:3", "params>0.5,error=0.2", "error<-1,params=0.5", "madds>2,error<-3"]
)  # fmt: skip


def slow_violation(preference: Preference, point: np.ndarray) -> float:
    """The sum of `Limit.excess` for minimised objectives."""
    values = dict(zip(NAMES, point, strict=True))
    return sum(limit.excess(values[limit.objective]) for limit in preference.limits)


def slow_score(preference: Preference, point, ideal, nadir, archive) -> float:
    """The definition, one number at a time; the unnamed levels by walking through the archive."""
    m, weights = len(ideal), np.array(preference.weights) / np.mean(preference.weights)
    broken = [slow_violation(preference, a) for a in archive]
    reach = [a for a, b in zip(archive, broken, strict=True) if b <= min(broken) * (1 + 1e-9)]
    named = [i for i in range(m) if preference.aspirations[i] is not None]
    target = preference.aspirations

    def short(a):
        return max((weights[i] * (a[i] - target[i]) / (nadir[i] - ideal[i]) for i in named), default=0.0)

    least = max(0.0, min(short(a) for a in reach))
    near = [a for a in reach if short(a) <= least + 1e-9]
    level = [target[i] if i in named else min(a[i] for a in near) for i in range(m)]
    terms = [weights[i] * (point[i] - level[i]) / (nadir[i] - ideal[i]) for i in range(m)]
    return max(terms) + 0.01 * sum(terms)


@settings(max_examples=60, deadline=None)
@given(fronts, texts)
def test_scores_agree_with_the_definition_point_by_point(front: np.ndarray, text: str) -> None:
    preference, ideal, nadir = parse(text), front.min(axis=0), front.max(axis=0)
    others = np.random.default_rng(1).random((7, 3))
    expected = [slow_score(preference, p, ideal, nadir, front) for p in others]
    assert preference.scores(others, ideal, nadir, front) == pytest.approx(expected)


@settings(max_examples=60, deadline=None)
@given(fronts, texts)
def test_violations_agree_with_the_limits_one_by_one(front: np.ndarray, text: str) -> None:
    preference = parse(text)
    assert preference.violations(front) == pytest.approx([slow_violation(preference, p) for p in front])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), texts)
def test_the_best_score_of_a_cloud_is_never_dominated(seed: int, text: str) -> None:
    cloud = np.random.default_rng(seed).integers(0, 5, (60, 3)).astype(float)
    preference = parse(text)
    best = cloud[np.argmin(preference.scores(cloud, cloud.min(axis=0), cloud.max(axis=0), cloud))]
    assert not ((cloud <= best).all(axis=1) & (cloud < best).any(axis=1)).any()


@settings(max_examples=60, deadline=None)
@given(fronts, texts)
def test_units_change_no_ranking(front: np.ndarray, text: str) -> None:
    """Parameters in millions or in ones: the same order."""
    preference = parse(text)
    factor = np.array([1.0, 1e6, 1e-3])
    scaled = Preference(
        preference.objectives,
        tuple(None if a is None else a * f for a, f in zip(preference.aspirations, factor, strict=True)),
        tuple(Limit(x.objective, x.bound * factor[NAMES.index(x.objective)], x.upper) for x in preference.limits),
        preference.weights,
    )  # fmt: skip
    one = preference.scores(front, front.min(axis=0), front.max(axis=0), front)
    front = front * factor
    assert scaled.scores(front, front.min(axis=0), front.max(axis=0), front) == pytest.approx(one)


LINE = np.stack([np.linspace(0, 10, 11), np.linspace(10, 0, 11)], axis=1)  # error and params, 0 to 10
IDEAL, NADIR = LINE.min(axis=0), LINE.max(axis=0)


def best(text: str, archive: np.ndarray = LINE) -> list[float]:
    scores = parse(text, NAMES[:2]).scores(archive, archive.min(axis=0), archive.max(axis=0), archive)
    return archive[np.argmin(scores)].tolist()


def test_one_named_level_is_met_and_the_rest_is_optimal_there() -> None:
    assert best("error=7") == [7.0, 3.0]
    assert best("params=2.5") == [8.0, 2.0]


def test_a_level_out_of_reach_is_approached() -> None:
    assert best("error=-5") == [0.0, 10.0]


def test_levels_that_are_too_ambitious_are_missed_by_equal_parts() -> None:
    assert best("error=1,params=5") == [3.0, 7.0]


def test_levels_that_are_too_easy_are_exceeded_by_equal_parts() -> None:
    assert best("error=8,params=6") == [6.0, 4.0]


def test_the_heavier_weight_falls_short_less() -> None:
    assert best("error:1") == [5.0, 5.0]
    assert best("error:4") == [2.0, 8.0]
    assert best("error=2,params=2,params:2") == [6.0, 4.0]


def test_weights_are_relative() -> None:
    a, b = parse("error:2,params:2,madds:2,error=1"), parse("error=1")
    points = np.random.default_rng(0).random((9, 3))
    ideal, nadir = np.zeros(3), np.ones(3)
    assert a.scores(points, ideal, nadir) == pytest.approx(b.scores(points, ideal, nadir))


def test_the_score_is_zero_at_the_aspiration_and_negative_beyond_it() -> None:
    preference = parse("error=3,params=4,madds=5")
    at, beyond = preference.scores(np.array([[3.0, 4, 5], [2, 3, 4]]), np.zeros(3), np.full(3, 10.0))
    assert at == pytest.approx(0.0)
    assert beyond < -0.1


def test_the_target_of_a_maximised_objective_has_its_direction() -> None:
    names = ["accuracy", "params"]
    archive = np.array([[-95.0, 9.0], [-92.0, 4.0], [-80.0, 1.0]])  # as algorithms see accuracy
    preference = parse("accuracy=92%,accuracy>85%,params<8", names)
    ideal, nadir = archive.min(axis=0), archive.max(axis=0)
    assert preference.aspiration(ideal, nadir, archive).tolist() == [-92.0, 4.0]
    assert np.argmin(preference.scores(archive, ideal, nadir, archive)) == 1
    assert preference.bounds()[0].tolist() == [-np.inf, -np.inf]
    assert preference.bounds()[1].tolist() == [-85.0, 8.0]
    assert (preference.violations(archive) > 0).tolist() == [True, False, True]


def test_without_an_archive_unnamed_levels_are_the_ideal() -> None:
    level = parse("error=3").aspiration(np.array([1.0, 2, 3]), np.full(3, 9.0))
    assert level.tolist() == [3.0, 2.0, 3.0]


def test_levels_are_completed_from_feasible_members() -> None:
    archive = np.array([[1.0, 9.0], [4.0, 5.0], [5.0, 1.0]])
    preference = parse("error=5,params>2", NAMES[:2])
    assert preference.aspiration(archive.min(axis=0), archive.max(axis=0), archive).tolist() == [5.0, 5.0]


def test_a_front_without_extent_gives_finite_scores() -> None:
    point = np.array([[2.0, 0.0, 5.0]])
    assert np.isfinite(parse("error=1,params=3").scores(point, point[0], point[0], point)).all()


# ------------------------------------------------------------------ the box of interest


@settings(max_examples=100, deadline=None)
@given(fronts, texts)
def test_the_box_always_holds_a_member_of_the_archive_in_its_inside(front: np.ndarray, text: str) -> None:
    preference = parse(text)
    lower, upper = preference.region(front.min(axis=0), front.max(axis=0), front)
    assert (front < upper).all(axis=1).any()
    assert (
        (lower < upper) | (preference.bounds()[0] >= upper)
    ).all()  # a limit from below alone may leave nothing


@settings(max_examples=100, deadline=None)
@given(fronts, st.sampled_from(["error=0.3", "error=0.3,params=0.2", "error=-1", "error=2,params=2,madds=2"]))
def test_the_box_is_a_window_about_the_level_of_the_nearest_member(front: np.ndarray, text: str) -> None:
    preference, ideal, nadir = parse(text), front.min(axis=0), front.max(axis=0)
    lower, upper = preference.region(ideal, nadir, front)
    target = preference.aspiration(ideal, nadir, front)
    span = np.where(nadir > ideal, nadir - ideal, np.where(ideal != 0, np.abs(ideal), 1.0))
    nearest = front[np.argmin(preference.scores(front, ideal, nadir, front))]
    short = ((nearest - target) / span).max()
    assert lower == pytest.approx(target + (short - 0.1) * span)
    assert upper == pytest.approx(np.maximum(target, target + (short + 0.1) * span))


def region(text: str) -> tuple[list[float], list[float]]:
    lower, upper = parse(text, NAMES[:2]).region(IDEAL, NADIR, LINE)
    return lower.tolist(), upper.tolist()


def test_an_aspiration_that_is_dominated_keeps_all_that_dominates_it() -> None:
    assert region("error=8,params=6")[1] == [8.0, 6.0]


def test_an_aspiration_out_of_reach_gives_a_box_about_the_nearest_member() -> None:
    lower, upper = region("error=1,params=5")  # the nearest is (3, 7)
    assert upper == pytest.approx([4.0, 8.0])
    assert lower == pytest.approx([2.0, 6.0])


def test_values_below_the_box_count_as_its_border() -> None:
    lower, upper = region("error=8,params=6")  # (6, 4) is nearest, 2 better in both
    assert upper == [8.0, 6.0]
    assert lower == pytest.approx([5.0, 3.0])


def test_a_limit_lowers_the_box() -> None:
    assert region("error=1,params=5,params<7.5")[1] == pytest.approx([4.0, 7.5])


def test_a_limit_that_ends_the_window_early_leaves_it_as_wide_below() -> None:
    """No member within the limit is near the target, so the window would lie beyond the limit altogether."""
    lower, upper = region("error=0,params=1,params<3")  # the nearest within it is (7, 3), 7 short in error
    assert upper == pytest.approx([8.0, 3.0])
    assert lower == pytest.approx([6.0, 1.0])


def test_limits_alone_leave_the_rest_of_the_box_whole() -> None:
    assert region("params<7.5")[1] == pytest.approx([11.0, 7.5])


def test_a_limit_from_below_raises_the_box() -> None:
    lower, upper = region("params>4")
    assert lower == [-np.inf, 4.0]
    assert upper == pytest.approx([11.0, 11.0])


def test_limits_without_a_feasible_member_leave_the_box_open_to_the_nearest() -> None:
    archive = np.array([[3.0, 9.0], [5.0, 6.0]])
    preference = parse("params<2", NAMES[:2])
    _, upper = preference.region(archive.min(axis=0), archive.max(axis=0), archive)
    assert upper == pytest.approx([5.2, 6.3])


def test_weights_alone_give_a_box_about_their_compromise() -> None:
    lower, upper = region(
        "error:4"
    )  # the nearest is (2, 8), which is as far from the ideal in both, weighted
    assert upper == pytest.approx([2 + 1 / 1.6, 8 + 1 / 0.4])
    assert lower == pytest.approx([2 - 1 / 1.6, 8 - 1 / 0.4])


def test_without_an_archive_the_box_runs_to_the_nadir_where_nothing_is_named() -> None:
    lower, upper = parse("error=3").region(np.zeros(3), np.full(3, 10.0))
    assert lower.tolist() == [-np.inf] * 3
    assert upper == pytest.approx([3.0, 11.0, 11.0])


def test_nothing_writes_into_its_arguments() -> None:
    front = LINE.copy()
    ideal, nadir = IDEAL.copy(), NADIR.copy()
    for array in (front, ideal, nadir):
        array.flags.writeable = False
    preference = parse("error=3,params<8,error:2", NAMES[:2])
    preference.scores(front, ideal, nadir, front)
    preference.region(ideal, nadir, front)
    preference.violations(front)
