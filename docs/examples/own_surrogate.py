"""A custom surrogate for `sa-moead`: mean and standard deviation of the nearest neighbours."""

from __future__ import annotations

import numpy as np
from made_up import MadeUp, evaluate
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

import nas
from nas.algorithms.sa_moead import SAMOEADSettings


class Neighbours:
    """Distance-weighted mean of the targets of the `k` nearest rows, with their spread as uncertainty."""

    def __init__(self, k: int = 4) -> None:
        self.k = k

    def fit(self, X: np.ndarray, y: np.ndarray) -> Neighbours:
        """Learn from X (n, d) and y (n,), forgetting any earlier fit."""
        self.scaler_ = StandardScaler().fit(X)
        self.tree_ = NearestNeighbors(n_neighbors=min(self.k, len(y))).fit(self.scaler_.transform(X))
        self.targets_ = np.asarray(y)
        return self

    def predict(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation, each (n,)."""
        distances, rows = self.tree_.kneighbors(self.scaler_.transform(X))
        weights = 1 / (distances + 1e-9)
        weights /= weights.sum(axis=1, keepdims=True)
        mean = (weights * self.targets_[rows]).sum(axis=1)
        return mean, np.sqrt((weights * (self.targets_[rows] - mean[:, None]) ** 2).sum(axis=1))


def search_with(surrogate: str) -> nas.SearchResult:
    """A search of forty evaluations with this surrogate: a name from `nas list surrogates`, or `module:Name`."""
    settings = SAMOEADSettings(surrogate=surrogate)
    space, objectives = MadeUp(), ["error", "madds"]
    return nas.search(
        space, objectives, evaluate, algorithm="sa-moead", algorithm_settings=settings, budget=40, seed=1
    )


if __name__ == "__main__":
    for name in ("own_surrogate:Neighbours", "auto"):
        found = search_with(name)
        tau = found.table.notes[-1].values["tau"]  # on results left out of the fit
        print(f"{name}: tau {tau:.2f}, hypervolume {found.summary['hypervolume']:.3f}")
