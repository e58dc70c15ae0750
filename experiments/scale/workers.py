"""Number of workers that one search keeps busy: simulated with 10-second evaluations, and the real dispatch rate.

`use`: whole searches on the executor `simulated` with `thinking`. An evaluation takes 10 s on average (log-normal,
sigma 0.5: half as long to twice as long for most), the search's own computing is measured as processor time of this
process, so that other work on the machine does not count, and passes on the virtual clock. Use is the time that workers
were busy over all their time, from the first start to the last.

`rate`: trials a second that do nothing, submitted at once: bare Ray tasks and the executor `ray`, by turns on one
cluster, each with as many workers.

    python experiments/scale/workers.py use rate --out experiments/scale/results

One file per algorithm; the figure shows all existing ones.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

import nas
from nas.core.evaluator import Evaluate
from nas.core.executor import Executor
from nas.core.plugins import registry
from nas.core.records import Architecture, Trial
from nas.engine.loop import LoopSettings
from nas.executors import EXECUTORS, RaySettings, SimulatedExecutor, SimulatedSettings

SECONDS, SIGMA = 10.0, 0.5
SPACE = "muxnet-tiny"
GOAL_USE, GOAL_RATE = 0.95, 0.80
STYLES = {"random": ("o", "#0072B2"), "moead": ("s", "#009E73"), "sa-moead": ("^", "#D55E00")}


def made_up(trial: Trial) -> Mapping[str, float]:
    """An error that rises with the genes' distance from a hidden network, and a time around ten seconds."""
    rng = np.random.default_rng([trial.seed, 1])
    distance = sum((g - i % 3) ** 2 for i, g in enumerate(trial.architecture.genes))
    return {
        "error": 5.0 + distance**0.5 + float(rng.normal(0.0, 0.2)),
        "train_seconds": SECONDS * float(rng.lognormal(-(SIGMA**2) / 2, SIGMA)),
    }


def simulated(workers: int) -> Callable[[Evaluate, frozenset[str]], Executor]:
    settings = SimulatedSettings(workers, seconds="train_seconds", thinking=True)
    return lambda evaluate, required: SimulatedExecutor(
        evaluate, settings, required=required, stopwatch=time.process_time
    )


def use(options: argparse.Namespace) -> pd.DataFrame:
    """One row per search: the used share of the workers' time, and the search's own seconds per evaluation."""
    rows = []
    for repeat in range(options.repeats):
        for algorithm in options.algorithms:
            for workers in options.workers:
                evaluations = max(150, options.rounds * workers)
                began = time.process_time()
                history = nas.search(
                    registry("space")[SPACE](), ["error", "params", "madds"], made_up, algorithm=algorithm,
                    executor=simulated(workers), loop=LoopSettings(evaluations, seed=repeat, ordered=False),
                ).history  # fmt: skip
                thought = (time.process_time() - began) / evaluations
                last = history["started"].max()
                busy = (history["finished"].clip(upper=last) - history["started"]).sum()
                rows.append((algorithm, workers, repeat, evaluations, busy / (workers * last), thought))
                print(
                    f"{algorithm:<9} {workers:>4} workers, seed {repeat}: {evaluations} evaluations, "
                    f"use {rows[-1][4]:.1%}, own time {1000 * thought:.1f} ms each",
                    flush=True,
                )
    columns = ["algorithm", "workers", "seed", "evaluations", "use", "own_seconds"]
    return pd.DataFrame(rows, columns=columns).round({"use": 4, "own_seconds": 5})


def nothing(trial: Trial) -> Mapping[str, float]:
    return {"error": 0.0}


def rate(options: argparse.Namespace) -> pd.DataFrame:
    """One row per repeat: trials per second of bare Ray tasks and of the executor."""
    import ray

    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    rows = []
    for workers in options.real_workers:
        ray.init(address="local", num_cpus=2 * workers, include_dashboard=False, log_to_driver=False)
        task = ray.remote(num_cpus=1)(nothing)
        executor = EXECUTORS["ray"](nothing, RaySettings(workers=workers))
        trials = [Trial(i, Architecture("none", (i,)), seed=i) for i in range(options.trials)]
        for repeat in range(-1, options.real_repeats):  # the first brings the processes up
            began = time.perf_counter()
            ray.get([task.remote(trial) for trial in trials])
            bare = options.trials / (time.perf_counter() - began)
            began = time.perf_counter()
            for trial in trials:
                executor.submit(trial)
            arrived = 0
            while arrived < options.trials:
                arrived += len(executor.collect())
            ours = options.trials / (time.perf_counter() - began)
            if repeat >= 0:
                rows.append((workers, repeat, options.trials, bare, ours, ours / bare))
                print(
                    f"{workers} workers: bare tasks {bare:.0f}/s, executor {ours:.0f}/s, ratio {ours / bare:.2f}",
                    flush=True,
                )
        executor.close()
        ray.shutdown()
    columns = ["workers", "repeat", "trials", "bare_per_second", "executor_per_second", "ratio"]
    return pd.DataFrame(rows, columns=columns).round({c: 3 for c in columns[3:]})


def draw(table: pd.DataFrame, file: Path) -> None:
    """Use over the number of workers, one line per algorithm."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(5.0, 3.4), layout="constrained")
    for algorithm, rows in table.groupby("algorithm", sort=False):
        marker, colour = STYLES[str(algorithm)]
        middle = rows.groupby("workers")["use"].median()
        axes.plot(middle.index, 100 * middle, marker=marker, color=colour, label=algorithm)
    axes.axhline(100 * GOAL_USE, color="0.5", linestyle="--", linewidth=1)
    axes.annotate("95%", (1.0, 100 * GOAL_USE), xycoords=("axes fraction", "data"), xytext=(-3, -3),
                  textcoords="offset points", ha="right", va="top", color="0.4", fontsize=8)  # fmt: skip
    axes.set_xscale("log", base=2)
    ticks = sorted(table["workers"].unique())
    axes.set_xticks(ticks, [str(t) for t in ticks])
    axes.minorticks_off()
    axes.set_ylim(0, 103)
    axes.set_xlabel("workers")
    axes.set_ylabel("use of the workers' time (%)")
    axes.legend(frameon=False, loc="lower left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=200)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("parts", nargs="+", choices=["use", "rate"])
    parser.add_argument("--algorithms", nargs="+", default=list(STYLES), choices=list(STYLES))
    parser.add_argument("--workers", type=int, nargs="+", default=[16, 64, 256])
    parser.add_argument("--rounds", type=int, default=2, help="evaluations per worker")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--real-workers", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--real-repeats", type=int, default=7)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if "use" in options.parts:
        table = use(options)
        for algorithm, rows in table.groupby("algorithm"):
            rows.to_csv(options.out / f"workers_use_{algorithm}.csv", index=False)
        known = [options.out / f"workers_use_{name}.csv" for name in STYLES]
        table = pd.concat([pd.read_csv(file) for file in known if file.exists()])
        draw(table, options.out / "workers_use.png")
        print(table.groupby(["algorithm", "workers"])["use"].median().unstack().to_string())
    if "rate" in options.parts:
        table = rate(options)
        table.to_csv(options.out / "workers_rate.csv", index=False)
        for workers, rows in table.groupby("workers"):
            print(
                f"{workers} workers: median ratio {statistics.median(rows['ratio']):.2f} (goal {GOAL_RATE})"
            )


if __name__ == "__main__":
    main()
