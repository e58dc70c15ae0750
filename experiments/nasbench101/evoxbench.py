"""EvoXBench's C10/MOP1 and C10/MOP2: searched on single noisy trainings, scored on mean test error, on their scale.

`python experiments/nasbench101/evoxbench.py --runs runs/nasbench101/evoxbench` reports on the runs of `evoxbench.yaml` and on the committed
ones of `results/evoxbench.csv` that it lacks, beside published results. The README beside this file states what each table can show.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cells_figures
import pandas as pd
from cells_report import curve_report, summary_table
from cells_runs import Row, Run, arguments, rows
from cells_scoring import competition_row
from cells_tasks import DATA, Task, load

from nas.pareto.indicators import hypervolume

CHECKPOINTS = (25, 50, 75, 100, 150, 200, 300, 400, 600, 800, 1000, 2000, 5000, 10_000)
REPORTED_AT = (100, 150, 300, 1000, 10_000)
METHODS = ("sa-moead", "moead", "nsga2", "nsga3", "local search", "random")
HEAD = """# EvoXBench: C10/MOP1 and C10/MOP2

Written by `evoxbench.py`. Median hypervolume over the seeds, on EvoXBench's scale with the reference point at its nadir, of
the best 100 cells in the searched objectives (rank of dominance, then crowding), by their mean test error: the competition scores
a final population of about this size. `tested`: Wilcoxon's signed-rank test over
the seeds against sa-moead (moead where that was not run so far), corrected by Holm over the methods; A is the probability that
a run of the row is better (Vargha and Delaney). The published figures are means of 31 runs of 10,000 evaluations of the
**whole** NASBench-101 with EvoXBench's own encoding: a column to orient by, not one to compare with, except where the
section states that its table is complete.
"""


def scored(data: Path, run: Run) -> list[Row]:
    """The row of a run; `runs/nasbench101/full` has other tasks too."""
    if "C10" not in run.task:
        return []
    return [competition_row(load(run.task, data), run.told, CHECKPOINTS, run.budget)]


def published(problem: str) -> str:
    """Published results on a problem, as a table."""
    file = DATA.parent / "references" / "evoxbench_cec2023.csv"
    if not file.exists():
        return ""
    short = problem.replace("C10/", "c10").lower()
    rows = pd.read_csv(file)
    lines = [
        "| published, 10,000 evaluations of the whole NASBench-101 | hypervolume | IGD |",
        "|---|---|---|",
    ]
    for _, row in rows.iterrows():
        deviation = row[f"hv_{short}_sd"]
        lines.append(
            f"| {row['algorithm']} | {row[f'hv_{short}_mean']:.4f} ({deviation:.4f}) | {row[f'igd_{short}']:.4f} |"
        )
    return "\n".join([*lines, ""])


def section(name: str, task: Task, summaries: dict[str, pd.DataFrame]) -> str:
    """A task's hypervolume and IGD."""
    best = hypervolume(task.truth, task.box)
    text = (
        f"## {task.title}\n\nSearched: {task.searched}, {', '.join(task.names[1:])}. Reported: {task.reported}. The best "
        f"that this table allows: {best:.4f}, with {len(task.truth)} cells.\n"
    )
    rows = {k: v[v["task"] == name] for k, v in summaries.items()}
    return "\n".join(
        [
            text,
            summary_table(rows["hv"], "median", digits=4),
            "Hypervolume of only the cells that are non-dominated in the searched objectives:\n",
            summary_table(rows["front_hv"], "median", digits=4),
            "IGD of the 100:\n",
            summary_table(rows["igd"], "median", digits=4),
        ]
    )


def main() -> None:
    args = arguments(__doc__ or "")
    frame = rows("evoxbench", args, partial(scored, args.data), METHODS)
    tasks = {str(t): load(str(t), args.data) for t in frame["task"].unique()}
    summaries = {
        "hv": curve_report(frame, "hv", REPORTED_AT, "sa-moead"),
        "front_hv": curve_report(frame, "front_hv", REPORTED_AT, "sa-moead"),
        "igd": curve_report(frame, "igd", REPORTED_AT, "sa-moead", larger=False),
    }
    pd.concat([v.assign(indicator=k) for k, v in summaries.items()]).to_csv(
        args.out / "evoxbench_summary.csv", index=False
    )
    parts = [HEAD, *(section(name, task, summaries) for name, task in tasks.items())]
    parts += [f"## {p}, published\n\n{published(p)}" for p in ("C10/MOP1", "C10/MOP2")]
    (args.out / "evoxbench.md").write_text("\n".join(parts), encoding="utf-8")
    cells_figures.competition(frame, tasks, CHECKPOINTS, args.out / "evoxbench.png")


if __name__ == "__main__":
    main()
