"""Ensembles by the bootstrap (Breiman, "Bagging predictors", 1996, section 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nas.core.records import FloatArray
from surrogates.inputs import check_queries


def bootstrapped(
    make: Callable[[int], Any], X: FloatArray, y: FloatArray, members: int, seed: int
) -> tuple[list[Any], float]:
    """Estimators with scikit-learn's `fit`, each on its own resample; and the error on rows left out.

    The error is the root mean square over rows that at least one member did not see, by those members' mean; the
    spread of y when there are none.
    """
    rng = np.random.default_rng(seed)
    n = len(y)
    fitted, votes, unseen = [], np.zeros((members, n)), np.ones((members, n), dtype=bool)
    for member in range(members):
        rows = rng.integers(0, n, n)
        fitted.append(make(seed + member).fit(X[rows], y[rows]))
        unseen[member, rows] = False
        if unseen[member].any():
            votes[member, unseen[member]] = fitted[-1].predict(X[unseen[member]])
    return fitted, left_out_error(votes, unseen, y)


def left_out_error(votes: FloatArray, unseen: np.ndarray, y: FloatArray) -> float:
    """Root mean square error, on each row, of the members that never saw it; the spread of y when there are none.

    `votes` and `unseen` are (members, n).
    """
    count = unseen.sum(axis=0)
    known = count > 0
    if not known.any():
        return float(y.std())
    mean = (votes * unseen).sum(axis=0)[known] / count[known]
    return float(np.sqrt(np.mean((mean - y[known]) ** 2)))


class Bagged:
    """Base class of ensembles by `bootstrapped`, whose `fit` sets `members_` and `error_`."""

    members_: list[Any]
    error_: float
    n_features_in_: int

    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean of the members, and a deviation of the size of their error that follows their disagreement."""
        X = check_queries(X, self.n_features_in_)
        votes = np.stack([member.predict(X) for member in self.members_])
        return votes.mean(axis=0), np.sqrt(votes.var(axis=0) + 0.5 * self.error_**2)
