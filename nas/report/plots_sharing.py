"""The plot of inherited errors against those of own trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PathCollection
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize

from nas.report.plots_axes import (
    BLUE,
    FAINT,
    INK,
    explained,
    headline,
    linear_ticks,
    log_ticks,
    name_and_unit,
    new_figure,
    plain,
    tick_labels,
)
from nas.report.sharing import OwnTrainings, own_trainings, ranges
from nas.runs.sharing_quality import decision, sharing_qualities

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nas.runs.run_folder import RunTable

COST = LinearSegmentedColormap.from_list("cost", colormaps["viridis"](np.linspace(0.85, 0.0, 32)))


def sharing_figure(table: RunTable) -> Figure:
    """Own error over inherited error of each network with both, coloured by a cost, with the line of equality.

    The title has the numbers of the decision, whose networks were not selected. Filled marks are the networks by which the search decided whether to trust inherited errors, hollow ones were trained later.
    """
    found, figure = own_trainings(table), new_figure()
    qualities = sharing_qualities(table.notes)
    n = len(found.own)
    counts = f"{n} network{'' if n == 1 else 's'}, too few to measure the agreement"
    headline(
        figure,
        "Inherited errors and own trainings",
        str(decision(qualities) or qualities[-1]) if qualities else counts,
    )
    ax: Any = figure.subplots()
    plain(ax)
    across, up = ranges(found.inherited, found.own)
    ax.set(xlim=across, ylim=up)
    low, high = max(across[0], up[0]), min(across[1], up[1])
    if low < high:
        ax.axline(
            (low, low), (high, high), color=FAINT, linewidth=0.9, linestyle=(0, (4, 3)), label="equal errors"
        )
    _marks(figure, ax, found)
    ax.set_xlabel("inherited error (%)", fontsize=11, color=INK)
    ax.set_ylabel("error of the own training (%)", fontsize=11, color=INK)
    beyond = "" if low < high else "; the line of equal errors lies beyond the axes"
    explained(figure, f"tau: Kendall's rank correlation; in parentheses 90% intervals{beyond}")
    legend: Any = figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    for handle in legend.legend_handles:
        if isinstance(handle, PathCollection):  # a mark, whose own colour is a cost
            handle.set(edgecolor=INK, facecolor=INK if len(handle.get_facecolor()) else "none")
    return figure


def _marks(figure: Figure, ax: Any, found: OwnTrainings) -> None:
    colours, scale = np.full(len(found.own), BLUE, dtype=object), _scale(found)
    rest = "trained later" if found.decided.any() else "trained"
    if scale is not None:
        colours[:] = [tuple(colour) for colour in scale.to_rgba(found.cost)]
    for chosen, label in ((found.decided, "trained for the decision"), (~found.decided, rest)):
        if chosen.any():
            own = list(colours[chosen])
            filled = label != "trained later"
            ax.scatter(
                found.inherited[chosen], found.own[chosen], s=44, zorder=3, linewidths=1.3,
                facecolors=own if filled else "none", edgecolors=own, label=label,
            )  # fmt: skip
    if scale is not None and found.of_cost is not None:
        bar = figure.colorbar(scale, ax=ax, pad=0.02, aspect=30)
        ticks = (log_ticks if found.cost.min() > 0 else linear_ticks)(found.cost.min(), found.cost.max())
        bar.set_ticks(ticks.tolist(), labels=tick_labels(ticks))
        bar.minorticks_off()
        also = ["log scale"] if found.cost.min() > 0 else []
        bar.set_label(name_and_unit(found.of_cost, *also), fontsize=9, color=INK)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=8, colors=INK)


def _scale(found: OwnTrainings) -> ScalarMappable | None:
    """The colours of the costs, by their logarithm; None where not all are known or all are equal."""
    cost = found.cost
    if not np.isfinite(cost).all() or np.ptp(cost) == 0:
        return None
    kind = LogNorm if cost.min() > 0 else Normalize
    return ScalarMappable(kind(float(cost.min()), float(cost.max())), COST)
