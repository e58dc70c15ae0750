"""Train some of the networks that judge the supernets of a pool for longer than the pool did, with the same images and recipe.

    python experiments/weight_sharing/longer.py --pool muxnet --epochs 9 --networks 20 --part 0/2

The networks are spread evenly over the 50 of supernets.py in the order of their multiply-adds. Appends a row for each training to results/longer_POOL.csv, with the
columns of experiments/real_pool and `epochs`. A killed run continues; two processes take parts 0/2 and 1/2. `curve.py --epochs 9` compares these errors with inherited ones, with those
of the pool's short trainings, and with costs.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
from supernets import RESULTS, chosen  # first: it finds the modules of the pools

# isort: split
import pool
import pools
import recorded

from nas.training.evaluator import reproducible

COLUMNS = ("epochs", *pool.COLUMNS)


def listed(name: str, count: int) -> pd.DataFrame:
    """`count` of the networks that judge the supernets, with the columns of the pool's table."""
    trained = recorded.read(pools.RESULTS / f"{name}.csv")
    found = trained.table.iloc[chosen(name, trained)].sort_values("madds")
    return found.iloc[np.linspace(0, len(found) - 1, count).round().astype(int)]


def finished(path: Path) -> set[tuple[int, int, str]]:
    """(epochs, index, seed) of the rows."""
    with pool.table(path) as file:
        file.seek(0)
        rows = csv.DictReader(file.read().decode().splitlines())
        return {(int(r["epochs"]), int(r["index"]), r["seed"]) for r in rows}


def main() -> None:
    """Train the networks whose rows are missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pool", choices=pools.POOLS, default="muxnet")
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--seeds", nargs="+", choices=pool.SEEDS, default=["A"])
    parser.add_argument("--part", default="0/1", help="the number of this process and of all, such as 0/2")
    parser.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args()
    number, parts = map(int, args.part.split("/"))
    found = pools.pool_of(args.pool)
    recipe = dataclasses.replace(pool.RECIPES[args.pool], epochs=args.epochs)
    path = args.results / f"longer_{args.pool}.csv"
    args.results.mkdir(parents=True, exist_ok=True)
    with reproducible(1, pool.CPU):
        data = pool.cifar10(recipe)
        for seed in args.seeds:
            for place, one in enumerate(listed(args.pool, args.networks).to_dict("records")):
                index = int(one["index"])
                if place % parts != number or (args.epochs, index, seed) in finished(path):
                    continue
                architecture = found.space.parse(str(one["network"]))
                values = pool.train(
                    found, architecture, len(pool.SEEDS) * index + pool.SEEDS.index(seed), data, recipe
                )
                about = {name: one[name] for name in ("index", "params", "madds", "network")}
                row = {"epochs": args.epochs, "seed": seed, **about, **values, "engine": pool.version()}
                pool.append(path, row, COLUMNS)
                print(f"{index}{seed}: {values['val_error']:.2f} % after {args.epochs} epochs", flush=True)


if __name__ == "__main__":
    main()
