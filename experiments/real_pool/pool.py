"""Train the networks of a pool with two seeds each, and append one row for each training to results/POOL.csv.

    python experiments/real_pool/pool.py --pool muxnet --networks 250 --minutes 100 --threads 1

A killed run continues where it stopped. Each row is complete on disk before the next training starts. Both seeds of a network
are trained one after the other; no two trainings share a seed, so neither do networks share their shuffling.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import fcntl
import io
import json
import math
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch
from pools import POOLS, RESULTS, Pool, networks, pool_of
from torch import nn

from nas.core.errors import TrainingDiverged
from nas.core.records import Architecture
from nas.training.data import Parquet
from nas.training.evaluator import reproducible
from nas.training.feed import Feed, Prepared, prepare
from nas.training.loop import Training, judge, stream
from nas.training.recipe import Recipe
from search_spaces.muxnet import MUXNet, fuse

sys.path.append(str(Path(__file__).resolve().parents[1]))
from engine_commit import engine_commit

HERE = Path(__file__).parent
DATA = Path(os.environ.get("NAS_SHARED_DATA", HERE.parents[2] / "shared" / "data"))
SEEDS = ("A", "B")
MUXNET = Recipe(
    epochs=3,
    batch_size=128,
    lr=0.1,
    augment=("crop", "flip"),
    ema_decay=0.99,
    resolution=24,
    max_pictures=20_000,
)
RECIPES = {
    "muxnet": MUXNET,
    "resnets": dataclasses.replace(MUXNET, batch_size=64, lr=0.05, max_pictures=10_000),
}
CPU = torch.device("cpu")
MEASURES = ("error", "loss", "soft")  # percent, nats, percent
SPLITS = ("val", "test", "ema_val", "ema_test")
COLUMNS = (
    "index", "seed", "params", "madds", *(f"{split}_{name}" for split in SPLITS for name in MEASURES),
    "train_loss", "curve_error", "curve_loss", "curve_train_loss", "seconds", "cpu_seconds", "engine", "network",
)  # fmt: skip


def measure(network: nn.Module, feed: Feed) -> dict[str, float]:
    """Error and soft error in percent, and loss, of a classifier of ten classes."""
    score = judge(network, feed, 10)
    return {"error": score.error, "loss": score.loss, "soft": score.soft_error}


def faster(network: nn.Module) -> nn.Module:
    """The network for evaluation: the same outputs, in half the time for a MUXNet."""
    return fuse(network.eval()) if isinstance(network, MUXNet) else network


def train(
    pool: Pool, architecture: Architecture, seed: int, data: Prepared, recipe: Recipe
) -> dict[str, Any]:
    """One training of a network: every measured column of its row."""
    began, cpu = time.perf_counter(), time.process_time()
    torch.manual_seed(stream(seed, 0))
    network = pool.space.build(architecture, num_classes=data.num_classes, in_channels=data.in_channels)
    network = network.to(memory_format=torch.channels_last)
    training = Training(network, recipe, epochs=recipe.epochs, seed=seed, device=CPU)
    train_losses, curve = [], []
    while training.done < recipe.epochs:
        train_losses.append(training.epoch(data.train))
        curve.append(measure(faster(network), data.validation))
    scores = {"val": curve[-1], "test": measure(faster(network), data.test)}
    if training.average is not None:
        average = faster(training.average)
        scores |= {"ema_val": measure(average, data.validation), "ema_test": measure(average, data.test)}
    return {
        **{f"{split}_{name}": round(x, 5) for split, s in scores.items() for name, x in s.items()},
        "train_loss": round(train_losses[-1], 5),
        "curve_error": json.dumps([round(p["error"], 3) for p in curve]),
        "curve_loss": json.dumps([round(p["loss"], 5) for p in curve]),
        "curve_train_loss": json.dumps([round(x, 5) for x in train_losses]),
        "seconds": round(time.perf_counter() - began, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
    }


@contextmanager
def table(path: Path) -> Iterator[BinaryIO]:
    """The table, for this process alone, positioned at its end; a last line that was cut off is removed."""
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        content = file.read()
        if not content.endswith(b"\n"):
            file.truncate(content.rfind(b"\n") + 1)
        yield file


def finished(path: Path) -> set[tuple[int, str]]:
    """The (index, seed) of the rows in `path`."""
    with table(path) as file:
        file.seek(0)
        rows = csv.DictReader(file.read().decode().splitlines())
        return {(int(row["index"]), row["seed"]) for row in rows}


def append(path: Path, row: dict[str, Any], columns: Sequence[str] = COLUMNS) -> None:
    """Add a row at the end of the table, and wait until it is on disk."""
    with table(path) as file:
        lines = io.StringIO()
        writer = csv.DictWriter(lines, columns, lineterminator="\n")
        if file.seek(0, os.SEEK_END) == 0:
            writer.writeheader()
        writer.writerow(row)
        file.write(lines.getvalue().encode())
        file.flush()
        os.fsync(file.fileno())


def fill(
    pool: Pool,
    listed: Iterable[Architecture],
    data: Prepared,
    path: Path,
    recipe: Recipe,
    seconds: float = float("inf"),
    part: tuple[int, int] = (0, 1),
) -> None:
    """Train the listed networks of this part (number, parts) that `path` lacks; start no training after `seconds`."""
    end, done, made_by = time.monotonic() + seconds, finished(path), version()
    number_of_part, parts = part
    for index, architecture in enumerate(listed):
        if index % parts != number_of_part:
            continue
        for number, seed in enumerate(SEEDS):
            if (index, seed) in done:
                continue
            if time.monotonic() > end:
                return
            try:
                values = train(pool, architecture, len(SEEDS) * index + number, data, recipe)
            except TrainingDiverged as error:  # the row has no values
                values = {"val_error": math.nan, "seconds": math.nan}
                print(f"{pool.name} {index}{seed}: {error}", flush=True)
            cost = pool.space.cost(architecture)
            row = {"index": index, "seed": seed, "params": cost["params"], "madds": cost["madds"], **values}
            append(path, row | {"engine": made_by, "network": pool.space.format(architecture)})
            print(
                f"{pool.name} {index}{seed}: error {values['val_error']:.2f}, {values['seconds']} s",
                flush=True,
            )


def version() -> str:
    """The commit of this repository, and the release of PyTorch."""
    return f"{engine_commit()} torch {torch.__version__}"


def cifar10(recipe: Recipe) -> Prepared:
    """The recipe's training images and 10,000 for validation out of the 50,000, the same for every network, and the 10,000 for test."""
    images = DATA / "images"
    source = Parquet(
        str(images / "cifar10_train.parquet"), str(images / "cifar10_test.parquet"), validation=0.2
    )
    return prepare(source, recipe, CPU, recipe.resolution)


def main() -> None:
    """Train until the list is done or the minutes are over."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pool", choices=POOLS, required=True)
    parser.add_argument("--networks", type=int, default=250)
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="start no training after this time"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--part", default="0/1", help="with several processes, the number of this one: 0/2 and 1/2"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the tables")
    args = parser.parse_args()
    part = tuple(map(int, args.part.split("/")))
    if len(part) != 2 or not 0 <= part[0] < part[1]:
        raise SystemExit(f"--part: expected NUMBER/PARTS, such as 0/2, not {args.part}")
    pool = pool_of(args.pool)
    listed = networks(pool, args.networks, args.results)
    with reproducible(args.threads, CPU):
        recipe = RECIPES[args.pool]
        fill(
            pool, listed, cifar10(recipe), args.results / f"{args.pool}.csv", recipe, 60 * args.minutes, part
        )


if __name__ == "__main__":
    main()
