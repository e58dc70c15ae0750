"""The contract of a surrogate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nas.core.records import FloatArray
from nas.testing.claims import ensure


def check_surrogate(make: Callable[[], Any], columns: int = 12, seed: int = 0) -> None:
    """Check that `make()` returns a surrogate that keeps the contract of `nas.core.surrogate.Surrogate`.

    It is fitted to synthetic one-hot rows with this number of columns: to many rows, to one, to a constant, and again
    after an earlier fit. Raises `AssertionError` naming the violation.
    """
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 2, (25, columns)).astype(np.float64)
    y = X @ rng.normal(size=columns) + 20.0
    queries = rng.integers(0, 2, (7, columns)).astype(np.float64)
    surrogate = make()
    ensure(surrogate.fit(X, y) is surrogate, "fit must return the surrogate itself")
    once = _predicted(surrogate, queries, "predict")
    _same(
        once,
        _predicted(surrogate, queries, "predict"),
        "predict returns different values when it is called again",
    )
    _same(once, _predicted(make().fit(X, y), queries, "predict"), "the same data give different predictions")
    refitted = make().fit(1.0 - X[:12], -y[:12]).fit(X, y)
    _same(once, _predicted(refitted, queries, "predict"), "fit must forget any earlier fit")
    _predicted(make().fit(X[:1], y[:1]), queries, "predict after a fit to one row")
    mean, _ = _predicted(make().fit(X, np.full(len(y), 5.0)), queries, "predict after a fit to a constant")
    ensure(
        bool(np.allclose(mean, 5.0, atol=0.5)), f"a constant target of 5 is predicted as {mean.mean():.3g}"
    )


def _predicted(surrogate: Any, queries: FloatArray, what: str) -> tuple[FloatArray, FloatArray]:
    mean, std = (np.asarray(part) for part in surrogate.predict(queries))
    for name, values in (("mean", mean), ("standard deviation", std)):
        ensure(
            values.shape == (len(queries),),
            f"{what}: {name} must have shape ({len(queries)},), got {values.shape}",
        )
        ensure(bool(np.isfinite(values).all()), f"{what}: {name} must be finite, got {values}")
    ensure(bool((std >= 0).all()), f"{what}: standard deviations must not be negative, got {std.min():.3g}")
    return mean, std


def _same(first: tuple[FloatArray, FloatArray], second: tuple[FloatArray, FloatArray], sentence: str) -> None:
    ensure(all(np.array_equal(a, b) for a, b in zip(first, second, strict=True)), sentence)
