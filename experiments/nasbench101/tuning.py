"""Regularized evolution's population and tournament, swept on each accuracy task with separate seeds.

`python experiments/nasbench101/tuning.py --runs runs/nasbench101/tuning` reports on the runs of `tuning.yaml` and on the committed ones of
`results/tuning_runs.csv` that it lacks. The setting with the least mean test error after 150 evaluations is marked in
`results/tuning.csv` and used by `accuracy.py`.
"""

from __future__ import annotations

import cells_figures
import pandas as pd
from cells_runs import Row, Run, arguments, rows
from cells_tasks import load


def scored(run: Run) -> list[Row]:
    """The reported error of the cell with the best searched error."""
    return [{"test_error": round(float(run.told.loc[run.told["error"].idxmin(), "test_error"]), 4)}]


def main() -> None:
    args = arguments(__doc__ or "")
    frame = rows("tuning_runs", args, scored, ())
    groups = frame.groupby(["task", "method"], sort=False)["test_error"]
    found = groups.agg(["mean", "std", "count"]).reset_index().rename(columns={"count": "runs"})
    pairs = pd.DataFrame([map(int, m.split("/")) for m in found["method"]], columns=["population", "sample"])
    found = pd.concat([found, pairs], axis=1)
    found["chosen"] = found.index.isin(found.groupby("task")["mean"].idxmin())
    found.round(4).to_csv(args.out / "tuning.csv", index=False)
    cells_figures.tuning(found, {t: load(str(t), args.data) for t in found["task"].unique()}, args.out)
    print(found[found["chosen"]].to_string(index=False))


if __name__ == "__main__":
    main()
