"""Syne Tune's multi-objective regularized evolution (Salinas et al., AutoML 2022): its searcher alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas.algorithms.peers.outside import Genes, OutsideAlgorithm, OutsideSettings, Task, package
from nas.core.checks import check_positive
from nas.core.records import FloatArray

INSTALL = "pip install --no-deps syne-tune (its metadata asks for packages that this searcher does not load)"
_MODULE = "syne_tune.optimizer.schedulers.multiobjective.multi_objective_regularized_evolution"


@dataclass(frozen=True)
class SyneTuneSettings(OutsideSettings):
    """`population`: members alive at once; `sample`: size of a tournament. Its own defaults are 100 and 10."""

    population: int = 100
    sample: int = 10

    def __post_init__(self) -> None:
        OutsideSettings.__post_init__(self)
        check_positive("population", self.population)
        check_positive("sample", self.sample)


class _Searcher:
    """Categorical genes; failed proposals never enter the population.

    The searcher draws random architectures and breaks ties by NumPy's global generator and ignores its seed, so each
    call runs with a separate state of that generator.
    """

    def __init__(self, settings: SyneTuneSettings, task: Task) -> None:
        evolution = package(_MODULE, INSTALL).MultiObjectiveRegularizedEvolution
        choice = package("syne_tune.config_space", INSTALL).choice
        names = [f"gene{i}" for i in range(len(task.space.cardinalities))]
        self._searcher = evolution(
            {name: choice(list(range(n))) for name, n in zip(names, task.space.cardinalities, strict=True)},
            points_to_evaluate=[dict(zip(names, begin, strict=True)) for begin in task.begin],
            population_size=settings.population,
            sample_size=settings.sample,
            random_seed=task.seed,
        )
        self._told = 0
        self._state = np.random.RandomState(task.seed).get_state()

    @contextmanager
    def _own_randomness(self) -> Iterator[None]:
        before = np.random.get_state()  # noqa: NPY002 (the searcher reads it)
        np.random.set_state(self._state)  # noqa: NPY002
        try:
            yield
        finally:
            self._state = np.random.get_state()  # noqa: NPY002
            np.random.set_state(before)  # noqa: NPY002

    def ask(self) -> tuple[dict[str, Any], Genes]:
        """The searcher's suggestion."""
        with self._own_randomness():
            config = self._searcher.suggest()
        return config, tuple(int(value) for value in config.values())

    def tell(self, token: dict[str, Any], objectives: FloatArray | None) -> None:
        """A complete trial with its metrics."""
        if objectives is not None:
            with self._own_randomness():
                self._searcher.on_trial_complete(self._told, token, objectives.tolist())
            self._told += 1


class SyneTuneEvolution(OutsideAlgorithm):
    """Syne Tune's multi-objective regularized evolution."""

    Settings = SyneTuneSettings
    needs = ("syne_tune", INSTALL)

    def make(self, task: Task) -> _Searcher:
        return _Searcher(self._settings, task)
