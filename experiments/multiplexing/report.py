"""Tables, figures and the answer to the claims from spatial.csv and channel.csv.

Run: python experiments/multiplexing/report.py [FOLDER]

Writes results.md, spatial.png and channel.png beside the tables. Accuracies are means over seeds with 95% t-intervals;
differences are paired by seed, with p-values corrected by Holm over all comparisons of a study.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter
from scipy.stats import ttest_1samp
from times import longer, time_table

from nas.compare.statistics import holm, mean_interval
from nas.core.errors import DataError, NasError

LEVEL = 0.05
OURS = {"spatial": "multiplexed", "channel": "leave-out"}
# With what ours is compared; the claim is about the first, or about every other method where there is None.
REFERENCES = {"spatial": ("plain", "mixed-3-5-7"), "channel": None}
CLAIMS = {
    "spatial": (
        "Spatial multiplexing",
        "consistent improvement over the plain depthwise convolution, most at low MAdds",
    ),
    "channel": ("Channel multiplexing", "consistently outperforming existing scaling methods"),
}
NAMES = {
    "plain": "plain depthwise",
    "multiplexed": "spatial multiplexing",
    "mixed-3-5-7": "mixed kernels 3, 5, 7",
    "leave-out": "channels left out",
    "width": "narrower",
    "depth": "fewer blocks",
    "resolution": "smaller images",
    "groups-4": "4 groups and shuffle",
    "ghost": "ghost modules",
    "partial": "partial convolution",
    "full": "full network",
}
# Okabe and Ito's colours, which colour-blind readers tell apart; ours is black
COLOURS = ["#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7", "#999999"]
MARKERS = "svD^<>P"


@dataclass(frozen=True)
class Comparison:
    """Ours minus another at equal MAdds, in points of accuracy, paired over `seeds`; `half` is the 95% interval's."""

    budget: str
    other: str
    madds: float
    seeds: int
    mean: float
    half: float
    p: float
    holm: float = np.nan

    @property
    def verdict(self) -> str:
        if not self.holm < LEVEL:
            return "no difference shown"
        return "better" if self.mean > 0 else "worse"


def paired(frame: pd.DataFrame, study: str) -> pd.DataFrame:
    """Ours minus each other method of the same budget, a row for each seed that both have."""
    ours = OURS[study]
    found = []
    for budget, group in frame.groupby("budget", sort=False):
        table = group.pivot(index="seed", columns="method", values="accuracy")
        others = REFERENCES[study] or [m for m in group["method"].unique() if m != ours]
        for other in (m for m in others if m in table and ours in table):
            difference = (table[ours] - table[other]).dropna()
            madds = group.loc[group["method"] == ours, "madds"].iloc[0]
            found += [(budget, other, madds, seed, value) for seed, value in difference.items()]
    return pd.DataFrame(found, columns=["budget", "other", "madds", "seed", "difference"])


def compared(pairs: pd.DataFrame) -> list[Comparison]:
    """A comparison for each budget and other method."""
    found = []
    for (budget, other), group in pairs.groupby(["budget", "other"], sort=False):
        found.append(comparison(str(budget), str(other), float(group["madds"].iloc[0]), group["difference"]))
    return corrected(found)


def overall(pairs: pd.DataFrame) -> list[Comparison]:
    """A comparison for each other method: a seed's differences averaged over the budgets that all seeds have."""
    found = []
    for other, group in pairs.groupby("other", sort=False):
        table = group.pivot(index="seed", columns="budget", values="difference").dropna()
        found.append(comparison("all", str(other), np.nan, table.mean(axis=1)))
    return corrected(found)


def comparison(budget: str, other: str, madds: float, differences: pd.Series) -> Comparison:
    """Mean, interval and p-value of one-sample t on paired differences."""
    values = differences.to_numpy(dtype=np.float64)
    mean, half = mean_interval(values)
    p = float(ttest_1samp(values, 0).pvalue) if len(values) > 1 else np.nan
    return Comparison(budget, other, madds, len(values), mean, half, p)


def corrected(found: list[Comparison]) -> list[Comparison]:
    """The same with Holm's p-values; those without a p-value are unchanged."""
    tested = [i for i, c in enumerate(found) if np.isfinite(c.p)]
    result = list(found)
    for i, p in zip(tested, holm([found[i].p for i in tested]), strict=True):
        result[i] = replace(found[i], holm=p)
    return result


