"""Evaluations and quality per hour for 1 to 64 workers, asynchronous against generational, on simulated clocks.

`python experiments/nasbench101/scaling.py --runs runs/nasbench101/scaling` reports on the runs of `scaling.yaml` and on the committed ones of
`results/scaling.csv` that it lacks. Each training takes its recorded time (108 epochs: 27 times the recorded four). See the README beside this file.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cells_figures
import numpy as np
import pandas as pd
from cells_report import compared, to_markdown
from cells_runs import Row, Run, arguments, rows
from cells_tasks import load

from nas.pareto.indicators import hypervolume, hypervolume_curve

TARGETS = (0.90, 0.95)
TASK = "5v-final-3"
HOUR = 3600.0


def scored(data: Path, run: Run) -> list[Row]:
    """Time and quality of all evaluations, and the times of the targets."""
    if run.method != "moead":
        return []
    task, (mode, workers) = load(TASK, data), run.task.split(" x")
    told = run.told.sort_values("told").reset_index(drop=True)
    hours = told["finished"].to_numpy() / HOUR
    points = told[task.columns].to_numpy(
        dtype=np.float64
    )  # searched and reported objectives are the same here
    share = hypervolume_curve(points, task.box, len(points)) / hypervolume(task.truth, task.box)
    busy = told["train_seconds"].sum() / HOUR
    row: Row = {
        "task": TASK,
        "method": run.task,
        "workers": float(workers),
        "mode": mode,
        "hours": round(float(hours.max()), 4),
        "evaluations_per_hour": round(len(told) / float(hours.max()), 3),
        "busy": round(float(busy / (hours.max() * int(workers))), 4),
        "hv": round(float(share[-1]), 5),
    }
    for target in TARGETS:
        reached = np.flatnonzero(share >= target)
        row[f"hours_to_{target:g}"] = round(float(hours[reached[0]]), 4) if len(reached) else np.nan
    return [row]


def verdict(row: pd.Series) -> str:
    """The outcome of the test as text."""
    if not row["verdict"]:
        return ""
    p = f", p {row['p_holm']:.2g}" if np.isfinite(row["p_holm"]) else ""
    return f"{row['verdict']} (A {1 - row['effect']:.2f}{p})"


def report(frame: pd.DataFrame, out: Path) -> None:
    """Medians by workers, and the two modes against each other."""
    lines = []
    for task, of_task in frame.groupby("task", sort=False):
        for workers, of_count in of_task.groupby("workers"):
            modes = {str(m): v.set_index("seed") for m, v in of_count.groupby("mode", sort=False)}
            reach = f"hours_to_{TARGETS[-1]:g}"
            # a run that never gets there took longer than any that does
            tested = compared({m: -v[reach].fillna(np.inf) for m, v in modes.items()}, "asynchronous")
            for mode, runs in modes.items():
                middle = runs[["evaluations_per_hour", "busy", "hv", "hours"]].median()
                times = {
                    f"hours_to_{t:g}": np.median(runs[f"hours_to_{t:g}"].fillna(np.inf)) for t in TARGETS
                }
                lines.append({"task": task, "workers": workers, "mode": mode, "runs": len(runs), **middle, **times, **tested[mode]})  # fmt: skip
    summary = pd.DataFrame(lines).round(4)
    summary.to_csv(out / "scaling_summary.csv", index=False)
    head = [
        "workers",
        "mode",
        "runs",
        "evaluations an hour",
        "workers busy",
        "hypervolume after all",
        "hours for all",
        *(f"hours to {100 * t:g}%" for t in TARGETS),
        "tested",
    ]
    body = [
        [f"{r['workers']:g}", r["mode"], str(r["runs"]), f"{r['evaluations_per_hour']:.1f}", f"{100 * r['busy']:.0f}%", f"{r['hv']:.3f}", f"{r['hours']:.2f}", *(f"{r[f'hours_to_{t:g}']:.2f}" for t in TARGETS), verdict(r)]
        for _, r in summary.iterrows()
    ]  # fmt: skip
    (out / "scaling.md").write_text(HEAD + to_markdown(head, body), encoding="utf-8")


HEAD = """# Workers

Written by `scaling.py`. MOEA/D, 300 evaluations of the five-vertex cells (error, params, MAdds), medians over the seeds; times are simulated from
recorded ones, and proposing takes none. Generational: no training starts before all of the last batch have ended. `tested`: the hours to the
last target, generational against asynchronous (Wilcoxon's signed-rank test over the seeds; A is the probability that a generational run is
faster, Vargha and Delaney). `inf`: more than half of the runs never got there.

"""


def main() -> None:
    args = arguments(__doc__ or "")
    frame = rows("scaling", args, partial(scored, args.data), ())
    report(frame, args.out)
    cells_figures.scaling(frame, TARGETS[-1], args.out / "scaling.png")


if __name__ == "__main__":
    main()
