"""Medians, tests and evaluations needed, from the searches that `nas compare` replayed over the pools.

    PYTHONPATH=experiments/real_pool nas compare experiments/real_pool/replays.yaml
    python experiments/real_pool/replays.py --runs runs/real_pool --engine COMMIT

The score is the hypervolume of the reported front's test errors (the other seed's), parameters and multiply-adds, as a share of that of the best
front in the pool by these test errors. A run and its counterpart with the seeds exchanged count as two runs. Writes results/replays.csv.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from pools import RESULTS

from nas.compare.statistics import against

REFERENCE = "sa-moead"
AT = 100  # evaluations of the others that the reference is to reach with fewer


def shares(results: Path) -> pd.DataFrame:
    """The score of each run at each checkpoint: pool, method, run, evaluations, share."""
    quality, reference = (pd.read_csv(results / f"{name}.csv") for name in ("quality", "reference"))
    quality = quality[(quality["measure"] == "hypervolume") & (quality["values"] == "reported")]
    best = reference[reference["values"] == "reported"].drop_duplicates("problem")
    full = best.set_index("problem")["front_hypervolume"]
    parts = quality["problem"].str.partition("-")
    run = quality["seed"] + np.where(parts[2] == "swapped", 1000, 0)
    share = quality["value"] / quality["problem"].map(full)
    found = quality.assign(pool=parts[0], run=run, share=share).rename(columns={"algorithm": "method"})
    return found[["pool", "method", "run", "evaluations", "share"]]


def medians(frame: pd.DataFrame) -> pd.DataFrame:
    """Quartiles of the score, and Holm's p against the reference, at each checkpoint."""
    by = ["pool", "evaluations", "method"]
    found = frame.groupby(by, sort=False)["share"].quantile([0.25, 0.5, 0.75]).unstack()
    found.columns = ["lower_quartile", "median", "upper_quartile"]
    found["runs"] = frame.groupby(by, sort=False).size()
    for (pool, evaluations), part in frame.groupby(["pool", "evaluations"], sort=False):
        values = {
            str(m): dict(zip(v["run"], v["share"], strict=True))
            for m, v in part.groupby("method", sort=False)
        }
        if REFERENCE in values:
            for method, pair in against(values, REFERENCE).items():
                found.loc[(pool, evaluations, method), "p_holm"] = (
                    np.nan if pair.p_holm is None else pair.p_holm
                )
    return found.reset_index()


def needed(table: pd.DataFrame) -> pd.DataFrame:
    """First checkpoint at which the reference's median reaches each method's median after `AT` evaluations (NaN: never)."""
    rows = []
    for pool, part in table.groupby("pool", sort=False):
        ours = part[part["method"] == REFERENCE].sort_values("evaluations")
        for row in part[part["evaluations"] == min(AT, part["evaluations"].max())].to_dict("records"):
            reached = ours[ours["median"] >= row["median"] - 1e-9]["evaluations"]
            rows.append(
                {
                    "pool": pool,
                    "method": row["method"],
                    "evaluations": row["evaluations"],
                    "median": row["median"],
                    "reference_needs": float(reached.min()) if len(reached) else np.nan,
                }
            )
    return pd.DataFrame(rows)


def markdown(table: pd.DataFrame, effort: pd.DataFrame, checkpoints: list[int]) -> list[str]:
    """A table for each pool: median (quartiles) at the checkpoints, and the reference's evaluations to the last."""
    lines = []
    for pool, part in table.groupby("pool", sort=False):
        shown = [n for n in checkpoints if (part["evaluations"] == n).any()]
        heads = " | ".join(f"after {n}" for n in shown)
        last = int(effort[effort["pool"] == pool]["evaluations"].max())
        lines += ["", f"`{pool}`, {int(part['runs'].max())} runs", ""]
        lines += [
            f"| method | {heads} | {REFERENCE} needs for its {last} |",
            "|---|" + "--:|" * (len(shown) + 1),
        ]
        for method in part["method"].unique():
            of_method = part[part["method"] == method].set_index("evaluations")
            cells = [_cell(of_method.loc[n]) for n in shown]
            need = effort[(effort["pool"] == pool) & (effort["method"] == method)]["reference_needs"].iloc[0]
            lines.append(f"| {method} | {' | '.join(cells)} | {'never' if np.isnan(need) else int(need)} |")
    return lines


def _cell(row: pd.Series) -> str:
    star = "*" if row.get("p_holm", np.nan) < 0.05 else ""
    return f"{row['median']:.3f}{star} ({row['lower_quartile']:.3f} to {row['upper_quartile']:.3f})"


def main() -> None:
    """Write the table and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, required=True, help="the folder of the comparison")
    parser.add_argument("--engine", required=True, help="commit of the engine that made the runs")
    parser.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args()
    table = medians(shares(args.runs / "results"))
    table.assign(engine=args.engine).round(4).to_csv(
        args.results / "replays.csv", index=False, lineterminator="\n"
    )
    print("\n".join(markdown(table, needed(table), [10, 20, 30, 50, 100])))
    print("\n`*`: differs from sa-moead at the same number of evaluations (Wilcoxon, Holm, p < .05)")


if __name__ == "__main__":
    main()
