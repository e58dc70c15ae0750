"""The noise ceiling of a pool: how well do the values of one training rank the test errors of another with another seed?

    python experiments/real_pool/noise_ceiling.py [--pools muxnet resnets]

Writes results/ceiling_POOL.csv and prints the table. No surrogate can be expected to rank the other seed's test errors better than
the best of these values, which have seen the network itself.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from pools import POOLS, RESULTS
from recorded import Recorded, read, standardised

from nas.core.records import FloatArray
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import Box, hypervolume
from surrogates.quality import kendall_tau

BOOTSTRAPS = 1000
LEAST = 8  # networks below which no table is made
RIDGE, FOLDS = 3.0, 10
LEARNED = "learned from all (cross-validated)"


def intraclass(pair: FloatArray) -> float:
    """Intraclass correlation of single values (n, 2), ICC(1,1) of Shrout and Fleiss (1979): the share of the variance between networks."""
    between = 2 * pair.mean(axis=1).var(ddof=1)
    within = float(((pair[:, 0] - pair[:, 1]) ** 2).mean()) / 2
    return float((between - within) / max(between + within, 1e-12))


def seeds_tau(pair: FloatArray) -> float:
    """Tau between the seeds of one value (n, 2)."""
    return kendall_tau(pair[:, 0], pair[:, 1])


def cross_tau(pair: FloatArray, test: FloatArray) -> float:
    """Tau of a value (n, 2) with the test error of the other seed, mean of both directions."""
    return (kendall_tau(pair[:, 0], test[:, 1]) + kendall_tau(pair[:, 1], test[:, 0])) / 2


def gained(pair: FloatArray, error: FloatArray, test: FloatArray) -> float:
    """How much larger `cross_tau` is for a value than for the error, each (n, 2)."""
    return cross_tau(pair, test) - cross_tau(error, test)


def front_share(pair: FloatArray, data: Recorded) -> float:
    """Share of the best hypervolume, by the other seed's test errors and the costs, of the whole pool's front by a value (n, 2).

    The score of a search (see replays.py) that trains every network once and reports the front by this value; mean of both directions.
    """
    costs, shares = data.table[["params", "madds"]].to_numpy(dtype=np.float64), []
    for side in (0, 1):
        truth = np.column_stack([data.test[:, 1 - side], costs])
        best = truth[non_dominated(truth)]
        ideal, nadir = best.min(axis=0), best.max(axis=0)
        box = Box(ideal, nadir + 0.1 * (nadir - ideal))
        chosen = truth[non_dominated(np.column_stack([pair[:, side], costs]))]
        shares.append(hypervolume(chosen, box) / hypervolume(best, box))
    return float(np.mean(shares))


def better_half(test: FloatArray) -> np.ndarray:
    """Rows of the networks with the lower mean test error."""
    mean = test.mean(axis=1)
    return np.flatnonzero(mean <= np.median(mean))


def beside_costs(values: FloatArray, table: pd.DataFrame) -> FloatArray:
    """Values (n, 2) less what the costs explain: a fit of the seeds' mean by log(params), log(MAdds) and its square, left out one network.

    At equal cost networks compete for the front, so there the noise matters.
    """
    p, m = (standardised(np.log(table[name].to_numpy(dtype=np.float64))) for name in ("params", "madds"))
    features = np.stack([np.ones_like(p), p, m, m * m], axis=1)
    hat = features @ np.linalg.pinv(features)
    mean, own = values.mean(axis=1), np.minimum(np.diag(hat), 0.99)
    return np.asarray(values - ((hat @ mean - own * mean) / (1 - own))[:, None])


def learned(data: Recorded) -> FloatArray:
    """Predictions (n, 2) of the other seed's test error by ridge regression on all values of a seed.

    Cross-validated over the networks: both seeds of a network are left out together.
    """
    names = [n for n in data.values if n != "test error" and "+" not in n and not n.startswith("all")]
    X = np.stack([standardised(data.values[n]) for n in names], axis=2)  # (n, 2, d)
    out = np.empty_like(data.test)
    rows = np.random.default_rng(0).permutation(len(data))
    for part in np.array_split(rows, min(FOLDS, len(data))):
        rest = np.setdiff1d(rows, part)
        known = X[rest].reshape(-1, X.shape[2])
        target = data.test[rest][:, ::-1].reshape(-1)
        system = known.T @ known + RIDGE * np.eye(known.shape[1])
        weights = np.linalg.solve(system, known.T @ (target - target.mean()))
        out[part] = X[part] @ weights
    return out


def interval(
    statistic: Callable[..., float], *arrays: FloatArray, seed: int = 0, rounds: int = BOOTSTRAPS
) -> tuple[float, float, float]:
    """The statistic, and its 90% percentile interval from samples of the networks with replacement."""
    rng, n = np.random.default_rng(seed), len(arrays[0])
    samples = [statistic(*(a[rows] for a in arrays)) for rows in rng.integers(0, n, (rounds, n))]
    low, high = np.quantile(samples, [0.05, 0.95])
    return statistic(*arrays), float(low), float(high)


def ceiling(data: Recorded, rounds: int = BOOTSTRAPS) -> pd.DataFrame:
    """A row for each value: tau and intraclass correlation between the seeds, tau with the other seed's test error, intervals."""
    half, rows = better_half(data.test), []
    beside_test = beside_costs(data.test, data.table)
    beside_error = beside_costs(data.values["error"], data.table)
    for name, pair in (data.values | {LEARNED: learned(data)}).items():
        tau, tau_low, tau_high = interval(seeds_tau, pair, rounds=rounds)
        icc, icc_low, icc_high = interval(intraclass, pair, rounds=rounds)
        cross, cross_low, cross_high = interval(cross_tau, pair, data.test, rounds=rounds)
        beside = beside_costs(pair, data.table)
        left, left_low, left_high = interval(cross_tau, beside, beside_test, rounds=rounds)
        gain, gain_low, gain_high = interval(gained, beside, beside_error, beside_test, rounds=rounds)
        rows.append(
            {
                "value": name,
                "networks": len(data),
                "tau_test": cross,
                "tau_test_low": cross_low,
                "tau_test_high": cross_high,
                "tau_test_better_half": cross_tau(pair[half], data.test[half]),
                "tau_beside_costs": left,
                "tau_beside_costs_low": left_low,
                "tau_beside_costs_high": left_high,
                "gain_beside_costs": gain,
                "gain_beside_costs_low": gain_low,
                "gain_beside_costs_high": gain_high,
                "tau_seeds": tau,
                "tau_seeds_low": tau_low,
                "tau_seeds_high": tau_high,
                "icc": icc,
                "icc_low": icc_low,
                "icc_high": icc_high,
                "icc_better_half": intraclass(pair[half]),
                "icc_beside_costs": intraclass(beside),
                "front_share": front_share(pair, data),
            }
        )
    return pd.DataFrame(rows).sort_values("tau_beside_costs", ascending=False, ignore_index=True)


