"""How well inherited values agree with those of own trainings: rank correlation, also given the costs, and bias, with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau, norm, t

from nas.core.records import FloatArray
from nas.sharing.settings import LEAST

CONFIDENCE = 0.9
_ROWS_FOR_SQUARES = 10


@dataclass(frozen=True)
class Measured:
    """An estimate and its 90% interval; NaN where it cannot be estimated."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Agreement:
    """Agreement of n inherited values with own ones.

    `tau` is Kendall's rank correlation (tau-b, -1 to 1). `partial` is that of what the costs do not explain, near 0 where inherited
    values add nothing to them. `bias` is the mean of inherited minus own values, in their unit.
    """

    networks: int
    tau: Measured = Measured()
    partial: Measured = Measured()
    bias: Measured = Measured()


def agreement(inherited: FloatArray, own: FloatArray, costs: FloatArray) -> Agreement:
    """Compare the values (n,) of n networks, given their exact costs (n, q), such as multiply-adds and parameters.

    Intervals of rank correlations are approximate (Fieller, Hartley and Pearson, "Tests for rank correlation coefficients I", Biometrika
    44, 1957), one network fewer for each factor of the regression; below `LEAST` networks everything is NaN.
    """
    n = len(own)
    if n < LEAST:
        return Agreement(n)
    inherited, own, costs = (np.asarray(v, dtype=np.float64) for v in (inherited, own, costs))
    costs = costs.reshape(n, -1)
    return Agreement(
        n,
        _correlated(tau(inherited, own), n),
        _correlated(partial_tau(inherited, own, costs), n - _factors(costs, n).shape[1] + 1),
        _mean(inherited - own),
    )


def tau(x: FloatArray, y: FloatArray) -> float:
    """Kendall's tau-b of two columns (n,); 0 where one of them is constant."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    return float(kendalltau(x, y).statistic)


def partial_tau(x: FloatArray, y: FloatArray, costs: FloatArray) -> float:
    """Kendall's tau of what costs (n, q), at least 0, leave of x and y (n,): residuals of regressions on the logarithms of the costs and, from ten rows, their squares.

    Near 0 for columns that agree only because both follow the costs in a line or a parabola; what both have of another curve, such as a step, counts as agreement.
    Kendall's own partial tau (Biometrika 32, 1942) is not: with
    costs that explain two thirds of the variance of both it is .13.
    """
    factors = _factors(np.log1p(costs), len(y))
    return tau(*(column - factors @ np.linalg.lstsq(factors, column)[0] for column in (x, y)))


def _factors(logs: FloatArray, n: int) -> FloatArray:
    """A constant, the columns (n, q) around their means, and with enough rows their squares."""
    centred = logs - logs.mean(axis=0)
    squares = [centred**2] if n >= _ROWS_FOR_SQUARES else []
    return np.column_stack([np.ones(n), centred, *squares])


def _correlated(value: float, n: int) -> Measured:
    if n <= 4:
        return Measured(value, -1.0, 1.0)
    half = norm.ppf(0.5 + CONFIDENCE / 2) * math.sqrt(0.437 / (n - 4))
    centre = math.atanh(min(max(value, -0.999999), 0.999999))
    return Measured(value, math.tanh(centre - half), math.tanh(centre + half))


def _mean(values: FloatArray) -> Measured:
    n, mean = len(values), float(values.mean())
    half = float(t.ppf(0.5 + CONFIDENCE / 2, n - 1) * values.std(ddof=1) / math.sqrt(n))
    return Measured(mean, mean - half, mean + half)
