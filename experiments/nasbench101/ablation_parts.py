"""Algorithms without one part, for the ablation alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from nas.algorithms._outlook import Forecast, Models
from nas.algorithms._pool import CandidateBatch
from nas.algorithms.candidates import Candidates
from nas.algorithms.moead import MOEAD, MOEADSettings
from nas.algorithms.sa_moead import SAMOEAD, SAMOEADSettings
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray

_CERTAIN = 1e-9  # deviation of a prediction that is taken at its word


class WithoutNormalisation(MOEAD):
    """MOEA/D on the raw objectives: percent, parameters and multiply-adds."""

    def _normalise(self, points: FloatArray) -> None:
        """Keep the ideal at 0 and every scale at 1."""


class Repeating(Candidates):
    """A source of candidates without memory: it may return one again, which is counted again."""

    def check(self, architecture: Architecture) -> Architecture | None:
        """The canonical form if it is valid and within the cheap constraints."""
        if not self._space.is_valid(architecture):
            return None
        canonical = self._space.canonical(architecture)
        return canonical if self._problem.cheap_violation(canonical) == 0 else None


class WithDuplicates(MOEAD):
    """MOEA/D that evaluates known architectures again when variation returns them."""

    def __init__(self, problem: Problem, rng: np.random.Generator, settings: MOEADSettings | None = None):
        super().__init__(problem, rng, settings)
        self._candidates = Repeating(problem, rng)


class CertainModels(Models):
    """Models without uncertainty: no candidate can be better than predicted."""

    def forecast(self, exact: CandidateBatch) -> Forecast:
        """The same predictions with (next to) no deviation."""
        found = super().forecast(exact)
        return replace(found, std=np.full_like(found.std, _CERTAIN))


class GreedyInfill(SAMOEAD):
    """sa-moead that takes the largest *predicted* improvement in place of the largest expected one."""

    def __init__(
        self, problem: Problem, rng: np.random.Generator, settings: SAMOEADSettings | None = None
    ) -> None:
        super().__init__(problem, rng, settings)
        self._models = CertainModels(problem, self._predictors)


class RandomInfill(SAMOEAD):
    """sa-moead that takes a random candidate with a predicted improvement, in place of the largest."""

    def __init__(
        self, problem: Problem, rng: np.random.Generator, settings: SAMOEADSettings | None = None
    ) -> None:
        super().__init__(problem, rng, settings)
        self._models = IndifferentModels(problem, self._predictors, np.random.default_rng(self._seed))


class IndifferentModels(CertainModels):
    """Models with equal predicted improvements: a random order among the positive ones."""

    def __init__(self, problem: Problem, predictors: Any, rng: np.random.Generator) -> None:
        super().__init__(problem, predictors)
        self._rng = rng

    def improvement(self, forecast: Forecast, front: FloatArray, target: Any, *levels: Any) -> FloatArray:
        """A random number for each candidate that improves, 0 for the others."""
        value = super().improvement(forecast, front, target, *levels)
        return np.where(value > 0, self._rng.random(len(value)), 0.0)
