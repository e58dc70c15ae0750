"""The Gaussian process against finite differences, a naive dense implementation, and its bound on cost."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from nas.core.errors import ConfigError
from nas.core.records import FloatArray
from surrogates.gaussian_process import GaussianProcess

NUMERIC = (3, 4)


def mixed(n: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Three categories of 2 to 4 levels, two numbers, and a noisy target."""
    rng = np.random.default_rng(seed)
    categories = rng.integers(0, (2, 3, 4), (n, 3)).astype(np.float64)
    numbers = rng.normal(size=(n, 2)) * (1.0, 50.0)
    y = categories[:, 0] + np.sin(categories[:, 2] * 2.0) + np.cos(numbers[:, 0]) + rng.normal(0, 0.1, n)
    return np.concatenate([categories, numbers], axis=1), y


def naive_kernel(a: FloatArray, b: FloatArray, X: FloatArray, log_p: FloatArray) -> float:
    """Covariance of two rows, written out gene by gene; X gives the scale of numbers."""
    weights, inverse_squares = np.exp(log_p[3:6]), np.exp(log_p[6:])
    hamming = sum(w for w, u, v in zip(weights, a[:3], b[:3], strict=True) if u != v)
    deviations = X[:, 3:].std(axis=0)
    r = np.sqrt(np.sum(inverse_squares * ((a[3:] - b[3:]) / deviations) ** 2))
    matern = (1 + np.sqrt(5) * r + 5 * r * r / 3) * np.exp(-np.sqrt(5) * r)
    centre = X[:, 3:].mean(axis=0)
    trend = np.mean((a[3:] - centre) * (b[3:] - centre) / deviations**2)
    return float(np.exp(log_p[0]) * np.exp(-hamming) * matern + np.exp(log_p[2]) * trend)


def naive_predict(
    model: GaussianProcess, X: FloatArray, y: FloatArray, queries: FloatArray
) -> tuple[FloatArray, FloatArray]:
    p = model.log_parameters_
    z = (y - y.mean()) / y.std()
    covariance = np.array([[naive_kernel(a, b, X, p) for b in X] for a in X]) + np.exp(p[1]) * np.eye(len(X))
    across = np.array([[naive_kernel(q, b, X, p) for b in X] for q in queries])
    inverse = np.linalg.inv(covariance)
    prior = np.array([naive_kernel(q, q, X, p) for q in queries]) + np.exp(p[1])
    variance = prior - np.einsum("ij,jk,ik->i", across, inverse, across)
    return y.mean() + y.std() * across @ inverse @ z, y.std() * np.sqrt(variance)


def test_predictions_equal_those_of_a_dense_implementation() -> None:
    X, y = mixed(40, 0)
    queries, _ = mixed(12, 1)
    model = GaussianProcess(numeric=NUMERIC).fit(X, y)
    mean, std = model.predict(queries)
    expected_mean, expected_std = naive_predict(model, X, y, queries)
    np.testing.assert_allclose(mean, expected_mean, atol=1e-5)
    np.testing.assert_allclose(std, expected_std, atol=1e-5)


@pytest.mark.parametrize("numeric", [(), NUMERIC, slice(None)], ids=["categories", "mixed", "numbers"])
@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_is_that_of_the_posterior(numeric: tuple[int, ...] | slice, seed: int) -> None:
    X, y = mixed(30, seed)
    if numeric == ():
        X = X[:, :3]
    model = GaussianProcess(numeric=numeric).fit(X, y)
    features, z = model._features(X), (y - y.mean()) / y.std()
    at = model._prior_means() + np.random.default_rng(seed).normal(0, 0.7, len(model._prior_means()))
    _, gradient = model._negative_log_posterior(at, features, z)
    slopes = approx_fprime(at, lambda p: model._negative_log_posterior(p, features, z)[0], 1e-6)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-3, atol=1e-3)


def test_tuning_does_not_make_the_posterior_worse() -> None:
    X, y = mixed(60, 0)
    model = GaussianProcess(numeric=NUMERIC).fit(X, y)
    features, z = model._features(X), (y - y.mean()) / y.std()
    start = model._negative_log_posterior(model._prior_means(), features, z)[0]
    assert model._negative_log_posterior(model.log_parameters_, features, z)[0] < start - 1.0


