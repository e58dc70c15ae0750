"""Cost of a proposal of sa-moead by length of the history: seconds of one core, fitting included.

`python experiments/speed/sa_moead_overhead.py [--out FILE.csv]`: some minutes. Errors are made up (they fall with the
size of the network, with noise), parameters and multiply-adds are the spaces' own. Two workers with ten seconds per
candidate need a proposal every five; five percent of an evaluation's ten seconds is half a second.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from nas.algorithms.candidates import Candidates
from nas.algorithms.sa_moead import SAMOEAD
from nas.core.plugins import registry
from nas.core.problem import Problem
from nas.core.records import Architecture, Observation, Trial

KNOWN = (10, 30, 100, 300, 1000, 3000, 10_000)
SPACES = ("muxnet-tiny", "muxnet-imagenet", "nasbench101", "nasbench201")
EVALUATION = 10.0  # seconds


def nothing(trial: Trial) -> dict[str, float]:
    raise AssertionError("nothing is trained here")


def answer(problem: Problem, architecture: Architecture, rng: np.random.Generator) -> Observation:
    """An error that falls with the logarithm of the parameters, with noise."""
    values = problem.cheap_values(architecture)
    values["error"] = 60.0 * float(np.exp(-0.25 * np.log(values["params"] / 500.0) + rng.normal(0.0, 0.1)))
    return Observation(architecture, np.array([values[n] for n in problem.names]), 0.0, ok=True)


def known(problem: Problem, n: int, rng: np.random.Generator) -> list[Observation]:
    """n results of random architectures."""
    candidates = Candidates(problem, rng)
    drawn = (candidates.random() for _ in range(n))
    return [answer(problem, a, rng) for a in drawn if a is not None]


def proposals(problem: Problem, told: Sequence[Observation], asks: int) -> list[float]:
    """CPU seconds of each of the next asks, with a result passed after each."""
    rng = np.random.default_rng(1)
    algorithm = SAMOEAD(problem, np.random.default_rng(0))
    algorithm.tell(told)
    seconds = []
    for _ in range(asks):
        start = time.process_time()
        found = algorithm.ask(1)
        seconds.append(time.process_time() - start)
        algorithm.tell([answer(problem, a, rng) for a in found])
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spaces", nargs="+", default=SPACES)
    parser.add_argument("--asks", type=int, default=25)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    known = registry("space")
    rows = []
    for name in args.spaces:
        problem = Problem(known[name](), ["error", "params", "madds"], nothing)
        for n in KNOWN:
            if problem.space.size is not None and n > problem.space.size // 2:
                continue
            seconds = proposals(problem, known(problem, n, np.random.default_rng(0)), args.asks)
            rows.append(
                {
                    "space": name,
                    "known": n,
                    "mean_s": round(float(np.mean(seconds)), 3),
                    "median_s": round(float(np.median(seconds)), 3),
                    "largest_s": round(max(seconds), 2),
                    "share_of_evaluation": round(float(np.mean(seconds)) / EVALUATION, 4),
                }
            )
            print(rows[-1], flush=True)
    if args.out:
        pd.DataFrame(rows).to_csv(args.out, index=False)


if __name__ == "__main__":
    main()
