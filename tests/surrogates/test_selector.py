"""The selector picks what orders unseen architectures best, and says when nothing does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from nas.core.errors import ConfigError
from nas.core.records import Architecture, FloatArray
from nas.core.space import SearchSpace
from nas.testing import ToySpace
from search_spaces.nasbench201 import NASBench201
from surrogates.candidates import Candidate, candidates_for_search, default_candidates, encode, encodings_of
from surrogates.constant import Constant
from surrogates.gaussian_process import GaussianProcess
from surrogates.pairwise_ridge import PairwiseRidge
from surrogates.quality import kendall_tau
from surrogates.selector import Selector, Settings, _milestone
from surrogates.targets import Identity, Log


class Genes(SearchSpace):
    name = "genes"
    cardinalities = (4,) * 6


def drawn(n: int, seed: int, space: SearchSpace | None = None) -> list[Architecture]:
    rng = np.random.default_rng(seed)
    space = space or Genes()
    found: dict[Architecture, None] = {}
    while len(found) < n:
        found.setdefault(space.sample(rng))
    return list(found)


def error(architectures: Sequence[Architecture]) -> FloatArray:
    genes = np.array([a.genes for a in architectures], dtype=np.float64)
    return np.asarray(5.0 + genes[:, 0] + 2.0 * (genes[:, 1] == genes[:, 2]) + 0.5 * genes[:, 3])


def noise_encoding(architectures: Sequence[Architecture]) -> FloatArray:
    return np.array([np.random.default_rng(a.genes).normal(size=3) for a in architectures])


ENCODINGS = {**encodings_of(Genes()), "noise": noise_encoding}
GOOD = Candidate("genes", GaussianProcess)
LINEAR = Candidate("default", PairwiseRidge)
BLIND = Candidate("noise", PairwiseRidge)
FLAT = Candidate("default", Constant)


def test_the_good_pair_is_chosen_among_bad_ones() -> None:
    known = drawn(60, 0)
    selector = Selector({"flat": FLAT, "blind": BLIND, "good": LINEAR}, ENCODINGS).fit(known, error(known))
    assert selector.selection_.chosen == ("good",)
    assert selector.selection_.reliable
    assert selector.selection_.tau > 0.6
    assert selector.selection_.scores[0][0] == "good"
    assert selector.selection_.tau_half > 0.3
    assert selector.selection_.precision_tenth >= 0.3


def test_the_encoding_is_part_of_the_choice() -> None:
    known = drawn(60, 0)
    same_model = {"blind": BLIND, "seeing": LINEAR}
    assert Selector(same_model, ENCODINGS).fit(known, error(known)).selection_.chosen == ("seeing",)


def test_noise_is_called_unreliable() -> None:
    known = drawn(60, 0)
    y = np.random.default_rng(0).uniform(5, 10, 60)
    selection = Selector({"good": GOOD, "linear": LINEAR}, ENCODINGS).fit(known, y).selection_
    assert not selection.reliable
    assert selection.tau_low < 0.1
    assert "not reliable" in selection.text


def test_estimated_tau_and_coverage_hold_on_architectures_never_seen() -> None:
    known, unseen = drawn(250, 0), drawn(500, 9)
    rng = np.random.default_rng(1)
    y, hidden = error(known) + rng.normal(0, 0.4, 250), error(unseen) + rng.normal(0, 0.4, 500)
    selector = Selector({"good": GOOD, "linear": LINEAR}, ENCODINGS, transform=Identity()).fit(known, y)
    mean, std = selector.predict(unseen)
    selection = selector.selection_
    assert kendall_tau(mean, hidden) == pytest.approx(selection.tau, abs=0.15)
    assert np.mean(np.abs(mean - hidden) < 1.645 * std) == pytest.approx(0.9, abs=0.08)
    assert selection.coverage == pytest.approx(0.9, abs=0.1)
    assert selection.rmse == pytest.approx(np.sqrt(np.mean((mean - hidden) ** 2)), rel=0.4)


def test_averaging_is_used_where_it_helps() -> None:
    known = drawn(100, 0)
    y = error(known) + np.random.default_rng(2).normal(0, 0.3, 100)

    def half(columns: slice) -> Any:
        return lambda batch: encode(ENCODINGS, "genes", batch)[:, columns]

    encodings = {"left": half(slice(0, 1)), "right": half(slice(1, 6))}
    pairs = {name: Candidate(name, GaussianProcess) for name in encodings}
    assert set(Selector(pairs, encodings).fit(known, y).selection_.chosen) == {"left", "right"}


def test_fitting_twice_equals_fitting_once_and_so_does_another_selector() -> None:
    known, unseen = drawn(40, 0), drawn(10, 3)
    make = lambda: Selector({"good": GOOD, "linear": LINEAR}, ENCODINGS)  # noqa: E731
    once = make().fit(known, error(known)).predict(unseen)
    np.testing.assert_array_equal(
        once, make().fit(known, error(known)).fit(known, error(known)).predict(unseen)
    )


def test_a_choice_does_not_depend_on_the_fits_before_it() -> None:
    known = drawn(60, 0)
    y = error(known) + np.random.default_rng(0).normal(0, 1, 60)
    make = lambda: Selector({"good": GOOD, "linear": LINEAR, "blind": BLIND}, ENCODINGS)  # noqa: E731
    grown = make()
    for n in (10, 25, 47, 60):
        grown.fit(known[:n], y[:n])
    resumed = make().fit(known, y)
    assert grown.selection_ == resumed.selection_
    np.testing.assert_array_equal(grown.predict(known), resumed.predict(known))


def test_a_choice_is_made_again_only_when_data_have_grown_by_a_quarter() -> None:
    calls: list[int] = []

    class Counted(PairwiseRidge):
        def fit(self, X: FloatArray, y: FloatArray) -> Counted:
            calls.append(len(y))
            super().fit(X, y)
            return self

    known = drawn(60, 0)
    selector = Selector({"counted": Candidate("default", Counted)}, ENCODINGS)
    fits = []
    for n in range(40, 61):
        before = len(calls)
        selector.fit(known[:n], error(known[:n]))
        fits.append(len(calls) - before)
    assert fits.count(1) == len(fits) - 3  # cross-validated at first, and as 44 and 55 rows were reached
    assert selector.selection_.rows == 55


@pytest.mark.parametrize(
    ("n", "expected"), [(1, 1), (8, 8), (9, 8), (10, 10), (12, 10), (13, 13), (1000, 825)]
)
def test_milestones_are_a_quarter_apart(n: int, expected: int) -> None:
    assert _milestone(n, 0.25) == expected


def test_selectors_with_other_first_rows_choose_at_other_times() -> None:
    first, second = ({_milestone(n, 0.5, first) for n in range(20, 300)} for first in (8, 9))
    assert len(first & second) <= 1


@pytest.mark.parametrize("n", [1, 2, 5])
def test_too_few_rows_are_unreliable_and_still_predict(n: int) -> None:
    known = drawn(n, 0)
    selector = Selector({"good": GOOD}, ENCODINGS).fit(known, error(known))
    assert not selector.selection_.reliable
    assert (selector.selection_.tau_low, selector.selection_.tau_high) == (-1.0, 1.0)
    assert "too few" in selector.selection_.text
    assert np.isnan([selector.selection_.tau_half, selector.selection_.precision_tenth]).all()
    assert np.isfinite(selector.predict(drawn(4, 1))).all()


def test_a_constant_target_is_unreliable_and_still_predicts() -> None:
    known = drawn(30, 0)
    selector = Selector({"good": GOOD}, ENCODINGS).fit(known, np.full(30, 6.0))
    assert not selector.selection_.reliable
    np.testing.assert_allclose(selector.predict(known)[0], 6.0, rtol=1e-6)


def test_an_optimistic_quantile_lies_below_the_mean_and_within_the_domain() -> None:
    known, unseen = drawn(30, 0), drawn(50, 1)
    selector = Selector({"good": GOOD}, ENCODINGS, transform=Log()).fit(known, error(known) ** 4)
    low, middle = selector.quantile(unseen, 0.001), selector.quantile(unseen, 0.5)
    assert (low < middle).all()
    assert (low > 0).all()
    np.testing.assert_allclose(middle, selector.predict(unseen)[0])


def test_cross_validation_uses_a_bounded_number_of_rows() -> None:
    largest = 0

    class Watched(PairwiseRidge):
        def fit(self, X: FloatArray, y: FloatArray) -> Watched:
            nonlocal largest
            largest = max(largest, len(y)) if len(y) < 200 else largest
            super().fit(X, y)
            return self

    known = drawn(200, 0)
    settings = Settings(rows=50)
    Selector({"watched": Candidate("default", Watched)}, ENCODINGS, settings=settings).fit(
        known, error(known)
    )
    assert largest == 40  # four of five folds of 50


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        ({}, "candidates: expected at least one"),
        ({"x": Candidate("nowhere", Constant)}, "encoding: unknown 'nowhere'"),
    ],
)
def test_unusable_candidates_are_refused(candidates: dict[str, Candidate], message: str) -> None:
    known = drawn(20, 0)
    with pytest.raises(ConfigError, match=message):
        Selector(candidates, ENCODINGS).fit(known, error(known))


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="folds"):
        Settings(folds=1)


def test_joined_encodings_put_the_columns_side_by_side() -> None:
    cells = drawn(5, 0, NASBench201())
    offered = encodings_of(NASBench201())
    joined = encode(offered, "genes+summary+cost", cells)
    np.testing.assert_array_equal(joined[:, :6], [a.genes for a in cells])
    costs = [list(NASBench201().cost(a).values()) for a in cells]
    np.testing.assert_allclose(joined[:, -2:], np.log1p(costs))


@pytest.mark.parametrize("space", [Genes(), NASBench201(), ToySpace((3, 2, 4))], ids=lambda s: str(s.name))
def test_the_default_candidates_of_a_space_all_fit(space: SearchSpace) -> None:
    architectures = drawn(15, 0, space)
    y = 1.0 + np.array([sum(a.genes) for a in architectures], dtype=np.float64)
    offered = encodings_of(space)
    for candidate in default_candidates(space).values():
        X = encode(offered, candidate.encoding, architectures)
        assert np.isfinite(candidate.make().fit(X, y).predict(X)).all()


def test_an_update_learns_new_results_with_the_choice_of_the_last_fit() -> None:
    known, new = drawn(40, 0), drawn(20, 1)
    for name, make in (("process", GaussianProcess), ("ridge", PairwiseRidge)):
        candidates = {name: Candidate("default", make)}
        selector = Selector(candidates, encodings_of(ToySpace()), Log()).fit(known, error(known))
        before, chosen = selector.predict(new)[0], selector.selection_
        selector.update([*known, *new], error([*known, *new]))
        after = selector.predict(new)[0]
        assert selector.selection_ is chosen
        assert np.abs(after - error(new)).mean() < np.abs(before - error(new)).mean(), name


def test_a_handicap_decides_between_equals_and_not_against_a_much_better_order() -> None:
    known = drawn(60, 0)
    encodings = {**encodings_of(ToySpace()), "noise": noise_encoding}
    equal = {
        "late": Candidate("default", PairwiseRidge, handicap=0.05),
        "early": Candidate("default", PairwiseRidge),
    }
    unequal = {
        "good": Candidate("default", PairwiseRidge, handicap=0.05),
        "bad": Candidate("noise", PairwiseRidge),
    }
    assert Selector(equal, encodings, Log()).fit(known, error(known)).selection_.chosen == ("early",)
    assert Selector(unequal, encodings, Log()).fit(known, error(known)).selection_.chosen[0] == "good"


@pytest.mark.parametrize("space", [ToySpace(), NASBench201()], ids=["toy", "nasbench201"])
def test_a_search_prefers_gaussian_processes_on_the_best_description(space: SearchSpace) -> None:
    found = candidates_for_search(space, encodings_of(space))
    preferred = {name for name, candidate in found.items() if candidate.handicap == 0}
    assert preferred
    assert all(name.startswith("gp-") for name in preferred)
    assert {"rbf", "ridge"} <= set(found) - preferred
