"""Medians, tests, evaluations to a target and a figure of each table, from the runs in results/.

`python experiments/quality/report.py --runs runs/quality` first replaces their runs by those of a comparison.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import NullFormatter, ScalarFormatter
from rows import AT, CHECKPOINTS, TARGETS, TO, merged, of_comparison

from nas.algorithms import ALGORITHMS
from nas.compare.statistics import Pair, against

HERE = Path(__file__).resolve().parent
REFERENCES = ("sa-moead", "moead")  # each is compared with all others
FLOOR = 3e-4  # less missing than this is drawn as this
LEGEND = """# Fractions of the true front's hypervolume

Written by `report.py`. Median over the seeds after each number of unique architectures; `to 95%`: the median number of
evaluations to that fraction; `ratio`: that number as a multiple of {reference}'s."""
SINGLE = (25, 50, 100, 150)  # evaluations of the search for the least error
LEAST = {
    "nasbench101_5v": 5.7792,
    "cifar10": 5.6267,
    "cifar100": 26.4867,
    "imagenet16": 52.6889,
}  # in the tables, percent
SHOWN = (50, 100, 200, 300, 1000)  # in the printed tables


def medians(frame: pd.DataFrame) -> pd.DataFrame:
    """Median and quartiles of the quality: one row per table, number of evaluations and method."""
    columns = dict(zip(AT, CHECKPOINTS, strict=True))
    long = frame.rename(columns=columns).melt(
        ["table", "method"], list(columns.values()), "evaluations", "quality"
    )
    groups = long.dropna().groupby(["table", "evaluations", "method"], sort=False)["quality"]
    quartiles = groups.quantile([0.25, 0.5, 0.75]).unstack()
    quartiles.columns = ["lower_quartile", "median", "upper_quartile"]
    return quartiles.assign(runs=groups.size()).reset_index()


def tests(frame: pd.DataFrame) -> pd.DataFrame:
    """Each reference against every other method at each number of evaluations of each table (see `against`)."""
    rows = []
    for table, of_table in frame.groupby("table", sort=False):
        for name, evaluations in zip(AT, CHECKPOINTS, strict=True):
            runs = of_table.dropna(subset=[name]).groupby("method", sort=False)
            values = {str(m): dict(zip(v["seed"], v[name], strict=True)) for m, v in runs}
            for reference in [m for m in REFERENCES if m in values]:
                for other, pair in against(values, reference).items():
                    rows.append(
                        (table, evaluations, reference, other, -pair.difference, pair.p_holm, verdict(pair))
                    )
    columns = ["table", "evaluations", "reference", "method", "difference", "p_holm", "verdict"]
    return pd.DataFrame(rows, columns=columns).sort_values(columns[:3], kind="stable")


def verdict(pair: Pair) -> str:
    """The outcome of the test for the second, the reference."""
    found = pair.verdict()
    return {"better": "worse", "worse": "better"}.get(found, found)


def effort(frame: pd.DataFrame) -> pd.DataFrame:
    """Evaluations to each target: median and quartiles over all runs (infinite: more than half never reached it).

    `ratio` is the median as a multiple of the first reference's; `limit` is the length of the runs.
    """
    rows = []
    reference = next((name for name in REFERENCES if (frame["method"] == name).any()), "")
    for (table, method), runs in frame.groupby(["table", "method"], sort=False):
        for name, percent in zip(TO, TARGETS, strict=True):
            needed = runs[name].to_numpy(dtype=np.float64, na_value=np.inf)
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


def look(method: str, methods: list[str]) -> dict[str, object]:
    """Line style of a method, the same on every table: ours solid and thick, the reference black."""
    name, _, at_once = method.partition("@")
    if name in ALGORITHMS:
        order = [m for m in ALGORITHMS if m not in REFERENCES[:1]]
        color = "black" if name == REFERENCES[0] else f"C{order.index(name)}"
        width = 3.5 if name == REFERENCES[0] else 2.2
        return {"color": color, "lw": width, "ls": (0, (6, 1)) if at_once else "-"}
    dashes = {"pymoo": "--", "optuna": "-."}.get(name.split("-")[0], ":")
    peers = [m for m in methods if m.split("@")[0] not in ALGORITHMS]
    colours = [*matplotlib.color_sequences["Dark2"], *matplotlib.color_sequences["Set1"]]
    return {"color": colours[peers.index(method)], "lw": 1.2, "ls": dashes}


def draw(frame: pd.DataFrame, table: str, file: Path) -> None:
    """Median missing hypervolume against unique evaluations; quartile bands for the references."""
    figure, axis = plt.subplots(figsize=(10, 5.6))
    methods = frame["method"].unique().tolist()
    for method, runs in frame[frame["table"] == table].groupby("method", sort=False):
        missing = np.maximum(1.0 - runs[AT].to_numpy(dtype=np.float64), FLOOR)
        low, middle, high = np.quantile(missing, (0.25, 0.5, 0.75), axis=0)
        style = look(str(method), methods)
        axis.plot(CHECKPOINTS, middle, label=str(method), **style)
        if method in REFERENCES:
            axis.fill_between(CHECKPOINTS, low, high, color=style["color"], alpha=0.12, lw=0)
    axis.set(title=table, xlabel="unique architectures evaluated", xscale="log", yscale="log")
    axis.set_xticks(CHECKPOINTS)
    axis.xaxis.set_major_formatter(ScalarFormatter())
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set(xlim=(CHECKPOINTS[0], CHECKPOINTS[-1]), ylim=(FLOOR, 0.4))
    axis.set_ylabel("hypervolume missing, share of the true front's")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.tight_layout()
    figure.savefig(file, dpi=100)
    plt.close(figure)


