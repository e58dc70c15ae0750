"""Tables and figure of the measurements of `proxies.py`."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from nas.compare.statistics import mean_interval
from nas.core.records import FloatArray
from surrogates.quality import kendall_tau

SCORES = ("naswot", "synflow", "grad_norm", "params", "madds")
RESAMPLES = 1000
REFERENCE = ("without", "bare, without")  # the baseline of a variant: the one with the same candidates


def taus(values: pd.DataFrame) -> pd.DataFrame:
    """Kendall's tau of each score with final accuracy, its 95% bootstrap interval over cells, and its seconds."""
    rows = []
    for table, frame in values.groupby("table", sort=False):
        accuracy = -frame["error"].to_numpy(dtype=np.float64)
        for part, kept in parts(accuracy).items():
            for name in SCORES:
                score = frame[name].to_numpy(dtype=np.float64)
                low, high = bootstrap(score[kept], accuracy[kept])
                seconds = f"{name}_seconds"
                rows.append(
                    {
                        "table": table,
                        "cells": part,
                        "n": len(accuracy[kept]),
                        "score": name,
                        "tau": kendall_tau(score[kept], accuracy[kept]),
                        "low": low,
                        "high": high,
                        "median_seconds": frame[seconds].median() if seconds in frame else np.nan,
                        "p90_seconds": frame[seconds].quantile(0.9) if seconds in frame else np.nan,
                    }
                )
    return pd.DataFrame(rows)


def parts(accuracy: FloatArray) -> dict[str, np.ndarray]:
    """All cells, and the better half, which a search explores."""
    return {"all": np.full(len(accuracy), True), "better half": accuracy >= np.median(accuracy)}


def bootstrap(score: FloatArray, accuracy: FloatArray) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(score), size=(RESAMPLES, len(score)))
    low, high = np.quantile([kendall_tau(score[rows], accuracy[rows]) for rows in drawn], [0.025, 0.975])
    return float(low), float(high)


def gains(raw: pd.DataFrame) -> pd.DataFrame:
    """Mean tau of the selector by variant; the mean gain over `without` on the same splits, with its 95% interval."""
    rows = []
    for (table, cells), group in raw.groupby(["table", "cells"], sort=False):
        by_seed = group.pivot(index="seed", columns="variant", values="tau")
        for variant in group["variant"].unique():
            base = REFERENCE[variant.startswith("bare")]
            gain = (by_seed[variant] - by_seed[base]).dropna()
            mean, half = mean_interval(gain.to_numpy())
            rows.append(
                {
                    "table": table,
                    "cells": cells,
                    "features": variant,
                    "splits": len(gain),
                    "tau": by_seed[variant][gain.index].mean(),
                    "gain": mean,
                    "half_interval": half,
                }
            )
    return pd.DataFrame(rows)


def agreement(narrow: pd.DataFrame, wide: pd.DataFrame) -> str:
    """One line: the tau between the values of the same cells at both widths."""
    both = narrow.merge(wide, on=["table", "architecture"], suffixes=("", "_wide"))
    found = [
        f"{name} {kendall_tau(both[name].to_numpy(), both[name + '_wide'].to_numpy()):.2f} "
        f"({wide[name + '_seconds'].median():.1f} s)"
        for name in SCORES[:3]
    ]
    return (
        f"On {len(both)} of these cells at full width (128 channels), tau between the proxy at either width, and the "
        f"median seconds at full width: {', '.join(found)}."
    )


def write_report(
    values: pd.DataFrame, wide: pd.DataFrame | None, raw: pd.DataFrame, folder: Path, width: int
) -> None:
    """`proxies_tau.csv`, `proxies_selector.csv`, `proxies.md` and `proxies.png` in `folder`."""
    tau, gain = taus(values), gains(raw)
    tau.round(4).to_csv(folder / "proxies_tau.csv", index=False)
    gain.round(4).to_csv(folder / "proxies_selector.csv", index=False)
    text = _text(tau, gain, width, "" if wide is None else agreement(values, wide))
    (folder / "proxies.md").write_text(text)
    _image(tau, gain, folder / "proxies.png")


