"""Optuna's samplers as peers: NSGA-II, multi-objective TPE and the Gaussian process."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import optuna
from lookup_tables import OBJECTIVES, LookupTable
from optuna.distributions import IntDistribution
from optuna.trial import TrialState

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)


class OptunaPeer:
    """A study whose parameters are the genes, each an integer; what is skipped is a failed trial.

    Integers and not categories, because TPE and NSGA-II get better fronts with them, here too where the numbers
    of the operations have hardly a meaning (trials of eight seeds).
    """

    def __init__(self, sampler: Any, table: LookupTable, seed: int) -> None:
        self._study = optuna.create_study(
            directions=["minimize"] * len(OBJECTIVES), sampler=sampler(seed=seed)
        )
        self._genes = {f"gene{i}": IntDistribution(0, n - 1) for i, n in enumerate(table.space.cardinalities)}

    def ask(self) -> tuple[int, ...]:
        self._trial = self._study.ask(self._genes)
        return tuple(self._trial.params[name] for name in self._genes)

    def tell(self, objectives: tuple[float, ...]) -> None:
        self._study.tell(self._trial, objectives)

    def skip(self) -> None:
        self._study.tell(self._trial, state=TrialState.FAIL)


nsga2 = partial(OptunaPeer, optuna.samplers.NSGAIISampler)
tpe = partial(OptunaPeer, partial(optuna.samplers.TPESampler, multivariate=True))
gp = partial(OptunaPeer, partial(optuna.samplers.GPSampler, deterministic_objective=True))
