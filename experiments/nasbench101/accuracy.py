"""Accuracy only, the paper's figure: the test error of the best cell by what the search sees.

`python experiments/nasbench101/accuracy.py --workers 2` makes the runs that `results/accuracy.csv` lacks and reports on
all of them. `tuning.py` has to have chosen the settings of regularized evolution before. See the README beside this file.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import cells_figures
import numpy as np
import pandas as pd
from cells_harness import Job, Method, arguments, jobs_of, read, run_missing, search, write
from cells_report import curve_report, summary_table
from cells_tasks import ACCURACY, DATA, Task, available, load

from nas.algorithms.local_search import LocalSearchSettings
from nas.algorithms.regularized_evolution import RegularizedEvolutionSettings

BUDGET = 300
CHECKPOINTS = (
    10,
    15,
    20,
    25,
    30,
    40,
    50,
    60,
    70,
    80,
    90,
    100,
    110,
    120,
    130,
    140,
    150,
    175,
    200,
    225,
    250,
    275,
    300,
)
REPORTED_AT = (50, 100, 150, 300)
REFERENCE = "sa-moead"
TUNED = "regularized evolution, tuned"
DAY = 86_400.0
PUBLISHED = {  # what the table of published figures calls them
    TUNED: "regularized evolution",
    "local search": "local search",
    "random": "random search",
}
HEAD = """# Accuracy only

Written by `accuracy.py`. Mean test error (%) of the cell that was best by what the search saw, after so many evaluations.
`tested`: Wilcoxon's signed-rank test over the seeds against the method named, corrected by Holm over the methods, at the most
evaluations that both have; A is the probability that a run of the row is better (Vargha and Delaney).
"""


def methods(chosen: Mapping[str, tuple[int, int]], task: str) -> dict[str, Method]:
    """What is compared; `chosen` has the population and the tournament that a sweep found best, by task."""
    population, sample = chosen.get(task, (50, 10))
    return {
        "sa-moead": Method("sa-moead", budget=150),
        "moead": Method("moead"),
        TUNED: Method("regularized-evolution", RegularizedEvolutionSettings(population, sample)),
        "regularized evolution 50/10": Method("regularized-evolution", RegularizedEvolutionSettings(50, 10)),
        "local search": Method("local-search", LocalSearchSettings()),
        "random": Method("random"),
    }


NAMES = tuple(methods({}, ""))


def best_so_far(task: Task, history: pd.DataFrame, budget: int) -> dict[str, Any]:
    """The reported error of the best by what is searched, after each number of evaluations; and the days till then."""
    told = history[history["status"] == "ok"].reset_index(drop=True)
    best = told["error"].cummin().to_numpy()
    row_of_best = np.maximum.accumulate(np.where(told["error"].to_numpy() == best, np.arange(len(told)), 0))
    row: dict[str, Any] = {"budget": budget}
    for n in CHECKPOINTS:
        if n <= budget:
            row[f"test_{n}"] = round(float(told["test_error"].iloc[row_of_best[min(n, len(told)) - 1]]), 4)
    if task.timed:
        days = (told["train_seconds"].cumsum() / DAY).to_numpy()
        row |= {f"days_{n}": round(float(days[min(n, len(told)) - 1]), 4) for n in CHECKPOINTS if n <= budget}
    return row


def one_run(chosen: Mapping[str, tuple[int, int]], budget: int, data: Path, job: Job) -> dict[str, Any]:
    """One row of the results."""
    task, method = load(job.task, data), methods(chosen, job.task)[job.method]
    history = search(task, method, job.seed, budget)
    settings = f"{method.settings.population}/{method.settings.sample}" if job.method == TUNED else ""
    return {"settings": settings} | best_so_far(task, history, min(budget, method.budget or budget))


def tuned(out: Path) -> dict[str, tuple[int, int]]:
    """What `tuning.py` chose: population and tournament, by task."""
    file = out / "tuning.csv"
    if not file.exists():
        raise SystemExit(f"{file}: missing; run experiments/nasbench101/tuning.py first")
    rows = pd.read_csv(file)
    best = rows[rows["chosen"]]
    return {r.task: (int(r.population), int(r.sample)) for r in best.itertuples()}


def forget_other_settings(file: Path, chosen: Mapping[str, tuple[int, int]]) -> None:
    """Leave out of the file what was run with another choice of the sweep."""
    frame = read(file)
    if frame.empty:
        return
    now = frame["task"].map({task: f"{p}/{s}" for task, (p, s) in chosen.items()})
    write(file, frame[(frame["method"] != TUNED) | (frame["settings"] == now)], NAMES)


def published() -> pd.DataFrame:
    """Figures that others published, by method (percent, 150 evaluations)."""
    file = DATA.parent / "references" / "nasbench101_150_evaluations.csv"
    return pd.read_csv(file) if file.exists() else pd.DataFrame(columns=["method", "mean_test_error_pct"])


def report(frame: pd.DataFrame, out: Path, data: Path) -> None:
    """Summary, tests, tables and figures."""
    summary = curve_report(frame, "test", REPORTED_AT, REFERENCE, larger=False)
    summary.to_csv(out / "accuracy_summary.csv", index=False)
    tasks = {str(t): load(str(t), data) for t in frame["task"].unique()}
    known = published().set_index("method")["mean_test_error_pct"]
    parts = [HEAD]
    for name, task in tasks.items():
        whole = name.startswith("full")
        head = "published, 150 evaluations" if whole else "published, 150 evaluations of all of NASBench-101"
        column = {m: f"{known[p]:.3f}" for m, p in PUBLISHED.items() if p in known}
        extra = {head: column} if name.startswith(("full", "13k", "5v-final")) else None
        parts.append(f"## {task.title}\n\nSearched: {task.searched}. Reported: {task.reported}.\n")
        parts.append(summary_table(summary[summary["task"] == name], "mean", extra))
    (out / "accuracy.md").write_text("\n".join(parts), encoding="utf-8")
    cells_figures.accuracy(frame, tasks, CHECKPOINTS, out)


def main() -> None:
    args = arguments(__doc__ or "", available(list(ACCURACY)), NAMES, BUDGET)
    file = args.out / "accuracy.csv"
    jobs = [] if args.report else jobs_of(args.tasks, args.methods, range(args.seeds))
    chosen = tuned(args.out)
    forget_other_settings(file, chosen)
    work = partial(one_run, chosen, args.budget, args.data)
    frame = run_missing(file, jobs, work, NAMES, args)
    if frame.empty:
        sys.exit(f"{file}: no runs to report on; leave --report away to make them")
    report(frame, args.out, args.data)


if __name__ == "__main__":
    main()
