"""Every surrogate of the registry keeps the contract of `nas.core.surrogate.Surrogate`."""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nas.core.errors import ConfigError
from nas.core.records import FloatArray
from surrogates import SURROGATES
from surrogates.quality import kendall_tau

VERTICES, KINDS = 4, 3
# small settings, so that the whole contract takes seconds
SMALL: dict[str, dict[str, Any]] = {
    "extra-trees": {"trees": 30},
    "random-forest": {"trees": 30},
    "gradient-boosting": {"members": 2, "trees": 30},
    "lightgbm": {"members": 2, "trees": 30},
    "mlp-ensemble": {"members": 3, "width": 16, "steps": 120},
    "graph-network": {"vertices": VERTICES, "members": 2, "width": 12, "steps": 80},
}


def made(name: str) -> Any:
    if name == "lightgbm" and importlib.util.find_spec("lightgbm") is None:
        pytest.skip("the optional package lightgbm is not installed")
    return SURROGATES[name](**SMALL.get(name, {}))


def graphs(n: int, seed: int) -> FloatArray:
    """Random graphs of four vertices with one-hot operations, flat: columns that suit every surrogate."""
    rng = np.random.default_rng(seed)
    adjacency = np.triu(rng.integers(0, 2, (n, VERTICES, VERTICES)), 1)
    operations = np.eye(KINDS)[rng.integers(0, KINDS, (n, VERTICES))]
    return np.concatenate([adjacency.reshape(n, -1), operations.reshape(n, -1)], axis=1).astype(np.float64)


def target(X: FloatArray) -> FloatArray:
    """Edges help, the first operation too; a little interaction."""
    edges, first = X[:, : VERTICES**2].sum(axis=1), X[:, VERTICES**2 :: KINDS].sum(axis=1)
    return 10.0 - edges - 2.0 * first + 0.3 * edges * first


