"""The expected value of noisy measurements, from companions, repetitions and other architectures."""

from __future__ import annotations

import numpy as np
import pytest

from surrogates.expected_value import FEWEST, Expected, ExpectedValue, Measurements
from surrogates.gaussian_process import GaussianProcess
from surrogates.quality import kendall_tau

NONE = np.empty((80, 0))


class Drawn:
    """80 architectures of six genes: a true value, measurements with a noise of 0.8, and a loss that shares half of the luck."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.X = rng.integers(0, 3, (80, 6)).astype(float)
        smooth = self.X @ rng.normal(0, 0.3, 6)
        self.true = smooth - smooth.mean() + rng.normal(0, 0.4, 80)
        luck = rng.normal(size=80)
        self.y = self.true + 0.8 * luck
        self.loss = self.true + 0.2 * luck + rng.normal(0, 0.3, 80)
        self.junk = rng.normal(size=80)
        self.group = np.arange(80)


def estimated(
    drawn: Drawn, companions: np.ndarray = NONE, noise: float | None = None, y: np.ndarray | None = None
) -> Expected:
    y = drawn.y if y is None else y
    data = Measurements(drawn.X, drawn.group, y, companions)
    return ExpectedValue(noise=noise).fit(data).estimate(data)


def error(found: np.ndarray, drawn: Drawn) -> float:
    return float(np.mean((found - drawn.true) ** 2))


SEEDS = range(6)


def test_it_is_nearer_to_the_true_values_than_the_measurements_are():
    for seed in SEEDS:
        drawn = Drawn(seed)
        assert error(estimated(drawn).mean, drawn) < 0.7 * error(drawn.y, drawn)


def test_a_companion_with_less_noise_brings_it_nearer():
    without, with_loss = [], []
    for seed in SEEDS:
        drawn = Drawn(seed)
        without.append(error(estimated(drawn).mean, drawn))
        with_loss.append(error(estimated(drawn, drawn.loss[:, None]).mean, drawn))
    assert np.mean(with_loss) < 0.85 * np.mean(without)


def test_an_unrelated_companion_does_little_harm():
    for seed in SEEDS:
        drawn = Drawn(seed)
        ours = kendall_tau(estimated(drawn, drawn.junk[:, None]).mean, drawn.true)
        assert ours > kendall_tau(estimated(drawn).mean, drawn.true) - 0.06


def test_the_scale_and_direction_of_a_companion_do_not_matter():
    drawn = Drawn(0)
    once = estimated(drawn, drawn.loss[:, None])
    for other in (1e6 * drawn.loss, np.exp(drawn.loss), -drawn.loss):
        again = estimated(drawn, other[:, None])
        assert again.mean == pytest.approx(once.mean)


def test_missing_companions_are_left_out():
    drawn = Drawn(0)
    companions = np.column_stack([drawn.loss, drawn.loss + 0.1 * drawn.junk])
    companions[::3, 0] = np.nan
    companions[1::4, 1] = np.nan
    companions[5] = np.nan
    found = estimated(drawn, companions)
    assert np.isfinite(found.mean).all()
    assert error(found.mean, drawn) < error(drawn.y, drawn)
    nothing = estimated(drawn, np.full((80, 2), np.nan))
    assert nothing.mean == pytest.approx(estimated(drawn).mean)


def test_nine_of_ten_true_values_lie_within_the_interval():
    inside = []
    for seed in range(10):
        drawn = Drawn(seed)
        for companions in (NONE, drawn.loss[:, None]):
            found = estimated(drawn, companions)
            inside += (np.abs(found.mean - drawn.true) < 1.645 * found.std).tolist()
    assert 0.8 < np.mean(inside) <= 1.0


def test_a_noise_that_is_given_is_used_and_a_small_one_keeps_the_measurements():
    drawn = Drawn(0)
    assert estimated(drawn, noise=0.5).noise == pytest.approx(0.5)
    exact = estimated(drawn, drawn.loss[:, None], noise=1e-3)
    assert exact.mean == pytest.approx(drawn.y, abs=0.06)


def test_repetitions_tell_the_noise_and_the_mean_of_many_is_kept():
    drawn, rng = Drawn(0), np.random.default_rng(0)
    drawn.group = np.repeat(np.arange(80), 20)
    y = drawn.true[drawn.group] + rng.normal(0, 0.8, 1600)
    empty = np.empty((1600, 0))
    data = Measurements(drawn.X, drawn.group, y, empty)
    found = ExpectedValue().fit(data).estimate(data)
    assert found.noise == pytest.approx(0.8, rel=0.1)
    means = y.reshape(80, 20).mean(axis=1)
    assert np.abs(found.mean - means).max() < 0.3


def test_few_or_equal_measurements_are_kept():
    few = FEWEST - 1
    X, y = np.arange(few)[:, None].astype(float), np.arange(few) ** 2.0
    data = Measurements(X, np.arange(few), y, y[:, None])
    assert ExpectedValue().fit(data).estimate(data).mean == pytest.approx(y)
    same = np.full(20, 3.0)
    X = np.arange(20.0)[:, None]
    data = Measurements(X, np.arange(20), same, X)
    assert ExpectedValue().fit(data).estimate(data).mean == pytest.approx(same)


def test_results_that_came_after_the_fit_are_estimated_too():
    drawn = Drawn(0)
    half = slice(0, 40)
    early = Measurements(drawn.X[half], drawn.group[half], drawn.y[half], drawn.loss[half, None])
    model = ExpectedValue().fit(early)
    found = model.estimate(Measurements(drawn.X, drawn.group, drawn.y, drawn.loss[:, None]))
    assert error(found.mean, drawn) < 0.8 * error(drawn.y, drawn)


def test_more_architectures_than_the_process_holds_are_estimated(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("surrogates.expected_value._ROWS", 30)
    drawn = Drawn(0)
    found = estimated(drawn, drawn.loss[:, None])
    assert np.isfinite(found.mean).all()
    assert error(found.mean, drawn) < error(drawn.y, drawn)


def test_leaving_one_out_is_predicting_each_row_from_the_others():
    drawn = Drawn(1)
    model = GaussianProcess(noise=0.5, noise_width=0.5).fit(drawn.X, drawn.y)
    held_out, std = model.leave_one_out()
    for i in (0, 17, 79):
        rest = np.delete(np.arange(80), i)
        mean, doubt = model.condition(drawn.X[rest], drawn.y[rest]).predict(drawn.X[[i]])
        assert held_out[i] == pytest.approx(mean[0], abs=1e-4)  # single precision
        assert std[i] == pytest.approx(doubt[0], rel=1e-3)


def test_an_architecture_unlike_all_others_keeps_more_of_its_measurement():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 1))
    y = 0.5 * X[:, 0] + 0.3 * rng.normal(size=40)
    y[0] = 3.0
    kept = []
    for place in (0.0, 6.0):
        X[0] = place
        data = Measurements(X, np.arange(40), y, np.empty((40, 0)))
        model = ExpectedValue(lambda **given: GaussianProcess(numeric=(0,), **given), noise=0.6)
        kept.append(float(model.fit(data).estimate(data).mean[0]))
    assert kept[0] < 0.85 * kept[1]


def test_measurements_with_more_noise_count_less():
    drawn, rng = Drawn(0), np.random.default_rng(1)
    relative = np.where(np.arange(80) % 2, 1.9, 0.1)
    y = drawn.true + 0.8 * np.sqrt(relative) * rng.normal(size=80)
    data = Measurements(drawn.X, drawn.group, y, NONE, relative)
    found = ExpectedValue(noise=0.8).fit(data).estimate(data)
    assert found.std[relative < 1].mean() < 0.7 * found.std[relative > 1].mean()
    moved = np.abs(found.mean - y)
    assert moved[relative < 1].mean() < 0.5 * moved[relative > 1].mean()


def test_companions_that_explain_the_target_bound_its_noise():
    """Then most of what other architectures leave unexplained belongs to the architecture."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (60, 6)).astype(float)
    y = rng.normal(size=60)  # unrelated to X
    loss = y + 0.1 * rng.normal(size=60)
    group = np.arange(60)
    alone = ExpectedValue().fit(Measurements(X, group, y, np.empty((60, 0)))).noise_
    assert alone > 0.5
    assert ExpectedValue().fit(Measurements(X, group, y, loss[:, None])).noise_ < 0.1
