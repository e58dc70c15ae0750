"""Radial basis functions and pairwise ridge against slow, explicit versions."""

from __future__ import annotations

import numpy as np
import pytest

from nas.core.records import FloatArray
from surrogates import _kernel_ridge
from surrogates.pairwise_ridge import PairwiseRidge
from surrogates.rbf import RBF


def smooth(n: int, seed: int) -> tuple[FloatArray, FloatArray]:
    X = np.random.default_rng(seed).normal(size=(n, 3))
    return X, X[:, 0] ** 2 + np.sin(2 * X[:, 1]) - X[:, 2]


def pair_features(X: FloatArray, of: FloatArray) -> FloatArray:
    """All columns and products of two, with the coefficients that (1 + u.v)^2 gives them."""
    u = (X - of.mean(axis=0)) / of.std(axis=0) / np.sqrt(X.shape[1])
    products = (u[:, :, None] * u[:, None, :]).reshape(len(u), -1)
    return np.concatenate([np.ones((len(u), 1)), np.sqrt(2) * u, products], axis=1)


def test_pairwise_ridge_is_ridge_on_explicit_products() -> None:
    X, y = smooth(40, 0)
    queries, _ = smooth(15, 1)
    model = PairwiseRidge().fit(X, y)
    P, Q = pair_features(X, X), pair_features(queries, X)
    penalty = model.penalty_ * model.unit_
    coefficients = np.linalg.solve(P.T @ P + penalty * np.eye(P.shape[1]), P.T @ ((y - y.mean()) / y.std()))
    np.testing.assert_allclose(model.predict(queries)[0], y.mean() + y.std() * Q @ coefficients, atol=1e-6)


@pytest.mark.parametrize("penalty", [1e-4, 0.1])
def test_left_out_errors_equal_those_of_really_leaving_rows_out(penalty: float) -> None:
    X, y = smooth(25, 0)
    K = RBF()._kernel(X, X)
    values, vectors = np.linalg.eigh(K)
    errors = _kernel_ridge._left_out(values, vectors, vectors.T @ y, penalty)
    for i in range(25):
        rest = np.delete(np.arange(25), i)
        weights = np.linalg.solve(K[np.ix_(rest, rest)] + penalty * np.eye(24), y[rest])
        assert errors[i] == pytest.approx(y[i] - K[i, rest] @ weights, abs=1e-6)


@pytest.mark.parametrize("n", [2, 5, 40, 150])
@pytest.mark.parametrize("columns", [1, 3, 30])
def test_the_cubic_kernel_with_its_tail_is_positive_definite_on_standardised_rows(
    n: int, columns: int
) -> None:
    X = np.random.default_rng(n).normal(size=(n, columns))
    X = (X - X.mean(axis=0)) / X.std(axis=0) / np.sqrt(columns)
    assert np.linalg.eigvalsh(RBF()._kernel(X, X)).min() > -1e-9 * n


def test_cubic_functions_go_through_data_without_noise() -> None:
    X, y = smooth(60, 0)
    np.testing.assert_allclose(RBF().fit(X, y).predict(X)[0], y, atol=0.1 * y.std())


def test_a_straight_line_is_continued_beyond_the_data() -> None:
    X = np.linspace(0, 1, 20)[:, None]
    mean, _ = RBF().fit(X, 3 * X[:, 0] + 1).predict(np.array([[1.5]]))
    assert mean[0] == pytest.approx(5.5, abs=0.1)


@pytest.mark.parametrize("model", [RBF, PairwiseRidge])
def test_the_deviation_grows_away_from_the_data(model: type[RBF] | type[PairwiseRidge]) -> None:
    X, y = smooth(60, 0)
    fitted = model().fit(X, y + np.random.default_rng(1).normal(0, 0.1, 60))
    assert fitted.predict(X * 4)[1].mean() > 1.5 * fitted.predict(X)[1].mean()


def test_only_the_newest_rows_are_used_beyond_the_limit() -> None:
    X, y = smooth(50, 0)
    np.testing.assert_array_equal(
        RBF(max_points=20).fit(X, y).predict(X), RBF().fit(X[-20:], y[-20:]).predict(X)
    )