def answer(study: str, found: list[Comparison], summary: list[Comparison]) -> str:
    """Whether the claim holds in these measurements, in words.

    It does when ours is better on average over the budgets than each method that it was claimed to beat (Holm), its
    mean is higher at each budget, and, where that was claimed, the gain is largest at the least MAdds.
    """
    title, claim = CLAIMS[study]
    holds = bool(summary)
    lines = []
    for c in summary:
        mine = [one for one in found if one.other == c.other]
        higher = sum(one.mean > 0 for one in mine)
        if c.other in (REFERENCES[study] or [c.other])[:1]:
            holds &= c.verdict == "better" and higher == len(mine)
        lines.append(
            f"- Against {NAMES.get(c.other, c.other)}: {c.mean:+.2f}{spread(c.half)} points on average over the budgets "
            f"({c.verdict}{tested(c)}); higher at {higher} of {len(mine)} budgets, better beyond chance at "
            f"{sum(one.verdict == 'better' for one in mine)}, worse at {sum(one.verdict == 'worse' for one in mine)}."
        )
    if study == "spatial":
        text, most = trend([c for c in found if c.other == "plain"])
        holds &= most
        lines.append(text)
    least = min((c.seeds for c in found), default=0)
    seeds = f"{least} seed{'s' * (least != 1)}"
    words = (
        "It holds in these measurements" if holds else "It does not hold in these measurements as it stands"
    )
    return "\n".join([f"**{title}: “{claim}”. {words}** ({seeds}).", "", *lines])


def spread(half: float) -> str:
    """Half the width of an interval, for printing; empty for a single seed."""
    return "" if np.isnan(half) else f" ± {half:.2f}"


def tested(c: Comparison) -> str:
    """The p-value after a verdict."""
    return "" if np.isnan(c.holm) else f", p {probability(c.holm)}"


def probability(p: float) -> str:
    """A p-value for printing; empty without a test."""
    if np.isnan(p):
        return ""
    return "below 0.001" if p < 0.001 else f"{p:.3f}"


def trend(plain: list[Comparison]) -> tuple[str, bool]:
    """Where the gain over the plain convolution is largest, kernel by kernel; whether that is at the least MAdds."""
    text, holds = [], bool(plain)
    for kernel in dict.fromkeys(c.budget.split()[0] for c in plain):
        mine = sorted((c for c in plain if c.budget.split()[0] == kernel), key=lambda c: c.madds)
        best = max(mine, key=lambda c: c.mean)
        holds &= best is mine[0]
        text.append(
            f"- {kernel}: {mine[0].mean:+.2f} points at the least MAdds ({mine[0].madds / 1e6:.2f}M), "
            f"{mine[-1].mean:+.2f} at the most ({mine[-1].madds / 1e6:.2f}M); the largest gain is at {best.madds / 1e6:.2f}M."
        )
    return "\n".join(text), holds


def table(frame: pd.DataFrame, found: list[Comparison]) -> str:
    """All networks, with the difference where one was compared."""
    lines = [
        "| budget | network | MAdds | parameters | accuracy (%) | ours minus it (points) | p (Holm) | ours is |",
        "|---|---|---:|---:|---:|---:|---:|---|",
    ]
    by = {(c.budget, c.other): c for c in found}
    for (budget, method), group in frame.groupby(["budget", "method"], sort=False):
        mean, half = mean_interval(group["accuracy"].to_numpy())
        first, c = group.iloc[0], by.get((str(budget), str(method)))
        shown = (
            ("", "", "") if c is None else (f"{c.mean:+.2f}{spread(c.half)}", probability(c.holm), c.verdict)
        )
        lines.append(
            f"| {budget} | {NAMES.get(str(method), str(method))} | {first['madds']:,} | {first['params']:,} | "
            f"{mean:.2f}{spread(half)} | {' | '.join(shown)} |"
        )
    return "\n".join(lines)


def series(frame: pd.DataFrame, study: str) -> list[tuple[str, pd.DataFrame, str, str, str]]:
    """(label, rows, colour, marker, line) of every drawn line."""
    if study == "spatial":
        kernel = frame["budget"].str.split().str[0]
        styles = {"plain": ("#0072B2", "o"), "multiplexed": ("black", "s"), "mixed-3-5-7": ("#E69F00", "D")}
        return [
            (
                f"{NAMES[method]} {k}" if method != "mixed-3-5-7" else NAMES[method],
                frame[(frame["method"] == method) & (kernel == k)],
                *styles[method],
                "--" if k == "3x3" else "-",
            )
            for k in ("3x3", "5x5")
            for method in styles
            if ((frame["method"] == method) & (kernel == k)).any()
        ]
    others = [m for m in NAMES if m in set(frame["method"]) - {OURS[study]}]
    styles = {m: (COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]) for i, m in enumerate(others)}
    styles[OURS[study]] = ("black", "o")
    return [(NAMES[m], frame[frame["method"] == m], *style, "-") for m, style in styles.items()]


