"""Random forests (Breiman, Machine Learning 2001)."""

from __future__ import annotations

from typing import Any

from surrogates._forest import Forest


class RandomForest(Forest):
    """A random forest; std is the spread of its trees."""

    def _estimator(self) -> type[Any]:
        from sklearn.ensemble import RandomForestRegressor

        return RandomForestRegressor  # type: ignore[no-any-return]
