"""Ensembles by the bootstrap (Breiman, "Bagging predictors", 1996, section 2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nas.core.records import FloatArray


def bootstrapped(
    make: Callable[[int], Any], X: FloatArray, y: FloatArray, members: int, seed: int
) -> tuple[list[Any], float]:
    """Estimators with scikit-learn's `fit`, each on its own resample; and the error on rows left out.

    The error is the root mean square over rows that at least one member did not see, by those members' mean; the
    spread of y when there are none.
    """
    rng = np.random.default_rng(seed)
    n = len(y)
    fitted, total, count = [], np.zeros(n), np.zeros(n)
    for member in range(members):
        rows = rng.integers(0, n, n)
        fitted.append(make(seed + member).fit(X[rows], y[rows]))
        unseen = np.setdiff1d(np.arange(n), rows)
        if len(unseen):
            total[unseen] += fitted[-1].predict(X[unseen])
            count[unseen] += 1
    known = count > 0
    if not known.any():
        return fitted, float(y.std())
    return fitted, float(np.sqrt(np.mean((total[known] / count[known] - y[known]) ** 2)))


def combined(fitted: Sequence[Any], X: FloatArray, error: float) -> tuple[FloatArray, FloatArray]:
    """Mean of the members, and a deviation of the size of `error` that follows their disagreement."""
    votes = np.stack([member.predict(X) for member in fitted])
    return votes.mean(axis=0), np.sqrt(votes.var(axis=0) + 0.5 * error**2)
