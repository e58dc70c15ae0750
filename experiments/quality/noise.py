"""Which front to believe when each measurement is noisy: that of measured or of expected values?

`nice python experiments/quality/noise.py` searches a published table whose errors get normal noise, a new draw each
time, and scores the reported front by the table itself. The noise is declared, or not and then known from repeated measurements alone. It writes `results/noise.csv` (one row per run and front) and prints
medians; runs in the file are not repeated. See the README beside this file.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch are loaded: their products are small

import numpy as np
import pandas as pd
from five_vertices import Errors, FiveVertexCells, cells

import nas
from nas.algorithms.expectation import estimates
from nas.algorithms.noise import averaged
from nas.algorithms.sa_moead import SAMOEAD
from nas.core.objectives import OBJECTIVES as BUILT_IN
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Observation
from nas.engine.loop import LoopSettings
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import Box, hypervolume

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("NAS_SHARED_DATA", HERE.parents[2] / "shared" / "data"))
OBJECTIVES = ("error", "params", "madds")
SETTINGS = (
    (False, 0.0),
    (False, 0.2),
    (True, 0.0),
    (True, 0.2),
)  # whether the noise is declared, and the share of repeats
KEY = ["table", "declared", "repeats", "front"]


def problem_of(path: str, noise: float, declared: bool) -> Problem:
    """The problem, with the noise declared or unknown."""
    error = replace(BUILT_IN["error"], noise=noise if declared else None)
    return Problem(cells(path), [error, *OBJECTIVES[1:]], Errors(path, noise))


def search(
    problem: Problem, path: str, repeats: float, noise: float, budget: int, seed: int
) -> list[Observation]:
    """The observations of one search, in order."""
    found = nas.search(
        problem.space,
        problem.objectives,
        Errors(path, noise),
        algorithm="sa-moead",
        algorithm_settings=replace(SAMOEAD.default_settings(len(OBJECTIVES), budget), repeats=repeats),
        loop=LoopSettings(evaluations=budget, seed=seed, concurrency=1),
    ).history
    points = found[list(OBJECTIVES)].to_numpy(dtype=np.float64)
    asked = map(problem.space.parse, found["architecture"])
    return [Observation(a, point, 0.0, ok=True) for a, point in zip(asked, points, strict=True)]


def fronts(problem: Problem, known: list[Observation]) -> dict[str, tuple[list[Architecture], FloatArray]]:
    """The fronts by each kind of values: architectures and their claimed objectives (n, 3)."""
    means = averaged(problem, known)
    architectures = [seen.architecture for seen in means]
    kinds = {"measured": np.array([seen.objectives for seen in means])}
    estimate = estimates(problem, known)
    if estimate is not None:
        kinds["expected"] = estimate.mean
    found = {}
    for name, points in kinds.items():
        rows = non_dominated(points)
        found[name] = [architectures[i] for i in rows], points[rows]
    return found


def judged(
    space: FiveVertexCells, architectures: list[Architecture], claimed: FloatArray
) -> dict[str, float]:
    """Claims beside the truth; hypervolume as a fraction of the true front's."""
    every = np.array(list(space.values.values()))
    front = every[non_dominated(every)]
    ideal, nadir = front.min(axis=0), front.max(axis=0)
    box = Box(ideal, nadir + 0.1 * (nadir - ideal))
    true, best = np.array([space.values[a] for a in architectures]), hypervolume(front, box)
    return {
        "size": len(true),
        "wrong": len(true) - len(non_dominated(true)),  # members that another member truly dominates
        "hypervolume": hypervolume(true, box) / best,
        "claimed": hypervolume(claimed, box) / best,
        "optimism": float((true - claimed)[:, 0].mean()),  # percentage points of error
        "off": float(np.abs(true - claimed)[:, 0].mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--noise", type=float, default=0.5, help="standard deviation, percentage points")
    parser.add_argument("--budget", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=21)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=HERE / "results")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / "noise.csv"
    frame = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=[*KEY, "seed"])
    done = set(frame[["declared", "repeats", "seed"]].itertuples(index=False, name=None))
    path = str(args.data / "nasbench101_5v")
    space = cells(path)
    for seed in range(args.seeds):
        for declared, repeats in SETTINGS:
            if (declared, repeats, seed) in done:
                continue
            start = time.process_time()
            problem = problem_of(path, args.noise, declared)
            known = search(problem, path, repeats, args.noise, args.budget, seed)
            unique = len({seen.architecture for seen in known})
            rows: list[dict[str, object]] = []
            for front, (architectures, claimed) in fronts(problem, known).items():
                kind = {
                    "table": space.name,
                    "declared": declared,
                    "repeats": repeats,
                    "front": front,
                    "seed": seed,
                    "unique": unique,
                }
                rows.append(kind | judged(space, architectures, claimed))
            frame = pd.concat([frame, pd.DataFrame(rows)]) if len(frame) else pd.DataFrame(rows)
            frame.to_csv(file, index=False, float_format="%.5g", lineterminator="\n")  # the rest takes long
            print(f"{declared} {repeats} seed {seed}: {time.process_time() - start:.1f} s", flush=True)
    print(frame.drop(columns="seed").groupby(KEY, sort=False).median().to_string())


if __name__ == "__main__":
    main()
