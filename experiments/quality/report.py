"""What the cached runs say: medians, tests, evaluations to a target, one figure a table."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from curves import AT, CHECKPOINTS, TARGETS, TO
from matplotlib.ticker import NullFormatter, ScalarFormatter
from scipy.stats import mannwhitneyu

from nas.algorithms import ALGORITHMS

REFERENCES = ("sa-moead", "moead")  # each is compared with all others
SHOWN = (50, 100, 200, 300, 1000)  # in the printed tables


def holm(p_values: list[float]) -> list[float]:
    """Adjusted p-values (Holm 1979), in the order given."""
    adjusted, largest = [1.0] * len(p_values), 0.0
    for rank, i in enumerate(np.argsort(p_values, kind="stable").tolist()):
        largest = max(largest, min(1.0, p_values[i] * (len(p_values) - rank)))
        adjusted[i] = largest
    return adjusted


def medians(frame: pd.DataFrame) -> pd.DataFrame:
    """Median and quartiles of the quality: a row a table, number of evaluations and method."""
    columns = dict(zip(AT, CHECKPOINTS, strict=True))
    long = frame.rename(columns=columns).melt(
        ["table", "method"], list(columns.values()), "evaluations", "quality"
    )
    groups = long.dropna().groupby(["table", "evaluations", "method"], sort=False)["quality"]
    quartiles = groups.quantile([0.25, 0.5, 0.75]).unstack()
    quartiles.columns = ["lower_quartile", "median", "upper_quartile"]
    return quartiles.assign(runs=groups.size()).reset_index()


def tests(frame: pd.DataFrame) -> pd.DataFrame:
    """Each reference against every other method: two-sided Mann-Whitney, corrected by Holm over the others.

    At each number of evaluations of each table, over the methods that went so far.
    """
    rows = []
    for table, of_table in frame.groupby("table", sort=False):
        for name, evaluations in zip(AT, CHECKPOINTS, strict=True):
            values = {m: v.dropna().to_numpy() for m, v in of_table.groupby("method", sort=False)[name]}
            values = {m: v for m, v in values.items() if len(v)}
            for reference in values.keys() & set(REFERENCES):
                others = [m for m in values if m != reference]
                raw = [float(mannwhitneyu(values[reference], values[m]).pvalue) for m in others]
                for other, p in zip(others, holm(raw), strict=True):
                    difference = np.median(values[reference]) - np.median(values[other])
                    rows.append((table, evaluations, reference, other, difference, p, verdict(difference, p)))
    columns = ["table", "evaluations", "reference", "method", "difference", "p_holm", "verdict"]
    return pd.DataFrame(rows, columns=columns).sort_values(columns[:3], kind="stable")


def verdict(difference: float, p: float) -> str:
    if p >= 0.05:
        return "no difference shown"
    return "better" if difference > 0 else "worse"


def effort(frame: pd.DataFrame) -> pd.DataFrame:
    """Evaluations to each target: median and quartiles over all runs (infinite: more than half never got there).

    `ratio` is the median as a multiple of the first reference's; `limit` is how far the runs went.
    """
    rows = []
    reference = next((name for name in REFERENCES if (frame["method"] == name).any()), "")
    for (table, method), runs in frame.groupby(["table", "method"], sort=False):
        for name, percent in zip(TO, TARGETS, strict=True):
            needed = runs[name].fillna(np.inf).to_numpy(dtype=np.float64)
            low, median, high = np.quantile(needed, (0.25, 0.5, 0.75), method="higher")
            reached = int(np.isfinite(needed).sum())
            rows.append((table, percent, method, low, median, high, reached, len(runs), runs["budget"].max()))
    columns = [
        "table",
        "percent",
        "method",
        "lower_quartile",
        "median",
        "upper_quartile",
        "reached",
        "runs",
        "limit",
    ]
    found = pd.DataFrame(rows, columns=columns)
    ours = found[found["method"] == reference].set_index(["table", "percent"])["median"]
    base = [ours.get(key, np.nan) for key in zip(found["table"], found["percent"], strict=True)]
    return found.assign(reference=reference, ratio=found["median"] / base)


def draw(frame: pd.DataFrame, title: str, file: Path) -> None:
    """Median missing hypervolume with quartile bands against unique evaluations, one table's runs."""
    figure, axis = plt.subplots(figsize=(9, 6))
    colours = [*matplotlib.color_sequences["tab20"], "black", "grey"]
    for i, (method, runs) in enumerate(frame.groupby("method", sort=False)):
        low, middle, high = np.quantile(1.0 - runs[AT].to_numpy(dtype=np.float64), (0.25, 0.5, 0.75), axis=0)
        ours = str(method).split("@")[0] in ALGORITHMS
        style, color = "-" if ours else "--", colours[i % len(colours)]
        width = 3.5 if method == REFERENCES[0] else 2.2 if ours else 1.2
        floor = np.maximum(middle, 1e-4)  # a front that is complete would leave the axis
        axis.plot(CHECKPOINTS, floor, style, color=color, label=str(method), lw=width, marker=".", ms=4)
        axis.fill_between(CHECKPOINTS, np.maximum(low, 1e-4), high, color=color, alpha=0.06, lw=0)
    axis.set(title=title, xlabel="unique architectures evaluated", xscale="log", yscale="log")
    axis.set_xticks(CHECKPOINTS)
    axis.xaxis.set_major_formatter(ScalarFormatter())
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set(xlim=(CHECKPOINTS[0], CHECKPOINTS[-1]), ylim=(1e-4, 0.4))
    axis.set_ylabel("hypervolume missing, share of the true front's")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7, loc="lower left", ncols=2)
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    plt.close(figure)


