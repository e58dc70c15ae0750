"""Regularized evolution's population and tournament, swept on each accuracy task with seeds of its own.

`python experiments/nasbench101/tuning.py --workers 2` makes the runs that `results/tuning_runs.csv` lacks; the setting
with the least mean test error after 150 evaluations is marked in `results/tuning.csv` and used by `accuracy.py`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import cells_figures
import pandas as pd
from cells_harness import Job, Method, arguments, jobs_of, run_missing, search
from cells_tasks import ACCURACY, available, load

from nas.algorithms.regularized_evolution import RegularizedEvolutionSettings

BUDGET = 150
FIRST_SEED = 1000  # none that the comparison uses
GRID = {
    f"{population}/{sample}": (population, sample)
    for population in (5, 10, 20, 30, 50, 100)
    for sample in (2, 5, 10, 25)
    if sample <= population
}


def one_run(budget: int, data: Path, job: Job) -> dict[str, Any]:
    """The reported error of the best cell by what was searched."""
    task = load(job.task, data)
    settings = RegularizedEvolutionSettings(*GRID[job.method])
    told = search(task, Method("regularized-evolution", settings), job.seed, budget)
    return {"test_error": round(float(told.loc[told["error"].idxmin(), "test_error"]), 4)}


def main() -> None:
    args = arguments(__doc__ or "", available(list(ACCURACY)), list(GRID), BUDGET)
    seeds = range(FIRST_SEED, FIRST_SEED + args.seeds)
    jobs = [] if args.report else jobs_of(args.tasks, args.methods, seeds)
    work = partial(one_run, args.budget, args.data)
    frame = run_missing(args.out / "tuning_runs.csv", jobs, work, list(GRID), args)
    groups = frame.groupby(["task", "method"], sort=False)["test_error"]
    rows = groups.agg(["mean", "std", "count"]).reset_index().rename(columns={"count": "runs"})
    pairs = pd.DataFrame(rows["method"].map(GRID).tolist(), columns=["population", "sample"])
    rows = pd.concat([rows, pairs], axis=1)
    rows["chosen"] = rows.index.isin(rows.groupby("task")["mean"].idxmin())
    rows.round(4).to_csv(args.out / "tuning.csv", index=False)
    cells_figures.tuning(rows, {t: load(str(t), args.data) for t in rows["task"].unique()}, args.out)
    print(rows[rows["chosen"]].to_string(index=False))


if __name__ == "__main__":
    main()
