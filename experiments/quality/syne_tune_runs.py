"""Syne Tune's multi-objective regularized evolution as a peer (its searcher alone; no back end, no scheduler)."""

from __future__ import annotations

from lookup_tables import LookupTable
from syne_tune.config_space import choice
from syne_tune.optimizer.schedulers.multiobjective.multi_objective_regularized_evolution import (
    MultiObjectiveRegularizedEvolution,
)


class SyneTunePeer:
    """Categorical genes; what is skipped never enters the population, what is told again does again."""

    def __init__(self, table: LookupTable, seed: int) -> None:
        space = {f"gene{i}": choice(list(range(n))) for i, n in enumerate(table.space.cardinalities)}
        self._searcher = MultiObjectiveRegularizedEvolution(space, random_seed=seed)
        self._asked = 0

    def ask(self) -> tuple[int, ...]:
        self._config = self._searcher.suggest()
        return tuple(self._config.values())

    def tell(self, objectives: tuple[float, ...]) -> None:
        self._searcher.on_trial_complete(self._asked, self._config, list(objectives))
        self._asked += 1

    def skip(self) -> None:
        pass
