"""Accuracy only, the paper's figure: the test error of the cell with the best searched error.

`python experiments/nasbench101/accuracy.py --runs runs/nasbench101/accuracy` reports on the runs of `accuracy.yaml` and on the committed
ones of `results/accuracy.csv` that it lacks. Run `tuning.py` first: it chooses the settings of regularized evolution. See the README beside this file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import cells_figures
import numpy as np
import pandas as pd
from cells_report import curve_report, summary_table
from cells_runs import Row, Run, arguments, rows
from cells_tasks import DATA, HERE, Task, load

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
PUBLISHED = {  # their names in the table of published figures
    TUNED: "regularized evolution",
    "local search": "local search",
    "random": "random search",
}
HEAD = """# Accuracy only

Written by `accuracy.py`. Mean test error (%) of the cell with the best searched error, after each number of evaluations.
`tested`: Wilcoxon's signed-rank test over the seeds against the method named, corrected by Holm over the methods, at the most
evaluations that both have; A is the probability that a run of the row is better (Vargha and Delaney).
"""


METHODS = ("sa-moead", "moead", TUNED, "regularized evolution 50/10", "local search", "random")


def best_so_far(task: Task, told: pd.DataFrame, budget: int, checkpoints: Sequence[int] = CHECKPOINTS) -> Row:
    """The reported error of the cell with the best searched error after each number of evaluations, and the days until then."""
    best = told["error"].cummin().to_numpy()
    row_of_best = np.maximum.accumulate(np.where(told["error"].to_numpy() == best, np.arange(len(told)), 0))
    row: Row = {"budget": budget}
    for n in checkpoints:
        if n <= budget:
            row[f"test_{n}"] = round(float(told["test_error"].iloc[row_of_best[min(n, len(told)) - 1]]), 4)
    if task.timed:
        days = (told["train_seconds"].cumsum() / DAY).to_numpy()
        row |= {f"days_{n}": round(float(days[min(n, len(told)) - 1]), 4) for n in checkpoints if n <= budget}
    return row


def scored(chosen: Mapping[str, str], data: Path, run: Run) -> list[Row]:
    """The rows of a run, two where the setting chosen for its task is 50/10."""
    if "C10" in run.task:  # of runs/nasbench101/full
        return []
    row = {"settings": "", **best_so_far(load(run.task, data), run.told, run.budget)}
    setting = run.method.removeprefix("regularized evolution ")
    tuned = [{"method": TUNED, "settings": setting}] if setting == chosen.get(run.task, "50/10") else []
    named = [{"method": run.method}] if run.method in METHODS else []
    return [row | names for names in tuned + named]


def tuned(out: Path) -> dict[str, str]:
    """The choice of `tuning.py`: population/tournament, by task."""
    found = pd.read_csv(out / "tuning.csv").query("chosen")
    return dict(zip(found["task"], found["method"], strict=True))


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
    args = arguments(__doc__ or "")
    tuning = args.out if (args.out / "tuning.csv").exists() else HERE / "results"
    frame = rows("accuracy", args, partial(scored, tuned(tuning), args.data), METHODS)
    report(frame, args.out, args.data)


if __name__ == "__main__":
    main()
