"""The search algorithms, one per file. To add one, add its file and a line here."""

from __future__ import annotations

from nas.algorithms.local_search import LocalSearch
from nas.algorithms.moead import MOEAD
from nas.algorithms.nsga2 import NSGA2
from nas.algorithms.nsga3 import NSGA3
from nas.algorithms.random_search import RandomSearch
from nas.algorithms.regularized_evolution import RegularizedEvolution, ScalarizedEvolution
from nas.algorithms.sa_moead import SAMOEAD
from nas.core.algorithm import Algorithm

ALGORITHMS: dict[str, type[Algorithm]] = {
    "sa-moead": SAMOEAD,
    "moead": MOEAD,
    "nsga2": NSGA2,
    "nsga3": NSGA3,
    "regularized-evolution": RegularizedEvolution,
    "scalarized-evolution": ScalarizedEvolution,
    "local-search": LocalSearch,
    "random": RandomSearch,
}
