"""Predict the expensive objectives of untrained architectures.

The models are in `surrogates`, which `nas` imports only for a search that uses them.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from nas.core.kinds import check_class
from nas.core.objectives import Objective
from nas.core.plugins import find, registry
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Note
from nas.core.space import SearchSpace

Encoding = Callable[[Sequence[Architecture]], FloatArray]

AUTO = "auto"  # the selector's choice among pairs of encoding and model
_FLOOR = (
    0.02  # share of the typical distance from the best possible value, added so that the logarithm exists
)
_FEW_OBJECTIVES = 3  # measured ones: with more, their models are light
_FIRST_CHOICE = 8  # results with which the models of the first objective are chosen
_MANY = 700  # results with which all models are light
_FEW_COLUMNS = 1000  # of a one-hot encoding; in wider spaces too
_FEW_GENES = 150  # of an ordered space, each with a length scale to tune
_CHOICES = 100
_NOTED = (  # of a `surrogates.selector.Selection`
    *("rows", "tau", "tau_low", "tau_high", "tau_half", "precision_tenth"),
    *("coverage", "calibration", "rmse", "reliable"),
)
_CHUNK = 2048  # architectures predicted at a time: a chunk fits the processor's cache


class Predictor:
    """Predicts one expensive objective, with the sign that makes it minimised; see `make_predictors`."""

    def __init__(self, objective: Objective, selector: Any, light: Any = None) -> None:
        """`selector` is a `surrogates.selector.Selector`; `light`, if given, takes its place from `_MANY` results on."""
        self.objective = objective
        self._selector = selector
        self._light = light
        self._shift = 0.0
        self._least: float | None = None

    def fit(self, architectures: Sequence[Architecture], y: FloatArray) -> Predictor:
        """Learn from n >= 2 architectures and their minimised values y (n,), all finite."""
        self._shift, transform, self._least = scale_of(self.objective, y)
        if self._light is not None and len(y) > _MANY:
            self._selector, self._light = self._light, None
        self._selector.transform = transform
        self._selector.fit(architectures, y + self._shift)
        return self

    def update(self, architectures: Sequence[Architecture], y: FloatArray) -> Predictor:
        """Learn from other results with the models and hyperparameters of the last `fit`."""
        self._selector.update(architectures, self._within(y + self._shift))
        return self

    def predict(self, chunks: Sequence[Sequence[Architecture]]) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation, each (n,), of the n architectures in `chunks`, on the models' own scale."""
        parts = [self._selector.predict_transformed(chunk) for chunk in chunks]
        mean, std = (np.concatenate(both) for both in zip(*parts, strict=True))
        return mean, std

    def values(self, scores: FloatArray) -> FloatArray:
        """From the models' scale to minimised values, any shape."""
        return np.asarray(self._selector.transform_.inverse(scores) - self._shift, dtype=np.float64)

    def scores(self, values: FloatArray) -> FloatArray:
        """From minimised values to the models' scale, the inverse of `values`."""
        return np.asarray(
            self._selector.transform_.forward(self._within(values + self._shift)), dtype=np.float64
        )

    def _within(self, shifted: FloatArray) -> FloatArray:
        """Clip to the transform's domain: a later result may be better than all it was fitted to."""
        return np.maximum(shifted, self._least) if self._least is not None else shifted

    @property
    def reliable(self) -> bool:
        """Whether the predictions order architectures, by cross-validation."""
        return bool(self._selector.selection_.reliable)

    def note(self, told: int) -> Note:
        """The model chosen at the last fit and its quality on held-out results."""
        chosen = self._selector.selection_
        values: dict[str, float | int | str | bool] = {"objective": self.objective.name}
        values["chosen"] = " + ".join(chosen.chosen)
        for name in _NOTED:
            values[name] = getattr(chosen, name)
        fallback = "" if chosen.reliable else "; every fifth candidate is chosen for variety instead"
        values["text"] = f"{self.objective.name}: {chosen.text}{fallback}"
        return Note(told, "surrogate", values)


