"""Cost of a proposal of sa-moead on large problems: CPU seconds of one core, fitting included.

`python experiments/speed/proposal_bounds.py [--asks N]`: a minute. The bound is half a second each: 10 measured
objectives, 200 genes of 20 choices (categories or numbers), a gene of 10,000 choices, 1,000 results; and combinations of
these, without a bound.
Values are made up; "mean" is over the asks, "most" the most expensive one, which chooses and tunes the models.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import nas
from nas.algorithms.sa_moead import SAMOEAD
from nas.core.objectives import Objective
from nas.core.problem import Problem
from nas.core.records import Architecture, Observation, Trial
from nas.core.space import SearchSpace

USUAL, WIDE, LONG = (6,) * 12, (20,) * 200, (4,) * 6 + (10_000,)
NUMBERS = nas.Space("numbers", {f"p{i}": nas.Integer(1, 20) for i in range(200)})
CASES = {  # cardinalities or a space, measured objectives, results known
    "usual": (USUAL, 1, 100),
    "10 objectives": (USUAL, 10, 100),
    "200 genes of 20 choices": (WIDE, 2, 100),
    "200 numbers of 20 choices": (NUMBERS, 2, 100),
    "a gene of 10,000 choices": (LONG, 2, 100),
    "1,000 results": (USUAL, 2, 1000),
    "10 objectives, 1,000 results": (USUAL, 10, 1000),
    "200 genes, 1,000 results": (WIDE, 2, 1000),
    "200 genes, 10 objectives": (WIDE, 10, 100),
    "10,000 choices, 10 objectives": (LONG, 10, 100),
}


class Genes(SearchSpace):
    """Every combination of genes is an architecture."""

    name = "genes"

    def __init__(self, cardinalities: tuple[int, ...]) -> None:
        self.cardinalities = cardinalities


def nothing(trial: Trial) -> dict[str, float]:
    raise AssertionError("nothing is measured here")


def seen(problem: Problem, architecture: Architecture) -> Observation:
    """Made-up values that depend on all genes."""
    genes = np.array(architecture.genes, dtype=np.float64)
    waves = [np.cos(genes * (1 + j) + np.arange(len(genes))).mean() for j in range(problem.n_objectives)]
    return Observation(architecture, 10.0 + np.array(waves), 0.0, ok=True)


def proposals(given: tuple[int, ...] | SearchSpace, m: int, known: int, asks: int) -> list[float]:
    """CPU seconds of each ask."""
    space = given if isinstance(given, SearchSpace) else Genes(given)
    problem = Problem(space, [Objective(f"o{j}") for j in range(m)], nothing)
    algorithm, rng = SAMOEAD(problem, np.random.default_rng(0)), np.random.default_rng(1)
    algorithm.tell([seen(problem, problem.space.sample(rng)) for _ in range(known)])
    seconds = []
    for _ in range(asks):
        start = time.process_time()
        found = algorithm.ask(1)
        seconds.append(time.process_time() - start)
        algorithm.tell([seen(problem, a) for a in found])
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--asks", type=int, default=10)
    asks = parser.parse_args().asks
    for name, (space, m, known) in CASES.items():
        seconds = proposals(space, m, known, asks)
        print(f"{name:32} mean {np.mean(seconds):.3f} s, most {max(seconds):.3f} s", flush=True)


if __name__ == "__main__":
    main()
