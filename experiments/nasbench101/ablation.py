"""Ablation: remove each part of the algorithm in turn.

`python experiments/nasbench101/ablation.py --runs runs/nasbench101/ablation runs/nasbench101/ablation_surrogate` reports on the runs of
`ablation.yaml` and `ablation_surrogate.yaml`, and on the committed ones of `results/ablation.csv` that they lack. See the README beside this file; `scaling.py` measures the effect of asynchrony.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cells_figures
import pandas as pd
from cells_report import curve_report, summary_table
from cells_runs import Row, Run, arguments, rows
from cells_scoring import quality_row
from cells_tasks import load

BUDGET = 300
ASSISTED = 100  # evaluations of variants with a surrogate
CHECKPOINTS = (25, 50, 75, 100, 150, 200, 300)


PLAIN = (
    "moead",
    "without normalisation",
    "duplicates evaluated again",
    "without archive parents",
    "without limited replacement",
    "without crossover",
)
LONGER = "infill at random among predicted improvements"
SURROGATE = (
    "sa-moead",
    "without surrogate: moead",
    "without switching: Gaussian process",
    "infill by predicted improvement",
    LONGER,
)
NAMES = {
    "infill at random among improvements": LONGER
}  # by label of the config, which may be 40 letters long
HEAD = """# Ablation

Written by `ablation.py`. Median over the seeds of the share of the true front's hypervolume after each number of evaluations, one at a time, with one part
taken away. `tested`: Wilcoxon's signed-rank test over the seeds against the whole algorithm, corrected by Holm over the variants; A
is the probability that a run of the row is better (Vargha and Delaney). Asynchrony: see `scaling.md`.
"""


def scored(data: Path, run: Run) -> list[Row]:
    """The row of a run."""
    row = quality_row(load(run.task, data), run.told, CHECKPOINTS, run.budget)
    return [{"method": NAMES.get(run.method, run.method), **row}]


def main() -> None:
    args = arguments(__doc__ or "")
    frame = rows("ablation", args, partial(scored, args.data), (*PLAIN, *SURROGATE))
    tasks = {str(t): load(str(t), args.data) for t in frame["task"].unique()}
    parts, summaries = [HEAD], []
    for family, at in ((PLAIN, (100, 300)), (SURROGATE, (50, 100))):
        whole = family[0]
        summary = curve_report(frame[frame["method"].isin(family)], "hv", at, whole)
        if summary.empty:
            continue
        summaries.append(summary)
        for name, task in tasks.items():
            parts.append(f"## {whole}: {task.title}: {', '.join(task.names)}\n")
            parts.append(summary_table(summary[summary["task"] == name], "median", digits=4))
    pd.concat(summaries).to_csv(args.out / "ablation_summary.csv", index=False)
    (args.out / "ablation.md").write_text("\n".join(parts), encoding="utf-8")
    cells_figures.ablation(frame, tasks, ((PLAIN, BUDGET), (SURROGATE, ASSISTED)), args.out / "ablation.png")


if __name__ == "__main__":
    main()
