"""pymoo's own NSGA-II, NSGA-III and MOEA/D (Blank and Deb, IEEE Access 8, 2020), unchanged.

They work on integers with one of two sets of operators. Invalid genes are repaired by random changes, since pymoo
cannot otherwise stay in a discrete space; everything else is pymoo's.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas.algorithms.peers.outside import Genes, OutsideAlgorithm, OutsideSettings, Task
from nas.core.checks import check_known, check_positive
from nas.core.errors import ConfigError
from nas.core.records import FloatArray
from nas.core.space import SearchSpace, with_fixed_genes
from nas.pareto.directions import das_dennis

_REPAIRS = 1000  # changes tried on invalid genes before a random architecture replaces them
_WORSE_THAN_ALL = (
    1e6  # objectives of a failed proposal where the algorithm needs some; scaled ones are near 1
)


@dataclass(frozen=True)
class PymooSettings(OutsideSettings):
    """Parameters of pymoo's algorithms.

    population: members; of NSGA-III and MOEA/D the largest regular grid of directions that is not larger.
    operators: "integer" (SBX and polynomial mutation with eta 3, rounded: pymoo's advice for integers) or "categorical"
    (uniform crossover, and each gene another value with probability 1/d).
    """

    population: int = 100
    operators: str = "integer"

    def __post_init__(self) -> None:
        OutsideSettings.__post_init__(self)
        check_positive("population", self.population)
        check_known("operators", self.operators, OPERATORS)


def _integer() -> dict[str, Any]:
    from pymoo.operators.crossover.sbx import SBX
    from pymoo.operators.mutation.pm import PM
    from pymoo.operators.repair.rounding import RoundingRepair

    crossover = SBX(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair())
    return {"crossover": crossover, "mutation": PM(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair())}


def _categorical() -> dict[str, Any]:
    from pymoo.core.mutation import Mutation
    from pymoo.operators.crossover.ux import UX

    class OtherValue(Mutation):  # type: ignore[misc]
        """Each gene takes another of its values with probability 1/d."""

        def _do(self, problem: Any, X: Any, random_state: Any = None, **kwargs: Any) -> Any:
            cards = problem.xu.astype(int) + 1
            hit = random_state.random(X.shape) < 1.0 / X.shape[1]
            shift = 1 + (random_state.random(X.shape) * (cards - 1)).astype(int)
            return np.where(hit, (X.astype(int) + shift) % cards, X.astype(int))

    return {"crossover": UX(), "mutation": OtherValue(prob=1.0)}


OPERATORS: Mapping[str, Callable[[], dict[str, Any]]] = {"integer": _integer, "categorical": _categorical}


def _sampling(task: Task) -> Any:
    """The design that all begin with, then the space's own random architectures."""
    from pymoo.core.sampling import Sampling

    class Begin(Sampling):  # type: ignore[misc]
        def _do(self, problem: Any, n_samples: int, *_: Any, random_state: Any = None, **__: Any) -> Any:
            space, genes = task.space, list(task.begin[:n_samples])
            while len(genes) < n_samples:
                genes.append(space.canonical(space.sample(random_state)).genes)
            return np.array(genes)

    return Begin()


def repaired(space: SearchSpace, genes: Any, rng: np.random.Generator) -> Genes:
    """Valid canonical genes: changed at random until they are valid, else replaced by a random architecture."""
    genes = np.around(np.asarray(genes, dtype=np.float64)).astype(int)
    for _ in range(_REPAIRS):
        architecture = with_fixed_genes(space, genes.tolist())
        if space.is_valid(architecture):
            return space.canonical(architecture).genes
        place = int(rng.integers(len(genes)))
        genes[place] = int(rng.integers(space.cardinalities[place]))
    return space.canonical(space.sample(rng)).genes


def _repair(space: SearchSpace) -> Any:
    from pymoo.core.repair import Repair

    class RepairGenes(Repair):  # type: ignore[misc]
        def _do(self, problem: Any, X: Any, random_state: Any = None, **_: Any) -> Any:
            return np.array([repaired(space, genes, random_state) for genes in X])

    return RepairGenes()


class _Generations:
    """An algorithm of pymoo, asked for one member of its generation after the other (or for one offspring)."""

    def __init__(self, algorithm: Any, task: Task, *, needs_all: bool) -> None:
        """`needs_all`: a failed member needs values too."""
        from pymoo.core.problem import Problem
        from pymoo.core.termination import NoTermination

        upper = np.array(task.space.cardinalities) - 1
        self._problem = Problem(
            n_var=len(upper), n_obj=task.n_objectives, xl=np.zeros(len(upper)), xu=upper, vtype=int
        )
        self._needs_all = needs_all
        self._queue: deque[int] = deque()
        self._values: dict[int, FloatArray | None] = {}
        self._members: Any = None
        self._infills: Any = None
        self._algorithm = algorithm
        algorithm.setup(self._problem, seed=task.seed, termination=NoTermination())

    def ask(self) -> tuple[int, Genes] | None:
        """The next member of the generation; None while its results are missing or it has no offspring."""
        from pymoo.core.individual import Individual
        from pymoo.core.population import Population

        if not self._queue:
            if self._members is not None:
                return None
            with warnings.catch_warnings():  # pymoo turns every warning off, for good
                self._infills = self._algorithm.ask()
            single = isinstance(self._infills, Individual)
            if self._infills is None or (not single and len(self._infills) == 0):
                return None
            self._members = Population.create(self._infills) if single else self._infills
            self._queue, self._values = deque(range(len(self._members))), {}
        number = self._queue.popleft()
        return number, tuple(int(g) for g in np.around(self._members[number].X))

    def tell(self, token: int, objectives: FloatArray | None) -> None:
        """Store the result; after the last of a generation advance the algorithm."""
        self._values[token] = objectives
        if len(self._values) == len(self._members):
            self._advance()

    def _advance(self) -> None:
        from pymoo.core.evaluator import Evaluator
        from pymoo.problems.static import StaticProblem

        worst = np.full(self._problem.n_obj, _WORSE_THAN_ALL)
        rows = [self._values[i] for i in range(len(self._members))]
        kept = [i for i, row in enumerate(rows) if row is not None or self._needs_all]
        members, self._members = self._members, None
        if not kept:
            return
        F = np.array([worst if rows[i] is None else rows[i] for i in kept])
        chosen = members[kept]
        with warnings.catch_warnings():
            Evaluator().eval(StaticProblem(self._problem, F=F), chosen)
            single = self._infills is not members
            self._algorithm.tell(infills=chosen[0] if single else chosen)


class _Pymoo(OutsideAlgorithm):
    """Base class of the three."""

    Settings = PymooSettings
    needs_all = False

    def make(self, task: Task) -> _Generations:
        """The algorithm of pymoo with the settings' operators."""
        operators = OPERATORS[self._settings.operators]()
        parts = {"sampling": _sampling(task), "repair": _repair(task.space), **operators}
        return _Generations(self.algorithm(task, parts), task, needs_all=self.needs_all)

    def algorithm(self, task: Task, parts: dict[str, Any]) -> Any:
        """An instance of pymoo's class."""
        raise NotImplementedError

    def directions(self, task: Task) -> FloatArray:
        """Reference directions, as many as the population allows."""
        if task.n_objectives < 2:
            raise ConfigError(f"algorithm {type(self).__name__}: needs two objectives or more, got one")
        return das_dennis(task.n_objectives, self._settings.population)


class PymooNSGA2(_Pymoo):
    """pymoo's NSGA-II, unchanged."""

    def algorithm(self, task: Task, parts: dict[str, Any]) -> Any:
        from pymoo.algorithms.moo.nsga2 import NSGA2

        return NSGA2(pop_size=self._settings.population, **parts)


class PymooNSGA3(_Pymoo):
    """pymoo's NSGA-III, unchanged."""

    def algorithm(self, task: Task, parts: dict[str, Any]) -> Any:
        from pymoo.algorithms.moo.nsga3 import NSGA3

        return NSGA3(self.directions(task), **parts)


class PymooMOEAD(_Pymoo):
    """pymoo's MOEA/D, unchanged."""

    needs_all = True

    def algorithm(self, task: Task, parts: dict[str, Any]) -> Any:
        """Its MOEAD, with its own neighbourhood of 20 where there are as many directions."""
        from pymoo.algorithms.moo.moead import MOEAD

        directions = self.directions(task)
        return MOEAD(directions, n_neighbors=min(20, len(directions)), **parts)
