"""Adaptive switching: cross-validation chooses the surrogate, again each time the data have grown.

Candidates are compared by mean minus one deviation of Kendall's tau, as in the adaptive switching of Lu et al.,
"NSGANetV2", ECCV 2020, section 3.2; here a candidate is a pair of encoding and model, and the best may be averaged:
greedy selection from a library (Caruana et al., ICML 2004, section 2), on predictions that exist already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.special import ndtri

from nas.core.checks import check_positive
from nas.core.errors import ConfigError
from nas.core.records import Architecture, FloatArray
from surrogates.candidates import Candidate, Columns, Encoding
from surrogates.inputs import check_data
from surrogates.quality import (
    Folds,
    OutOfFold,
    TauEstimate,
    best_half_tau,
    best_tenth_precision,
    calibration,
    cross_validate,
    estimate_tau,
    honest_coverage,
    make_folds,
    rmse,
)
from surrogates.targets import RankNormal, Transform, restore

_FEWEST = 8  # least rows for cross-validation
_GAIN = 0.002  # gain in cautious tau required of a further member of the average


@dataclass(frozen=True)
class Settings:
    """How a `Selector` chooses; the defaults bound the cost for any number of rows.

    Cross-validation uses at most `rows` rows, in `folds` folds. All candidates have one repeat, the best `contenders`
    have `repeats`. At most `members` are averaged. A choice holds until there are `growth` times more rows, from `first` rows
    on: with different first rows, several selectors do not choose at the same time. Below
    `least_tau` of mean minus deviation the prediction counts as unreliable. `tuned_once` tunes hyperparameters on all rows
    rather than in every fold: cheaper, slightly optimistic.
    """

    folds: int = 5
    repeats: int = 2
    contenders: int = 4
    members: int = 3
    rows: int = 300
    growth: float = 0.25
    first: int = _FEWEST
    least_tau: float = 0.1
    seed: int = 0
    tuned_once: bool = False

    def __post_init__(self) -> None:
        for name in ("folds", "repeats", "contenders", "members", "rows", "growth"):
            check_positive(name, getattr(self, name))
        if self.first < _FEWEST:
            raise ConfigError(f"first: expected at least {_FEWEST} rows, got {self.first}")
        if self.folds < 2:
            raise ConfigError(f"folds: expected 2 or more, got {self.folds}")


LIGHT = Settings(folds=2, repeats=1, contenders=1, members=1, rows=80, growth=1.0, tuned_once=True)


@dataclass(frozen=True)
class Selection:
    """The models chosen, the number of rows, and their quality on held-out rows.

    `coverage` is that of the 90% interval after calibration, `calibration` the factor on the deviations,
    `tau_half` is the tau of the better half, `precision_tenth` the share of the best tenth that the predictions find.
    `rmse` has the units of the target. `scores` has every candidate's tau, the best first. Without enough rows to
    cross-validate, tau is 0 with an interval from -1 to 1, and coverage, rmse, `tau_half` and `precision_tenth` are NaN.
    """

    chosen: tuple[str, ...]
    rows: int
    tau: float
    tau_low: float
    tau_high: float
    coverage: float
    calibration: float
    rmse: float
    reliable: bool
    tau_half: float = np.nan
    precision_tenth: float = np.nan
    scores: tuple[tuple[str, TauEstimate], ...] = ()

    @property
    def text(self) -> str:
        """A summary in one line."""
        if not self.scores:
            return f"{' + '.join(self.chosen)}: {self.rows} results are too few to estimate its accuracy"
        return (
            f"{' + '.join(self.chosen)}: tau {self.tau:.2f} ({self.tau_low:.2f} to {self.tau_high:.2f}), "
            f"90% interval holds {self.coverage:.0%}, rmse {self.rmse:.3g}, on {self.rows} results"
            + ("" if self.reliable else "; not reliable")
        )


class Selector:
    """Chooses among pairs of encoding and model as data grow, and predicts with the choice.

    `candidates` and `encodings` as `surrogates.candidates` makes them for a space. Not a `Surrogate` itself: it takes
    architectures, because the encoding is part of the choice. A choice depends only on the first rows, up to
    the last milestone of growth, so a resumed run that refits sees the same one.
    """

    def __init__(
        self,
        candidates: Mapping[str, Candidate],
        encodings: Mapping[str, Encoding],
        transform: Transform | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.candidates = candidates
        self.encodings = encodings
        self.transform = transform
        self.settings = settings

    def fit(self, architectures: Sequence[Architecture], y: FloatArray) -> Selector:
        """Learn from n >= 1 architectures and finite y (n,); failures left out. Raises `ConfigError` otherwise."""
        if not self.candidates:
            raise ConfigError("candidates: expected at least one pair of encoding and model")
        settings = self.settings or Settings()
        y = check_data(np.zeros((len(architectures), 1)), y)[1]
        first = _milestone(len(y), settings.growth, settings.first)
        asked = (tuple(architectures[:first]), y[:first].tobytes())
        if getattr(self, "_asked", None) != asked:
            choose = _Choice(self.candidates, self.encodings, self.transform or RankNormal(), settings)
            self.selection_ = choose(asked[0], y[:first])
            self._asked = asked
        self.transform_ = (self.transform or RankNormal()).fit(y)
        z = self.transform_.forward(y)
        columns = Columns(self.encodings, architectures)
        chosen = [self.candidates[name] for name in self.selection_.chosen]
        self.models_ = [(c.encoding, c.make().fit(columns[c.encoding], z)) for c in chosen]
        return self

    def update(self, architectures: Sequence[Architecture], y: FloatArray) -> Selector:
        """Learn from other results with the models chosen and tuned by the last `fit`: cheap, for use between two fits.

        Models that have `condition` keep their hyperparameters, others are fitted again.
        """
        z = self.transform_.forward(check_data(np.zeros((len(architectures), 1)), y)[1])
        columns = Columns(self.encodings, architectures)
        models = []
        for name, (encoding, model) in zip(self.selection_.chosen, self.models_, strict=True):
            again = getattr(model, "condition", None) or self.candidates[name].make().fit
            models.append((encoding, again(columns[encoding], z)))
        self.models_ = models
        return self

    def predict_transformed(self, architectures: Sequence[Architecture]) -> tuple[FloatArray, FloatArray]:
        """Mean and calibrated deviation, each (n,), of the transformed target (`transform_`)."""
        columns = Columns(self.encodings, architectures)
        parts = [model.predict(columns[encoding]) for encoding, model in self.models_]
        blend = _average([OutOfFold(*part) for part in parts])
        return blend.mean, self.selection_.calibration * blend.std

    def predict(self, architectures: Sequence[Architecture]) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation, each (n,), in the units of y."""
        return restore(self.transform_, *self.predict_transformed(architectures))

    def quantile(self, architectures: Sequence[Architecture], level: float) -> FloatArray:
        """The quantile of an observation at `level`, (n,), in the units of y.

        For a minimised target a level below a half is an optimistic estimate; unlike mean minus some deviations it
        stays in the target's domain.
        """
        if not 0 < level < 1:
            raise ConfigError(f"level: expected a number between 0 and 1, got {level!r}")
        mean, std = self.predict_transformed(architectures)
        return self.transform_.inverse(mean + float(ndtri(level)) * std)


