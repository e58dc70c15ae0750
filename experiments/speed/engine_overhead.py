"""Overhead of the engine: microseconds per evaluation on a look-up problem, beside pymoo's.

26 integer genes with four choices each, three objectives, no training: the rest is overhead. The
objective function is the same for all and its time is subtracted. Processor time on one thread, which a busy
machine changes little, with wall-clock time beside it; each repeat runs all contestants in turn. Run:
`python experiments/speed/engine_overhead.py [--evaluations 10000] [--repeats 5]`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pymoo.algorithms.moo import moead as pymoo_moead_module
from pymoo.algorithms.moo import nsga2 as pymoo_nsga2_module
from pymoo.core.problem import ElementwiseProblem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling
from pymoo.optimize import minimize
from threadpoolctl import threadpool_limits

import nas
from nas.algorithms.moead import MOEAD
from nas.api import search
from nas.core.records import Observation
from nas.pareto.directions import das_dennis

GENES, CHOICES = 26, 4
RESULTS = Path(__file__).resolve().parent / "results"
FUNCTION, OURS, OUTSIDE = "objective function", "MOEA/D, ask/tell", "pymoo MOEA/D"


class Genes(nas.SearchSpace):
    """26 genes with four choices each."""

    name = "genes"
    cardinalities = (CHOICES,) * GENES


def look_up(genes: Any) -> list[float]:
    """Three objectives in conflict, with the ranges of an error, parameters and multiply-adds."""
    first, second, third = sum(genes[:9]), sum(genes[9:18]), sum(genes[18:])
    return [100.0 / (1.0 + first + second), 1e6 + 1e5 * (first + third), 1e8 + 1e7 * (second + third)]


class PymooGenes(ElementwiseProblem):
    """The same for pymoo."""

    def __init__(self) -> None:
        super().__init__(n_var=GENES, n_obj=3, xl=0, xu=CHOICES - 1, vtype=int)

    def _evaluate(self, x: Any, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        out["F"] = look_up(x.tolist())


def evaluate(trial: nas.Trial) -> dict[str, float]:
    return dict(zip(("error", "params", "madds"), look_up(trial.architecture.genes), strict=True))


OBJECTIVES = [nas.Objective(name) for name in ("error", "params", "madds")]


def ask_tell(evaluations: int, seed: int) -> None:
    problem = nas.Problem(Genes(), OBJECTIVES, evaluate)
    settings = MOEAD.default_settings(3, evaluations)
    algorithm = MOEAD(problem, np.random.default_rng(seed), settings)
    for _ in range(evaluations):
        (architecture,) = algorithm.ask(1)
        algorithm.tell([Observation(architecture, np.array(look_up(architecture.genes)), 0.0, ok=True)])


def in_memory(evaluations: int, seed: int) -> None:
    search(Genes(), OBJECTIVES, evaluate, budget=evaluations, seed=seed)


def on_disk(evaluations: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        search(Genes(), OBJECTIVES, evaluate, budget=evaluations, seed=seed, out=Path(folder) / "run")


def _operators() -> dict[str, Any]:
    return {
        "sampling": IntegerRandomSampling(),
        "crossover": SBX(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        "mutation": PM(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
    }


def pymoo_moead(evaluations: int, seed: int) -> None:
    minimize(
        PymooGenes(),
        pymoo_moead_module.MOEAD(das_dennis(3, 91), **_operators()),
        ("n_eval", evaluations),
        seed=seed,
    )


def pymoo_nsga2(evaluations: int, seed: int) -> None:
    minimize(
        PymooGenes(),
        pymoo_nsga2_module.NSGA2(pop_size=100, **_operators()),
        ("n_eval", evaluations),
        seed=seed,
    )


CONTESTANTS: dict[str, Callable[[int, int], None]] = {
    OURS: ask_tell,
    "MOEA/D, search loop, in memory": in_memory,
    "MOEA/D, search loop, history on disk": on_disk,
    OUTSIDE: pymoo_moead,
    "pymoo NSGA-II": pymoo_nsga2,
}


def only_the_function(evaluations: int, seed: int) -> None:
    """The look-ups alone, to be subtracted."""
    for row in np.random.default_rng(seed).integers(0, CHOICES, (evaluations, GENES)).tolist():
        look_up(row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluations", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    for run in CONTESTANTS.values():
        run(200, 0)  # imports and caches, untimed
    clocks = {"cpu": time.process_time, "wall": time.perf_counter}
    spent: dict[str, list[dict[str, float]]] = {name: [] for name in (FUNCTION, *CONTESTANTS)}
    for seed in range(args.repeats):
        for name, run in ((FUNCTION, only_the_function), *CONTESTANTS.items()):
            start = {clock: read() for clock, read in clocks.items()}
            run(args.evaluations, seed)
            spent[name].append({clock: read() - start[clock] for clock, read in clocks.items()})
    frame = summary(spent, args.evaluations)
    print(f"microseconds per evaluation, {args.evaluations:,} evaluations, medians of {args.repeats};")
    print("overhead is processor time less that of the objective function itself")
    print(frame.round(1).to_string(index=False))
    args.out.mkdir(parents=True, exist_ok=True)
    frame.round(2).to_csv(args.out / "engine_overhead.csv", index=False)


def summary(spent: dict[str, list[dict[str, float]]], evaluations: int) -> pd.DataFrame:
    """A row each: medians, the range over the repeats, and the ratio to pymoo's MOEA/D."""
    scale = 1e6 / evaluations
    cpu = {name: np.array([t["cpu"] for t in times]) * scale for name, times in spent.items()}
    function = float(np.median(cpu.pop(FUNCTION)))
    outside = float(np.median(cpu[OUTSIDE])) - function
    rows = []
    for name, values in cpu.items():
        overhead = float(np.median(values)) - function
        rows.append(
            {
                "what": name,
                "overhead_us": overhead,
                "least_us": values.min() - function,
                "most_us": values.max() - function,
                "wall_us": float(np.median([t["wall"] for t in spent[name]])) * scale,
                "function_us": function,
                "times_less_than_pymoo_moead": outside / overhead,
            }
        )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
