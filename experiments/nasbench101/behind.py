"""Where something else is better than ours: read from the summaries, for the first paragraph of the README.

`python experiments/nasbench101/behind.py` writes `results/behind.md`; run the experiments before.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from cells_report import to_markdown
from cells_tasks import HERE

OURS = ("sa-moead", "moead")
READ = (  # file, rows of it, the number that is compared, whether larger is better
    ("accuracy_summary.csv", None, "mean", False),
    ("fronts_summary.csv", None, "median", True),
    ("evoxbench_summary.csv", "hv", "median", True),
)


def better_than_ours(summary: pd.DataFrame, value: str, larger: bool) -> list[list[str]]:
    """The leader of each task and number of evaluations, where it is none of ours, with what ours had and the test."""
    lines = []
    for (task, n), rows in summary.groupby(["task", "evaluations"], sort=False):
        known = rows.set_index("method")
        ours = known[known.index.isin(OURS)]
        if ours.empty:
            continue
        pick = (lambda v: v.idxmax()) if larger else (lambda v: v.idxmin())
        leader, mine = pick(known[value]), pick(ours[value])
        if leader in OURS:
            continue
        tested = known.loc[leader]
        verdict = tested["verdict"] if tested["compared_with"] == mine else f"not tested against {mine}"
        lines.append([str(task), str(n), leader, f"{known.loc[leader, value]:.4f}", f"{mine} {known.loc[mine, value]:.4f}", str(verdict)])  # fmt: skip
    return lines


def main(out: Path = HERE / "results") -> None:
    lines = []
    for name, indicator, value, larger in READ:
        if not (out / name).exists():
            continue
        summary = pd.read_csv(out / name)
        if indicator is not None:
            summary = summary[summary["indicator"] == indicator]
        lines += [[name.split("_")[0], *line] for line in better_than_ours(summary, value, larger)]
    head = ["experiment", "task", "evaluations", "best", "its value", "best of ours", "tested"]
    text = (
        "# Where something else has the better number\n\nWritten by `behind.py` from the summaries. Accuracy: mean test error (%), less "
        "is better; the others: median hypervolume, more is better. `tested` is what the paired test over the seeds says of the best "
        "against the best of ours.\n\n"
    )
    (out / "behind.md").write_text(text + to_markdown(head, lines), encoding="utf-8")
    print(to_markdown(head, lines))


if __name__ == "__main__":
    main()
