"""How well do the project's surrogates rank the other seed's test errors, as a share of the noise ceiling?

    python experiments/real_pool/surrogate_share.py [--pools muxnet resnets] [--sizes 25 50 100 200] [--seeds 21]

A surrogate learns a value of one seed from n networks of a pool and predicts the others. Its tau with the other seed's test errors is
divided by the ceiling: the tau, on the same networks, of the measured value itself. Seeds change the networks and, in turn, the
direction. Each result is appended to results/surrogates.csv; results of a pool of the same length are not computed again.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy loads its libraries

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from pool_space import PoolSpace, Replay, space, trained
from pools import POOLS, RESULTS
from recorded import Recorded

import nas
from nas.algorithms.prediction import make_predictors
from nas.core.problem import Problem
from surrogates import SURROGATES
from surrogates.quality import kendall_tau

KEY = ["pool", "networks", "results", "seed", "model", "value"]
LEFT_OUT = ("constant", "graph-network", "lightgbm")  # no order, other spaces, an optional package
MODELS = ("auto", *(name for name in SURROGATES if name not in LEFT_OUT))
VALUES = ("error", "loss", "loss, averaged weights", "all losses and errors")
LEAST_TEST = 15  # networks to rank


def measure(
    space: PoolSpace, data: Recorded, evaluate: Replay, n: int, seed: int, model: str, value: str
) -> dict[str, float]:
    """Tau of the surrogate's predictions and of the measured values with the other seed's test errors; processor seconds."""
    rows = np.random.default_rng(seed).permutation(len(data))
    known, hidden, side = rows[:n], rows[n:], seed % 2
    problem = Problem(space, [nas.Objective("error", best=0.0), "params", "madds"], evaluate)
    (predictor,) = make_predictors(problem, model)
    start = time.process_time()
    predictor.fit([space.members[i] for i in known], data.values[value][known, side])
    mean, _ = predictor.predict([[space.members[i] for i in hidden]])
    seconds = time.process_time() - start
    truth = data.test[hidden, 1 - side]
    return {
        "tau": kendall_tau(mean, truth),
        "ceiling": kendall_tau(data.values[value][hidden, side], truth),
        "params_tau": kendall_tau(-data.table["params"].to_numpy(dtype=np.float64)[hidden], truth),
        "seconds": seconds,
    }


def fill(
    path: Path,
    pools: list[str],
    sizes: list[int],
    seeds: int,
    models: list[str],
    values: list[str],
    results: str,
) -> pd.DataFrame:
    """Compute the missing results, each on disk at once; return all."""
    frame = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=KEY)
    done = set(frame[KEY].itertuples(index=False, name=None))
    for pool in pools:
        data, of_pool = trained(pool, results), space(pool, results)
        evaluate = Replay(pool, results=results)
        for n in [n for n in sizes if n + LEAST_TEST <= len(data)]:
            for key in [(pool, len(data), n, s, m, v) for s in range(seeds) for m in models for v in values]:
                if key in done:
                    continue
                found = measure(of_pool, data, evaluate, *key[2:])
                row = pd.DataFrame([dict(zip(KEY, key, strict=True)) | found])
                row.to_csv(path, mode="a", header=not path.exists(), index=False, float_format="%.4f")
                frame = pd.concat([frame, row]) if len(frame) else row
    return frame


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean tau, ceiling and share over seeds, of each pool's longest list."""
    longest = frame[frame["networks"] == frame.groupby("pool")["networks"].transform("max")]
    by = ["pool", "networks", "results", "value", "model"]
    found = longest.groupby(by, sort=False)[["tau", "ceiling", "params_tau", "seconds"]].mean()
    found["seeds"] = longest.groupby(by, sort=False).size()
    found["share"] = found["tau"] / found["ceiling"]
    return found.reset_index()


def markdown(table: pd.DataFrame) -> list[str]:
    """Share of the ceiling by model, a column for each pool, value and number of results."""
    wide = table.pivot(index="model", columns=["pool", "value", "results"], values=["tau", "share"])
    columns = [c[1:] for c in wide.columns if c[0] == "tau"]
    heads = [f"{pool}, {value}, {n}" for pool, value, n in columns]
    lines = [f"| model | {' | '.join(heads)} |", "|---|" + "--:|" * len(heads)]
    order = [m for m in MODELS if m in wide.index]
    for model in order:
        cells = [
            f"{wide.loc[model, ('tau', *c)]:.2f} ({wide.loc[model, ('share', *c)]:.0%})" for c in columns
        ]
        lines.append(f"| {model} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Fill the table and print its summary."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pools", nargs="+", choices=POOLS, default=list(POOLS))
    parser.add_argument("--sizes", nargs="+", type=int, default=[25, 50, 100, 200])
    parser.add_argument("--seeds", type=int, default=21)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--values", nargs="+", default=list(VALUES))
    parser.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args()
    path = args.results / "surrogates.csv"
    pools = [p for p in args.pools if (args.results / f"{p}.csv").exists()]
    fill(path, pools, args.sizes, args.seeds, args.models, args.values, str(args.results))
    if path.exists():
        print("\n".join(markdown(summary(pd.read_csv(path)))))


if __name__ == "__main__":
    main()