def show(quality: pd.DataFrame, needed: pd.DataFrame, table: str) -> str:
    """Medians at some numbers of evaluations, and evaluations to 95% and 98% with the ratio to the reference's."""
    at = quality[(quality["table"] == table) & quality["evaluations"].isin(SHOWN)]
    wide = at.pivot(index="method", columns="evaluations", values="median").reindex(at["method"].unique())
    wide = wide.map(lambda value: "" if np.isnan(value) else f"{value:.4f}")
    for percent in (95, 98):
        of_target = needed[(needed["table"] == table) & (needed["percent"] == percent)].set_index("method")
        wide[f"to {percent}%"] = [count(of_target.loc[m]) for m in wide.index]
        wide[f"ratio to {percent}%"] = [multiple(of_target.loc[m, "ratio"]) for m in wide.index]
    lines = [
        ["method", *map(str, wide.columns)],
        *([m, *row] for m, row in zip(wide.index, wide.values, strict=True)),
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    padded = (" | ".join(map(str.ljust, line, widths)) for line in lines)
    return "\n".join(f"| {line} |" for line in padded)


def count(found: pd.Series) -> str:
    return f"{found['median']:.0f}" if np.isfinite(found["median"]) else f"> {found['limit']}"


def multiple(ratio: float) -> str:
    return "" if np.isnan(ratio) else f"{ratio:.2f}" if np.isfinite(ratio) else "-"


def goals(quality: pd.DataFrame, needed: pd.DataFrame, table: str) -> str:
    """One line per goal: whether the first reference reaches the required lead."""
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
            f"- at {early} the value of the best other at {late} ({best} {others.loc[best, late]:.4f}): {met}"
        )
    ahead = {n: others.index[others[n] > ours[n]].tolist() for n in (50, 100, 200, 300)}
    listed = "; ".join(f"{n}: {', '.join(names)}" for n, names in ahead.items() if names)
    lines.append(f"- others with a higher median: {listed or 'none'}")
    for percent in (95, 98):
        rows = needed[(needed["table"] == table) & (needed["percent"] == percent)].set_index("method")
        ratios = rows["ratio"].drop(index=own).replace(np.inf, np.nan).dropna().sort_values()
        nearest = ", ".join(f"{m} {r:.1f}" for m, r in ratios.head(4).items())
        lines.append(
            f"- to {percent}%, multiples of its evaluations, smallest first: {nearest or 'none got there'}"
        )
    return f"{name}:\n" + "\n".join(lines)


def write(frame: pd.DataFrame, out: Path) -> None:
    """Write all tables and figures of the cached runs; print the short ones."""
    quality, needed = medians(frame), effort(frame)
    quality.round(5).to_csv(out / "medians.csv", index=False)
    needed.round(3).to_csv(out / "effort.csv", index=False)
    tests(frame).round(5).to_csv(out / "tests.csv", index=False)
    parts = [LEGEND.format(reference=needed["reference"].iloc[0] or "nothing")]
    for table in frame["table"].unique():
        draw(frame, table, out / f"{table}.png")
        parts += [f"## {table}", show(quality, needed, table)]
        if needed["reference"].iloc[0]:
            parts.append(goals(quality, needed, table))
    text = "\n\n".join(parts)
    (out / "tables.md").write_text(text + "\n", encoding="utf-8")
    print(text)


def least_errors(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean and deviation over seeds of the reported error, and the first reference against each other method."""
    rows, reference, end = [], REFERENCES[0], SINGLE[-1]
    for table, of_table in frame.groupby("table", sort=False):
        values = {str(m): v for m, v in of_table.groupby("method", sort=False)}
        errors = {m: dict(zip(v["seed"], -v[f"test_{end}"], strict=True)) for m, v in values.items()}
        pairs = against(errors, reference) if reference in values else {}
        best = LEAST[str(table).removeprefix("nasbench201-").removesuffix("-val12")]
        for m, v in values.items():
            row = {"table": table, "method": m, "runs": len(v)}
            row |= {f"mean_{n}": v[f"test_{n}"].mean() for n in SINGLE}
            row |= {f"deviation_{end}": v[f"test_{end}"].std(), f"seen_{end}": v[f"seen_{end}"].mean()}
            p, said = (pairs[m].p_holm, f"{reference} {verdict(pairs[m])}") if m in pairs else (None, "")
            rows.append(row | {"best_in_table": best, "p_holm": p, "verdict": said})
    return pd.DataFrame(rows).round(4)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", nargs="*", type=Path, default=[], help="folders that `nas compare` wrote")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="the folder to write")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    several, single = (pd.read_csv(HERE / "results" / f"{n}.csv") for n in ("curves", "single_objective"))
    for folder in args.runs:
        fresh = of_comparison(folder)
        if "at_25" in fresh:
            several = merged(several, fresh)
        else:
            single = merged(single, fresh)
    if args.runs:
        several.to_csv(args.out / "curves.csv", index=False)
        single.to_csv(args.out / "single_objective.csv", index=False)
    write(several, args.out)
    summary = least_errors(single)
    summary.to_csv(args.out / "single_objective_summary.csv", index=False)
    print(summary.to_string(index=False))


if __name__ == "__main__":
    main()
