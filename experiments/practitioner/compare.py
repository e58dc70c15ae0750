"""What would a practitioner do instead? Searches of equal CPU time, and MobileNets without a search, by test errors.

    python experiments/practitioner/compare.py [--methods ...] [--seeds 0 1 2] [--minutes 30]

The searches are those of experiments/weight_sharing/equal_compute.py, with the same space, images and trainer: `full` (`nas search` as it is: `sa-moead`, all trainings
full), `halving`, `shared`, `evolution`, `tpe` (Optuna's, plain integer genes) and `random`. `none` is no search: MobileNetV2 and MobileNetV3 at several widths. Up to ten
members of each front, spread over its multiply-adds, and all MobileNets are trained once more for each seed, with one recipe of four times as many epochs, and tested.
Appends a row for each search to results/fronts.csv, and one for each of these trainings to results/finalists.csv. A killed run continues. `report.py` compares them.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy loads its libraries

import argparse
import json
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "weight_sharing"))

from equal_compute import ALGORITHMS, RECIPE, kept, search
from supernets import source, space_of  # first: it finds the modules of the pools

# isort: split
import pool
from pools import TASK

from nas.baselines.networks import DEFAULT, FAMILIES, NARROW, fitted
from nas.baselines.space import BaselineSpace
from nas.core.records import Trial
from nas.deployment.int8 import calibration_images
from nas.deployment.measure import Deployed
from nas.deployment.target import Target
from nas.training import TrainingEvaluator

RESULTS = Path(__file__).resolve().parent / "results"
NONE = "none"  # the method without a search
METHODS = (*ALGORITHMS, NONE)
MOBILENETS = (*DEFAULT, *(family + width for family in FAMILIES for width in NARROW))
LONG = replace(RECIPE, epochs=4 * RECIPE.epochs)
MEASURING_SEED = 2000  # plus the seed of the search
WIDE = 6e6  # multiply-adds of a MobileNet above which it is trained for the first seed alone, for its time
FRONT = ("minutes", "method", "seed", "evaluations", "networks", "engine")
FINALIST = (
    "network", "seed", "params", "madds", "latency_ms", "test_error", "test_loss", "epochs", "cpu_seconds", "engine"
)  # fmt: skip


@cache
def mobilenets() -> BaselineSpace:
    """The MobileNets, counted for the images of the study."""
    return BaselineSpace({name: fitted(name, name, TASK, traced=False) for name in MOBILENETS}, TASK)


def members(method: str, minutes: float, seed: int, runs: Path, path: Path) -> list[str]:
    """The networks that a method ends with; a missing search runs, and its rows are written."""
    if method == NONE:
        space = mobilenets()
        return [n for n in MOBILENETS if seed == 0 or space.cost(space.of(n))["madds"] <= WIDE]
    if path.is_file():
        rows = pd.read_csv(path)
        rows = rows[(rows["minutes"] == minutes) & (rows["method"] == method) & (rows["seed"] == seed)]
        if not rows.empty:
            return list(json.loads(rows["networks"].iloc[-1]))
    front, facts = search(method, 60.0 * minutes, seed, runs / f"{minutes:g}-{method}-{seed}")
    found = kept(front)
    row = (minutes, method, seed, facts["evaluations"], json.dumps(found), pool.version())
    path.parent.mkdir(parents=True, exist_ok=True)
    pool.append(path, dict(zip(FRONT, row, strict=True)), FRONT)
    return found


def trained(network: str, seed: int, path: Path) -> None:
    """Train a network with the long recipe, test it, and append its row unless it has one."""
    if path.is_file():
        known = pd.read_csv(path, dtype={"network": str})
        if ((known["network"] == network) & (known["seed"] == seed)).any():
            return
    space: Any = mobilenets() if network in MOBILENETS else space_of("resnets")
    architecture = space.parse(network)
    evaluator = TrainingEvaluator(space, source(), LONG, device="cpu")
    start = time.process_time()
    score = evaluator.test(Trial(0, architecture, MEASURING_SEED + seed, None)).values()
    spent = time.process_time() - start
    torch.manual_seed(0)
    built: Any = space.build(architecture, num_classes=10, in_channels=3)
    images = calibration_images(evaluator.prepare(architecture).train, 1)
    latency = Deployed.of(built, images, Target()).values(["ort_latency"])["ort_latency"]
    cost = space.cost(architecture)
    row = {
        "network": network,
        "seed": seed,
        "params": int(cost["params"]),
        "madds": int(cost["madds"]),
        "latency_ms": round(latency, 5),
        "test_error": round(score["error"], 3),
        "test_loss": round(score["loss"], 5),
        "epochs": LONG.epochs,
        "cpu_seconds": round(spent, 1),
        "engine": pool.version(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    pool.append(path, row, FINALIST)
    print(row, flush=True)


def main() -> None:
    """Run the missing searches and trainings, seed by seed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--networks", nargs="+", choices=MOBILENETS, default=None, help="of the MobileNets")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument(
        "--runs",
        type=Path,
        default=Path("runs/equal_compute"),
        help="folder of the searches, that of equal_compute.py",
    )
    args = parser.parse_args()
    for seed in args.seeds:
        for method in args.methods:
            found = members(method, args.minutes, seed, args.runs, args.results / "fronts.csv")
            for network in found:
                if method != NONE or args.networks is None or network in args.networks:
                    trained(network, seed, args.results / "finalists.csv")


if __name__ == "__main__":
    main()
