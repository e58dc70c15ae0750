"""The figures: one quiet style, colours that are distinct for any colour vision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from cells_tasks import Task
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from nas.pareto.indicators import hypervolume

# Okabe and Ito's palette, in a fixed order of methods; each has its own marker and dash for grey print.
STYLES: dict[str, dict[str, Any]] = {
    "sa-moead": {"color": "#D55E00", "marker": "o"},
    "moead": {"color": "#0072B2", "marker": "s"},
    "regularized evolution, tuned": {"color": "#009E73", "marker": "^"},
    "regularized evolution 50/10": {"color": "#56B4E9", "marker": "v", "linestyle": "--"},
    "local search": {"color": "#CC79A7", "marker": "D"},
    "random": {"color": "#666666", "marker": "x", "linestyle": ":"},
    "nsga2": {"color": "#E69F00", "marker": "P"},
    "nsga3": {"color": "#000000", "marker": "*", "linestyle": "--"},
    "scalarized evolution": {"color": "#009E73", "marker": "^"},
}
PLAIN = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False}


def _plain_log(axis: Any) -> None:
    """A logarithmic axis with plain numbers: powers of ten, and twice and five times those."""
    some = FuncFormatter(lambda x, _: f"{x:g}" if f"{x:e}"[0] in "25" else "")
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(some)
    axis.set_tick_params(which="minor", labelsize=8)


def _save(figure: Figure, file: Path) -> None:
    figure.savefig(file, dpi=150, bbox_inches="tight")
    plt.close(figure)


def curve(
    axes: Axes, x: np.ndarray, values: np.ndarray, name: str, style: Mapping[str, Any] | None = None
) -> None:
    """Median and quartiles over runs, values (runs, k), at x (k,)."""
    low, middle, high = np.nanquantile(values, (0.25, 0.5, 0.75), axis=0)
    style = dict(style or STYLES.get(name, {}))
    axes.plot(x, middle, label=name, markersize=4, linewidth=1.4, markevery=0.12, **style)
    axes.fill_between(x, low, high, alpha=0.13, linewidth=0, color=style.get("color"))


def accuracy(frame: pd.DataFrame, tasks: Mapping[str, Task], checkpoints: Sequence[int], out: Path) -> None:
    """Test error against evaluations, one panel per task; and against simulated training days where times are known."""
    with plt.rc_context(PLAIN):
        columns = min(3, len(tasks))
        rows = -(-len(tasks) // columns)
        figure, panels = plt.subplots(
            rows, columns, figsize=(3.6 * columns, 3.0 * rows), squeeze=False, layout="constrained"
        )
        for axes, (name, task) in zip(panels.flat, tasks.items(), strict=False):
            for method, runs in frame[frame["task"] == name].groupby("method", sort=False):
                known = [n for n in checkpoints if f"test_{n}" in runs and runs[f"test_{n}"].notna().any()]
                curve(axes, np.array(known), runs[[f"test_{n}" for n in known]].to_numpy(), str(method))
            axes.set_title(f"{task.title}\nseen: {task.searched}", fontsize=7.5)
            axes.set_xlabel("evaluations")
            axes.set_ylabel("test error of the best seen (%)")
        for axes in list(panels.flat)[len(tasks) :]:
            axes.axis("off")
        handles, labels = panels.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
        _save(figure, out / "accuracy.png")
        timed = {n: t for n, t in tasks.items() if t.timed}
        figure, panels = plt.subplots(
            1, len(timed), figsize=(4.4 * len(timed), 3.6), squeeze=False, layout="constrained"
        )
        for axes, (name, task) in zip(panels.flat, timed.items(), strict=True):
            for method, runs in frame[frame["task"] == name].groupby("method", sort=False):
                known = [n for n in checkpoints if f"days_{n}" in runs and runs[f"days_{n}"].notna().any()]
                days = runs[[f"days_{n}" for n in known]].to_numpy()
                errors = runs[[f"test_{n}" for n in known]].to_numpy()
                grid = np.geomspace(np.median(days[:, 0]), np.median(days[:, -1]), 60)
                held = np.array(
                    [
                        e[np.clip(np.searchsorted(d, grid, "right") - 1, 0, None)]
                        for d, e in zip(days, errors, strict=True)
                    ]
                )
                curve(axes, grid, held, str(method))
            axes.set_xscale("log")
            _plain_log(axes.xaxis)
            axes.set_title(f"{task.title}\nseen: {task.searched}", fontsize=7.5)
            axes.set_xlabel("simulated training days on one worker")
            axes.set_ylabel("test error of the best seen (%)")
        handles, labels = panels.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
        _save(figure, out / "accuracy_days.png")


def tuning(rows: pd.DataFrame, tasks: Mapping[str, Task], out: Path) -> None:
    """Mean test error of each population and tournament, one panel per task; the chosen one is framed."""
    with plt.rc_context(PLAIN):
        columns = min(3, len(tasks))
        height = -(-len(tasks) // columns)
        figure, panels = plt.subplots(
            height, columns, figsize=(3.4 * columns, 2.5 * height), squeeze=False, layout="constrained"
        )
        for axes, (name, task) in zip(panels.flat, tasks.items(), strict=False):
            of_task = rows[rows["task"] == name]
            grid = of_task.pivot(index="sample", columns="population", values="mean")
            axes.imshow(grid, cmap="cividis", aspect="auto", origin="lower")
            middle = np.nanmean(grid)
            for i, sample in enumerate(grid.index):
                for j, population in enumerate(grid.columns):
                    value = grid.loc[sample, population]
                    if np.isfinite(value):
                        colour = "black" if value > middle else "white"
                        axes.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=7.5, color=colour)
            best = of_task[of_task["chosen"]].iloc[0]
            place = (list(grid.columns).index(best["population"]), list(grid.index).index(best["sample"]))
            axes.add_patch(plt.Rectangle((place[0] - 0.5, place[1] - 0.5), 1, 1, fill=False, edgecolor="#D55E00", linewidth=2.5))  # fmt: skip
            axes.set_xticks(range(len(grid.columns)), grid.columns)
            axes.set_yticks(range(len(grid.index)), grid.index)
            axes.set_title(f"{task.title}\nmean test error (%), 150 evaluations", fontsize=7.5)
            axes.set_xlabel("population")
            axes.set_ylabel("tournament")
        for axes in list(panels.flat)[len(tasks) :]:
            axes.axis("off")
        _save(figure, out / "tuning.png")


def missing(frame: pd.DataFrame, tasks: Mapping[str, Task], checkpoints: Sequence[int], file: Path) -> None:
    """Missing share of the true front's hypervolume against evaluations, one panel per task."""
    with plt.rc_context(PLAIN):
        columns = min(2, len(tasks))
        height = -(-len(tasks) // columns)
        figure, panels = plt.subplots(
            height, columns, figsize=(4.6 * columns, 3.2 * height), squeeze=False, layout="constrained"
        )
        for axes, (name, task) in zip(panels.flat, tasks.items(), strict=False):
            for method, runs in frame[frame["task"] == name].groupby("method", sort=False):
                known = [n for n in checkpoints if f"hv_{n}" in runs and runs[f"hv_{n}"].notna().any()]
                lost = np.maximum(100.0 * (1.0 - runs[[f"hv_{n}" for n in known]].to_numpy()), 0.01)
                curve(axes, np.array(known), lost, str(method))
            axes.set_yscale("log")
            _plain_log(axes.yaxis)
            axes.set_title(f"{task.title}: {', '.join(task.names)}\nseen: {task.searched}", fontsize=7.5)
            axes.set_xlabel("evaluations")
            axes.set_ylabel("missing hypervolume (%)")
        for axes in list(panels.flat)[len(tasks) :]:
            axes.axis("off")
        handles, labels = panels.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
        _save(figure, file)


def cloud(task: Task, fronts: Mapping[str, Sequence[str]], file: Path) -> None:
    """The cells that methods found (typical runs) over all cells of the space and the true front."""
    everything = task.everything.set_index("architecture")
    with plt.rc_context(PLAIN):
        figure, axes = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
        x, y = task.columns[1], task.columns[0]
        axes.scatter(
            everything[x] / 1e6,
            everything[y],
            s=5,
            color="#BBBBBB",
            linewidth=0,
            label="all cells",
            rasterized=True,
        )
        true = task.truth[np.argsort(task.truth[:, 1])]
        axes.step(true[:, 1] / 1e6, true[:, 0], where="post", color="black", linewidth=1, label="true front")
        sizes = {"sa-moead": 30, "moead": 34, "random": 26}
        for method, cells in fronts.items():
            points = everything.loc[list(cells)]
            style = {k: v for k, v in STYLES[method].items() if k != "linestyle"}
            face = "none" if style["marker"] in "os" else None
            shape = dict(style, edgecolors=style["color"], facecolors=face) if face else style
            shape.pop("color") if face else None
            axes.scatter(
                points[x] / 1e6,
                points[y],
                s=sizes.get(method, 28),
                linewidth=1.3,
                label=f"{method}, 150 evaluations",
                zorder=3,
                **shape,
            )
        low, high = task.truth[:, 0].min(), task.truth[:, 0].max()
        axes.set_ylim(low - 0.04 * (high - low), high + 0.35 * (high - low))
        axes.set_xscale("log")
        _plain_log(axes.xaxis)
        axes.set_xlabel("parameters (millions)")
        axes.set_ylabel(f"{task.reported} (%)")
        axes.set_title(f"{task.title}; seen by the search: {task.searched}", fontsize=8)
        axes.legend(loc="upper right")
        _save(figure, file)


def competition(
    frame: pd.DataFrame, tasks: Mapping[str, Task], checkpoints: Sequence[int], file: Path
) -> None:
    """Hypervolume on the published scale against evaluations, one panel per problem; a line for the best possible."""
    with plt.rc_context(PLAIN):
        columns = 2
        height = -(-len(tasks) // columns)
        figure, panels = plt.subplots(
            height, columns, figsize=(4.6 * columns, 3.1 * height), squeeze=False, layout="constrained"
        )
        for axes, (name, task) in zip(panels.flat, tasks.items(), strict=False):
            for method, runs in frame[frame["task"] == name].groupby("method", sort=False):
                known = [n for n in checkpoints if f"hv_{n}" in runs and runs[f"hv_{n}"].notna().any()]
                curve(axes, np.array(known), runs[[f"hv_{n}" for n in known]].to_numpy(), str(method))
            best = hypervolume(task.truth, task.box)
            axes.axhline(
                best, color="black", linewidth=0.8, linestyle=(0, (1, 2)), label="best in this table"
            )
            low = frame[frame["task"] == name]["hv_50"].median()
            axes.set_ylim(low - 0.2 * (best - low), best + 0.06 * (best - low))
            axes.set_xscale("log")
            _plain_log(axes.xaxis)
            axes.set_title(f"{task.title}\nseen: {task.searched}", fontsize=7.5)
            axes.set_xlabel("evaluations")
            axes.set_ylabel("hypervolume (mean test error)")
        for axes in list(panels.flat)[len(tasks) :]:
            axes.axis("off")
        handles, labels = panels.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
        _save(figure, file)


def preference(
    frame: pd.DataFrame,
    tasks: Mapping[str, Task],
    wanted: Mapping[str, str],
    checkpoints: Sequence[int],
    file: Path,
) -> None:
    """Left: dominated share of the wanted region. Right: a typical front of each around the aspiration."""
    styles = {
        "with preference": {"color": "#D55E00", "marker": "o"},
        "without preference": {"color": "#0072B2", "marker": "s", "linestyle": "--"},
    }
    checkpoints = [n for n in checkpoints if f"region_{n}" in frame]
    with plt.rc_context(PLAIN):
        figure, panels = plt.subplots(
            len(tasks), 2, figsize=(9.2, 3.4 * len(tasks)), squeeze=False, layout="constrained"
        )
        for (left, right), (name, task) in zip(panels, tasks.items(), strict=True):
            everything = task.everything.set_index("architecture")
            of_task = frame[frame["task"] == name]
            right.scatter(
                everything["params"] / 1e6,
                everything["test_error"],
                s=4,
                color="#CCCCCC",
                linewidth=0,
                rasterized=True,
            )
            for method, style in styles.items():
                runs = of_task[of_task["method"] == method]
                if runs.empty:
                    continue
                values = runs[[f"region_{n}" for n in checkpoints]].to_numpy()
                curve(left, np.array(checkpoints), values, method, style)
                typical = runs.sort_values(f"region_{checkpoints[-1]}")["front"].iloc[len(runs) // 2].split()
                points = everything.loc[typical]
                right.scatter(
                    points["params"] / 1e6,
                    points["test_error"],
                    s=26,
                    facecolors="none",
                    edgecolors=style["color"],
                    marker=style["marker"],
                    linewidth=1.3,
                    label=method,
                )
            levels = dict(part.split("=") for part in wanted[name].split(", "))
            error = float(levels["error"].rstrip("%"))
            params = float(levels["params"].replace("M", "e6").replace("k", "e3")) / 1e6
            right.plot(
                params,
                error,
                marker="*",
                color="black",
                markersize=12,
                linestyle="none",
                label=f"wanted: {wanted[name]}",
            )
            low, high = task.truth[:, 0].min(), task.truth[:, 0].max()
            right.set_ylim(low - 0.05 * (high - low), high)
            right.set_xscale("log")
            _plain_log(right.xaxis)
            right.set_xlabel("parameters (millions)")
            right.set_ylabel("test error (%)")
            right.set_title(f"fronts of typical runs after {checkpoints[-1]} evaluations", fontsize=8)
            right.legend(fontsize=7.5)
            left.set_xlabel("evaluations")
            left.set_ylabel("share of the wanted region dominated")
            left.set_title(f"{task.title}; wanted: {wanted[name]}", fontsize=8)
            left.legend()
        _save(figure, file)


def ablation(
    frame: pd.DataFrame, tasks: Mapping[str, Task], families: Sequence[tuple[Sequence[str], int]], file: Path
) -> None:
    """The missing share of hypervolume of each variant: quartiles as a bar, each run a dot, the whole algorithm as a line."""
    with plt.rc_context(PLAIN):
        figure, panels = plt.subplots(
            len(families), len(tasks), figsize=(5.0 * len(tasks), 2.7 * len(families)), squeeze=False,
            layout="constrained", sharey="row",
        )  # fmt: skip
        rng = np.random.default_rng(0)
        for line, (methods, budget) in zip(panels, families, strict=True):
            for axes, (name, task) in zip(line, tasks.items(), strict=True):
                of_task = frame[frame["task"] == name]
                for i, method in enumerate(reversed(methods)):
                    share = of_task[of_task["method"] == method][f"hv_{budget}"].dropna().to_numpy()
                    lost = np.maximum(100.0 * (1.0 - share), 0.01)
                    if len(lost) == 0:
                        continue
                    colour = "#D55E00" if method == methods[0] else "#0072B2"
                    low, middle, high = np.quantile(lost, (0.25, 0.5, 0.75))
                    axes.scatter(
                        lost,
                        i + rng.uniform(-0.22, 0.22, len(lost)),
                        s=7,
                        color=colour,
                        alpha=0.4,
                        linewidth=0,
                    )
                    axes.plot([low, high], [i, i], color=colour, linewidth=2.5)
                    axes.plot(middle, i, marker="|", color=colour, markersize=14, markeredgewidth=2.5)
                    if method == methods[0]:
                        axes.axvline(middle, color=colour, linewidth=0.8, linestyle=":")
                axes.set_yticks(range(len(methods)), list(reversed(methods)))
                axes.set_xscale("log")
                _plain_log(axes.xaxis)
                axes.set_xlabel(f"missing hypervolume after {budget} evaluations (%)")
                axes.set_title(f"{task.title}: {', '.join(task.names)}", fontsize=8)
        _save(figure, file)


def scaling(frame: pd.DataFrame, target: float, file: Path) -> None:
    """Evaluations an hour, hours to a target, and quality after all evaluations, against workers."""
    styles = {
        "asynchronous": {"color": "#D55E00", "marker": "o"},
        "generational": {"color": "#0072B2", "marker": "s", "linestyle": "--"},
    }
    shown = (
        ("evaluations_per_hour", "evaluations an hour", True),
        (f"hours_to_{target:g}", f"hours to {100 * target:g}% of the true hypervolume", True),
        ("hv", "share of hypervolume after 300 evaluations", False),
    )
    with plt.rc_context(PLAIN):
        figure, panels = plt.subplots(1, 3, figsize=(11, 3.3), layout="constrained")
        for axes, (column, label, logarithmic) in zip(panels, shown, strict=True):
            for mode, style in styles.items():
                runs = frame[frame["mode"] == mode]
                worst = np.nanmax(frame[column]) * 2  # a run that never gets there lies above all that do
                by_count = runs.assign(value=runs[column].fillna(worst)).groupby("workers")["value"]
                low, middle, high = (by_count.quantile(q).to_numpy() for q in (0.25, 0.5, 0.75))
                workers = np.sort(runs["workers"].unique())
                axes.plot(workers, middle, label=mode, markersize=4, linewidth=1.4, **style)
                axes.fill_between(workers, low, high, alpha=0.15, linewidth=0, color=style["color"])
                if column == "evaluations_per_hour" and mode == "asynchronous":
                    axes.plot(
                        workers,
                        middle[0] * workers,
                        color="#888888",
                        linewidth=0.8,
                        linestyle=":",
                        label="in proportion",
                    )
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_formatter("{x:g}")
            axes.set_xticks(workers)
            if logarithmic:
                axes.set_yscale("log")
                _plain_log(axes.yaxis)
            axes.set_xlabel("workers")
            axes.set_ylabel(label)
        panels[0].legend()
        _save(figure, file)
