"""Predicting the expensive objectives of architectures that nobody has trained yet.

The models live in `surrogates`, which `nas` does without until a search that uses them is made.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from nas.checks import check_known
from nas.objectives import Objective
from nas.problem import Problem
from nas.records import Architecture, FloatArray, Note

Encoding = Callable[[Sequence[Architecture]], FloatArray]

AUTO = "auto"  # the selector's choice among pairs of encoding and model
_FLOOR = 0.02  # of the typical distance from the best possible value, added so that its logarithm exists
_CHUNK = 2048  # architectures predicted at a time: what is in work fits the processor's cache


class Predictor:
    """Predicts one expensive objective, with the sign that makes it minimised; see `make_predictors`."""

    def __init__(self, objective: Objective, selector: Any) -> None:
        self.objective = objective
        self._selector = selector  # a surrogates.selector.Selector
        self._targets = importlib.import_module("surrogates.targets")
        self._shift = 0.0

    def fit(self, architectures: Sequence[Architecture], y: FloatArray) -> Predictor:
        """Learn from n >= 2 architectures and their minimised values y (n,), all finite."""
        self._shift = 0.0
        best = self.objective.best
        if best is not None:
            best *= self.objective.sign
            typical = float(np.median(np.maximum(y - best, 0.0)))
            self._shift = _FLOOR * (typical if typical > 0 else 1.0) - best
        shifted = y + self._shift
        base = self._targets.Log() if shifted.min() > 0 else self._targets.Identity()
        self._selector.transform = self._targets.Tamed(base)
        self._selector.fit(architectures, shifted)
        return self

    def predict(self, chunks: Sequence[Sequence[Architecture]]) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation, each (n,), of the n architectures in `chunks` (see `in_chunks`)."""
        parts = [self._selector.predict(chunk) for chunk in chunks]
        mean, std = (np.concatenate(both) for both in zip(*parts, strict=True))
        return mean - self._shift, std

    @property
    def reliable(self) -> bool:
        """Whether cross-validation says that the predictions order architectures."""
        return bool(self._selector.selection_.reliable)

    def note(self, told: int) -> Note:
        """What was chosen at the last fit, and how good it was on results left out."""
        chosen = self._selector.selection_
        values: dict[str, float | int | str | bool] = {"objective": self.objective.name}
        values["chosen"] = " + ".join(chosen.chosen)
        for name in ("rows", "tau", "tau_low", "tau_high", "coverage", "calibration", "rmse", "reliable"):
            values[name] = getattr(chosen, name)
        fallback = "" if chosen.reliable else "; every other candidate is chosen for variety instead"
        values["text"] = f"{self.objective.name}: {chosen.text}{fallback}"
        return Note(told, "surrogate", values)


def make_predictors(problem: Problem, surrogate: str = AUTO) -> list[Predictor]:
    """A predictor for each expensive objective, in the problem's order.

    `surrogate` is "auto" or a name from `nas list surrogates`. Raises `ConfigError` for another.
    """
    module = importlib.import_module("surrogates.candidates")
    encodings: dict[str, Encoding] = {
        name: Remembered(encoding) for name, encoding in module.encodings_of(problem.space).items()
    }
    if "cost" not in encodings and problem.n_objectives > len(problem.measured):
        encodings["cost"] = Remembered(partial(_log_costs, problem))
    if surrogate == AUTO:
        candidates = module.candidates_for_search(problem.space, encodings)
    else:
        models = importlib.import_module("surrogates").SURROGATES
        check_known("surrogate", surrogate, models)
        encoding = "default+cost" if "cost" in encodings else "default"
        candidates = {surrogate: module.Candidate(encoding, models[surrogate])}
    selector = importlib.import_module("surrogates.selector")
    # choosing must stay a small part of a search whose evaluations take seconds
    settings = selector.Settings(rows=150, growth=0.5)
    return [
        Predictor(o, selector.Selector(candidates, encodings, settings=settings))
        for o in problem.objectives
        if not o.cheap
    ]


def _log_costs(problem: Problem, architectures: Sequence[Architecture]) -> FloatArray:
    rows = np.array([problem.cheap_objectives(a) for a in architectures])
    costs = np.abs(rows[:, [o.cheap for o in problem.objectives]])
    return np.asarray(np.log1p(costs), dtype=np.float64)


class Remembered:
    """An encoding that keeps the features of tuples: those of a whole space are asked for again and again."""

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._kept: dict[int, tuple[Sequence[Architecture], FloatArray]] = {}

    def __call__(self, architectures: Sequence[Architecture]) -> FloatArray:
        """Features (n, d)."""
        if not isinstance(architectures, tuple):
            return self._encoding(architectures)
        if id(architectures) not in self._kept:
            self._kept[id(architectures)] = architectures, self._encoding(architectures)
        return self._kept[id(architectures)][1]


def in_chunks(architectures: Sequence[Architecture]) -> list[Sequence[Architecture]]:
    """Parts of at most a few thousand, in order; tuples of a tuple."""
    return [architectures[i : i + _CHUNK] for i in range(0, len(architectures), _CHUNK)]