def draw(frame: pd.DataFrame, found: list[Comparison], study: str, file: Path) -> None:
    """Left: accuracy against MAdds, means with 95% intervals. Right: our paired differences."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11.5, 4.8), width_ratios=(1.25, 1))
    for label, rows, colour, marker, line in series(frame, study):
        groups = [
            (g["madds"].iloc[0], *mean_interval(g["accuracy"].to_numpy())) for _, g in rows.groupby("variant")
        ]
        x, y, half = np.array(sorted(groups)).T
        left.errorbar(x, y, half, color=colour, marker=marker, ls=line, lw=1.6, ms=5, capsize=3, label=label)
    left.set(xlabel="multiply-adds of an image (millions)", ylabel="test accuracy (%)", xscale="log")
    in_millions(left, np.unique(frame["madds"]))
    left.legend(fontsize=8, frameon=False, handlelength=3.2)
    left.grid(alpha=0.25)
    differences(right, found, study)
    figure.tight_layout()
    figure.savefig(file, dpi=160)
    plt.close(figure)


def in_millions(axis: Axes, values: np.ndarray) -> None:
    """Few round ticks of a logarithmic axis, in millions."""
    ticks = [
        t for t in (0.25, 0.5, 1, 2, 4, 6, 8, 12, 16) if values.min() * 0.7 <= t * 1e6 <= values.max() * 1.4
    ]
    axis.xaxis.set_major_locator(FixedLocator([t * 1e6 for t in ticks]))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x / 1e6:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())


def differences(axis: Axes, found: list[Comparison], study: str) -> None:
    """One line a comparison, the interval drawn; filled where the difference is shown (Holm)."""
    for row, c in enumerate(found[::-1]):
        colour = {"better": "#009E73", "worse": "#D55E00"}.get(c.verdict, "#777777")
        shown = c.verdict != "no difference shown"
        axis.errorbar(
            c.mean,
            row,
            xerr=c.half,
            color=colour,
            marker="o",
            ms=6,
            mfc=colour if shown else "white",
            capsize=3,
        )
    axis.axvline(0, color="black", lw=0.8)
    axis.set_yticks(
        range(len(found)), [f"{c.budget}: {NAMES.get(c.other, c.other)}" for c in found[::-1]], fontsize=8
    )
    axis.set(xlabel=f"{NAMES[OURS[study]]} minus the other (points of accuracy)")
    axis.set_title("paired by seed, 95% intervals; filled: beyond chance (Holm)", fontsize=8)
    axis.grid(axis="x", alpha=0.25)


def time_text(frame: pd.DataFrame, study: str) -> str:
    """How long ours trains beside each other method, and how the times were taken."""
    ours, methods = OURS[study], frame["method"].unique()
    budgets = set(frame.loc[frame["method"] == ours, "budget"])
    others = [m for m in methods if m != ours and budgets & set(frame.loc[frame["method"] == m, "budget"])]
    said = ", ".join(f"{longer(frame, ours, m)} as long as one of {NAMES.get(m, m)}" for m in others)
    return (
        f"At equal MAdds a training of {NAMES[ours]} takes {said} (range over the budgets; mean over the seeds of the time on the clock, with "
        "several trainings at once). Forward passes are those of `latencies.py`."
    )


def write(folder: Path) -> Path:
    """Write all files that the tables in `folder` allow; return the path of results.md."""
    parts = []
    times = folder / "latency.csv"
    latency = pd.read_csv(times) if times.is_file() else None
    for study in OURS:
        file = folder / f"{study}.csv"
        if not file.is_file():
            continue
        frame = pd.read_csv(file)
        order = frame.drop_duplicates("variant").sort_values("madds")["variant"].tolist()
        frame = frame.sort_values(
            ["variant", "seed"], key=lambda c, o=order: c.map(o.index) if c.name == "variant" else c
        )
        budgets = frame.groupby("budget")["madds"].median().sort_values().index.tolist()
        frame = frame.sort_values("budget", key=lambda c, b=budgets: c.map(b.index), kind="stable")
        pairs = paired(frame, study)
        found = compared(pairs)
        draw(frame, found, study, folder / f"{study}.png")
        first = frame.iloc[0]
        setting = (
            f"{first['train_pictures']:,} training images of CIFAR-10 at {first['side']} pixels, {first['epochs']} epochs, "
            f"batches of {first['batch']}, on {first['device']}."
        )
        parts += [f"## {CLAIMS[study][0]}", setting, answer(study, found, overall(pairs))]
        parts += [f"![{study}]({study}.png)", table(frame, found)]
        if "seconds" in frame:
            parts += [
                "### Time at equal MAdds",
                time_text(frame, study),
                time_table(frame, latency, OURS[study], NAMES),
            ]
    if not parts:
        raise DataError(f"{folder}: expected spatial.csv or channel.csv; run study.py first")
    head = "# Do the layers do as claimed?\n\nWritten by `report.py` from the tables beside it."
    result = folder / "results.md"
    result.write_text("\n\n".join([head, *parts]) + "\n", encoding="utf-8")
    return result


if __name__ == "__main__":
    try:
        print(write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent))
    except NasError as error:
        sys.exit(f"error: {error}")