def make_predictors(problem: Problem, surrogate: str = AUTO) -> list[Predictor]:
    """A predictor for each expensive objective, in the problem's order.

    `surrogate` is "auto", a name from `nas list surrogates`, or your own class as package.module:Name or file.py:Name
    (relative to the current folder). Raises `ConfigError` if it does not exist.
    """
    model = None if surrogate == AUTO else find("surrogate", surrogate)
    if model is not None and surrogate not in registry("surrogate"):
        check_surrogate(surrogate, model)
    if not problem.measured:  # every objective is exact
        return []
    module = importlib.import_module("surrogates.candidates")
    encodings = _encodings(problem)
    light = None
    if model is None:
        candidates = module.candidates_for_search(problem.space, encodings)
        light = module.lightest(candidates, work_of(problem), len(problem.measured))
    else:
        encoding = "default+cost" if "cost" in encodings else "default"
        candidates = {surrogate.rpartition(":")[2]: module.Candidate(encoding, model)}
    selector = importlib.import_module("surrogates.selector")
    quick = selector.LIGHT

    def predictor(number: int, objective: Objective) -> Predictor:
        if is_light(problem):
            return Predictor(objective, selector.Selector(light or candidates, encodings, settings=quick))
        later = None if light is None else selector.Selector(light, encodings, settings=quick)
        # choosing must stay a small part of a proposal: one objective's models at a time, tuned once
        usual = selector.Settings(rows=150, growth=0.5, tuned_once=True, first=_FIRST_CHOICE + number)
        return Predictor(objective, selector.Selector(candidates, encodings, settings=usual), later)

    return [predictor(i, o) for i, o in enumerate(o for o in problem.objectives if not o.cheap)]


def _encodings(problem: Problem) -> dict[str, Encoding]:
    """The encodings of a problem's space by name; logarithms of exact costs as "cost", unless these are slow."""
    # the costs come from the problem's cache
    found = importlib.import_module("surrogates.candidates").encodings_of(problem.space, problem.costs)
    encodings: dict[str, Encoding] = {name: Remembered(encoding) for name, encoding in found.items()}
    if problem.slow_costs:
        encodings.pop("cost", None)
    elif "cost" not in encodings and problem.n_objectives > len(problem.measured):
        encodings["cost"] = Remembered(partial(_log_costs, problem))
    return encodings


def process_for(problem: Problem) -> tuple[Encoding, Callable[..., Any]]:
    """The encoding of the Gaussian process that suits most spaces of this kind, and a function that makes the process."""
    module = importlib.import_module("surrogates.candidates")
    encodings = _encodings(problem)
    candidates = module.candidates_for_search(problem.space, encodings)
    chosen = next(c for name, c in candidates.items() if name.startswith("gp-") and not c.handicap)
    return partial(module.encode, encodings, chosen.encoding), chosen.make


def expected_value(make: Callable[..., Any], noise: float | None) -> Any:
    """A `surrogates.expected_value.ExpectedValue`."""
    return importlib.import_module("surrogates.expected_value").ExpectedValue(make, noise)


def process_of_number(**settings: Any) -> Any:
    """A Gaussian process of one number."""
    module = importlib.import_module("surrogates.gaussian_process")
    return module.GaussianProcess(numeric=(0,), **settings)


def measurements(*columns: Any) -> Any:
    """`surrogates.expected_value.Measurements`."""
    return importlib.import_module("surrogates.expected_value").Measurements(*columns)


def scale_of(objective: Objective, y: FloatArray) -> tuple[float, Any, float | None]:
    """The scale on which models see an objective: what is added to its minimised values y (n,), and a transform.

    The third is the least sum in the transform's domain (None: any): a later result may be better than all of y.
    """
    targets = importlib.import_module("surrogates.targets")
    shift = 0.0
    if objective.best is not None:
        best = objective.best * objective.sign
        typical = float(np.median(np.maximum(y - best, 0.0)))
        shift = _FLOOR * (typical if typical > 0 else 1.0) - best
    shifted = y + shift
    positive = bool(shifted.min() > 0)
    least = 1e-3 * float(shifted.min()) if positive else None
    return shift, targets.Tamed(targets.Log() if positive else targets.Identity()), least


