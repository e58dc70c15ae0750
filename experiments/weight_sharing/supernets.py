"""Train supernets of a pool's space with several budgets, and evaluate fixed networks of the pool by inherited weights.

    python experiments/weight_sharing/supernets.py --pool resnets --epochs 2 4 8 16 32 --seeds 0 1 2

Appends a row for each supernet to results/supernets_POOL.csv. Each budget is a training of its own, whose schedule ends there as
in a search. A killed run continues after its last whole epoch; a supernet with a row is skipped.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
RESULTS = HERE / "results"
sys.path.insert(0, str(HERE.parent / "real_pool"))

import pool  # noqa: E402
import pools  # noqa: E402
import recorded  # noqa: E402
from within import Within, resnet_madds  # noqa: E402

from nas.core.errors import ConfigError  # noqa: E402
from nas.core.records import FloatArray  # noqa: E402
from nas.core.space import SearchSpace  # noqa: E402
from nas.sharing.settings import SupernetSettings  # noqa: E402
from nas.sharing.supernet import Supernet  # noqa: E402
from nas.sharing.training import inherited_score, train_supernet  # noqa: E402
from nas.sharing.weights import NotCovered  # noqa: E402
from nas.training.data import Parquet  # noqa: E402
from nas.training.evaluator import reproducible  # noqa: E402
from nas.training.feed import prepare  # noqa: E402
from nas.training.recipe import Recipe  # noqa: E402

COLUMNS = (
    "seed", "epochs", "cpu_seconds", "seconds_an_evaluation", "parameters", "train_loss", "networks", "inherited_error",
    "inherited_loss", "recipe", "engine",
)  # fmt: skip
COUNT = 50  # networks that are evaluated
FIRST = {"resnets": 176, "muxnet": 100}  # they are drawn from the first ones of the pool's list


def chosen(name: str, data: recorded.Recorded) -> list[int]:
    """Rows of `data`, the networks of a pool trained with both seeds: 50 random ones, always the same.

    They are drawn from the first networks of the pool's list, so that they stay when the pool grows.
    """
    among = np.flatnonzero(data.table["index"].to_numpy() < FIRST[name])
    if len(among) < COUNT:
        raise ConfigError(f"pool {name}: {len(among)} networks with both seeds, expected at least {COUNT}")
    drawn = np.random.default_rng(0).permutation(FIRST[name])
    places = {int(index): row for row, index in enumerate(data.table["index"])}
    return sorted([places[i] for i in drawn.tolist() if i in places][:COUNT])


def space_of(name: str) -> Within:
    """The space of a pool within the pool's range of multiply-adds, for searches."""
    found = pools.pool_of(name)
    fast = partial(resnet_madds, found.space) if name == "resnets" else None
    return Within(found.space, found.least, found.most, fast)


def source() -> Parquet:
    """The images of the pools; the recipe decides how many of them are used."""
    images = pool.DATA / "images"
    return Parquet(
        str(images / "cifar10_train.parquet"), str(images / "cifar10_test.parquet"), validation=0.2
    )


def evaluated(
    supernet: Supernet, networks: Sequence[str], data: Any, recipe: Recipe
) -> tuple[FloatArray, float]:
    """Inherited error (percent) and loss of each network, (n, 2), and the CPU seconds of one evaluation.

    NaN for a network that the shared weights do not cover.
    """
    prepared, began, found = prepare(data, recipe, pool.CPU, None), time.process_time(), []
    for text in networks:
        try:
            score = inherited_score(supernet, supernet.space.parse(text), prepared, recipe)
            found.append((score.error, score.loss))
        except NotCovered as error:
            print(error, flush=True)
            found.append((np.nan, np.nan))
    return np.array(found), (time.process_time() - began) / len(found)


def measured(
    space: SearchSpace,
    data: Any,
    recipe: Recipe,
    settings: SupernetSettings,
    folder: Path,
    listed: pd.DataFrame,
) -> dict[str, Any]:
    """The row of one supernet; its training continues in `folder`."""
    supernet = train_supernet(
        space,
        data,
        recipe,
        folder,
        settings=settings,
        device="cpu",
        on_epoch=lambda row: print(row, flush=True),
    )
    log = pd.read_csv(folder / "log.csv")
    used = settings.recipe(recipe)
    with reproducible(1, pool.CPU):
        scores, seconds = evaluated(supernet, listed["network"].tolist(), data, used)
    return {
        "seed": settings.seed,
        "epochs": used.epochs,
        "cpu_seconds": round(float(log["cpu_seconds"].sum()), 1),
        "seconds_an_evaluation": round(seconds, 3),
        "parameters": sum(t.numel() for t in supernet.shared.tensors),
        "train_loss": round(float(log["train_loss"].iloc[-1]), 4),
        "networks": json.dumps(listed["index"].tolist()),
        "inherited_error": json.dumps(scores[:, 0].round(3).tolist()),
        "inherited_loss": json.dumps(scores[:, 1].round(5).tolist()),
        "recipe": f"lr {used.lr}, batch {used.batch_size}, ema {used.ema_decay}, clip {used.clip}, random {settings.random}",
        "engine": pool.version(),
    }


def add(path: Path, row: dict[str, Any]) -> None:
    """Append a row, whole and on disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pool.append(path, row, COLUMNS)


def done(path: Path) -> set[tuple[int, int]]:
    """(seed, epochs) of the supernets in `path`."""
    if not path.is_file():
        return set()
    table = pd.read_csv(path)
    return set(zip(table["seed"].tolist(), table["epochs"].tolist(), strict=True))


def main() -> None:
    """Train the supernets whose rows are missing, short ones first."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pool", choices=pools.POOLS, default="resnets")
    parser.add_argument("--epochs", type=int, nargs="+", default=[2, 4, 8, 16, 32])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--rate", type=float, help="learning rate of the supernet; default: three times that of the pool"
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/weight_sharing"), help="folder of the supernets"
    )
    args = parser.parse_args()
    trained = recorded.read(pools.RESULTS / f"{args.pool}.csv")
    listed, path = trained.table.iloc[chosen(args.pool, trained)], args.results / f"supernets_{args.pool}.csv"
    recipe = pool.RECIPES[args.pool]
    found, data = pools.pool_of(args.pool), source()
    limits = (f"madds >= {found.least!r}", f"madds <= {found.most!r}")
    for epochs in sorted(args.epochs):
        for seed in args.seeds:
            if (seed, epochs) not in done(path):
                folder = args.runs / f"{args.pool}-{epochs}-{seed}"
                settings = SupernetSettings(epochs=epochs, lr=args.rate, seed=seed, limits=limits)
                add(path, measured(found.space, data, recipe, settings, folder, listed))


if __name__ == "__main__":
    main()