def show(quality: pd.DataFrame, needed: pd.DataFrame, table: str) -> str:
    """Medians at some numbers of evaluations, and evaluations to 95% and 98% with the ratio to the reference's."""
    at = quality[(quality["table"] == table) & quality["evaluations"].isin(SHOWN)]
    wide = at.pivot(index="method", columns="evaluations", values="median").reindex(at["method"].unique())
    wide = wide.map(lambda value: "" if np.isnan(value) else f"{value:.4f}")
    for percent in (95, 98):
        of_target = needed[(needed["table"] == table) & (needed["percent"] == percent)].set_index("method")
        wide[f"to {percent}%"] = [count(of_target.loc[m]) for m in wide.index]
        wide["ratio" + " " * (percent == 98)] = [multiple(of_target.loc[m, "ratio"]) for m in wide.index]
    return f"{table}\n{wide.to_string()}\n"


def count(found: pd.Series) -> str:
    return f"{found['median']:.0f}" if np.isfinite(found["median"]) else f"> {found['limit']}"


def multiple(ratio: float) -> str:
    return "" if np.isnan(ratio) else f"{ratio:.2f}" if np.isfinite(ratio) else "-"


def goals(quality: pd.DataFrame, needed: pd.DataFrame, table: str) -> str:
    """Whether the first reference is ahead by as much as was asked of it, in a line each."""
    name = needed["reference"].iloc[0]
    of_table = quality[quality["table"] == table]
    wide = of_table.pivot(index="method", columns="evaluations", values="median")
    own = [m for m in wide.index if m.split("@")[0] == name]
    ours, others = wide.loc[name], wide.drop(index=own)
    lines = []
    for early, late in ((100, 300), (200, 600)):
        best = others[late].idxmax()
        met = "yes" if ours[early] >= others.loc[best, late] else "no"
        lines.append(
            f"  at {early} what the best other has at {late} ({best} {others.loc[best, late]:.4f}): {met}"
        )
    ahead = {n: others.index[others[n] > ours[n]].tolist() for n in (50, 100, 200, 300)}
    listed = "; ".join(f"{n}: {', '.join(names)}" for n, names in ahead.items() if names)
    lines.append(f"  others with a higher median: {listed or 'none'}")
    for percent in (95, 98):
        rows = needed[(needed["table"] == table) & (needed["percent"] == percent)].set_index("method")
        ratios = rows["ratio"].drop(index=own).replace(np.inf, np.nan).dropna().sort_values()
        nearest = ", ".join(f"{m} {r:.1f}" for m, r in ratios.head(4).items())
        lines.append(
            f"  to {percent}%, multiples of its evaluations, smallest first: {nearest or 'none got there'}"
        )
    return f"{name} on {table}\n" + "\n".join(lines) + "\n"


def write(frame: pd.DataFrame, out: Path) -> None:
    """All tables and figures of the cached runs; what fits on a screen is printed too."""
    quality, needed = medians(frame), effort(frame)
    quality.round(5).to_csv(out / "medians.csv", index=False)
    needed.round(3).to_csv(out / "effort.csv", index=False)
    tests(frame).round(5).to_csv(out / "tests.csv", index=False)
    for table in frame["table"].unique():
        draw(frame[frame["table"] == table], table, out / f"{table}.png")
        print(show(quality, needed, table))
        if needed["reference"].iloc[0]:
            print(goals(quality, needed, table))