def _text(tau: pd.DataFrame, gain: pd.DataFrame, width: int, agreed: str) -> str:
    lines = [
        "# Zero-cost proxies on NASBench-101",
        "",
        "Written by `python experiments/surrogates/proxies.py` from `proxies_width16.csv` and `proxies_raw.csv`. Random "
        "cells of each table (`nasbench101_cec`: of its random sample, which favours small cells), one initialisation, "
        f"one batch of 32 CIFAR-10 images, networks with {width} channels in the stem instead of 128 (three stacks of "
        "three cells, 32x32, as in the benchmark); `params` and `madds` are those of the full network.",
        "",
        "## Kendall's tau with the recorded accuracy after 108 epochs, 95% bootstrap interval",
        "",
        "| table | cells | naswot | synflow | grad_norm | params | madds |",
        "|---|---|---|---|---|---|---|",
    ]
    for (table, cells), group in tau.groupby(["table", "cells"], sort=False):
        found = [
            f"{r.tau:.3f} ({r.low:.3f} to {r.high:.3f})"
            for r in group.set_index("score").loc[list(SCORES)].itertuples()
        ]
        lines.append(f"| {table} | {group['n'].iloc[0]}, {cells} | " + " | ".join(found) + " |")
    timed = tau[(tau["cells"] == "all") & tau["median_seconds"].notna()]
    lines += [
        "",
        "Seconds per network (building included, one thread, on a shared core), median and 90th percentile: "
        + "; ".join(
            f"{r.table} {r.score} {r.median_seconds:.2f}, {r.p90_seconds:.2f}" for r in timed.itertuples()
        )
        + ".",
        "",
        *([agreed, ""] if agreed else []),
        "## The selector with proxies among the features",
        "",
        "Mean tau on 300 other cells of the sample; gain over the selector without proxies on the same splits, with its "
        "95% interval (Student's t over splits, which overlap: it is somewhat too narrow). The costs are among the "
        "features throughout. `bare`: candidates as for a space with only genes and costs.",
        "",
        "| table | training cells | features | tau | gain | splits |",
        "|---|---|---|---|---|---|",
    ]
    for r in gain.itertuples():
        shown = "" if r.features in REFERENCE else f"{r.gain:+.3f} ± {r.half_interval:.3f}"
        lines.append(f"| {r.table} | {r.cells} | {r.features} | {r.tau:.3f} | {shown} | {r.splits} |")
    return "\n".join([*lines, ""])


def _image(tau: pd.DataFrame, gain: pd.DataFrame, file: Path) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.4))
    groups = list(tau.groupby(["table", "cells"], sort=False))
    for index, ((table, cells), group) in enumerate(groups):
        rows = group.set_index("score").loc[list(SCORES)]
        at = np.arange(len(SCORES)) + 0.8 * (index - (len(groups) - 1) / 2) / len(groups)
        error = np.clip([rows["tau"] - rows["low"], rows["high"] - rows["tau"]], 0, None)
        axes[0].bar(at, rows["tau"], 0.8 / len(groups), yerr=error, label=f"{table}, {cells}")
    axes[0].set_xticks(range(len(SCORES)), SCORES)
    axes[0].set_ylabel("Kendall's tau with accuracy")
    axes[0].axhline(0, color="black", linewidth=0.8)
    axes[0].set_ylim(top=0.95)
    axes[0].legend(fontsize=7, loc="upper left", ncols=2)
    shown = gain[~gain["features"].isin(REFERENCE)]
    lines = list(shown.groupby(["table", "features"], sort=False))
    for index, ((table, variant), group) in enumerate(lines):
        aside = 1.0 + 0.03 * (index - (len(lines) - 1) / 2)  # so that the intervals do not cover each other
        axes[1].errorbar(
            group["cells"] * aside,
            group["gain"],
            group["half_interval"],
            label=f"{table}, {variant}",
            capsize=3,
            marker="o",
        )
    sizes = sorted(gain["cells"].unique())
    axes[1].set_xscale("log")
    axes[1].set_xticks(sizes, [str(n) for n in sizes])
    axes[1].minorticks_off()
    axes[1].axhline(0, color="black", linewidth=0.8)
    axes[1].set_xlabel("training cells")
    axes[1].set_ylabel("gain in the selector's tau")
    axes[1].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    plt.close(figure)
