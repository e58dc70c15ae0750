"""Extremely randomised trees (Geurts, Ernst and Wehenkel, Machine Learning 2006)."""

from __future__ import annotations

from typing import Any

from surrogates._forest import Forest


class ExtraTrees(Forest):
    """Extremely randomised trees; std is the spread of the trees."""

    def _estimator(self) -> type[Any]:
        from sklearn.ensemble import ExtraTreesRegressor

        return ExtraTreesRegressor  # type: ignore[no-any-return]
