"""Optuna's samplers as peers: NSGA-II, multi-objective TPE and the Gaussian process."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import optuna
from lookup_tables import OBJECTIVES, LookupTable
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.trial import TrialState

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)


class OptunaPeer:
    """A study whose parameters are the genes, each of the distribution given; what is skipped is a failed trial."""

    def __init__(self, sampler: Any, distribution: Any, table: LookupTable, seed: int) -> None:
        self._study = optuna.create_study(
            directions=["minimize"] * len(OBJECTIVES), sampler=sampler(seed=seed)
        )
        self._genes = {f"gene{i}": distribution(n) for i, n in enumerate(table.space.cardinalities)}

    def ask(self) -> tuple[int, ...]:
        self._trial = self._study.ask(self._genes)
        return tuple(self._trial.params[name] for name in self._genes)

    def tell(self, objectives: tuple[float, ...]) -> None:
        self._study.tell(self._trial, objectives)

    def skip(self) -> None:
        self._study.tell(self._trial, state=TrialState.FAIL)


class ConstrainedPeer(OptunaPeer):
    """What is skipped violates a constraint, with the nadir as its values.

    A sampler that draws nothing learns nothing from a failed trial, and proposes the same again.
    """

    def tell(self, objectives: tuple[float, ...]) -> None:
        self._trial.set_constraint("no architecture", -1.0)
        super().tell(objectives)

    def skip(self) -> None:
        self._trial.set_constraint("no architecture", 1.0)
        super().tell((1.0,) * len(OBJECTIVES))


def integer(cardinality: int) -> Any:
    """Early on the samplers did a little better with it, though the numbers of the operations have hardly a meaning."""
    return IntDistribution(0, cardinality - 1)


def category(cardinality: int) -> Any:
    return CategoricalDistribution(range(cardinality))


_TPE = partial(optuna.samplers.TPESampler, multivariate=True)
_GP = partial(optuna.samplers.GPSampler, deterministic_objective=True)
nsga2 = partial(OptunaPeer, optuna.samplers.NSGAIISampler, integer)
tpe = partial(OptunaPeer, _TPE, integer)
tpe_categorical = partial(OptunaPeer, _TPE, category)
gp = partial(ConstrainedPeer, _GP, integer)
