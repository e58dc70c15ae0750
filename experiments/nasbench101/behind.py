"""Tasks on which another method is better than ours, read from the results, for the first paragraph of the README.

`python experiments/nasbench101/behind.py` writes `results/behind.md`; run the experiments before.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from cells_report import compared, to_markdown
from cells_tasks import HERE

OURS = ("sa-moead", "moead")
READ = (  # experiment, the column of a number of evaluations, the number that is compared, whether larger is better
    ("accuracy", "test", "mean", False),
    ("fronts", "hv", "median", True),
    ("evoxbench", "hv", "median", True),
)


def better_than_ours(
    summary: pd.DataFrame, runs: pd.DataFrame, prefix: str, value: str, larger: bool
) -> list[list[str]]:
    """The leader of each task and number of evaluations, if it is not ours, with our value and a test."""
    lines = []
    for (task, n), rows in summary.groupby(["task", "evaluations"], sort=False):
        known = rows.set_index("method")[value]
        ours = known[known.index.isin(OURS)]
        if ours.empty:
            continue
        pick = (lambda v: v.idxmax()) if larger else (lambda v: v.idxmin())
        leader, mine = pick(known), pick(ours)
        if leader in OURS:
            continue
        of_task = runs[runs["task"] == task].set_index("seed")
        both = {m: of_task.loc[of_task["method"] == m, f"{prefix}_{n}"].dropna() for m in (leader, mine)}
        test = compared({m: v if larger else -v for m, v in both.items()}, mine)[leader]
        p = f" (p {test['p_holm']:.2g})" if test["p_holm"] == test["p_holm"] else ""
        lines.append([str(task), str(n), leader, f"{known[leader]:.4f}", f"{mine} {known[mine]:.4f}", f"{test['verdict']}{p}"])  # fmt: skip
    return lines


def main(out: Path = HERE / "results") -> None:
    lines = []
    for name, prefix, value, larger in READ:
        file = out / f"{name}_summary.csv"
        if not file.exists():
            continue
        summary = pd.read_csv(file)
        if "indicator" in summary:
            summary = summary[summary["indicator"] == prefix]
        found = better_than_ours(summary, pd.read_csv(out / f"{name}.csv"), prefix, value, larger)
        lines += [[name, *line] for line in found]
    head = ["experiment", "task", "evaluations", "best", "its value", "best of ours", "tested"]
    text = (
        "# Where something else has the better number\n\nWritten by `behind.py`. Accuracy: mean test error (%), less is better; the others: median "
        "hypervolume, more is better. `tested` is the outcome of Wilcoxon's signed-rank test over the seeds for the best against the best of "
        "ours, these two alone.\n\n"
    )
    (out / "behind.md").write_text(text + to_markdown(head, lines), encoding="utf-8")
    print(to_markdown(head, lines))


if __name__ == "__main__":
    main()
