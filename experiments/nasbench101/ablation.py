"""What the parts are worth: each taken away, the rest as it is.

`python experiments/nasbench101/ablation.py --workers 2` makes the runs that `results/ablation.csv` lacks and reports on all of
them. See the README beside this file; what asynchrony is worth is in `scaling.py`.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cells_figures
import pandas as pd
from ablation_parts import GreedyInfill, RandomInfill, WithDuplicates, WithoutNormalisation
from cells_harness import Job, Method, arguments, jobs_of, run_missing, search
from cells_report import curve_report, summary_table
from cells_scoring import quality_row
from cells_tasks import load

from nas.algorithms.moead import MOEAD
from nas.algorithms.sa_moead import SAMOEADSettings

BUDGET = 300
ASSISTED = 100  # evaluations of what has a surrogate
CHECKPOINTS = (25, 50, 75, 100, 150, 200, 300)
TASKS = ("5v-final-3", "nb201-cifar10-3")
DEFAULT = MOEAD.default_settings(3, BUDGET)


def _plain(**changes: Any) -> Method:
    return Method("moead", replace(DEFAULT, **changes))


PLAIN = {
    "moead": _plain(),
    "without normalisation": Method(WithoutNormalisation, DEFAULT),
    "duplicates evaluated again": Method(WithDuplicates, DEFAULT),
    "without archive parents": _plain(archive_parents=0.0),
    "without limited replacement": _plain(replacements=DEFAULT.population),
    "without crossover": _plain(crossover=0.0),
}
SURROGATE = {
    "sa-moead": Method("sa-moead", budget=ASSISTED),
    "without surrogate: moead": Method("moead", MOEAD.default_settings(3, ASSISTED), budget=ASSISTED),
    "without switching: Gaussian process": Method(
        "sa-moead", SAMOEADSettings(surrogate="gaussian-process"), budget=ASSISTED
    ),
    "infill by predicted improvement": Method(GreedyInfill, budget=ASSISTED),
    "infill at random among predicted improvements": Method(RandomInfill, budget=ASSISTED),
}
METHODS = {**PLAIN, **SURROGATE}
HEAD = """# What the parts are worth

Written by `ablation.py`. Median over the seeds of the share of the true front's hypervolume after so many evaluations, one at a time, with one part
taken away. `tested`: Wilcoxon's signed-rank test over the seeds against the whole algorithm, corrected by Holm over the variants; A
is the probability that a run of the row is better (Vargha and Delaney). Asynchrony: see `scaling.md`.
"""


def one_run(budget: int, data: Path, job: Job) -> dict[str, Any]:
    """One row of the results."""
    task, method = load(job.task, data), METHODS[job.method]
    budget = min(budget, method.budget or budget)
    return quality_row(task, search(task, method, job.seed, budget), CHECKPOINTS, budget)


def main() -> None:
    args = arguments(__doc__ or "", list(TASKS), list(METHODS), BUDGET)
    file = args.out / "ablation.csv"
    jobs = [] if args.report else jobs_of(args.tasks, args.methods, range(args.seeds))
    frame = run_missing(file, jobs, partial(one_run, args.budget, args.data), list(METHODS), args)
    if frame.empty:
        sys.exit(f"{file}: no runs to report on; leave --report away to make them")
    tasks = {str(t): load(str(t), args.data) for t in frame["task"].unique()}
    parts, summaries = [HEAD], []
    for family, at in ((PLAIN, (100, 300)), (SURROGATE, (50, 100))):
        whole = next(iter(family))
        summary = curve_report(frame[frame["method"].isin(list(family))], "hv", at, whole)
        if summary.empty:
            continue
        summaries.append(summary)
        for name, task in tasks.items():
            parts.append(f"## {whole}: {task.title}: {', '.join(task.names)}\n")
            parts.append(summary_table(summary[summary["task"] == name], "median", digits=4))
    if not summaries:
        sys.exit(f"{file}: no run went as far as what is reported")
    pd.concat(summaries).to_csv(args.out / "ablation_summary.csv", index=False)
    (args.out / "ablation.md").write_text("\n".join(parts), encoding="utf-8")
    cells_figures.ablation(
        frame, tasks, ((list(PLAIN), BUDGET), (list(SURROGATE), ASSISTED)), args.out / "ablation.png"
    )


if __name__ == "__main__":
    main()
