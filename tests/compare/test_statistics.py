"""Tests and effect sizes against SciPy, published tables and cases worked out by hand."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import friedmanchisquare, ttest_1samp, wilcoxon

from nas.compare.statistics import (
    Pair,
    against,
    critical_difference,
    holm,
    mean_interval,
    pairwise,
    ranking,
    ranks_of,
    seeds_needed,
    signed_rank,
    vargha_delaney,
)

NAMES = ("a", "b", "c")


def matrix(n: int, k: int = 3, seed: int = 0, step: float = 0.0) -> np.ndarray:
    """Random values of k algorithms, each better than the next by `step`."""
    return np.random.default_rng(seed).normal(size=(n, k)) - step * np.arange(k)


@pytest.mark.parametrize("n", [1, 2, 6, 11, 30, 50])
def test_the_signed_rank_test_is_scipys_exact_one_without_ties(n: int) -> None:
    first, second = matrix(n, 2, seed=n).T
    assert signed_rank(first, second) == pytest.approx(
        wilcoxon(first, second, method="exact").pvalue, rel=1e-9
    )


def test_with_ties_the_signed_rank_test_counts_every_way_to_give_signs() -> None:
    first = np.array([3.0, 1.0, 4.0, 2.0, 6.0, 5.0])
    second = np.array(
        [2.0, 2.0, 2.0, 2.0, 4.0, 4.0]
    )  # differences 1, -1, 2, 0, 2, 1: ranks 2, 2, 4.5, -, 4.5, 2
    ranks, observed = np.array([2.0, 2.0, 4.5, 4.5, 2.0]), 2.0 + 4.5 + 4.5 + 2.0
    sums = [float(ranks @ np.array(signs)) for signs in product((0, 1), repeat=5)]
    above = sum(s >= observed for s in sums) / len(sums)
    below = sum(s <= observed for s in sums) / len(sums)
    assert signed_rank(first, second) == pytest.approx(min(1.0, 2 * min(above, below)))


def test_equal_runs_show_no_difference() -> None:
    assert signed_rank(np.ones(8), np.ones(8)) == 1.0


def test_runs_that_found_nothing_are_equal_to_each_other_and_worse_than_all() -> None:
    never, found = np.full(6, -np.inf), np.arange(6.0)
    assert signed_rank(never, never) == 1.0
    assert signed_rank(found, never) == pytest.approx(2 / 2**6)


def test_holms_correction_is_that_of_a_worked_example() -> None:
    # Holm 1979: the smallest times 4, the next times 3, ..., and never less than the one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_vargha_and_delaneys_a_counts_wins_and_half_of_the_ties() -> None:
    first, second = np.array([3.0, 4.0]), np.array([1.0, 3.0])  # wins: 3>1, 4>1, 4>3; tie: 3=3
    assert vargha_delaney(first, second) == pytest.approx(3.5 / 4)
    assert vargha_delaney(second, first) == pytest.approx(0.5 / 4)
    assert vargha_delaney(first, first) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("effect", "word"),
    [
        (0.5, "negligible"),
        (0.55, "negligible"),
        (0.56, "small"),
        (0.36, "medium"),
        (0.71, "large"),
        (0.1, "large"),
    ],
)
def test_an_effect_has_the_words_of_vargha_and_delaney(effect: float, word: str) -> None:
    assert Pair("a", "b", 9, 0.0, effect).magnitude == word


@pytest.mark.parametrize(
    ("k", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (7, 2.949), (10, 3.164)]
)
def test_the_critical_difference_has_the_quantiles_that_demsar_tabulates(k: int, q: float) -> None:
    blocks = 14
    assert critical_difference(k, blocks) == pytest.approx(q * np.sqrt(k * (k + 1) / (6 * blocks)), abs=1e-3)


def test_the_critical_difference_at_a_tenth_is_demsars_too() -> None:
    assert critical_difference(4, 10, alpha=0.10) == pytest.approx(2.291 * np.sqrt(20 / 60), abs=1e-3)


def test_the_best_has_rank_one_and_equals_share_theirs() -> None:
    assert ranks_of(np.array([[0.2, 0.9, 0.9], [0.1, 0.2, 0.3]])).tolist() == [[3, 1.5, 1.5], [3, 2, 1]]


def test_friedmans_test_is_scipys() -> None:
    values = matrix(12, step=0.8)
    found = ranking(NAMES, values, "seeds")
    assert found.p == pytest.approx(friedmanchisquare(*values.T).pvalue)
    assert found.blocks == 12
    assert found.ranks.tolist() == ranks_of(values).mean(axis=0).tolist()


def test_friedmans_test_of_equal_algorithms_has_p_one() -> None:
    assert ranking(NAMES, np.ones((9, 3)), "seeds").p == 1.0


@pytest.mark.parametrize("blocks", [0, 1, 4])
def test_too_few_blocks_give_words_in_place_of_a_p_value(blocks: int) -> None:
    found = ranking(NAMES, matrix(blocks, step=9.0), "problems")
    assert found.p is None
    assert found.critical is None
    assert f"too few problems for Friedman's test: {blocks}" in found.note


def test_two_algorithms_are_left_to_the_pairwise_test() -> None:
    assert "two algorithms" in ranking(("a", "b"), matrix(20, 2), "seeds").note


def test_groups_join_what_lies_within_the_critical_difference() -> None:
    # over 30 blocks of 4 the critical difference is 0.856
    values = np.tile([4.0, 3.0, 2.0, 1.0], (30, 1))
    values[:15, [1, 2]] = values[:15, [2, 1]]  # the middle two take turns: ranks 1, 2.5, 2.5, 4
    found = ranking(("a", "b", "c", "d"), values, "seeds")
    assert found.groups == [(1, 2)]


def test_pairs_are_corrected_over_all_of_them() -> None:
    values = matrix(20, step=0.7)
    found = pairwise(NAMES, values)
    raw = [wilcoxon(values[:, i], values[:, j], method="exact").pvalue for i, j in ((0, 1), (0, 2), (1, 2))]
    assert [pair.p for pair in found] == pytest.approx(raw)
    assert [pair.p_holm for pair in found] == pytest.approx(holm(raw))
    assert [(pair.first, pair.second) for pair in found] == [("a", "b"), ("a", "c"), ("b", "c")]


def test_too_few_seeds_give_words_in_place_of_a_p_value_but_still_an_effect() -> None:
    # three comparisons of 6 pairs: the least p is 3 * 2 / 64 = 0.094; 7 pairs: 0.047
    few, enough = pairwise(NAMES, matrix(6, step=50.0)), pairwise(NAMES, matrix(7, step=50.0))
    assert all(pair.p is None and pair.p_holm is None for pair in few)
    assert "too few seeds for a test: 6 in common" in few[0].note
    assert "0.094; 7 seeds are needed" in few[0].note
    assert [pair.effect for pair in few] == [1.0, 1.0, 1.0]
    assert all(pair.p_holm is not None and pair.p_holm < 0.05 for pair in enough)


def test_without_a_seed_in_common_nothing_is_claimed() -> None:
    found = pairwise(NAMES, np.empty((0, 3)))
    assert found[0].p is None
    assert found[0].effect == 0.5


def test_each_is_compared_with_the_reference_on_the_seeds_that_both_have() -> None:
    ours = {seed: float(seed) for seed in range(12)}
    worse = {seed: seed - 1.5 for seed in range(2, 14)}
    found = against({"worse": worse, "ours": ours, "few": {0: 9.0}}, "ours")
    assert list(found) == ["worse", "few"]
    assert (found["worse"].pairs, found["worse"].verdict()) == (10, "worse")
    assert found["worse"].p_holm == pytest.approx(2 / 2**10)  # the only test that was made
    assert found["few"].verdict() == "not tested"
    assert "too few seeds" in found["few"].note


def test_the_interval_of_a_mean_is_that_of_the_t_test() -> None:
    values = np.array([3.0, 5.0, 4.0, 8.0])
    mean, half = mean_interval(values)
    low, high = ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert (mean - half, mean + half) == pytest.approx((low, high))
    assert np.isnan(mean_interval(values[:1])[1])


def test_the_least_number_of_seeds_grows_slowly_with_the_algorithms() -> None:
    assert [seeds_needed(k) for k in range(2, 7)] == [6, 7, 8, 9, 10]
    values = np.arange(18.0).reshape(6, 3)
    assert all(pair.p is None for pair in pairwise("abc", values))
    assert all(pair.p is not None for pair in pairwise("ab", values[:, :2]))
