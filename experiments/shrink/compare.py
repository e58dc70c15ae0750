"""Shrinking a trained network, against narrower networks that are made without a search; equal CPU time, test errors.

    python experiments/shrink/compare.py [--networks resnet mobilenet] [--seeds 0 1 2] [--minutes 30]

A network is trained on CIFAR-10 (20,000 images at 24 pixels, 24 epochs). Then each method has the same CPU time for three smaller networks, at the
multiply-adds of uniform shares of 7/8, 3/4 and 1/2 of the channels:

- `shrink`: half of the time is a search for (error, madds) over the space of `nas.spaces.from_module`, with rungs of 0, 1 and 3 epochs; for each size the member of
  its front with the lowest error that is not larger is cut again from the original and tuned with a third of the other half;
- `ratio`: the same share of the channels in every group, the largest by weight stay; tuned with a third of the time;
- `first`: the same, the first channels stay (the network's width is scaled);
- `scratch`: the network of `ratio` with new weights, trained with a third of the time and the rate of the original's training.

All trainings but that of `scratch` have the rate 0.02, and all have distillation from the original: half of the loss. The number of epochs follows from the time of one. Appends a row for each
network to results/networks.csv: test error, exact costs, latency in onnxruntime. A killed run continues with the next missing method.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy loads its libraries

import argparse
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from networks import NETWORKS
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "weight_sharing"))
sys.path.append(str(Path(__file__).resolve().parents[1]))

from engine_commit import engine_commit
from equal_compute import OnCpuClock

import nas
from nas.core.records import Architecture, Trial
from nas.deployment.int8 import calibration_images
from nas.deployment.measure import Deployed
from nas.deployment.target import Target
from nas.engine.loop import LoopSettings
from nas.shrinking.evaluator import TuningEvaluator
from nas.spaces import from_module
from nas.training import Halving
from nas.training.data import Parquet
from nas.training.loop import Training, judge
from nas.training.recipe import Recipe

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("NAS_SHARED_DATA", HERE.parents[1] / "shared" / "data")) / "images"
METHODS = ("shrink", "ratio", "first", "scratch")
SHARES = (7 / 8, 3 / 4, 1 / 2)
BASE = Recipe(epochs=24, batch_size=64, lr=0.1, augment=("crop", "flip"), max_pictures=20_000, resolution=24)
TUNED = replace(BASE, epochs=1, lr=0.02, warmup_epochs=0.0)
SEARCHED = 0.5  # of the time of `shrink`
CPU = torch.device("cpu")
COLUMNS = (
    "network", "seed", "method", "share", "minutes", "test_error", "original_error", "params", "madds", "original_madds", "latency_ms", "epochs",
    "cpu_minutes", "candidates", "architecture", "engine",
)  # fmt: skip


def source() -> Parquet:
    """CIFAR-10."""
    return Parquet(str(DATA / "cifar10_train.parquet"), str(DATA / "cifar10_test.parquet"), validation=0.1)


class Fresh:
    """A space whose networks have new weights; the rest is that of the space."""

    def __init__(self, space: Any) -> None:
        self._space = space

    def __getattr__(self, name: str) -> Any:
        return getattr(self._space, name)

    def build(self, architecture: Architecture, **sizes: int) -> nn.Module:
        """The network, with the weights of PyTorch's initialisation."""
        network: nn.Module = self._space.build(architecture, **sizes)
        for module in network.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
        return network


