"""Medians, tests and evaluations needed, from the searches that `nas compare` replayed over the pools.

    PYTHONPATH=experiments/real_pool nas compare experiments/real_pool/replays.yaml
    python experiments/real_pool/replays.py --runs runs/real_pool --engine COMMIT

The score is the hypervolume of the reported front's test errors (the other seed's), parameters and multiply-adds, as a share of that of the best
front in the pool by these test errors. `trained` is the same score of everything that a search trained, as if it knew the test errors. A run and its
counterpart with the seeds exchanged count as two runs. Writes results/replays.csv; the rows of pools without runs in the folder stay.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from pools import RESULTS
from recorded import Recorded, read

from nas.compare.analysis import Study, study
from nas.compare.config import check_comparison
from nas.compare.results import REPORTED
from nas.compare.runs import Comparison
from nas.compare.statistics import against
from nas.config.schema import read_config
from nas.core.records import FloatArray
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import Box, hypervolume

REFERENCE = "sa-moead"
AT = 100  # evaluations of the others that the reference is to reach with fewer
TRAINED = "trained"


def shares(config: Path, runs: Path) -> pd.DataFrame:
    """Both scores of each run at each checkpoint: pool, method, run, evaluations, score, share."""
    comparison = Comparison(check_comparison(read_config(config)), config.resolve().parent, runs.resolve())
    studies = [
        s for part in comparison.config.problems for s in study(comparison, part) if s.kind == REPORTED
    ]
    return pd.DataFrame([row for of in studies for row in _rows(of)])


def _rows(of: Study) -> list[dict[str, object]]:
    assert of.reference is not None
    pool, _, direction = of.part.name.partition("-")
    at = np.array(of.config.checkpoints_of(of.part))
    rows: list[dict[str, object]] = []
    for run in of.runs:
        points, box = run.points[REPORTED], of.reference.box
        scores = {
            REPORTED: of.curves["hypervolume"][run.key].at(at),
            TRAINED: [hypervolume(points[:n][non_dominated(points[:n])], box) for n in at],
        }
        named = {"pool": pool, "method": run.key.algorithm, "run": run.key.seed + 1000 * bool(direction)}
        for score, values in scores.items():
            part = np.array(values) / of.reference.hypervolume
            rows += [
                {**named, "evaluations": int(n), "score": score, "share": v}
                for n, v in zip(at, part, strict=True)
            ]
    return rows


def limit(data: Recorded, seen: int) -> float:
    """The score of the front that all networks of the pool have by the errors of seed `seen`."""
    costs = data.table[["params", "madds"]].to_numpy(dtype=np.float64)
    measured, true = (
        np.column_stack([v, costs]) for v in (data.values["error"][:, seen], data.test[:, 1 - seen])
    )
    best: FloatArray = true[non_dominated(true)]
    worst = best.max(axis=0)
    box = Box(best.min(axis=0), worst + 0.1 * (worst - best.min(axis=0)))
    return hypervolume(true[non_dominated(measured)], box) / hypervolume(best, box)


def medians(frame: pd.DataFrame) -> pd.DataFrame:
    """Quartiles of the score, and Holm's p against the reference, at each checkpoint."""
    by = ["pool", "score", "evaluations", "method"]
    found = frame.groupby(by, sort=False)["share"].quantile([0.25, 0.5, 0.75]).unstack()
    found.columns = ["lower_quartile", "median", "upper_quartile"]
    found["runs"] = frame.groupby(by, sort=False).size()
    for (pool, score, evaluations), part in frame.groupby(["pool", "score", "evaluations"], sort=False):
        values = {
            str(m): dict(zip(v["run"], v["share"], strict=True))
            for m, v in part.groupby("method", sort=False)
        }
        if REFERENCE in values:
            for method, pair in against(values, REFERENCE).items():
                found.loc[(pool, score, evaluations, method), "p_holm"] = (
                    np.nan if pair.p_holm is None else pair.p_holm
                )
    return found.reset_index()


def needed(table: pd.DataFrame) -> pd.DataFrame:
    """First checkpoint at which the reference's median reaches each method's median after `AT` evaluations (NaN: never)."""
    rows = []
    for (pool, score), part in table.groupby(["pool", "score"], sort=False):
        ours = part[part["method"] == REFERENCE].sort_values("evaluations")
        for row in part[part["evaluations"] == min(AT, part["evaluations"].max())].to_dict("records"):
            reached = ours[ours["median"] >= row["median"] - 1e-9]["evaluations"]
            rows.append(
                {
                    "pool": pool,
                    "score": score,
                    "method": row["method"],
                    "evaluations": row["evaluations"],
                    "median": row["median"],
                    "reference_needs": float(reached.min()) if len(reached) else np.nan,
                }
            )
    return pd.DataFrame(rows)


def markdown(table: pd.DataFrame, effort: pd.DataFrame, checkpoints: list[int]) -> list[str]:
    """A table for each pool and score: median (quartiles) at the checkpoints, and the reference's evaluations to the last."""
    lines = []
    for (pool, score), part in table.groupby(["pool", "score"], sort=False):
        of_both = effort[(effort["pool"] == pool) & (effort["score"] == score)].set_index("method")
        shown = [n for n in checkpoints if (part["evaluations"] == n).any()]
        heads = " | ".join(f"after {n}" for n in shown)
        last = int(of_both["evaluations"].max())
        lines += ["", f"`{pool}`, {score}, {int(part['runs'].max())} runs", ""]
        lines += [
            f"| method | {heads} | {REFERENCE} needs for its {last} |",
            "|---|" + "--:|" * (len(shown) + 1),
        ]
        for method in part["method"].unique():
            of_method = part[part["method"] == method].set_index("evaluations")
            cells = [_cell(of_method.loc[n]) for n in shown]
            need = of_both.loc[method, "reference_needs"]
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
    parser.add_argument("--config", type=Path, default=Path(__file__).with_name("replays.yaml"))
    parser.add_argument("--runs", type=Path, required=True, help="the folder of the comparison")
    parser.add_argument("--engine", required=True, help="commit of the engine that made the runs")
    parser.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args()
    table = medians(shares(args.config, args.runs))
    file, made = args.results / "replays.csv", table.assign(engine=args.engine).round(4)
    if file.exists():
        earlier = pd.read_csv(file, dtype={"engine": str})
        made = pd.concat([earlier[~earlier["pool"].isin(made["pool"])], made])
    made.to_csv(file, index=False, lineterminator="\n")
    print("\n".join(markdown(table, needed(table), [10, 20, 30, 50, 70, 100])))
    print("\n`*`: differs from sa-moead at the same number of evaluations (Wilcoxon, Holm, p < .05)")
    for pool in table["pool"].unique():
        data = read(args.results / f"{str(pool).split()[0]}.csv")
        print(
            f"{pool}: front of all networks by measured errors: {limit(data, 0):.3f}, {limit(data, 1):.3f} (seeds exchanged)"
        )


if __name__ == "__main__":
    main()