@pytest.fixture(params=list(SURROGATES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def predict_after(
    name: str, X: FloatArray, y: FloatArray, queries: FloatArray
) -> tuple[FloatArray, FloatArray]:
    mean, std = made(name).fit(X, y).predict(queries)
    return mean, std


def test_fit_returns_the_surrogate_itself(name: str) -> None:
    surrogate = made(name)
    assert surrogate.fit(graphs(12, 0), target(graphs(12, 0))) is surrogate


def test_predictions_have_one_finite_mean_and_deviation_a_row(name: str) -> None:
    X = graphs(25, 0)
    mean, std = predict_after(name, X, target(X), graphs(7, 1))
    assert mean.shape == std.shape == (7,)
    assert np.isfinite(mean).all()
    assert np.isfinite(std).all()
    assert (std >= 0).all()
    assert mean.dtype == std.dtype == np.float64


def test_fitting_twice_equals_fitting_once(name: str) -> None:
    X, other, queries = graphs(25, 0), graphs(30, 5), graphs(9, 1)
    once = predict_after(name, X, target(X), queries)
    twice = made(name).fit(other, -target(other)).fit(X, target(X)).predict(queries)
    np.testing.assert_array_equal(once, twice)


def test_the_same_data_give_the_same_predictions(name: str) -> None:
    X, queries = graphs(25, 0), graphs(9, 1)
    np.testing.assert_array_equal(
        predict_after(name, X, target(X), queries), predict_after(name, X, target(X), queries)
    )


def test_predicting_does_not_change_the_surrogate(name: str) -> None:
    X, queries = graphs(25, 0), graphs(9, 1)
    surrogate = made(name).fit(X, target(X))
    first = surrogate.predict(queries)
    surrogate.predict(graphs(20, 7))
    np.testing.assert_array_equal(first, surrogate.predict(queries))


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_so_few_rows_suffice(name: str, rows: int) -> None:
    X = graphs(rows, 0)
    mean, std = predict_after(name, X, target(X), graphs(5, 1))
    assert np.isfinite(mean).all()
    assert np.isfinite(std).all()


def test_one_row_predicts_its_own_value_everywhere(name: str) -> None:
    mean, _ = predict_after(name, graphs(1, 0), np.array([3.5]), graphs(5, 1))
    np.testing.assert_allclose(mean, 3.5, atol=0.5)


@pytest.mark.parametrize("value", [0.1, -250.0])
def test_a_constant_target_is_predicted_as_that_constant(name: str, value: float) -> None:
    X = graphs(20, 0)
    mean, std = predict_after(name, X, np.full(20, value), graphs(6, 1))
    np.testing.assert_allclose(mean, value, atol=0.2)
    assert np.isfinite(std).all()


def test_constant_columns_do_no_harm(name: str) -> None:
    X = np.repeat(graphs(1, 0), 15, axis=0)
    y = np.random.default_rng(0).normal(size=15)
    mean, std = predict_after(name, X, y, graphs(4, 1))
    assert np.isfinite(mean).all()
    assert np.isfinite(std).all()


def test_the_arguments_are_left_as_they_were(name: str) -> None:
    X = graphs(20, 0)
    y = target(X)
    X_before, y_before = X.copy(), y.copy()
    made(name).fit(X, y).predict(X)
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(y, y_before)


def test_predictions_follow_the_units_of_the_target(name: str) -> None:
    X, queries = graphs(40, 0), graphs(10, 1)
    mean, std = predict_after(name, X, target(X), queries)
    mean_scaled, std_scaled = predict_after(name, X, 1000.0 * target(X) + 5.0, queries)
    np.testing.assert_allclose(mean_scaled, 1000.0 * mean + 5.0, rtol=0.02, atol=30.0)
    np.testing.assert_allclose(std_scaled, 1000.0 * std, rtol=0.05, atol=30.0)


def test_it_orders_unseen_rows_of_a_simple_function(name: str) -> None:
    if name == "constant":
        pytest.skip("the baseline orders nothing")
    X, queries = graphs(80, 0), graphs(200, 1)
    mean, _ = predict_after(name, X, target(X), queries)
    assert kendall_tau(mean, target(queries)) > 0.5


def test_its_intervals_are_neither_empty_nor_endless_on_noisy_data(name: str) -> None:
    rng = np.random.default_rng(3)
    X, queries = graphs(80, 0), graphs(200, 1)
    mean, std = predict_after(name, X, target(X) + rng.normal(0, 0.5, 80), queries)
    inside = np.abs(mean - target(queries) - rng.normal(0, 0.5, 200)) < 1.645 * std
    assert 0.6 < inside.mean() <= 1.0
    assert std.mean() < 2.0 * target(X).std()


@pytest.mark.parametrize(
    ("X", "y"),
    [
        (np.zeros((0, 3)), np.zeros(0)),
        (np.zeros(3), np.zeros(3)),
        (np.zeros((3, 2)), np.zeros(2)),
        (np.full((2, 2), np.nan), np.zeros(2)),
        (np.zeros((2, 2)), np.array([1.0, np.inf])),
    ],
    ids=["no rows", "flat X", "lengths differ", "NaN in X", "infinite y"],
)
def test_unusable_data_are_refused_by_name(name: str, X: FloatArray, y: FloatArray) -> None:
    with pytest.raises(ConfigError, match="fit:"):
        made(name).fit(X, y)


def test_queries_with_other_columns_are_refused(name: str) -> None:
    X = graphs(10, 0)
    with pytest.raises(ConfigError, match="predict: expected X"):
        made(name).fit(X, target(X)).predict(X[:, :-1])


def test_it_has_a_line_of_description_and_the_constructor_only_stores(name: str) -> None:
    lazy: Callable[..., Any] = SURROGATES[name]
    assert len(lazy.summary) > 20  # type: ignore[attr-defined]
    settings = SMALL.get(name, {})
    stored = vars(lazy(**settings))
    assert set(stored) == set(inspect.signature(lazy).parameters)
    assert settings.items() <= stored.items()


def test_listing_the_surrogates_loads_no_library_of_models() -> None:
    code = "import sys, surrogates; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "surrogates" in loaded
    assert not {"torch", "sklearn", "scipy", "lightgbm"} & set(loaded)


def test_an_absent_optional_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    X = graphs(10, 0)
    with pytest.raises(ConfigError, match=r"package lightgbm is not installed.*pip install lightgbm"):
        SURROGATES["lightgbm"]().fit(X, target(X))


def test_a_graph_network_names_the_columns_it_expects() -> None:
    with pytest.raises(ConfigError, match="vertices="):
        SURROGATES["graph-network"](vertices=5).fit(graphs(10, 0), np.arange(10.0))


def test_a_graph_network_does_not_see_the_order_of_inner_vertices() -> None:
    X = graphs(40, 0)
    model = SURROGATES["graph-network"](**SMALL["graph-network"]).fit(X, target(X))
    order = [0, 2, 1, 3]
    adjacency = X[:, : VERTICES**2].reshape(-1, VERTICES, VERTICES)[:, order][:, :, order]
    operations = X[:, VERTICES**2 :].reshape(-1, VERTICES, KINDS)[:, order]
    swapped = np.concatenate([adjacency.reshape(len(X), -1), operations.reshape(len(X), -1)], axis=1)
    assert not np.array_equal(swapped, X)
    np.testing.assert_allclose(model.predict(swapped)[0], model.predict(X)[0], atol=1e-4)
