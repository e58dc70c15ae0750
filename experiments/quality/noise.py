"""Which front to believe when each measurement is noisy: the raw one, or that by posterior mean?

`nice python experiments/quality/noise.py` searches a published table whose errors get normal noise, a new draw each
time, and scores the reported front by the table itself. It writes `results/noise.csv` (one row per run and front) and prints
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
from nas.algorithms.noise import averaged
from nas.algorithms.sa_moead import SAMOEAD
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Observation
from nas.engine.loop import LoopSettings
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import Box, hypervolume

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("NAS_SHARED_DATA", HERE.parents[2] / "shared" / "data"))
OBJECTIVES = ("error", "params", "madds")
KEY = ["table", "repeats", "front"]


def search(path: str, repeats: float, noise: float, budget: int, seed: int) -> list[Observation]:
    """The observations of one search, in order."""
    found = nas.search(
        cells(path),
        OBJECTIVES,
        Errors(path, noise),
        algorithm="sa-moead",
        algorithm_settings=replace(SAMOEAD.default_settings(len(OBJECTIVES), budget), repeats=repeats),
        loop=LoopSettings(evaluations=budget, seed=seed, concurrency=1),
    ).history
    points = found[list(OBJECTIVES)].to_numpy(dtype=np.float64)
    asked = map(cells(path).parse, found["architecture"])
    return [Observation(a, point, 0.0, ok=True) for a, point in zip(asked, points, strict=True)]


def fronts(path: str, known: list[Observation]) -> dict[str, tuple[list[Architecture], FloatArray]]:
    """Both reported fronts: architectures and their claimed objectives (n, 3)."""
    problem = Problem(cells(path), OBJECTIVES, Errors(path))
    algorithm = SAMOEAD(problem, np.random.default_rng(0))
    algorithm.tell(known)
    means = averaged(problem, known)
    architectures = [seen.architecture for seen in means]
    raw = np.array([seen.objectives for seen in means])
    smoothed, _ = algorithm.posterior(architectures)
    found = {}
    for name, points in (("raw", raw), ("posterior", smoothed)):
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
    parser.add_argument("--repeats", nargs="+", type=float, default=[0.0, 0.2])
    parser.add_argument("--noise", type=float, default=0.5, help="standard deviation, percentage points")
    parser.add_argument("--budget", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=21)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=HERE / "results")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / "noise.csv"
    frame = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=[*KEY, "seed"])
    done = set(frame[["repeats", "seed"]].itertuples(index=False, name=None))
    path = str(args.data / "nasbench101_5v")
    space = cells(path)
    for seed in range(args.seeds):
        for repeats in args.repeats:
            if (repeats, seed) in done:
                continue
            start = time.process_time()
            known = search(path, repeats, args.noise, args.budget, seed)
            unique = len({seen.architecture for seen in known})
            rows: list[dict[str, object]] = []
            for front, (architectures, claimed) in fronts(path, known).items():
                kind = {
                    "table": space.name,
                    "repeats": repeats,
                    "front": front,
                    "seed": seed,
                    "unique": unique,
                }
                rows.append(kind | judged(space, architectures, claimed))
            frame = pd.concat([frame, pd.DataFrame(rows)]) if len(frame) else pd.DataFrame(rows)
            frame.to_csv(file, index=False, float_format="%.5g", lineterminator="\n")  # the rest takes long
            print(f"{repeats} seed {seed}: {time.process_time() - start:.1f} s", flush=True)
    print(frame.drop(columns="seed").groupby(KEY, sort=False).median().to_string())


if __name__ == "__main__":
    main()
