"""The figures of docs/concepts.md, surrogates.md, metrics.md and preferences.md: `python docs/figures/concepts.py`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from style import BLUE, GREEN, INK, ORANGE, SKY, VERMILLION, caption, panels, save

import nas
from nas.algorithms.sa_moead import SAMOEADSettings
from nas.core.records import FloatArray
from nas.executors.settings import SimulatedSettings
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import Box, hypervolume
from surrogates import SURROGATES
from surrogates.quality import kendall_tau

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

from made_up import MadeUp, evaluate

SPACE = MadeUp()
TARGET = "error=16%, madds<=6M"


def draw_timeline() -> None:
    """Who is busy when, with and without a barrier: the same search on six simulated workers."""
    figure, axes = panels(2, width=4.4, height=2.7, sharex=True)
    for ax, generational, title in zip(axes, (False, True), ("asynchronous", "generational"), strict=True):
        settings = SimulatedSettings(workers=6, seconds="training_seconds", generational=generational)
        history = nas.search(
            SPACE, ["error", "madds"], evaluate, algorithm="random", executor="simulated", executor_settings=settings,
            budget=36, seed=4, loop=nas.LoopSettings(concurrency=12),
        ).history  # fmt: skip
        workers = sorted(history["worker"].unique())
        for row in history.itertuples():
            colour = (BLUE, SKY)[(row.trial // 6) % 2]
            ax.barh(workers.index(row.worker), row.finished - row.started, left=row.started, height=0.72,
                    color=colour, edgecolor="white", linewidth=0.6)  # fmt: skip
        end = history["finished"].max()
        busy = (history["finished"] - history["started"]).sum() / (6 * end)
        ax.axvline(end, color=INK, lw=1, ls=(0, (3, 2)))
        ax.set_yticks(range(6), [f"worker {i + 1}" for i in range(6)], fontsize=8)
        ax.set_ylim(-0.6, 5.6)
        caption(ax, f"{title}: done after {end:.0f} s, workers {busy:.0%} busy", "virtual seconds")
    save(figure, "timeline")


def everything() -> tuple[list[nas.Architecture], FloatArray]:
    """All architectures of the made-up space, and their errors, (n,)."""
    every = [
        nas.Architecture(SPACE.name, tuple(map(int, genes))) for genes in np.ndindex(*SPACE.cardinalities)
    ]
    return every, np.array([evaluate(nas.Trial(0, a, 0))["test_error"] for a in every])


def draw_tau() -> None:
    """Examples of tau: predictions of 600 unseen architectures by models fitted to few or many."""
    every, errors = everything()
    order = np.random.default_rng(1).permutation(len(every))
    unseen = order[:600]
    figure, axes = panels(3, sharey=True)
    for ax, rows in zip(axes, (8, 30, 200), strict=True):
        learned = order[1000 : 1000 + rows]
        model = SURROGATES["gaussian-process"]().fit(genes(every, learned), errors[learned])
        mean, _ = model.predict(genes(every, unseen))
        truth = errors[unseen]
        best = truth <= np.quantile(truth, 0.1)
        ax.scatter(mean, truth, s=9, color="#A0A0A0", linewidths=0)
        ax.scatter(mean[best], truth[best], s=12, color=VERMILLION, linewidths=0)
        ends = (truth.min(), truth.max())
        ax.plot(ends, ends, color=INK, lw=0.9, ls=(0, (3, 2)))
        all_of_them, among_best = kendall_tau(mean, truth), kendall_tau(mean[best], truth[best])
        ax.text(
            0.04, 0.96, f"tau {all_of_them:.2f}", transform=ax.transAxes, va="top", fontsize=10, color=INK
        )
        ax.text(0.04, 0.87, f"among the best tenth {among_best:.2f}", transform=ax.transAxes, va="top", fontsize=9,
                color=VERMILLION)  # fmt: skip
        caption(ax, f"learned from {rows} results", "predicted error (%)")
    axes[0].set(ylabel="error (%)", ylim=(12.5, 31))
    save(figure, "tau")


def genes(every: list[nas.Architecture], rows: np.ndarray) -> FloatArray:
    """The genes of some architectures, (n, 7)."""
    return np.array([every[i].genes for i in rows], dtype=np.float64)


def draw_hypervolume() -> None:
    """Two fronts, of which either has the larger hypervolume: it depends on the reference point."""
    a = np.array([[10.0, 6.0], [12.0, 4.0], [15.0, 2.6], [19.0, 2.0]])
    b = np.array([[8.0, 9.0], [11.0, 6.6], [14.5, 4.4], [20.0, 1.2], [27.0, 0.5]])
    figure, axes = panels(2, width=3.9, height=3.7)
    for ax, reference in zip(axes, ((21.0, 9.5), (60.0, 30.0)), strict=True):
        box = Box(np.zeros(2), np.array(reference))
        for front, colour, name, mark in ((a, BLUE, "A", "o"), (b, ORANGE, "B", "s")):
            share = hypervolume(front, box)
            counts = front[(front < reference).all(axis=1)]
            steps = np.vstack([[counts[0, 0], reference[1]], counts, [reference[0], counts[-1, 1]]])
            ax.step(steps[:, 0], steps[:, 1], where="post", color=colour, lw=1.3)
            ax.scatter(
                *counts.T,
                s=30,
                marker=mark,
                color=colour,
                zorder=3,
                label=f"{name} dominates {share:.1%} of the box",
            )
        ax.plot(*reference, marker="P", ms=9, color=INK, ls="none", clip_on=False, label="reference point")
        ax.set(xlim=(0, reference[0] * 1.03), ylim=(0, reference[1] * 1.03))
        ax.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16))
        caption(
            ax,
            f"reference point ({reference[0]:g}%, {reference[1]:g}M)",
            "error (%)",
            "parameters (millions)",
        )
    save(figure, "hypervolume")


def draw_preference() -> None:
    """Architectures of two searches: one for the whole front, one with a target; the region comes from both fronts together."""
    searches = {prefer: searched(prefer) for prefer in ("", TARGET)}
    preference = nas.Preference.parse(TARGET, searches[TARGET].table.objectives)
    both = np.vstack([found.front[["error", "madds"]].to_numpy() for found in searches.values()])
    front = both[non_dominated(both)]
    low, high = preference.region(front.min(axis=0), front.max(axis=0), front)
    figure, axes = panels(2, width=4.1, height=3.4, sharex=True, sharey=True)
    for ax, (prefer, found) in zip(axes, searches.items(), strict=True):
        draw_evaluations(ax, found)
        points = found.history[["error", "madds"]].to_numpy()
        inside = ((low <= points) & (points <= high)).all(axis=1).sum()
        ax.add_patch(region(low, high))
        ax.set_yscale("log")
        caption(ax, f"{prefer or 'no preference'}: {inside} of 60 in the region", "error (%)")
    axes[0].set_ylabel("MAdds (millions)", fontsize=9, color=INK)
    save(figure, "preference")


def searched(prefer: str) -> nas.SearchResult:
    """Sixty evaluations of the made-up space by `sa-moead`."""
    settings = SAMOEADSettings(prefer=prefer)
    return nas.search(
        SPACE,
        ["error", "madds"],
        evaluate,
        algorithm="sa-moead",
        algorithm_settings=settings,
        budget=60,
        seed=0,
    )


def draw_evaluations(ax: Any, found: nas.SearchResult) -> None:
    """Every evaluation of a search, and its front."""
    design = found.history["trial"] < 10
    for rows, colour, label in ((design, "#BBBBBB", "initial design"), (~design, SKY, "evaluated")):
        ax.scatter(
            found.history["error"][rows], found.history["madds"][rows] / 1e6, s=16, color=colour, label=label
        )
    ax.scatter(found.front["error"], found.front["madds"] / 1e6, s=22, color=BLUE, label="front", zorder=3)
    ax.legend(fontsize=8, frameon=False, loc="upper right")


def region(low: FloatArray, high: FloatArray) -> Any:
    """The preferred region as a rectangle, MAdds in millions."""
    from matplotlib.patches import Rectangle

    bottom = max(low[1], 1e4) / 1e6
    size = high[0] - low[0], high[1] / 1e6 - bottom
    return Rectangle((low[0], bottom), *size, facecolor=GREEN, alpha=0.13, edgecolor=GREEN, zorder=0)


if __name__ == "__main__":
    draw_timeline()
    draw_tau()
    draw_hypervolume()
    draw_preference()
