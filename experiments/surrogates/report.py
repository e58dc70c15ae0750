"""Table and figure of the measurements of `kendall_tau.py`."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from nas.compare.statistics import mean_interval


def summarise(raw: pd.DataFrame) -> pd.DataFrame:
    """Mean tau with its 95% interval (Student's t over seeds), coverage, seconds; a row per table, size and model."""
    rows = []
    for (table, cells, model), group in raw.groupby(["table", "cells", "model"], sort=False):
        tau, half = mean_interval(group["tau"].to_numpy())
        rows.append(
            {
                "table": table,
                "cells": cells,
                "model": model,
                "seeds": len(group),
                "tau": tau,
                "half_interval": half,
                "coverage": group["coverage"].mean(),
                "rmse": group["rmse"].median(),
                "seconds": group["seconds"].median(),
            }
        )
    return pd.DataFrame(rows)


def write_report(raw: pd.DataFrame, folder: Path, baseline: str, chosen: str) -> None:
    """`kendall_tau.csv`, `README.md` and `kendall_tau.png` in `folder`."""
    summary = summarise(raw)
    summary.round(4).to_csv(folder / "kendall_tau.csv", index=False)
    (folder / "README.md").write_text(_text(summary, raw, baseline, chosen))
    _image(summary, folder / "kendall_tau.png", baseline, chosen)


def _text(summary: pd.DataFrame, raw: pd.DataFrame, baseline: str, chosen: str) -> str:
    lines = [
        "# Kendall's tau on held-out cells",
        "",
        "Written by `python experiments/surrogates/kendall_tau.py` from `raw.csv`. Training cells are drawn at random; "
        "tau is that between predicted and recorded test error on 1,000 other random cells: the mean over seeds, "
        "with the 95% interval of that mean and, where it is not 21, the number of seeds in brackets; differences are "
        "over the seeds that both have. Targets of all "
        "but the baseline are transformed (half logarithm, half rank). `nasbench101_cec` is its random sample, which "
        "favours small cells. The trees' share of columns and the transform were picked on seeds 0 to 4 of "
        "nasbench201 and nasbench101_5v, for all tables alike.",
        "",
    ]
    for table in summary["table"].unique():
        part = summary[summary["table"] == table]
        sizes = sorted(part["cells"].unique())
        lines += [f"## {table}", "", "| model | " + " | ".join(map(str, sizes)) + " |"]
        lines.append("|---|" + "---|" * len(sizes))
        order = part[part["cells"] == 100].sort_values("tau", ascending=False)["model"]
        for model in [chosen, *(m for m in order if m != chosen)]:
            shown = [_cell(part[(part["cells"] == n) & (part["model"] == model)]) for n in sizes]
            lines.append(f"| {model} | " + " | ".join(shown) + " |")
        lines += [_gap(raw[(raw["table"] == table) & (raw["cells"] == n)], baseline, chosen) for n in sizes]
        used = raw[(raw["table"] == table) & (raw["model"] == chosen)]["chosen"].str.split("+").explode()
        counts = ", ".join(f"{name} {count}" for name, count in used.value_counts().items())
        lines += ["", f"In the selector's choices: {counts}.", ""]
    return "\n".join(lines)


def _cell(found: pd.DataFrame) -> str:
    if found.empty:
        return ""
    row = found.iloc[0]
    seeds = "" if row["seeds"] == 21 else f" ({row['seeds']})"
    return f"{row['tau']:.3f} ± {row['half_interval']:.3f}{seeds}"


def _gap(measured: pd.DataFrame, baseline: str, chosen: str) -> str:
    """One line: the selector against the best single model and the baseline, each on the seeds that both have."""
    taus = measured.pivot(index="seed", columns="model", values="tau")
    if chosen not in taus or baseline not in taus:
        return ""
    gaps = taus.drop(columns=chosen).rsub(taus[chosen], axis=0).mean()
    best = gaps.idxmin()
    mine = measured[measured["model"] == chosen]
    return (
        f"\n{measured['cells'].iloc[0]} cells: selector {gaps[best]:+.3f} from the best single model ({best}), "
        f"{gaps[baseline]:+.3f} from the baseline; its 90% interval holds {mine['coverage'].mean():.0%}; "
        f"choosing and fitting takes {mine['seconds'].median():.1f} s (median, on a shared core)."
    )


def _image(summary: pd.DataFrame, file: Path, baseline: str, chosen: str) -> None:
    tables = list(summary["table"].unique())
    figure, axes = plt.subplots(1, len(tables), figsize=(5 * len(tables), 4.6), sharey=True, squeeze=False)
    names = sorted(summary["model"].unique())
    colours = dict(zip(names, plt.get_cmap("tab20")(np.linspace(0, 1, len(names))), strict=True))
    for axis, table in zip(axes[0], tables, strict=True):
        for model in names:
            part = summary[(summary["table"] == table) & (summary["model"] == model)].sort_values("cells")
            strong = model in (baseline, chosen)
            axis.errorbar(
                part["cells"],
                part["tau"],
                part["half_interval"].fillna(0.0),
                label=model,
                color="black" if model == chosen else colours[model],
                linestyle="--" if model == baseline else "-",
                linewidth=2.2 if strong else 1.0,
                zorder=3 if strong else 2,
            )
        axis.set_xscale("log")
        sizes = sorted(summary["cells"].unique())
        axis.set_xticks(sizes, [str(n) for n in sizes])
        axis.minorticks_off()
        axis.set_title(table)
        axis.set_xlabel("training cells")
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("Kendall's tau on 1,000 held-out cells")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=5, fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.14, 1, 1))
    figure.savefig(file, dpi=110)
    plt.close(figure)
