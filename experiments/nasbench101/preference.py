"""Effect of an aspiration point: distance of the front to the wanted region for the same evaluations.

`python experiments/nasbench101/preference.py --runs runs/nasbench101/preference` reports on the runs of `preference.yaml` and on the
committed ones of `results/preference.csv` that it lacks. See the README beside this file.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cells_figures
import numpy as np
import pandas as pd
from cells_report import curve_report, summary_table
from cells_runs import Row, Run, arguments, rows
from cells_scoring import found, reported
from cells_tasks import Task, load

from nas.pareto.indicators import Box, hypervolume
from nas.pareto.preferences import Preference

CHECKPOINTS = (10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60)
REPORTED_AT = (20, 30, 40, 60)
WANTED = {  # by task: the user's preference, near the middle of the front
    "5v-final-3": "error=6.5%, params=4M",
    "nb201-cifar10-final-3": "error=7%, params=500k",
    "nb201-cifar10-3": "error=7%, params=500k",  # the same target with another searched error: out of reach
}
WITHOUT, WITH = "without preference", "with preference"


def wanted(task: Task) -> Preference:
    """The preference of the user of this task."""
    return Preference.parse(WANTED[task.name], task.problem.objectives)


def region(task: Task) -> tuple[Box, float]:
    """The wanted region, and its largest part that can be dominated.

    It begins at the true ideal and ends at the worse of the aspiration and a tenth of the range beyond the member of the true front
    that comes nearest. It differs from the search's region (`Preference.region`), so that the latter can change.
    """
    ideal, nadir = task.truth.min(axis=0), task.truth.max(axis=0)
    aspiration = wanted(task).aspiration(ideal, nadir, task.truth)
    nearest = task.truth[np.argmin(wanted(task).scores(task.truth, ideal, nadir, task.truth))]
    box = Box(ideal, np.maximum(aspiration, nearest + 0.1 * (nadir - ideal)))
    return box, hypervolume(task.truth, box)


def scored(data: Path, run: Run) -> list[Row]:
    """After each number of evaluations: the share of the region that is dominated, and the best achievement."""
    if run.method not in (WITHOUT, WANTED[run.task]):
        return []
    task, told = load(run.task, data), run.told
    ideal, nadir = task.truth.min(axis=0), task.truth.max(axis=0)
    (box, most), row = region(task), {"method": WITHOUT if run.method == WITHOUT else WITH}
    for n in (n for n in CHECKPOINTS if n <= run.budget):
        points = reported(task, told[:n])
        scores = wanted(task).scores(points, ideal, nadir, task.truth)
        row[f"region_{n}"] = round(hypervolume(points, box) / most, 5)
        row[f"score_{n}"] = round(float(np.min(scores)), 5)
        inside = (points <= box.reference).all(axis=1)
        row[f"inside_{n}"] = int(inside.sum())
    return [row | {"front": " ".join(found(task, told)["architecture"])}]


HEAD = """# What an aspiration point is worth

Written by `preference.py`. sa-moead, 60 evaluations, with and without the preference. `region`: the median share that the front
dominates of the part of the wanted region that the true front dominates, which ends at the worse of the aspiration and a tenth of the range beyond
the member of the true front that comes nearest. `score`: the median achievement of
the best member of the front (`Preference.scores`: 0 at the aspiration, negative beyond it, 1 a range of the true front short of it).
`inside`: the mean number of members of the front in the region. `tested`: Wilcoxon's signed-rank test over the seeds; A is the
probability that a run of the row is better (Vargha and Delaney).

On NAS-Bench-201 the target is used twice: in a search of its own error, and in one of 12-epoch validation errors, the lowest of
which is 15.1%, so that 7% is out of its reach.
"""


def main() -> None:
    args = arguments(__doc__ or "")
    frame = rows("preference", args, partial(scored, args.data), (WITH, WITHOUT))
    tasks = {str(t): load(str(t), args.data) for t in frame["task"].unique()}
    parts, summaries = [HEAD], []
    for prefix, larger, value in (
        ("region", True, "median"),
        ("score", False, "median"),
        ("inside", True, "mean"),
    ):
        summary = curve_report(frame, prefix, REPORTED_AT, WITH, larger=larger)
        summaries.append(summary.assign(measure=prefix))
        for name, task in tasks.items():
            parts.append(f"## {task.title}, wanted: {WANTED[name]}: {prefix}\n\nSearched: {task.searched}.\n")
            parts.append(summary_table(summary[summary["task"] == name], value))
    pd.concat(summaries).to_csv(args.out / "preference_summary.csv", index=False)
    (args.out / "preference.md").write_text("\n".join(parts), encoding="utf-8")
    cells_figures.preference(frame, tasks, WANTED, CHECKPOINTS, args.out / "preference.png")


if __name__ == "__main__":
    main()
