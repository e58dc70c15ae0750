"""How well do the project's surrogates rank the other seed's test errors, as a share of the noise ceiling?

    python experiments/real_pool/surrogate_share.py [--pools muxnet resnets] [--sizes 25 50 100 200] [--seeds 21]

A surrogate learns a value of one seed from n networks of a pool and predicts the others. Its tau with the other seed's test errors is
divided by the ceiling: the tau, on the same networks, of the measured value itself. A surrogate can exceed it, since it averages the
noise of many trainings. Both are also computed beside costs (see noise_ceiling.py). Seeds change the networks and, in turn, the
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
from noise_ceiling import beside_costs
from pool import version
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
VALUES = ("error", "loss", "soft error", "training loss", "loss + training loss", "all losses and errors")
MEASURES = ["tau", "ceiling", "tau_beside", "ceiling_beside", "seconds"]
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
    truth, measured = data.test[hidden, 1 - side], data.values[value][hidden, side]
    truth_beside, measured_beside, mean_beside = (
        beside_costs(x[:, None], data.table.iloc[hidden])[:, 0] for x in (truth, measured, mean)
    )
    return {
        "tau": kendall_tau(mean, truth),
        "ceiling": kendall_tau(measured, truth),
        "tau_beside": kendall_tau(mean_beside, truth_beside),
        "ceiling_beside": kendall_tau(measured_beside, truth_beside),
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
        engine, data, of_pool = version(), trained(pool, results), space(pool, results)
        evaluate = Replay(pool, results=results)
        for n in [n for n in sizes if n + LEAST_TEST <= len(data)]:
            for key in [(pool, len(data), n, s, m, v) for s in range(seeds) for m in models for v in values]:
                if key in done:
                    continue
                found = measure(of_pool, data, evaluate, *key[2:])
                row = pd.DataFrame([dict(zip(KEY, key, strict=True)) | found | {"engine": engine}])
                row.to_csv(path, mode="a", header=not path.exists(), index=False, float_format="%.4f")
                frame = pd.concat([frame, row]) if len(frame) else row
    return frame


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean tau, ceiling and share over seeds, of each pool's longest list."""
    longest = frame[frame["networks"] == frame.groupby("pool")["networks"].transform("max")]
    by = ["pool", "networks", "results", "value", "model"]
    found = longest.groupby(by, sort=False)[MEASURES].mean()
    found["seeds"] = longest.groupby(by, sort=False).size()
    found["share"] = found["tau"] / found["ceiling"]
    found["share_beside"] = found["tau_beside"] / found["ceiling_beside"]
    return found.reset_index()


def markdown(table: pd.DataFrame) -> list[str]:
    """A row for each pool, value, number of results and model: tau, the ceiling and the share, overall and beside costs."""
    lines = [
        "| pool | learned from | results | model | tau | ceiling | share | beside costs: tau | ceiling | share |",
        "|---|---|--:|---|--:|--:|--:|--:|--:|--:|",
    ]
    for row in table.to_dict("records"):
        beside = f"{row['tau_beside']:.2f} | {row['ceiling_beside']:.2f} | {row['share_beside']:.0%}"
        lines.append(
            f"| {row['pool']} | {row['value']} | {row['results']} | {row['model']} | {row['tau']:.2f} | {row['ceiling']:.2f} | "
            f"{row['share']:.0%} | {beside} |"
        )
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
