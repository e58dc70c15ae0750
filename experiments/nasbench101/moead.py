"""Plain MOEA/D against regularized evolution: decompositions, `theta`, and the choice of its settings.

`python experiments/nasbench101/moead.py --tuning runs/nasbench101/moead-tuning` writes `results/moead_tuning.csv`: of 20 settings the one
with the best mean rank of hypervolume after 150 evaluations on the *other* tables. `--runs runs/nasbench101/moead --engine COMMIT` adds the runs of
`moead.yaml` to `results/moead.csv` and writes `results/moead.md`; the runs of `accuracy.yaml` and `fronts.yaml` may be given too, for `sa-moead`.
Every method is tested against regularized evolution with the setting that `tuning.csv` marks for the task.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd
from accuracy import TUNED, best_so_far, tuned
from cells_report import curve_report, summary_table
from cells_runs import KEY, Row, Run, arguments, of_comparison, rows
from cells_scoring import quality_row
from cells_tasks import HERE, load

CHECKPOINTS = (50, 100, 150, 300, 600, 1000)
TUNED_AT = 150
EVOLUTION = "regularized evolution "
TABLES = ("5v", "13k", "nb201-cifar100", "nb201-cifar10", "nb201-imagenet16")  # a task begins with its table
HEAD = """# Plain MOEA/D against regularized evolution

Written by `moead.py`. `tested`: Wilcoxon's signed-rank test over the seeds against tuned regularized evolution, corrected by Holm over the methods of the
task, at the most evaluations that both have; A is the probability that a run of the row is better (Vargha and Delaney). Regularized evolution was tuned on
the task itself, MOEA/D on the other tables.
"""


def table_of(task: str) -> str:
    """The table of a task."""
    return next(name for name in TABLES if task.startswith(name))


def scored(chosen: dict[str, str], data: Path, run: Run) -> list[Row]:
    """Test error of the best cell, and with several objectives hypervolume; twice for the tuned evolution."""
    task = load(run.task, data)
    row: Row = best_so_far(task, run.told, run.budget, CHECKPOINTS)
    if len(task.names) > 1:
        quality = quality_row(task, run.told, CHECKPOINTS, run.budget)
        row |= {name: value for name, value in quality.items() if name.startswith("hv_")}
    marked = chosen.get(f"{run.task.rpartition('-')[0]}-1", "50/10")
    named = [{"method": TUNED}] if run.method == EVOLUTION + marked else []
    return [row | names for names in ({"method": run.method}, *named)]


def after(n: int, data: Path, run: Run) -> list[Row]:
    """The hypervolume of a run of the tuning."""
    return [{"hv": quality_row(load(run.task, data), run.told, (n,), run.budget)[f"hv_{n}"]}]


def choice(frame: pd.DataFrame) -> pd.DataFrame:
    """For each table the mean rank of every setting on the tasks of the other tables, 1 is best; `chosen` marks the best."""
    means = frame.groupby(["task", "method"], sort=False)["hv"].mean().reset_index()
    means["rank"] = means.groupby("task")["hv"].rank(ascending=False)
    means["table"] = [table_of(task) for task in means["task"]]
    parts = []
    for table in dict.fromkeys(means["table"]):
        others = means[means["table"] != table].groupby("method", sort=False)["rank"].mean().reset_index()
        parts.append(others.assign(table=table, chosen=others.index == others["rank"].idxmin()))
    return pd.concat(parts)[["table", "method", "rank", "chosen"]]


def report(frame: pd.DataFrame, out: Path, data: Path) -> None:
    """Summary, tests and tables."""
    parts, summaries = [HEAD], []
    for prefix, value, larger, title in (
        ("test", "mean", False, "mean test error (%) of the cell with the best searched error"),
        ("hv", "median", True, "median hypervolume of the reported values, as a share of the true front's"),
    ):
        if f"{prefix}_{CHECKPOINTS[0]}" not in frame:
            continue
        summary = curve_report(frame, prefix, CHECKPOINTS, TUNED, larger=larger)
        summaries.append(summary.assign(measure=prefix))
        for task in summary["task"].unique():
            of = load(str(task), data)
            parts.append(f"## {of.title}: {', '.join(of.names)}; {title}\n")
            parts.append(summary_table(summary[summary["task"] == task], value))
    pd.concat(summaries).to_csv(out / "moead_summary.csv", index=False)
    (out / "moead.md").write_text("\n".join(parts), encoding="utf-8")


def main() -> None:
    args = arguments(__doc__ or "", tuning=True)
    for folder in args.tuning:
        runs = pd.DataFrame(of_comparison(folder, partial(after, TUNED_AT, args.data)))
        chosen = choice(runs).round(3).assign(engine=args.engine)
        chosen.to_csv(args.out / "moead_tuning.csv", index=False)
        print(chosen[chosen["chosen"]].to_string(index=False))
    if args.runs:
        frame = rows("moead", args, partial(scored, tuned(HERE / "results"), args.data), ())
        report(frame.drop_duplicates(KEY, keep="last"), args.out, args.data)


if __name__ == "__main__":
    main()
