"""Hypervolume, and used share of the workers' time, against the number of trials in flight (`concurrency`).

Searches two published tables in the order of asking, on simulated workers (`nas.executors.simulated`). A training takes from 1 to 10
seconds, log-uniform, drawn by the trial's seed (`log_uniform`); with `quarter`, one in four takes 10 and the others 1. In the order
of asking the times do not affect the search, so the second share is computed from the same run. Hypervolume is the share of that of
the true front, with a reference point a tenth of its range beyond the nadir, after `budget` evaluations with the settings
for that budget. `concurrency` 0 is the unordered search: a free worker gets the next trial at once.

    python experiments/speed/idle_workers.py                # the missing runs of results/idle_workers.csv, then a table of medians
    python experiments/speed/idle_workers.py --first 100 --out runs/idle_workers.csv      # other seeds
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is loaded: the products are small

import numpy as np
import pandas as pd

import nas
from nas.algorithms import ALGORITHMS
from nas.core.evaluator import Evaluate
from nas.core.problem import Problem
from nas.engine.in_flight import used_share
from nas.engine.loop import LoopSettings
from nas.executors import SimulatedSettings
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import Box, hypervolume
from search_spaces.nasbench201 import NASBench201
from search_spaces.nasbench201.table_config import table_evaluator

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("NAS_SHARED_DATA", HERE.parents[2] / "shared" / "data"))
sys.path.insert(0, str(HERE.parent / "quality"))
from five_vertices import Errors, cells  # noqa: E402

sys.path.append(str(HERE.parent))
from engine_commit import engine_commit  # noqa: E402

OBJECTIVES = ["error", "params", "madds"]
KEY = ["table", "algorithm", "budget", "workers", "concurrency"]
SLOWEST = 10.0  # the shortest training takes 1 second


@cache
def table(name: str) -> tuple[nas.SearchSpace, Evaluate, Box, float]:
    """The space, its evaluator, and the box and hypervolume of its true front."""
    path = str(DATA / name.partition("-")[0])
    space: nas.SearchSpace
    evaluate: Evaluate
    if name == "nasbench101_5v":
        space, evaluate = cells(path), Errors(path)
    else:
        space, evaluate = NASBench201(), table_evaluator(path, split="test", epochs=200)
    problem = Problem(space, OBJECTIVES, evaluate)
    rows = []
    for number, architecture in enumerate(space.enumerate()):
        values = {**problem.cheap_values(architecture), **evaluate(nas.Trial(number, architecture, 0))}
        rows.append([values[objective] for objective in OBJECTIVES])
    points = np.array(rows)
    front = points[non_dominated(points)]
    ideal, nadir = front.min(axis=0), front.max(axis=0)
    box = Box(ideal, nadir + 0.1 * (nadir - ideal))
    return space, evaluate, box, hypervolume(front, box)


@dataclass(frozen=True)
class Timed:
    """The table's values, and the `seconds` of a training."""

    evaluate: Evaluate

    def __call__(self, trial: nas.Trial) -> dict[str, float]:
        seconds = SLOWEST ** float(np.random.default_rng(trial.seed).random())
        return {**self.evaluate(trial), "seconds": seconds}


def search(
    name: str, algorithm: str, budgets: Sequence[int], workers: int, concurrency: int, seed: int
) -> list[dict[str, object]]:
    """A row for each budget, from one run of the largest: its first trials are the run of a smaller one."""
    space, evaluate, box, best = table(name)
    found = nas.search(
        space, OBJECTIVES, Timed(evaluate), algorithm=algorithm, executor="simulated",
        executor_settings=SimulatedSettings(workers=workers, seconds="seconds"),
        loop=LoopSettings(evaluations=max(budgets), seed=seed, concurrency=concurrency or 1, ordered=concurrency > 0),
    ).history.sort_values("trial")  # fmt: skip
    seconds = found["seconds"].to_numpy(dtype=np.float64)
    quarter = np.where(np.log(seconds) < 0.25 * np.log(SLOWEST), SLOWEST, 1.0)
    points = found[OBJECTIVES].to_numpy(dtype=np.float64)
    used = seconds.sum() / (found["finished"].max() * workers)
    assert np.isclose(used, used_share(seconds.tolist(), workers, concurrency or None))
    return [
        {
            "table": name, "algorithm": algorithm, "budget": budget, "workers": workers, "concurrency": concurrency,
            "seed": seed, "hypervolume": hypervolume(points[:budget], box) / best,
            "log_uniform": used_share(seconds[:budget].tolist(), workers, concurrency or None),
            "quarter": used_share(quarter[:budget].tolist(), workers, concurrency or None),
            "engine": engine_commit(),
        }
        for budget in budgets
    ]  # fmt: skip


def missing(
    args: argparse.Namespace, done: pd.DataFrame
) -> Iterator[tuple[str, str, list[int], int, int, int]]:
    """The runs that the file lacks, seed by seed; one for all budgets where the settings do not depend on it."""
    known = set(done[[*KEY, "seed"]].itertuples(index=False, name=None))
    seeds = range(args.first, args.first + args.seeds)
    for seed, name, algorithm, flight in product(seeds, args.tables, args.algorithms, args.concurrency):
        left = [b for b in args.budgets if (name, algorithm, b, args.workers, flight, seed) not in known]
        default = ALGORITHMS[algorithm].default_settings
        alike = left and all(default(len(OBJECTIVES), b) == default(len(OBJECTIVES), left[0]) for b in left)
        for budgets in [left] if alike else [[b] for b in left]:
            yield name, algorithm, budgets, args.workers, flight, seed


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--tables", nargs="+", default=["nasbench201-cifar10", "nasbench101_5v"])
    parser.add_argument("--algorithms", nargs="+", default=["sa-moead", "moead"])
    parser.add_argument("--budgets", type=int, nargs="+", default=[100, 300])
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[8, 16, 0])
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--seeds", type=int, default=21)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "idle_workers.csv")
    args = parser.parse_args()
    names = [*KEY, "seed", "hypervolume", "log_uniform", "quarter", "engine"]
    frame = pd.read_csv(args.out, dtype={"engine": str}) if args.out.exists() else pd.DataFrame(columns=names)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    for run in missing(args, frame):
        rows = pd.DataFrame(search(*run))
        frame = pd.concat([frame, rows]) if len(frame) else rows
        frame.to_csv(args.out, index=False, float_format="%.5g", lineterminator="\n")  # the rest takes long
    medians = frame.drop(columns=["engine", "seed"]).groupby(KEY, sort=False).median()
    print(medians.round(4).to_string())


if __name__ == "__main__":
    main()
