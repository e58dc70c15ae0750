"""Two and three objectives by hypervolume, with fronts over the cloud of all cells and the found cells as graphs.

`python experiments/nasbench101/fronts.py --runs runs/nasbench101/fronts` reports on the runs of `fronts.yaml` and on the committed ones
of `results/fronts.csv` that it lacks. See the README beside this file.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cells_drawings
import cells_figures
import pandas as pd
from cells_report import curve_report, summary_table
from cells_runs import Row, Run, arguments, rows
from cells_scoring import quality_row
from cells_tasks import load

CHECKPOINTS = (10, 20, 30, 40, 50, 75, 100, 125, 150, 200, 250, 300)
REPORTED_AT = (50, 100, 150, 300)
METHODS = (
    "sa-moead",
    "moead",
    "nsga2",
    "nsga3",
    "scalarized evolution",
    "regularized evolution 50/10",
    "local search",
    "random",
)
SHOWN = ("sa-moead", "moead", "random")  # whose fronts are drawn


HEAD = """# Two and three objectives

Written by `fronts.py`. Median over the seeds of the hypervolume that the reported values of the found front have, as a share
of the true front's; box from the true front's ideal to a tenth of its range beyond its nadir. `tested`: Wilcoxon's
signed-rank test over the seeds against sa-moead (moead where that was not run so far), corrected by Holm over the methods;
A is the probability that a run of the row is better (Vargha and Delaney).
"""


def typical(frame: pd.DataFrame, task: str, method: str) -> list[str]:
    """The cells that the run with the median hypervolume after 150 evaluations found."""
    runs = frame[(frame["task"] == task) & (frame["method"] == method)].sort_values("hv_150")
    return str(runs["front"].iloc[len(runs) // 2]).split()


def scored(data: Path, run: Run) -> list[Row]:
    """The row of a run."""
    return [quality_row(load(run.task, data), run.told, CHECKPOINTS, run.budget)]


def main() -> None:
    args = arguments(__doc__ or "")
    frame = rows("fronts", args, partial(scored, args.data), METHODS)
    tasks = {str(t): load(str(t), args.data) for t in frame["task"].unique()}
    summary = curve_report(frame, "hv", REPORTED_AT, "sa-moead")
    summary.to_csv(args.out / "fronts_summary.csv", index=False)
    parts = [HEAD]
    for name, task in tasks.items():
        objectives = ", ".join(task.names)
        parts.append(
            f"## {task.title}: {objectives}\n\nSearched: {task.searched}. Reported: {task.reported}.\n"
        )
        parts.append(summary_table(summary[summary["task"] == name], "median"))
    (args.out / "fronts.md").write_text("\n".join(parts), encoding="utf-8")
    cells_figures.missing(frame, tasks, CHECKPOINTS, args.out / "fronts.png")
    for name, task in tasks.items():
        if len(task.names) == 2:
            chosen = {
                m: typical(frame, name, m) for m in SHOWN if m in set(frame[frame["task"] == name]["method"])
            }
            cells_figures.cloud(task, chosen, args.out / f"fronts_{name}.png")
            cells = chosen[next(iter(chosen))]
            cells_drawings.sheet(task, cells, args.out / f"fronts_{name}.svg")


if __name__ == "__main__":
    main()
