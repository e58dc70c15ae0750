"""Optuna's samplers (Akiba et al., KDD 2019), driven by ask and tell: NSGA-II, NSGA-III, TPE, Gaussian process."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nas.algorithms.peers.outside import Genes, OutsideAlgorithm, OutsideSettings, Task, package
from nas.core.checks import check_known, check_positive
from nas.core.records import FloatArray

INSTALL = "pip install 'multiobjective-nas[peers]' (or pip install optuna)"


def _integer(optuna: Any, cardinality: int) -> Any:
    return optuna.distributions.IntDistribution(0, cardinality - 1)


def _categorical(optuna: Any, cardinality: int) -> Any:
    return optuna.distributions.CategoricalDistribution(range(cardinality))


GENES: Mapping[str, Callable[[Any, int], Any]] = {"integer": _integer, "categorical": _categorical}


@dataclass(frozen=True)
class OptunaSettings(OutsideSettings):
    """`genes`: their type in the sampler, "integer" or "categorical"."""

    genes: str = "integer"

    def __post_init__(self) -> None:
        OutsideSettings.__post_init__(self)
        check_known("genes", self.genes, GENES)


@dataclass(frozen=True)
class OptunaPopulationSettings(OptunaSettings):
    """With `population`, the members of a generation."""

    population: int = 50

    def __post_init__(self) -> None:
        OptunaSettings.__post_init__(self)
        check_positive("population", self.population)


class _Study:
    """A study of Optuna in memory; a failed proposal is a failed trial."""

    def __init__(self, sampler: Callable[[Any], Any], genes: str, task: Task) -> None:
        """`sampler` makes one from the package."""
        self._optuna = optuna = package("optuna", INSTALL)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._genes = {f"gene{i}": GENES[genes](optuna, n) for i, n in enumerate(task.space.cardinalities)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study = optuna.create_study(
                directions=["minimize"] * task.n_objectives, sampler=sampler(optuna)
            )
        for begin in task.begin:
            self._study.enqueue_trial(dict(zip(self._genes, begin, strict=True)))

    def ask(self) -> tuple[Any, Genes]:
        """The sampler's suggestion; the given first genes before."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trial = self._study.ask(self._genes)
        return trial, tuple(int(trial.params[name]) for name in self._genes)

    def tell(self, token: Any, objectives: FloatArray | None) -> None:
        """Values in the order of the objectives."""
        if objectives is None:
            self._study.tell(token, state=self._optuna.trial.TrialState.FAIL)
        else:
            self._study.tell(token, objectives.tolist())


class _ConstrainedStudy(_Study):
    """A study in which a failed proposal violates a constraint and gets the worst values so far.

    A deterministic sampler would not learn from a failed trial and would repeat the proposal.
    """

    _worst: FloatArray | None = None

    def tell(self, token: Any, objectives: FloatArray | None) -> None:
        """Values in the order of the objectives; None cannot be reported before the first."""
        if objectives is not None:
            self._worst = objectives if self._worst is None else np.maximum(self._worst, objectives)
        token.set_constraint("nothing came of it", 1.0 if objectives is None else -1.0)
        super().tell(token, self._worst if objectives is None else objectives)


class _Optuna(OutsideAlgorithm):
    """Base class of the four."""

    Settings = OptunaSettings
    needs = ("optuna", INSTALL)
    study: ClassVar[type[_Study]] = _Study

    def make(self, task: Task) -> _Study:
        """A study with the sampler."""
        return self.study(lambda optuna: self.sampler(optuna.samplers, task.seed), self._settings.genes, task)

    def sampler(self, samplers: Any, seed: int) -> Any:
        """The sampler, from Optuna's module of them."""
        raise NotImplementedError


class OptunaTPE(_Optuna):
    """Optuna's TPE, multivariate."""

    def sampler(self, samplers: Any, seed: int) -> Any:
        return samplers.TPESampler(multivariate=True, seed=seed)


class OptunaGP(_Optuna):
    """Optuna's Gaussian process; it takes seconds for each proposal once there are a hundred.

    Invalid, infeasible and failed proposals violate a constraint, which it models.
    """

    study = _ConstrainedStudy

    def sampler(self, samplers: Any, seed: int) -> Any:
        """Its GPSampler with deterministic objectives, as Optuna advises for table look-ups."""
        return samplers.GPSampler(deterministic_objective=True, seed=seed)


class OptunaNSGA2(_Optuna):
    """Optuna's NSGA-II."""

    Settings = OptunaPopulationSettings

    def sampler(self, samplers: Any, seed: int) -> Any:
        return samplers.NSGAIISampler(population_size=self._settings.population, seed=seed)


class OptunaNSGA3(_Optuna):
    """Optuna's NSGA-III."""

    Settings = OptunaPopulationSettings

    def sampler(self, samplers: Any, seed: int) -> Any:
        return samplers.NSGAIIISampler(population_size=self._settings.population, seed=seed)
