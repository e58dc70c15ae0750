"""How much the inner search of sa-moead matters: MOEA/D-PBI against NSGA-II, random candidates, and predictions of the whole space.

`nice python experiments/quality/inner_search.py --seeds 0 1 2` runs what `results/inner_search.csv` lacks and writes `results/inner_search.md`.
NAS-Bench-201 and the five-vertex cells with the package's encodings, where all cells can be predicted (`whole`), and instances 0 and 1 of the
large space. In all but `whole` the inner search has 1,000 candidates (`whole_space: 1`); the second inner search follows.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import searches  # before numpy: one thread

# isort: split
import large_space
import numpy as np
import plain_genes

from nas.algorithms._pool import InnerSearch
from nas.algorithms.nsga2 import NSGA2, NSGA2Settings
from nas.algorithms.random_search import RandomSearch
from nas.algorithms.sa_moead import SAMOEAD
from nas.core.algorithm import Algorithm
from nas.core.problem import Problem

HERE = Path(__file__).resolve().parent


class InnerNSGA2(InnerSearch):
    """NSGA-II with the same number of members and candidates."""

    def make(self, problem: Problem, rng: np.random.Generator) -> Algorithm:
        return NSGA2(problem, rng, NSGA2Settings(self.population))


class InnerRandom(InnerSearch):
    """Random candidates."""

    def make(self, problem: Problem, rng: np.random.Generator) -> Algorithm:
        return RandomSearch(problem, rng)


class WithNSGA2(SAMOEAD):
    """sa-moead with `InnerNSGA2`."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self._pool.inner = InnerNSGA2


class WithRandom(SAMOEAD):
    """sa-moead with `InnerRandom`."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self._pool.inner = InnerRandom


searches.ALGORITHMS = {**searches.ALGORITHMS, "inner-nsga2": WithNSGA2, "inner-random": WithRandom}
INNER = ("sa-moead:whole_space=1", "inner-nsga2:whole_space=1", "inner-random:whole_space=1")
TABLES = ("nasbench201-hand", "five-vertices-hand")

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    searches.add_arguments(parser, HERE / "results" / "inner_search.csv", INNER)
    parser.add_argument("--problems", nargs="+", choices=[*TABLES, "0", "1"], default=[*TABLES, "0", "1"])
    args = parser.parse_args()
    tables = [plain_genes.problem(name, True) for name in args.problems if name in TABLES]
    large = [large_space.problem(int(name)) for name in args.problems if name not in TABLES]
    for problems, methods in ((tables, ("sa-moead", *args.methods)), (large, args.methods)):
        args.methods = list(methods)
        searches.main(args, problems)