def _milestone(n: int, growth: float, first: int = _FEWEST) -> int:
    """The last of the row numbers `first`, ... (each `growth` more, at least 1) that is at most n; n if below."""
    if n <= first:
        return n
    at = first
    while (following := max(at + 1, int(np.ceil(at * (1.0 + growth))))) <= n:
        at = following
    return at


def _average(parts: Sequence[OutOfFold]) -> OutOfFold:
    """An equal mixture."""
    means = np.stack([p.mean for p in parts])
    spread = np.mean([p.std**2 for p in parts], axis=0)
    return OutOfFold(means.mean(axis=0), np.sqrt(spread + means.var(axis=0)))


@dataclass(frozen=True)
class _Tuned:
    """A fitted model as one to fit again with its hyperparameters."""

    model: Any

    def fit(self, X: FloatArray, y: FloatArray) -> Any:
        return self.model.condition(X, y)


@dataclass(frozen=True)
class _Choice:
    """One round of choosing."""

    candidates: Mapping[str, Candidate]
    encodings: Mapping[str, Encoding]
    transform: Transform
    settings: Settings

    def __call__(self, architectures: Sequence[Architecture], y: FloatArray) -> Selection:
        if len(y) < _FEWEST or np.ptp(y) == 0:
            first = next(iter(self.candidates))
            return Selection((first,), len(y), 0.0, -1.0, 1.0, np.nan, 1.0, np.nan, False)
        rng = np.random.default_rng(self.settings.seed)
        rows = np.sort(rng.permutation(len(y))[: self.settings.rows])
        known, fitted = y[rows], self.transform.fit(y[rows])
        z = fitted.forward(known)
        columns = Columns(self.encodings, [architectures[i] for i in rows])
        folds = [make_folds(len(rows), self.settings.folds, rng) for _ in range(self.settings.repeats)]
        runs = {name: [self._run(name, columns, z, folds[0])] for name in self.candidates}
        scores = {name: estimate_tau(run, z, folds[:1]) for name, run in runs.items()}
        contenders = sorted(runs, key=lambda name: self._handicap((name,)) - scores[name].cautious)
        contenders = contenders[: self.settings.contenders]
        for name in contenders:
            runs[name] += [self._run(name, columns, z, parts) for parts in folds[1:]]
            scores[name] = estimate_tau(runs[name], z, folds)
        chosen = self._greedy({name: runs[name] for name in contenders}, z, folds)
        blends = [_average([runs[name][i] for name in chosen]) for i in range(len(folds))]
        tau = estimate_tau(blends, z, folds)
        mean, std = np.concatenate([b.mean for b in blends]), np.concatenate([b.std for b in blends])
        covered = [honest_coverage(b.mean, b.std, z, f) for b, f in zip(blends, folds, strict=True)]
        return Selection(
            chosen=chosen,
            rows=len(y),
            tau=tau.mean,
            tau_low=tau.interval[0],
            tau_high=tau.interval[1],
            coverage=float(np.mean(covered)),
            calibration=calibration(mean, std, np.tile(z, len(blends))),
            rmse=rmse(fitted.inverse(mean), np.tile(known, len(blends))),
            reliable=tau.cautious >= self.settings.least_tau,
            tau_half=float(np.mean([best_half_tau(b.mean, z) for b in blends])),
            precision_tenth=float(np.mean([best_tenth_precision(b.mean, z) for b in blends])),
            scores=tuple(sorted(scores.items(), key=lambda item: -item[1].cautious)),
        )

    def _run(self, name: str, columns: Columns, z: FloatArray, folds: Folds) -> OutOfFold:
        candidate, X = self.candidates[name], columns[self.candidates[name].encoding]
        make: Callable[[], Any] = candidate.make
        if self.settings.tuned_once and hasattr(tuned := candidate.make(), "condition"):
            tuned.fit(X, z)
            make = partial(_Tuned, tuned)
        return cross_validate(make, X, z, folds)

    def _handicap(self, names: tuple[str, ...]) -> float:
        return float(np.mean([self.candidates[name].handicap for name in names]))

    def _greedy(
        self, runs: Mapping[str, Sequence[OutOfFold]], z: FloatArray, folds: Sequence[Folds]
    ) -> tuple[str, ...]:
        """The best candidate, and those that improve the average with it."""

        def score(names: tuple[str, ...]) -> float:
            blends = [_average([runs[n][i] for n in names]) for i in range(len(folds))]
            return estimate_tau(blends, z, folds).cautious - self._handicap(names)

        chosen: tuple[str, ...] = ()
        best = -np.inf
        while len(chosen) < self.settings.members:
            trials = {(*chosen, name): 0.0 for name in runs if name not in chosen}
            for names in trials:
                trials[names] = score(names)
            if not trials or max(trials.values()) < best + _GAIN:
                break
            chosen = max(trials, key=lambda names: trials[names])
            best = trials[chosen]
        return chosen
