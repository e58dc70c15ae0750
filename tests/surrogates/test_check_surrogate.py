"""`nas.testing.check_surrogate` accepts what keeps the contract, and names what breaks it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from nas.core.records import FloatArray
from nas.testing import check_surrogate
from surrogates import SURROGATES


class Nearest:
    """Predicts the target of the nearest row."""

    def fit(self, X: FloatArray, y: FloatArray) -> Any:
        self.X, self.y = X, y
        return self

    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        nearest = ((X[:, None] - self.X[None]) ** 2).sum(axis=2).argmin(axis=1)
        return self.y[nearest], np.ones(len(X))


class Nothing(Nearest):
    def fit(self, X: FloatArray, y: FloatArray) -> Any:
        super().fit(X, y)


class Hoarder(Nearest):
    """Keeps what earlier fits were given."""

    def fit(self, X: FloatArray, y: FloatArray) -> Any:
        seen = hasattr(self, "X")
        return super().fit(np.vstack([self.X, X]) if seen else X, np.append(self.y, y + 1e3) if seen else y)


class Column(Nearest):
    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        mean, std = super().predict(X)
        return mean[:, None], std


class Fickle(Nearest):
    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        mean, std = super().predict(X)
        self.y = self.y + 1.0
        return mean, std


class Unsure(Nearest):
    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        mean, std = super().predict(X)
        return mean, std * (np.nan if len(self.y) == 1 else 1.0)


@pytest.mark.parametrize(
    "make", [Nearest, SURROGATES["constant"], SURROGATES["rbf"], partial(SURROGATES["extra-trees"], trees=10)]
)
def test_a_surrogate_that_keeps_the_contract_is_accepted(make: Callable[[], Any]) -> None:
    check_surrogate(make)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (Nothing, "fit must return the surrogate itself"),
        (Hoarder, "fit must forget any earlier fit"),
        (Column, r"mean must have shape \(7,\), got \(7, 1\)"),
        (Fickle, "different values when it is called again"),
        (Unsure, "after a fit to one row: standard deviation must be finite"),
    ],
)
def test_what_breaks_the_contract_is_named(make: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_surrogate(make)
