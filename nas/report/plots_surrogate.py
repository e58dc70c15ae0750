"""The plot of the surrogates' quality: rank correlation and coverage of the intervals during a search."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from nas.core.records import FloatArray
from nas.report.evaluated import evaluated
from nas.report.plots_axes import BLUE, FAINT, INK, VERMILLION, headline, new_figure, nothing, plain
from nas.runs.notes import notes_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nas.runs.run_folder import RunTable

NOMINAL = 90  # percent of the results that the interval should hold
_NAMES = 12  # labelled changes of the chosen model; more would not be legible


def surrogate_figure(table: RunTable) -> Figure:
    """Kendall's tau with its interval, and the coverage of the 90% interval, over the number of results.

    One row of panels per objective with a surrogate. A dashed line with a name marks a change of the model; crosses
    mark an unreliable surrogate.
    """
    figure, notes = new_figure(), notes_table(table.notes)
    headline(figure, "Surrogate quality on held-out results", evaluated(table).counts)
    if not len(notes):
        return nothing(figure)
    groups = [("", notes)] if "objective" not in notes else list(notes.groupby("objective", sort=False))
    grid = figure.subplots(
        len(groups), 2, sharex=True, squeeze=False, gridspec_kw={"width_ratios": (1.7, 1.0)}
    )
    for (tau, coverage), (name, rows) in zip(grid, groups, strict=True):
        _tau(tau, rows.reset_index(drop=True), str(name))
        _coverage(coverage, rows)
    for ax in grid[-1]:
        ax.set_xlabel("evaluations the model had seen", fontsize=10, color=INK)
        ax.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, steps=[1, 2, 5, 10]))
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure


def _tau(ax: Any, rows: pd.DataFrame, name: str) -> None:
    plain(ax)
    told = rows["told"].to_numpy()
    ax.fill_between(
        told, _column(rows, "tau_low"), _column(rows, "tau_high"), color=BLUE, alpha=0.18, linewidth=0,
        label="90% interval",
    )  # fmt: skip
    ax.plot(told, _column(rows, "tau"), "o-", color=BLUE, markersize=3, linewidth=1.6, label="Kendall's tau")
    doubtful = rows[~rows["reliable"].astype(bool)] if "reliable" in rows else rows.iloc[:0]
    if len(doubtful):
        crosses = {"color": VERMILLION, "s": 36, "zorder": 3, "label": "not reliable"}
        ax.scatter(doubtful["told"], _column(doubtful, "tau"), marker="x", **crosses)
    ax.set_ylim(min(-0.05, float(np.nanmin(_column(rows, "tau"), initial=0.0)) - 0.05), 1.02)
    label = f"tau of {name}" if name else "tau"
    ax.set_ylabel(label, fontsize=10, color=INK, parse_math=False)
    ax.set_title("higher is better", loc="right", fontsize=8, color=FAINT, pad=3)
    _mark_changes(ax, rows)


def _mark_changes(ax: Any, rows: pd.DataFrame) -> None:
    """Draw a dashed line and the name at each change of the model."""
    if "chosen" not in rows:
        return
    changed = rows[rows["chosen"] != rows["chosen"].shift()]
    for place, (_, row) in enumerate(changed.iterrows()):
        ax.axvline(row["told"], color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        if place < _NAMES:
            text = "\n".join(textwrap.wrap(str(row["chosen"]), 34))
            ax.annotate(
                text, (row["told"], 0.01), xycoords=("data", "axes fraction"), xytext=(3, 0),
                textcoords="offset points", rotation=90, va="bottom", ha="left", fontsize=6.5, color=INK,
                parse_math=False,
            )  # fmt: skip


def _coverage(ax: Any, rows: pd.DataFrame) -> None:
    plain(ax)
    ax.axhline(NOMINAL, color=FAINT, linewidth=0.9, linestyle=(0, (4, 3)))
    ax.set_title("90% is right", loc="right", fontsize=8, color=FAINT, pad=3)
    ax.plot(rows["told"], 100 * _column(rows, "coverage"), "o-", color=BLUE, markersize=3, linewidth=1.6)
    ax.set_ylim(0, 104)
    ax.set_ylabel("calibration of the 90% interval (%)", fontsize=10, color=INK)


def _column(rows: pd.DataFrame, name: str) -> FloatArray:
    """A column of numbers, NaN if missing, shape (n,)."""
    if name not in rows:
        return np.full(len(rows), np.nan)
    return np.asarray(pd.to_numeric(rows[name], errors="coerce"), dtype=np.float64)