def markdown(table: pd.DataFrame) -> list[str]:
    """The table as Markdown lines."""
    lines = [
        "| value of one seed | tau with the other seed's test error (90%) | in the better half | beside costs (90%) | gain over the error (90%) | tau between seeds | ICC (90%) | ICC, better half | ICC beside costs | front |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in table.to_dict("records"):
        test = f"{row['tau_test']:.2f} ({row['tau_test_low']:.2f} to {row['tau_test_high']:.2f})"
        left = f"{row['tau_beside_costs']:.2f} ({row['tau_beside_costs_low']:.2f} to {row['tau_beside_costs_high']:.2f})"
        gain = f"{row['gain_beside_costs']:+.2f} ({row['gain_beside_costs_low']:+.2f} to {row['gain_beside_costs_high']:+.2f})"
        icc = f"{row['icc']:.2f} ({row['icc_low']:.2f} to {row['icc_high']:.2f})"
        lines.append(
            f"| {row['value']} | {test} | {row['tau_test_better_half']:.2f} | {left} | {gain} | {row['tau_seeds']:.2f} | {icc} | "
            f"{row['icc_better_half']:.2f} | {row['icc_beside_costs']:.2f} | {row['front_share']:.3f} |"
        )
    return lines


def main() -> None:
    """Write and print the table of each pool that has enough networks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pools", nargs="+", choices=POOLS, default=POOLS)
    parser.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args()
    for name in args.pools:
        path = args.results / f"{name}.csv"
        if not path.exists() or len(data := read(path)) < LEAST:
            print(f"{name}: fewer than {LEAST} networks with both seeds")
            continue
        table = ceiling(data)
        table.round(4).to_csv(args.results / f"ceiling_{name}.csv", index=False, lineterminator="\n")
        gap = float(np.abs(data.test[:, 0] - data.test[:, 1]).mean())
        spread = float(data.test.mean(axis=1).std(ddof=1))
        print(f"\n{name}: {len(data)} networks, test errors {data.test.min():.1f} to {data.test.max():.1f}%,")
        print(
            f"deviation of the networks {spread:.2f} points, mean difference of the seeds {gap:.2f} points\n"
        )
        print("\n".join(markdown(table)))


if __name__ == "__main__":
    main()
