"""Quality measures against hand-computed values and slow versions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import kendalltau

from nas.core.errors import ConfigError
from nas.core.records import FloatArray
from surrogates.constant import Constant
from surrogates.pairwise_ridge import PairwiseRidge
from surrogates.quality import (
    OutOfFold,
    TauEstimate,
    best_half_tau,
    best_tenth_precision,
    calibration,
    coverage,
    cross_validate,
    estimate_tau,
    honest_coverage,
    kendall_tau,
    make_folds,
    rmse,
)


def slow_tau(a: FloatArray, b: FloatArray) -> float:
    """Tau-b by counting pairs."""
    agree = tie_a = tie_b = pairs = 0
    for i, j in itertools.combinations(range(len(a)), 2):
        x, y = np.sign(a[i] - a[j]), np.sign(b[i] - b[j])
        agree, tie_a, tie_b, pairs = agree + x * y, tie_a + (x == 0), tie_b + (y == 0), pairs + 1
    return float(agree / np.sqrt((pairs - tie_a) * (pairs - tie_b)))


@pytest.mark.parametrize("seed", range(5))
def test_tau_counts_pairs_in_order_and_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 6, 25).astype(float), rng.integers(0, 6, 25).astype(float)
    assert kendall_tau(a, b) == pytest.approx(slow_tau(a, b))


@pytest.mark.parametrize("rows", [2, 60, 500, 501])
def test_tau_is_scipys_for_few_rows_and_for_many(rows: int) -> None:
    rng = np.random.default_rng(rows)
    observed = np.round(rng.normal(size=rows), 1)
    predicted = np.round(observed + rng.normal(size=rows), 1)
    assert kendall_tau(predicted, observed) == pytest.approx(
        kendalltau(predicted, observed).statistic, rel=1e-12
    )


def test_tau_of_three_with_one_pair_reversed_is_a_third() -> None:
    assert kendall_tau(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])) == pytest.approx(1 / 3)


@pytest.mark.parametrize("a", [[1.0, 1.0, 1.0], [1.0]])
def test_tau_without_any_order_is_zero(a: list[float]) -> None:
    assert kendall_tau(np.array(a), np.arange(float(len(a)))) == 0.0


def test_tau_of_the_better_half_ignores_the_order_of_the_rest() -> None:
    observed = np.arange(8.0)
    assert best_half_tau(np.array([0.0, 1, 2, 3, 7, 6, 5, 4]), observed) == 1.0
    assert best_half_tau(np.array([0.0, 1, 3, 2, 4, 5, 6, 7]), observed) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("rows", "predicted_best", "expected"),
    [(40, [0, 1, 2, 3], 1.0), (40, [0, 1, 20, 30], 0.5), (10, [1, 5], 0.5), (1, [0], 1.0)],
)
def test_precision_counts_the_best_tenth_among_the_lowest_predictions(
    rows: int, predicted_best: list[int], expected: float
) -> None:
    predicted = np.ones(rows)
    predicted[predicted_best] = 0.0
    assert best_tenth_precision(predicted, np.arange(float(rows))) == expected


def test_rmse_of_errors_three_and_four() -> None:
    assert rmse(np.array([3.0, 0.0]), np.array([0.0, 4.0])) == pytest.approx(np.sqrt(12.5))


def test_coverage_counts_what_lies_within_1_645_deviations() -> None:
    observed = np.array([0.0, 1.64, -1.64, 1.65, -3.0])
    assert coverage(np.zeros(5), np.ones(5), observed) == pytest.approx(3 / 5)


def test_an_honest_normal_model_covers_nine_in_ten_and_needs_no_factor() -> None:
    observed = np.random.default_rng(0).normal(size=20_000)
    assert coverage(np.zeros(20_000), np.ones(20_000), observed) == pytest.approx(0.9, abs=0.01)
    assert calibration(np.zeros(20_000), np.ones(20_000), observed) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("true_std", [0.5, 3.0])
def test_calibration_finds_the_factor_by_which_deviations_are_wrong(true_std: float) -> None:
    observed = np.random.default_rng(0).normal(0, true_std, 5000)
    assert calibration(np.zeros(5000), np.ones(5000), observed) == pytest.approx(true_std, rel=0.05)


def test_calibration_is_finite_when_deviations_are_zero() -> None:
    assert calibration(np.zeros(4), np.zeros(4), np.ones(4)) == 10.0


def test_folds_hold_every_row_once_in_nearly_equal_parts() -> None:
    folds = make_folds(23, 5, np.random.default_rng(0))
    assert sorted(np.concatenate(folds).tolist()) == list(range(23))
    assert {len(f) for f in folds} == {4, 5}


@pytest.mark.parametrize("folds", [1, 4])
def test_impossible_folds_are_refused(folds: int) -> None:
    with pytest.raises(ConfigError, match="folds: expected 2 to 3"):
        make_folds(3, folds, np.random.default_rng(0))


def test_no_row_is_predicted_by_a_model_that_saw_it() -> None:
    y = np.array([0.0, 0.0, 0.0, 0.0, 10.0])
    folds = [np.array([0, 1]), np.array([2, 3]), np.array([4])]
    found = cross_validate(Constant, np.zeros((5, 1)), y, folds)
    np.testing.assert_allclose(found.mean, [10 / 3, 10 / 3, 10 / 3, 10 / 3, 0.0])


def test_the_mean_of_tau_is_over_repeats_and_the_deviation_is_the_jackknifes() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=20)
    predictions = [y + rng.normal(0, s, 20) for s in (0.5, 1.0)]
    folds = [make_folds(20, 4, rng) for _ in predictions]
    found = estimate_tau([OutOfFold(p, np.ones(20)) for p in predictions], y, folds)
    assert found.mean == pytest.approx(np.mean([kendall_tau(p, y) for p in predictions]))
    variances = []
    for p, parts in zip(predictions, folds, strict=True):
        left = [kendall_tau(np.delete(p, part), np.delete(y, part)) for part in parts]
        variances.append(3 / 4 * np.sum((np.array(left) - np.mean(left)) ** 2))
    assert found.deviation == pytest.approx(np.sqrt(np.mean(variances)))


def test_the_deviation_is_about_what_other_samples_would_give() -> None:
    rng = np.random.default_rng(0)
    taus, deviations = [], []
    for _ in range(200):
        y = rng.normal(size=60)
        predicted = y + rng.normal(size=60)
        taus.append(kendall_tau(predicted, y))
        parts = OutOfFold(predicted, np.ones(60))
        deviations.append(estimate_tau([parts], y, [make_folds(60, 5, rng)]).deviation)
    assert np.mean(deviations) == pytest.approx(np.std(taus), rel=0.25)


def test_an_interval_stays_within_minus_one_and_one() -> None:
    estimate = TauEstimate(0.9, 0.2)
    assert estimate.cautious == pytest.approx(0.7)
    assert estimate.interval == (pytest.approx(0.9 - 1.645 * 0.2, abs=1e-3), 1.0)


def test_coverage_after_calibration_is_about_nine_in_ten_for_a_wrong_deviation() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = X[:, 0] + rng.normal(0, 0.5, 200)
    folds = make_folds(200, 5, rng)
    found = cross_validate(PairwiseRidge, X, y, folds)
    assert coverage(found.mean, 0.2 * found.std, y) < 0.5
    assert honest_coverage(found.mean, 0.2 * found.std, y, folds) == pytest.approx(0.9, abs=0.06)
