"""Searches with equal compute: weight sharing, successive halving, regularized evolution; the supernet's training counts.

    python experiments/weight_sharing/equal_compute.py [--minutes 30 90] [--seeds 0 1 2] [--methods shared halving evolution]

The space is that of the small ResNets of experiments/real_pool, a full training has nine epochs. Every search has the same number of CPU minutes (`time.process_time`, so that other load
does not matter) and minimises validation error and multiply-adds. All members of its final front, at most ten, are trained again with the same recipe and another seed,
and scored by their *test* errors: `hypervolume` is the share of the box from 30 to 75 percent and from 0.1 to 4 million multiply-adds (logarithmic). Appends a row for each search to
results/equal_compute.csv, and one for each of these trainings to results/finalists.csv. `tuned` is `shared` whose own trainings are three epochs from inherited weights:
`delivered` is the hypervolume of the test errors of its networks as the search leaves them (results/delivered.csv). A killed run continues. A longer search continues a copy of the next shorter one,
except for those with a supernet, which is as long as the budget permits.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy loads its libraries

import argparse
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from supernets import RESULTS, source, space_of  # first: it finds the modules of the pools

# isort: split
import pool

import nas
from nas.core.records import FloatArray, Result, Trial
from nas.deployment.int8 import calibration_images
from nas.deployment.measure import Deployed
from nas.deployment.target import Target
from nas.engine.loop import LoopSettings
from nas.executors import SerialExecutor
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import Box, hypervolume
from nas.sharing import SharedEvaluator, SupernetSettings, train_supernet
from nas.sharing.settings import FinalSettings
from nas.training import Halving, TrainingEvaluator

ALGORITHMS = {
    "shared": "sa-moead", "tuned": "sa-moead", "halving": "sa-moead", "evolution": "regularized-evolution", "full": "sa-moead", "tpe": "optuna-tpe", "random": "random"
}  # fmt: skip
SHARING = ("shared", "tuned")
METHODS = (*SHARING, "halving", "evolution")  # the others are compared in experiments/practitioner
SUPERNET_SHARE = 0.25  # of the CPU time
TUNED = FinalSettings(epochs=3, start="inherited")  # of `tuned`
EPOCH_SECONDS = 15.0  # CPU time of an epoch of the supernet, to choose its epochs
RATE = 0.15  # of the supernet; chosen on other seeds (README)
MOST = 10  # members of the front that are trained again
MEASURING_SEED = 1000  # of these trainings
BOX = Box(ideal=np.array([30.0, np.log10(0.1e6)]), reference=np.array([75.0, np.log10(4e6)]))
RECIPE = replace(pool.RECIPES["resnets"], epochs=9)
FINALIST = ("network", "epochs", "params", "madds", "latency_ms", "test_error", "test_loss", "cpu_seconds", "engine")  # fmt: skip
DELIVERED = ("minutes", "seed", "network", "madds", "test_error", "engine")


class OnCpuClock(SerialExecutor):
    """The serial executor on a clock of CPU seconds, from `spent` on."""

    def now(self) -> float:
        """CPU seconds of this process."""
        return time.process_time()

    def collect(self, timeout: float | None = None) -> list[Result]:
        """The next result, with CPU seconds as its time."""
        start = time.process_time()
        return [replace(r, seconds=time.process_time() - start) for r in super().collect(timeout)]


def search(method: str, seconds: float, seed: int, folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The front of a search, one of `ALGORITHMS`, and facts about it; continued where the folder has it."""
    space, data = space_of("resnets"), source()
    facts: dict[str, Any] = {}
    evaluate: Any = TrainingEvaluator(space, data, RECIPE, device="cpu")
    loop: dict[str, Any] = {}
    if method in SHARING:
        epochs = max(1, round(SUPERNET_SHARE * seconds / EPOCH_SECONDS))
        settings = SupernetSettings(epochs=epochs, lr=RATE, seed=seed)
        train_supernet(space, data, RECIPE, folder / "supernet", settings=settings, device="cpu")
        spent = float(pd.read_csv(folder / "supernet" / "log.csv")["cpu_seconds"].sum())
        facts |= {"supernet_epochs": epochs, "supernet_seconds": round(spent, 1)}
        seconds -= spent
        final = TUNED if method == "tuned" else FinalSettings()
        evaluate = SharedEvaluator(space, data, RECIPE, folder / "supernet", device="cpu", final=final)
    if method == "halving":
        loop["halving"] = Halving(1, RECIPE.epochs, 3)
    run = folder / "run"
    found = nas.search(
        space,
        ["error", "madds"],
        evaluate=evaluate,
        algorithm=ALGORITHMS[method],
        loop=LoopSettings(evaluations=3000, seconds=seconds, seed=seed, concurrency=1, **loop),
        executor=lambda evaluate, required: OnCpuClock(evaluate, required=required),
        keep_weights=False,
        out=run,
        resume=(run / "history.sqlite").is_file(),
    )
    names = ("sharing_tau", "sharing_partial_tau", "sharing_trusted")
    facts |= {name: found.summary[name] for name in names if name in found.summary}
    if method == "tuned":
        facts["tested"] = delivered(evaluate, found)
    counts = found.history["budget"].fillna(RECIPE.epochs).value_counts()
    return found.front, facts | {
        "evaluations": json.dumps({f"{k:g}": int(v) for k, v in sorted(counts.items())})
    }