@dataclass(frozen=True)
class Scale:
    """The scale of `scale_of`, both ways on arrays of any shape."""

    shift: float
    transform: Any  # learned
    least: float | None

    @classmethod
    def of(cls, objective: Objective, y: FloatArray) -> Scale:
        """Learned from minimised values y (n,)."""
        shift, transform, least = scale_of(objective, y)
        return cls(shift, transform.fit(y + shift), least)

    def scores(self, values: FloatArray) -> FloatArray:
        """From minimised values to the models' scale."""
        shifted = values + self.shift
        return np.asarray(
            self.transform.forward(shifted if self.least is None else np.maximum(shifted, self.least))
        )

    def values(self, scores: FloatArray) -> FloatArray:
        """From the models' scale to minimised values."""
        return np.asarray(self.transform.inverse(scores) - self.shift)


def by_parameters(space: SearchSpace, objective: Objective) -> Predictor:
    """A predictor that sees the parameters alone, not the costs that follow from them: quick for any space."""
    module = importlib.import_module("surrogates.candidates")
    encodings = {name: found for name, found in module.encodings_of(space).items() if name != "cost"}
    candidates = module.candidates_for_search(space, encodings)
    selector = importlib.import_module("surrogates.selector")
    settings = selector.Settings(rows=150, folds=3, repeats=1, members=1, growth=0.5, tuned_once=True)
    if sum(space.cardinalities) > _FEW_COLUMNS:
        candidates, settings = module.lightest(candidates, 1.0, 1), selector.LIGHT
    return Predictor(objective, selector.Selector(candidates, encodings, settings=settings))


def work_of(problem: Problem) -> float:
    """Work of a problem's models: columns times measured objectives.

    At most a hundred choices of a gene count, since results hold no more.
    """
    return len(problem.measured) * _columns(problem.space, _CHOICES)


def is_light(problem: Problem) -> bool:
    """Whether the models must be light to propose within half a second: many objectives or many genes."""
    space = problem.space
    if len(problem.measured) > _FEW_OBJECTIVES or _columns(space) > _FEW_COLUMNS:
        return True
    return space.first_numeric is not None and len(space.cardinalities) > _FEW_GENES


def _columns(space: SearchSpace, most: float = math.inf) -> float:
    """Columns of one-hot genes, at most `most` of a gene; those of the default encoding if fewer in an ordered space."""
    one_hot = sum(min(c, most) for c in space.cardinalities)
    return one_hot if space.first_numeric is None else min(one_hot, space.encode(()).shape[1])


def check_surrogate(name: str, found: Any) -> None:
    """Raise `ConfigError` unless `found` is a class with the methods of a surrogate; it is not called."""
    check_class("surrogate", name, found, "a class with fit and predict", "fit", "predict")


def _log_costs(problem: Problem, architectures: Sequence[Architecture]) -> FloatArray:
    rows = np.array([problem.cheap_objectives(a) for a in architectures])
    costs = np.abs(rows[:, [o.cheap for o in problem.objectives]])
    return np.asarray(np.log1p(costs), dtype=np.float64)


class Remembered:
    """An encoding that caches features: of tuples, which hold a whole space, and of architectures used recently."""

    LATE = 4000

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._whole: dict[int, tuple[Sequence[Architecture], FloatArray]] = {}
        self._late: dict[Architecture, FloatArray] = {}

    def __call__(self, architectures: Sequence[Architecture]) -> FloatArray:
        """Features (n, d)."""
        if isinstance(architectures, tuple):
            if id(architectures) not in self._whole:
                self._whole[id(architectures)] = architectures, self._encoding(architectures)
            return self._whole[id(architectures)][1]
        new = [a for a in architectures if a not in self._late]
        if len(new) > self.LATE // 2:
            return self._encoding(architectures)
        if new:
            if len(self._late) > self.LATE:
                self._late, new = {}, list(dict.fromkeys(architectures))
            self._late.update(zip(new, self._encoding(new), strict=True))
        return np.array([self._late[a] for a in architectures])


def in_chunks(architectures: Sequence[Architecture]) -> list[Sequence[Architecture]]:
    """Parts of at most a few thousand, in order; tuples of a tuple."""
    return [architectures[i : i + _CHUNK] for i in range(0, len(architectures), _CHUNK)]
