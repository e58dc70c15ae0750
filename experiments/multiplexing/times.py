"""Training time and latency of networks of equal MAdds, for report.py."""

from __future__ import annotations

import pandas as pd


def time_table(frame: pd.DataFrame, latency: pd.DataFrame | None, ours: str, names: dict[str, str]) -> str:
    """Every network: MAdds, seconds of a training (mean over seeds), milliseconds of a forward pass; how many times as long ours takes.

    `frame` has the rows of the trainings with `seconds`, `latency` those of latencies.py; `ours` is the method that others
    are compared with.
    """
    times = frame.groupby(["budget", "method", "variant"], sort=False)[["madds", "seconds"]].mean()
    times = times.reset_index()
    columns = {"seconds": "training (s)"}
    for batch, rows in [] if latency is None else list(latency.groupby("batch")):
        times[f"ms {batch}"] = times["variant"].map(rows.set_index("variant")["ms"])
        columns[f"ms {batch}"] = "forward pass of one image (ms)" if batch == 1 else f"of {batch} (ms)"
    head = ["budget", "network", "MAdds", *(c for name in columns.values() for c in (name, "ours takes"))]
    lines = [f"| {' | '.join(head)} |", f"|---|---|{'---:|' * (len(head) - 2)}"]
    for budget, group in times.groupby("budget", sort=False):
        mine = group[group["method"] == ours]
        for _, row in group.iterrows():
            cells = [str(budget), names.get(row["method"], row["method"]), f"{row['madds']:,.0f}"]
            for name in columns:
                other = len(mine) and row["method"] != ours
                cells += [shown(row[name]), f"{mine.iloc[0][name] / row[name]:.2f}x" if other else ""]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def shown(value: float) -> str:
    """Three digits; a dash if unknown."""
    return "-" if pd.isna(value) else f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def longer(frame: pd.DataFrame, ours: str, other: str) -> str:
    """How many times as long a training of ours takes as the other at the same budget: the range over budgets."""
    seconds = frame.groupby(["budget", "method"])["seconds"].mean().unstack()
    ratios = (seconds[ours] / seconds[other]).dropna()
    return f"{ratios.min():.2f} to {ratios.max():.2f} times"