def finalist(network: str, path: Path, space: Any = None) -> dict[str, Any]:
    """The row of a network that is trained once more and tested, recorded in `path`: costs, latency in ONNX Runtime, test error (percent) and loss."""
    known = pd.read_csv(path, dtype={"network": str}) if path.is_file() else pd.DataFrame({"network": []})
    rows = known[known["network"] == network]
    if not rows.empty:
        return dict(rows.iloc[0])
    space = space or space_of("resnets")
    architecture = space.parse(network)
    evaluator = TrainingEvaluator(space, source(), RECIPE, device="cpu")
    start = time.process_time()
    score = evaluator.test(Trial(0, architecture, MEASURING_SEED, None)).values()
    spent = time.process_time() - start
    built = space.build(architecture, num_classes=10, in_channels=3)
    images = calibration_images(evaluator.prepare(architecture).train, 1)
    latency = Deployed.of(built, images, Target()).values(["ort_latency"])["ort_latency"]
    cost = space.cost(architecture)
    row = {
        "network": network,
        "epochs": RECIPE.epochs,
        "params": int(cost["params"]),
        "madds": int(cost["madds"]),
        "latency_ms": round(latency, 5),
        "test_error": round(score["error"], 3),
        "test_loss": round(score["loss"], 5),
        "cpu_seconds": round(spent, 1),
        "engine": pool.version(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    pool.append(path, row, FINALIST)
    return row


def delivered(evaluate: SharedEvaluator, found: nas.SearchResult) -> list[dict[str, Any]]:
    """Multiply-adds and test errors of the front's networks, at most `MOST`, with the weights that the search gave them."""
    own = (
        found.history[found.history["budget"] > 0]
        .drop_duplicates("architecture", keep="last")
        .set_index("architecture")
    )
    rows = []
    for text in kept(found.front):
        row = own.loc[text]
        trial = Trial(int(row["trial"]), evaluate.space.parse(text), int(row["seed"]), float(row["budget"]))
        assert evaluate.evaluator is not None
        score = evaluate.evaluator.test(trial).values()
        rows.append({"network": text, "madds": int(row["madds"]), "test_error": round(score["error"], 3)})
    return rows


def volume(points: Sequence[tuple[float, float]]) -> float:
    """The hypervolume of networks by test error (percent) and multiply-adds."""
    found: FloatArray = np.array([(error, np.log10(madds)) for error, madds in points])
    found = np.minimum(found, BOX.reference)
    return float(hypervolume(found[non_dominated(found)], BOX))


def kept(front: pd.DataFrame) -> list[str]:
    """The members of a front that are trained again, from small to large."""
    texts: list[str] = front.sort_values("madds")["architecture"].tolist()
    return [
        texts[i] for i in np.unique(np.linspace(0, len(texts) - 1, min(MOST, len(texts))).round().astype(int))
    ]


def score(front: pd.DataFrame, path: Path) -> tuple[float, int]:
    """The hypervolume of the front by test errors, and its number of members."""
    rows = [finalist(text, path) for text in kept(front)]
    return volume([(row["test_error"], row["madds"]) for row in rows]), len(front)


COLUMNS = (
    "minutes", "method", "seed", "hypervolume", "delivered", "front", "supernet_epochs", "supernet_seconds", "sharing_tau", "sharing_partial_tau",
    "sharing_trusted", "evaluations", "networks", "engine",
)  # fmt: skip


def main() -> None:
    """Run the missing searches, and print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, nargs="+", default=[30, 90])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", choices=list(ALGORITHMS), default=list(METHODS))
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--runs", type=Path, default=Path("runs/equal_compute"))
    args = parser.parse_args()
    path = args.results / "equal_compute.csv"
    for minutes in sorted(args.minutes):
        for seed in args.seeds:
            for method in args.methods:
                if (minutes, method, seed) in finished(path):
                    continue
                folder = args.runs / f"{minutes:g}-{method}-{seed}"
                shorter = (
                    args.runs
                    / f"{max((m for m in args.minutes if m < minutes), default=0):g}-{method}-{seed}"
                )
                if method not in SHARING:
                    copy_once(shorter, folder)
                elif method == "tuned":  # the same supernet; its seconds are in its log
                    copy_once(args.runs / f"{minutes:g}-shared-{seed}" / "supernet", folder / "supernet")
                front, facts = search(method, 60.0 * minutes, seed, folder)
                tested = facts.pop("tested", [])
                if tested:
                    facts["delivered"] = round(
                        volume([(row["test_error"], row["madds"]) for row in tested]), 4
                    )
                found, members = score(front, args.results / "finalists.csv")
                row = {
                    "minutes": minutes,
                    "method": method,
                    "seed": seed,
                    "hypervolume": round(found, 4),
                    "front": members,
                    **facts,
                    "networks": json.dumps(kept(front)),
                    "engine": pool.version(),
                }
                path.parent.mkdir(parents=True, exist_ok=True)
                for one in tested:
                    about = {"minutes": minutes, "seed": seed, **one, "engine": pool.version()}
                    pool.append(args.results / "delivered.csv", about, DELIVERED)
                pool.append(path, {name: row.get(name, "") for name in COLUMNS}, COLUMNS)
                print(row, flush=True)
    if path.is_file():
        table = pd.read_csv(path)
        print(
            table.groupby(["minutes", "method"])[["hypervolume", "delivered"]]
            .agg(["count", "min", "median", "max"])
            .round(3)
            .to_string()
        )


def copy_once(source: Path, target: Path) -> None:
    """Copy a folder that exists to one that does not, whole."""
    if source.is_dir() and not target.is_dir():
        part = target.with_name(f"{target.name}.part")
        shutil.copytree(source, part, dirs_exist_ok=True)
        part.rename(target)


def finished(path: Path) -> set[tuple[float, str, int]]:
    """(minutes, method, seed) of the rows."""
    if not path.is_file():
        return set()
    return set(pd.read_csv(path)[["minutes", "method", "seed"]].itertuples(index=False, name=None))


if __name__ == "__main__":
    main()