def test_a_gene_that_matters_gets_more_weight_than_one_that_does_not() -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (120, 4)).astype(np.float64)
    model = GaussianProcess().fit(X, X[:, 1] + rng.normal(0, 0.05, 120))
    weights = model.log_parameters_[3:]
    assert weights[1] > max(np.delete(weights, 1)) + 1.0


def test_noise_is_found_in_repeated_measurements() -> None:
    rng = np.random.default_rng(0)
    X = np.repeat(rng.integers(0, 3, (20, 3)), 6, axis=0).astype(np.float64)
    y = 10.0 * X.sum(axis=1) + rng.normal(0, 3.0, len(X))
    assert GaussianProcess().fit(X, y).noise_std_ == pytest.approx(3.0, rel=0.3)


def test_far_from_all_data_in_categories_the_deviation_is_that_of_the_targets() -> None:
    X, y = mixed(60, 0)
    model = GaussianProcess().fit(X[:, :3], y)
    far = np.array([[9.0, 9.0, 9.0]])
    mean, std = model.predict(far)
    assert mean[0] == pytest.approx(y.mean(), abs=1e-3 + 0.3 * y.std())
    assert std[0] > model.predict(X[:, :3])[1].max()


def test_a_linear_trend_continues_beyond_the_data() -> None:
    X = np.linspace(0, 1, 12)[:, None]
    model = GaussianProcess(numeric=(0,)).fit(X, 5.0 - 3.0 * X[:, 0])
    mean, std = model.predict(np.array([[1.5], [0.5]]))
    assert mean[0] == pytest.approx(0.5, abs=0.2)
    assert std[0] > std[1]


def test_unseen_categories_are_further_away_than_seen_ones() -> None:
    X, y = mixed(60, 0)
    model = GaussianProcess(numeric=NUMERIC).fit(X, y)
    other = X.copy()
    other[:, 2] = 77.0
    assert (model.predict(other)[1] > model.predict(X)[1]).all()


def test_numeric_columns_may_be_counted_from_the_end() -> None:
    X, y = mixed(30, 0)
    positive = GaussianProcess(numeric=(3, 4)).fit(X, y).predict(X)
    np.testing.assert_array_equal(GaussianProcess(numeric=(-2, -1)).fit(X, y).predict(X), positive)
    np.testing.assert_array_equal(GaussianProcess(numeric=slice(3, None)).fit(X, y).predict(X), positive)


def test_a_numeric_column_that_does_not_exist_is_refused() -> None:
    X, y = mixed(10, 0)
    with pytest.raises(ConfigError, match="numeric: expected columns below 5"):
        GaussianProcess(numeric=(5,)).fit(X, y)


def test_memory_and_tuning_are_bounded_as_data_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = mixed(500, 0)
    model = GaussianProcess(numeric=NUMERIC, tune_points=50, max_points=80)
    seen: list[int] = []
    original = model._negative_log_posterior

    def spy(
        log_p: FloatArray, features: tuple[FloatArray, FloatArray], z: FloatArray
    ) -> tuple[float, FloatArray]:
        seen.append(len(z))
        return original(log_p, features, z)

    monkeypatch.setattr(model, "_negative_log_posterior", spy)
    model.fit(X, y)
    assert set(seen) == {50}
    assert model._inverse.shape == (80, 80)


def test_the_best_and_the_newest_are_kept() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = rng.normal(size=300)
    model = GaussianProcess(numeric=slice(None), tune_points=40, max_points=60).fit(X, y)
    kept = model._known32[1] * X.std(axis=0) + X.mean(axis=0)
    best = X[np.argsort(y)[:30]]
    assert all(np.isclose(kept, row).all(axis=1).any() for row in best)
    assert np.isclose(kept, X[-1]).all(axis=1).any()


def test_conditioning_on_the_same_rows_changes_nothing_and_on_more_makes_them_known() -> None:
    X, y = mixed(40, 0)
    more, z = mixed(15, 1)
    model = GaussianProcess(numeric=NUMERIC).fit(X, y)
    before, tuned = model.predict(more), model.log_parameters_.copy()
    again = model.condition(X, y).predict(more)
    np.testing.assert_allclose(again, before)
    model.condition(np.vstack([X, more]), np.concatenate([y, z]))
    assert (model.log_parameters_ == tuned).all()
    assert (model.predict(more)[1] < before[1]).all()
