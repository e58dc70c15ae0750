"""Transforms of the target, and any surrogate fitted to a transformed one.

A transform is learned from y and increases strictly: it keeps the order and changes only which differences matter.
Errors of networks have a long tail of bad ones; the logarithm or ranks give more weight to the good ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from nas.core.checks import check_fraction
from nas.core.errors import ConfigError
from nas.core.records import FloatArray
from nas.core.surrogate import Surrogate
from surrogates.inputs import check_data


class Fitted(Protocol):
    """A transform that has been learned; both ways on arrays of any shape."""

    def forward(self, y: FloatArray) -> FloatArray: ...

    def inverse(self, z: FloatArray) -> FloatArray: ...


class Transform(Protocol):
    """Learns a transform from targets."""

    def fit(self, y: FloatArray) -> Fitted:
        """From finite y (n,), n >= 1. Raises `ConfigError` for values outside its domain."""


@dataclass(frozen=True)
class Identity:
    """The target, unchanged."""

    def fit(self, y: FloatArray) -> Identity:
        """Nothing to learn."""
        return self

    def forward(self, y: FloatArray) -> FloatArray:
        return np.asarray(y, dtype=np.float64)

    def inverse(self, z: FloatArray) -> FloatArray:
        return np.asarray(z, dtype=np.float64)


@dataclass(frozen=True)
class Log:
    """Natural logarithm, for positive targets such as errors, latencies and sizes."""

    def fit(self, y: FloatArray) -> Log:
        """Raises `ConfigError` unless all y > 0."""
        if not (np.asarray(y) > 0).all():
            raise ConfigError(
                f"Log: expected targets above 0, got {float(np.min(y)):g}; use RankNormal() or Identity()"
            )
        return self

    def forward(self, y: FloatArray) -> FloatArray:
        return np.log(y)

    def inverse(self, z: FloatArray) -> FloatArray:
        return np.exp(z)


@dataclass(frozen=True)
class Logit:
    """log(y / (scale - y)), for fractions (scale 1) or percentages (scale 100).

    A measured 0 or `scale` counts as `margin` of the scale inside.
    """

    scale: float = 1.0
    margin: float = 1e-4

    def fit(self, y: FloatArray) -> Logit:
        """Raises `ConfigError` unless 0 <= y <= scale."""
        y = np.asarray(y)
        if not ((y >= 0) & (y <= self.scale)).all():
            raise ConfigError(
                f"Logit: expected targets from 0 to {self.scale:g}, got {y.min():g} to {y.max():g}; "
                "set scale=100 for percentages"
            )
        return self

    def forward(self, y: FloatArray) -> FloatArray:
        share = np.clip(np.asarray(y) / self.scale, self.margin, 1.0 - self.margin)
        return np.log(share) - np.log1p(-share)

    def inverse(self, z: FloatArray) -> FloatArray:
        share: FloatArray = 1.0 / (1.0 + np.exp(-np.clip(z, -700.0, 700.0)))
        return self.scale * share


_ROUNDING = 1e-9  # smaller distances of the best value from the median are errors of arithmetic


@dataclass(frozen=True)
class Tamed:
    """`base`, with the tail of bad values compressed: values far worse than the median do not stretch the scale.

    The edge is as far above the median as the best value is below it; beyond it distances grow as a logarithm.
    A model of the good values then need not explain how bad the worst networks are.
    """

    base: Transform = field(default_factory=Log)

    def fit(self, y: FloatArray) -> FittedTamed:
        """Raises `ConfigError` for values that `base` refuses."""
        base = self.base.fit(y)
        raw = base.forward(np.asarray(y, dtype=np.float64))
        middle = float(np.median(raw))
        width = middle - float(raw.min())
        if width <= _ROUNDING * max(1.0, abs(middle)):
            return FittedTamed(base, np.inf, 1.0, np.inf)
        return FittedTamed(base, middle + width, width, float(raw.max()) + width)


@dataclass(frozen=True)
class FittedTamed:
    """A learned `Tamed`: the base up to `edge`, logarithmic beyond, with a continuous slope; `worst` ends the inverse."""

    base: Fitted
    edge: float
    width: float
    worst: float  # a little beyond the worst value seen: the largest prediction

    def forward(self, y: FloatArray) -> FloatArray:
        x = self.base.forward(y)
        beyond = np.maximum(x - self.edge, 0.0)
        tamed: FloatArray = np.minimum(x, self.edge) + self.width * np.log1p(beyond / self.width)
        return tamed

    def inverse(self, z: FloatArray) -> FloatArray:
        z = np.asarray(z, dtype=np.float64)
        beyond = np.minimum(np.maximum(z - self.edge, 0.0) / self.width, 50.0)
        x = np.minimum(z, self.edge) + self.width * np.expm1(beyond)
        return self.base.inverse(np.minimum(x, self.worst))


@dataclass(frozen=True)
class RankNormal:
    """Towards a normal distribution: `share` of the normal score of the rank, the rest `base`, standardised.

    A share of 1 keeps ranks alone (van der Waerden scores); a half keeps the size of gaps in play, and gave the
    best order among good architectures without spoiling that among all. Between known targets it is
    linear, beyond them it continues at the mean slope, so predictions may be better than all targets seen.
    """

    share: float = 0.5
    base: Transform = field(default_factory=Log)

    def fit(self, y: FloatArray) -> FittedRanks:
        """Raises `ConfigError` for values that `base` refuses."""
        check_fraction("share", self.share)
        base = self.base.fit(y)
        raw = base.forward(np.asarray(y, dtype=np.float64))
        deviation = float(raw.std()) if np.ptp(raw) > 0 else 1.0
        known, first = np.unique(raw, return_index=True)
        scores = ndtri((rankdata(raw)[first] - 0.5) / len(raw))
        values = self.share * scores + (1.0 - self.share) * (known - raw.mean()) / deviation
        return FittedRanks(base, known, values, 1.0 / deviation)


@dataclass(frozen=True)
class FittedRanks:
    """A learned `RankNormal`: piecewise linear over the base's values."""

    base: Fitted
    known: FloatArray  # ascending, of the base transform
    values: FloatArray  # their images, ascending
    slope: float  # beyond both ends

    def forward(self, y: FloatArray) -> FloatArray:
        x = self.base.forward(y)
        beyond = np.minimum(x - self.known[0], 0.0) + np.maximum(x - self.known[-1], 0.0)
        scores: FloatArray = np.interp(x, self.known, self.values) + self.slope * beyond
        return scores

    def inverse(self, z: FloatArray) -> FloatArray:
        z = np.asarray(z, dtype=np.float64)
        beyond = np.minimum(z - self.values[0], 0.0) + np.maximum(z - self.values[-1], 0.0)
        return self.base.inverse(np.interp(z, self.values, self.known) + beyond / self.slope)


def restore(fitted: Fitted, mean: FloatArray, std: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and deviation in the units of y, from those of a transformed target.

    The mean is that of the centre (the median, if the transformed target is normal); the deviation is half the
    span of one deviation to either side, which is exact for a linear transform.
    """
    span = fitted.inverse(mean + std) - fitted.inverse(mean - std)
    return fitted.inverse(mean), np.maximum(0.5 * span, 0.0)


class Transformed:
    """Any surrogate, fitted to a transformed target; predictions come back in the units of y."""

    def __init__(self, model: Surrogate, transform: Transform) -> None:
        self.model = model
        self.transform = transform

    def fit(self, X: FloatArray, y: FloatArray) -> Transformed:
        """Learn the transform and the model. Raises the errors of both."""
        X, y = check_data(X, y)
        self.transform_ = self.transform.fit(y)
        self.model_ = self.model.fit(X, self.transform_.forward(y))
        return self

    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation, each (n,), in the units of y (see `restore`)."""
        return restore(self.transform_, *self.model_.predict(X))