def original(kind: str, seed: int, folder: Path) -> tuple[nn.Module, float]:
    """The trained network and its test error in percent; trained where the folder does not have it."""
    torch.manual_seed(seed)
    network = NETWORKS[kind](10, 3)
    prepared = evaluator(from_module(network, (3, 24, 24)), BASE).prepare()
    path = folder / f"{kind}-{seed}.pt"
    if path.is_file():
        network.load_state_dict(torch.load(path, weights_only=True))
    else:
        training = Training(
            network.to(memory_format=torch.channels_last), BASE, epochs=BASE.epochs, seed=seed, device=CPU
        )
        while training.done < BASE.epochs:
            loss = training.epoch(prepared.train)
            print(f"{kind} {seed}: epoch {training.done} of {BASE.epochs}, loss {loss:.3f}", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(network.state_dict(), path)
    network = network.to(memory_format=torch.contiguous_format).eval()
    return network, judge(network, prepared.test, 10).error


def evaluator(space: Any, recipe: Recipe, folder: Path | None = None) -> TuningEvaluator:
    """Fine-tunes with distillation."""
    return TuningEvaluator(
        space, source(), recipe, device="cpu", weights_dir=None if folder is None else str(folder)
    )


def tuned(evaluate: TuningEvaluator, architecture: Architecture, seconds: float, seed: int) -> dict[str, Any]:
    """Train a network for `seconds` of CPU time and test it."""
    start = time.process_time()
    evaluate(Trial(0, architecture, seed + 5000, 1))
    one = time.process_time() - start
    epochs = max(1, math.floor(seconds / one))
    start = time.process_time()
    score = evaluate.test(Trial(0, architecture, seed, epochs)).values()
    spent = (time.process_time() - start) / 60
    network: Any = evaluate.space.build(architecture, num_classes=10, in_channels=3)
    images = calibration_images(evaluate.prepare(architecture).train, 1)
    latency = Deployed.of(network, images, Target()).values(["ort_latency"])["ort_latency"]
    return {"test_error": score["error"], "epochs": epochs, "cpu_minutes": spent, "latency_ms": latency}


def found(space: Any, seconds: float, seed: int, folder: Path) -> tuple[pd.DataFrame, int]:
    """The front of a search of this CPU time, and the number of its evaluations."""
    starts = [dict(space.choices(space.uniform(share))) for share in (1.0, *SHARES, 5 / 8, 3 / 8)]
    result = nas.search(
        space,
        ["error", "madds"],
        evaluate=evaluator(space, TUNED),
        algorithm="sa-moead",
        initial=starts,
        loop=LoopSettings(
            evaluations=2000, seconds=seconds, seed=seed, concurrency=1, halving=Halving(0, 3, 3)
        ),
        executor=lambda evaluate, required: OnCpuClock(evaluate, required=required),
        keep_weights=False,
        out=folder,
        resume=(folder / "history.sqlite").is_file(),
    )
    return result.front, len(result.history)


def rows_of(method: str, network: nn.Module, seconds: float, seed: int, folder: Path) -> list[dict[str, Any]]:
    """Three networks by a method."""
    space = from_module(network, (3, 24, 24), resolutions=[24])
    if method == "first":
        scores = {g.name: -np.arange(len(g.units), dtype=float) for g in space.cutter.structure.groups}
        space = from_module(network, (3, 24, 24), resolutions=[24], scores=scores)
    rows = []
    sizes = {share: space.uniform(share) for share in SHARES}
    candidates, each = 0, seconds / len(SHARES)
    if method == "shrink":
        front, candidates = found(space, SEARCHED * seconds, seed, folder)
        each *= 1 - SEARCHED
        for share, uniform in sizes.items():
            small = front[front["madds"] <= space.cost(uniform)["madds"]]
            if not small.empty:
                sizes[share] = space.parse(small.sort_values("error")["architecture"].iloc[0])
    chosen: Any = Fresh(space) if method == "scratch" else space
    recipe = replace(TUNED, lr=BASE.lr, warmup_epochs=0.5) if method == "scratch" else TUNED
    for share, architecture in sizes.items():
        cost = space.cost(architecture)
        rows.append(
            {"share": share, "candidates": candidates, "architecture": space.format(architecture)}
            | {name: cost[name] for name in ("params", "madds")}
            | tuned(evaluator(chosen, recipe), architecture, each, seed)
        )
    return rows


def main() -> None:
    """Run the missing methods, and print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--minutes", type=float, default=30, help="CPU minutes of each method")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--runs", type=Path, default=Path("runs/shrink"))
    args = parser.parse_args()
    path = args.results / "networks.csv"
    for seed in args.seeds:
        for kind in args.networks:
            network, error = original(kind, seed, args.runs / "originals")
            whole = from_module(network, (3, 24, 24), resolutions=[24])
            for method in args.methods:
                key = {"network": kind, "seed": seed, "method": method, "minutes": args.minutes}
                if known(path, key):
                    continue
                folder = args.runs / f"{kind}-{seed}-{args.minutes:g}"
                rows = rows_of(method, network, 60 * args.minutes, seed, folder)
                about = {
                    "original_error": error,
                    "original_madds": whole.cost(whole.whole)["madds"],
                    "engine": engine_commit(),
                }
                table = pd.DataFrame([key | row | about for row in rows])[list(COLUMNS)]
                path.parent.mkdir(parents=True, exist_ok=True)
                table.to_csv(path, mode="a", header=not path.is_file(), index=False, float_format="%.6g")
                print(table.drop(columns="architecture").to_string(index=False), flush=True)
    if path.is_file():
        report(pd.read_csv(path))


def known(path: Path, key: dict[str, Any]) -> bool:
    """Whether the table has rows of this search."""
    if not path.is_file():
        return False
    table = pd.read_csv(path)
    return bool((table[list(key)] == pd.Series(key)).all(axis=1).any())


def report(table: pd.DataFrame) -> None:
    """Print the median loss in points of test error against the original, by network, size and method."""
    table["loss"] = table["test_error"] - table["original_error"]
    table["of_madds"] = table["madds"] / table["original_madds"]
    for name in ("loss", "of_madds", "latency_ms"):
        print(f"\n{name}")
        print(
            table.pivot_table(
                index=["network", "share"], columns="method", values=name, aggfunc="median"
            ).round(3)
        )


if __name__ == "__main__":
    main()
