"""Searches over deployed values against searches over multiply-adds, judged by deployed values.

    python experiments/deployment/search.py [--seeds 0 1 2 3 4] [--evaluations 40] [--minutes 180]

Both search the MUXNets of experiments/real_pool (the preset `cifar` at 24 pixels, a stem of stride 2) of at most 5 million multiply-adds, a quarter of the space, with sa-moead and the same number of candidates, each trained for
two epochs on 5,000 images of CIFAR-10:

- `deployed` minimises (int8_error, int8_latency, int8_size),
- `costs` minimises (error, params, madds).

Every member of a final front (at most ten, evenly spread by size) is then judged in the same way, whatever the search measured: its kept weights are quantised, `test_int8_error` is the error on 2,000 test images, its latency is
measured three times (the median counts), its size is that of the quantised file. `hypervolume` is the share of the box that all judged networks span, a tenth wider (latency and
size logarithmic), so it is computed from all searches at the end.
A box fixed before the first run (0.2 to 6 ms, 200 kB to 3 MB) lay beyond nearly all networks, so that the errors alone decided; it was replaced by this rule after four of ten searches.
Appends a row for each judged network to results/judged.csv and one for each search to results/searches.csv; a killed run continues. Prints medians, how much of the other's front each front
dominates, and an exact Wilcoxon signed-rank test over seeds.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy loads its libraries

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from latencies import HERE, engine_commit
from scipy.stats import wilcoxon

sys.path.insert(0, str(HERE.parent / "real_pool"))

import pools

import nas
from nas.core.records import FloatArray
from nas.deployment.int8 import calibration_images, wrong
from nas.deployment.measure import Deployed
from nas.deployment.target import Target
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import Box, hypervolume
from nas.training import TrainingEvaluator
from nas.training.data import Parquet
from nas.training.recipe import Recipe

DATA = Path(os.environ.get("NAS_SHARED_DATA", HERE.parents[2] / "shared" / "data")) / "images"
OBJECTIVES = {"deployed": ("int8_error", "int8_latency", "int8_size"), "costs": ("error", "params", "madds")}
RECIPE = Recipe(epochs=2, batch_size=64, lr=0.05, augment=("flip",), max_pictures=5000, resolution=24)
TESTED = torch.arange(0, 10_000, 5)  # test images
TARGET = Target(int8={"calibration": 64, "images": 500}, timing={"rounds": 9})  # type: ignore[arg-type]
MOST, REPEATS = 10, 3


def muxnets() -> Any:
    """The space of the pool."""
    return pools.pool_of("muxnet").space


def evaluator(space: Any) -> TrainingEvaluator:
    """Trains a candidate on few images."""
    data = Parquet(str(DATA / "cifar10_train.parquet"), str(DATA / "cifar10_test.parquet"), validation=0.1)
    return TrainingEvaluator(space, data, RECIPE, device="cpu")


def search(method: str, seed: int, evaluations: int, folder: Path) -> pd.DataFrame:
    """The front of a search; continued where the folder has it."""
    space = muxnets()
    return nas.search(
        space,
        list(OBJECTIVES[method]),
        evaluate=evaluator(space),
        budget=evaluations,
        seed=seed,
        target=TARGET,
        limits=["madds <= 5e6"],
        out=folder,
        resume=(folder / "history.sqlite").is_file(),
    ).front


def judged(folder: Path, front: pd.DataFrame, key: dict[str, Any], path: Path) -> pd.DataFrame:
    """The deployed values of a front's networks."""
    space: Any = muxnets()
    made = evaluator(space)
    ordered = front.assign(params=[space.cost(space.parse(a))["params"] for a in front["architecture"]])
    texts = ordered.sort_values("params")["architecture"].tolist()
    chosen = np.unique(np.linspace(0, len(texts) - 1, min(MOST, len(texts))).round().astype(int))
    rows = []
    for text in (texts[i] for i in chosen):
        architecture = space.parse(text)
        prepared = made.prepare(architecture)
        network = nas.load_network(folder, text, space)
        deployed = Deployed.of(network, calibration_images(prepared.train, TARGET.int8.calibration), TARGET)
        error = 100 * wrong(deployed.int8, prepared.test, TESTED) / len(TESTED)
        times = [
            deployed.device.measure(deployed.int8, TARGET.timing_settings()).milliseconds
            for _ in range(REPEATS)
        ]
        size = len(deployed.int8)
        rows.append(
            key
            | {
                "network": text,
                "test_int8_error": error,
                "int8_ms": statistics.median(times),
                "int8_size": size,
            }
        )
    table = pd.DataFrame(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, mode="a", header=not path.is_file(), index=False, float_format="%.6g")
    return table


def values_of(table: pd.DataFrame) -> FloatArray:
    """Error, and the logarithms of latency and size, of judged networks (n, 3)."""
    points: FloatArray = table[["test_int8_error", "int8_ms", "int8_size"]].to_numpy(dtype=float)
    points[:, 1:] = np.log10(points[:, 1:])
    return points


def box_of(points: FloatArray) -> Box:
    """The box that the points (n, 3) span, a tenth of its sides wider on the side of the worst."""
    low, high = points.min(axis=0), points.max(axis=0)
    return Box(ideal=low, reference=high + 0.1 * (high - low))


def dominated(points: FloatArray, others: FloatArray) -> float:
    """The share of `others` that some of the points dominate."""
    better = (points[:, None] <= others).all(axis=2) & (points[:, None] < others).any(axis=2)
    return float(better.any(axis=0).mean())


def main() -> None:
    """Run the missing searches, and print the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--evaluations", type=int, default=40)
    parser.add_argument("--minutes", type=float, default=180, help="start no search after this time")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--runs", type=Path, default=Path("runs/deployment"))
    args = parser.parse_args()
    end, path = time.monotonic() + 60 * args.minutes, args.results / "searches.csv"
    for seed in args.seeds:
        for method in OBJECTIVES:
            key = {"method": method, "seed": seed, "evaluations": args.evaluations}
            known = pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=list(key))
            if (known[list(key)] == pd.Series(key)).all(axis=1).any() or time.monotonic() > end:
                continue
            folder = args.runs / f"{method}_{args.evaluations}_{seed}"
            front = search(method, seed, args.evaluations, folder)
            judged(folder, front, key, args.results / "judged.csv")
            row = key | {"front": len(front), "engine": engine_commit()}
            pd.DataFrame([row]).to_csv(path, mode="a", header=not path.is_file(), index=False)
            print(row, flush=True)
    report(pd.read_csv(args.results / "judged.csv"))


def report(table: pd.DataFrame) -> None:
    """Print the hypervolumes by method, and the test over the seeds that both have."""
    box = box_of(values_of(table))
    fronts = {key: values_of(rows) for key, rows in table.groupby(["seed", "method"])}
    rows = []
    for (seed, method), points in fronts.items():
        other = fronts.get((seed, next(name for name in OBJECTIVES if name != method)))
        share = float("nan") if other is None else dominated(points, other)
        volume = float(hypervolume(points[non_dominated(points)], box))
        rows.append({"seed": seed, "method": method, "hypervolume": volume, "dominates": share})
    found = pd.DataFrame(rows)
    print(found.round(3).to_string(index=False))
    print(found.groupby("method")[["hypervolume", "dominates"]].median().round(3))
    both = found.pivot_table(index="seed", columns="method", values="hypervolume").dropna()
    if len(both) > 1:
        test = wilcoxon(both["deployed"], both["costs"])
        print(f"{len(both)} seeds: p = {test.pvalue:.3g}")


if __name__ == "__main__":
    main()
