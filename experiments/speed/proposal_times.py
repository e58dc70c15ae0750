"""CPU seconds of one core between two evaluations of sa-moead on the tables of experiments/quality: the mean, and the most expensive one.

`python experiments/speed/proposal_times.py [--seed 0] [--budget 300]`: about five minutes on a quiet core. The bound is 0.3 s. The time is
that of a proposal with all tuning of models before it, and of recording the result. Tables are read from `../shared/data`, or `NAS_SHARED_DATA`;
without them only the synthetic problems run.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "quality"))
from searches import Problem  # before numpy: one thread

# isort: split
import large_space
import many_objectives
import numpy as np
import plain_genes

import nas
from nas.engine.search_state import LoopSettings


def times(problem: Problem, known: bool, budget: int, seed: int) -> list[float]:
    """CPU seconds from the end of each evaluation to the next."""
    found, ended = [], time.process_time()

    def evaluate(trial: nas.Trial) -> dict[str, float]:
        nonlocal ended
        found.append(time.process_time() - ended)
        row = problem.values(np.array([trial.architecture.genes]))[0]
        ended = time.process_time()
        return dict(zip(problem.objectives, row.tolist(), strict=True))

    objectives = [nas.Objective(n, cheap=known and n not in problem.measured) for n in problem.objectives]
    loop = LoopSettings(evaluations=budget, seed=seed, concurrency=1)
    nas.search(problem.space(), objectives, evaluate, algorithm="sa-moead", loop=loop)
    return found[1:]  # the first includes loading the packages


def cases() -> list[tuple[Problem, bool]]:
    """Problems, and whether their costs are known."""
    found = [(large_space.problem(number), True) for number in (0, 1)]
    found += [(many_objectives.synthetic(0), True)]
    if plain_genes.DATA.is_dir():
        found += [(many_objectives.nasbench201(str(plain_genes.DATA)), True)]
        names = ("nasbench201-hand", "nasbench201-declared", "five-vertices-hand")
        found += [(plain_genes.problem(name, True), True) for name in names]
        names = ("nasbench201-genes", "five-vertices-genes")
        found += [(plain_genes.problem(name, False), False) for name in names]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--budget", type=int, default=300)
    args = parser.parse_args()
    for problem, known in cases():
        seconds = np.array(times(problem, known, args.budget, args.seed))
        costs = "known" if known else "measured"
        print(
            f"{problem.name:22} costs {costs:9} mean {seconds.mean():.3f} s, most {seconds.max():.3f} s, "
            f"above 0.3 s: {(seconds > 0.3).sum()} of {len(seconds)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
