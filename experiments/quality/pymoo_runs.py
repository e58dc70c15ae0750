"""pymoo's own NSGA-II, NSGA-III and MOEA/D on a look-up table, to compare with.

Each in two forms: the plain one is pymoo's advice for integer variables (SBX and polynomial mutation with eta 3,
rounding) with its default sizes; `categorical` has uniform crossover, a random other value for each gene with
probability 1/d, and the population that our own algorithms take at this budget. All get what our engine has too:
invalid genes are mended, isomorphic cells are merged, and only unique architectures count as evaluations. Their
objectives are divided by the true front's range, which only helps them: ours has to learn it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
from lookup_tables import LookupTable
from pymoo.algorithms.moo.moead import MOEAD
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.core.problem import Problem
from pymoo.core.repair import Repair
from pymoo.core.sampling import Sampling
from pymoo.optimize import minimize

from nas.algorithms.peers.pymoo_search import OPERATORS, mended
from nas.core.records import Architecture, FloatArray
from nas.pareto.directions import das_dennis


class _SpentError(Exception):
    """The budget is used up, or the algorithm is stuck."""


class TableProblem(Problem):
    """Looks up, and remembers the unique architectures in the order of their first evaluation."""

    def __init__(self, table: LookupTable, budget: int) -> None:
        cards = np.array(table.space.cardinalities)
        super().__init__(n_var=len(cards), n_obj=3, xl=np.zeros(len(cards)), xu=cards - 1, vtype=int)
        self.table = table
        self.budget = budget
        self.found: dict[Architecture, tuple[float, ...]] = {}
        self.calls = 0  # repetitions included
        self.latest = 0  # the call that last brought something new

    def _evaluate(self, X: Any, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        table, rows = self.table, []
        for genes in np.asarray(X, dtype=int).tolist():
            architecture = table.space.canonical(Architecture(table.space.name, tuple(genes)))
            rows.append(table.values[architecture])
            self.calls += 1
            if architecture not in self.found:
                self.found[architecture] = rows[-1]
                self.latest = self.calls
            stuck = self.calls - self.latest == self.budget
            if len(self.found) == self.budget or stuck or self.calls == 10 * self.budget:
                raise _SpentError
        out["F"] = (np.array(rows) - table.ideal) / (table.nadir - table.ideal)


class SpaceSampling(Sampling):
    """The space's own random architectures, canonical."""

    def _do(self, problem: Any, n_samples: int, *args: Any, random_state: Any = None, **kwargs: Any) -> Any:
        space = problem.table.space
        return np.array([space.canonical(space.sample(random_state)).genes for _ in range(n_samples)])


class CanonicalRepair(Repair):
    """Round, make valid by changing random genes until it is, and take the canonical form."""

    def _do(self, problem: Any, X: Any, random_state: Any = None, **kwargs: Any) -> Any:
        return np.array([mended(problem.table.space, genes, random_state) for genes in X])


def _rounded() -> dict[str, Any]:
    return {"sampling": SpaceSampling(), "repair": CanonicalRepair(), **OPERATORS["integer"]()}


def _categorical() -> dict[str, Any]:
    return {"sampling": SpaceSampling(), "repair": CanonicalRepair(), **OPERATORS["categorical"]()}


ALGORITHMS: dict[str, Callable[[int], Any]] = {
    "pymoo-nsga2": lambda size: NSGA2(pop_size=100, **_rounded()),
    "pymoo-nsga2-categorical": lambda size: NSGA2(pop_size=size, **_categorical()),
    "pymoo-nsga3": lambda size: NSGA3(das_dennis(3, 91), **_rounded()),
    "pymoo-nsga3-categorical": lambda size: NSGA3(das_dennis(3, size), **_categorical()),
    "pymoo-moead": lambda size: MOEAD(das_dennis(3, 91), **_rounded()),
    "pymoo-moead-categorical": lambda size: MOEAD(das_dennis(3, size), n_neighbors=10, **_categorical()),
}


def run(name: str, table: LookupTable, seed: int, budget: int) -> FloatArray:
    """Objectives of the unique architectures in the order of evaluation, shape (n, 3), n <= budget.

    Fewer than the budget only when an algorithm repeats itself: a budget of calls without anything new, or ten
    budgets of calls in all.
    """
    problem = TableProblem(table, budget)
    algorithm = ALGORITHMS[name](max(10, budget // 20))
    with contextlib.suppress(_SpentError):
        minimize(problem, algorithm, ("n_eval", 11 * budget), seed=seed, copy_algorithm=False)
    return np.array(list(problem.found.values()))
