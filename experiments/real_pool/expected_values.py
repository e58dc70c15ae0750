"""Are expected values nearer to another training than the measurement, and how often does the stated interval hold it?

    python experiments/real_pool/expected_values.py --engine COMMIT [--pools resnets]

A search has the validation values of one seed for some of the networks (6 random subsets of each size, both seeds in turn); its expected errors
are compared with the *test* errors of the other seed. Appends a row for each pool and number of networks to results/expected_values.csv.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from noise_ceiling import beside_costs
from pools import POOLS, RESULTS, Pool, pool_of
from recorded import Recorded, read

from nas.algorithms.expectation import Estimates, estimates
from nas.core.objectives import Objective
from nas.core.problem import Problem
from nas.core.records import FloatArray, Result, Status, Trial
from nas.pareto.archive import non_dominated
from surrogates.quality import kendall_tau

SUBSETS, FIRST_SEED = 6, 100
COMPANIONS = {"loss": "loss", "train_loss": "training loss"}
IMAGES = 10_000


def estimated(data: Recorded, pool: Pool, rows: np.ndarray, side: int) -> Estimates:
    """Estimates from the validation values of one seed of these networks."""
    error = Objective("error", "%", best=0.0, companions=list(COMPANIONS))
    problem = Problem(pool.space, [error, "params", "madds"], lambda trial: {})
    known = []
    for number, i in enumerate(rows):
        values = {name: float(data.values[label][i, side]) for name, label in COMPANIONS.items()}
        wrong = float(data.values["error"][i, side])
        values |= {"error": wrong, "error_sampling": (2.0 * wrong * (100.0 - wrong) / IMAGES) ** 0.5}
        values |= {name: float(data.table[name][i]) for name in ("params", "madds")}
        trial = Trial(number, pool.space.parse(data.table["network"][i]), number)
        known.append(problem.observe(Result(trial, Status.OK, values)))
    found = estimates(problem, known)
    assert found is not None
    return found


def compared(data: Recorded, pool: Pool, rows: np.ndarray, side: int) -> dict[str, float]:
    """How near the expected and the measured errors are to the other seed's test errors."""
    found, truth, table = estimated(data, pool, rows, side), data.test[rows, 1 - side], data.table.iloc[rows]
    inside = (found.low[:, 0] <= truth) & (truth <= found.high[:, 0])
    far = np.abs(found.measured[:, 0] - np.median(truth))
    far_ones = far >= np.quantile(far, 0.9)
    row = {}
    for name, points in (("measured", found.measured), ("expected", found.mean)):
        values = points[:, 0]
        beside = [beside_costs(np.column_stack([v, v]), table)[:, 0] for v in (values, truth)]
        off = np.abs(values - truth)
        row |= {f"tau_{name}": kendall_tau(values, truth), f"tau_beside_costs_{name}": kendall_tau(*beside)}
        row |= {f"off_{name}": off.mean(), f"off_farthest_{name}": off[far_ones].mean()}
    front = non_dominated(found.mean)
    return row | {
        "inside": inside.mean(),
        "inside_front": inside[front].mean(),
        "inside_farthest": inside[far_ones].mean(),
    }


def table_of(data: Recorded, pool: Pool) -> pd.DataFrame:
    """A row for each number of networks: means over subsets and seeds."""
    found = []
    for count in sorted({n for n in (12, 25, 50, 100, 200) if n < len(data)} | {len(data)}):
        subsets = [
            np.random.default_rng(FIRST_SEED + k).permutation(len(data))[:count] for k in range(SUBSETS)
        ]
        parts: list[FloatArray] = subsets if count < len(data) else [np.arange(len(data))]
        rows = [compared(data, pool, part, side) for part in parts for side in (0, 1)]
        found.append({"networks": count, **pd.DataFrame(rows).mean()})
    return pd.DataFrame(found)


def main() -> None:
    """Append to the table, and print the new rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", required=True, help="the commit of the engine, for the table")
    parser.add_argument("--pools", nargs="+", choices=POOLS, default=["resnets"])
    parser.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args()
    path = args.results / "expected_values.csv"
    tables = [pd.read_csv(path, dtype={"engine": str})] if path.exists() else []
    for name in args.pools:
        made = table_of(read(args.results / f"{name}.csv"), pool_of(name))
        made.insert(0, "pool", name)
        made.insert(0, "engine", args.engine)
        tables.append(made)
    table = pd.concat(tables).drop_duplicates(["engine", "pool", "networks"], keep="last")
    table.round(4).to_csv(path, index=False, lineterminator="\n")
    print(table[table["engine"] == args.engine].round(3).T.to_string(header=False))


if __name__ == "__main__":
    main()
