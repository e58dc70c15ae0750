"""How good are the fronts? Every algorithm on two look-up tables with a known true front, beside pymoo's own.

`python experiments/quality/tabular.py [--seeds 21] [--budget 1000] [--workers 1] [--data DIR]`: a few minutes.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymoo_runs
from lookup_tables import OBJECTIVES, TABLES, LookupTable
from matplotlib.ticker import NullFormatter
from scipy.stats import mannwhitneyu

import nas
from nas.algorithms import ALGORITHMS
from nas.records import FloatArray

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
DATA = Path(os.environ.get("NAS_SHARED_DATA", HERE.parents[2] / "shared" / "data"))
CHECKPOINTS = (100, 300, 1000)
OURS = "moead"
COLOURS = (*matplotlib.color_sequences["tab10"], "black")
NAMES = (*ALGORITHMS, *pymoo_runs.ALGORITHMS)


@lru_cache(maxsize=2)
def load(name: str, data: Path) -> LookupTable:
    return TABLES[name](data)


def trajectory(table: LookupTable, algorithm: str, seed: int, budget: int) -> FloatArray:
    """Objectives in the order of evaluation, shape (n, 3)."""
    if algorithm in pymoo_runs.ALGORITHMS:
        return pymoo_runs.run(table, algorithm, seed, budget)
    found = nas.search(table.space, table.objectives(), algorithm=algorithm, budget=budget, seed=seed)
    return found.history[list(OBJECTIVES)].to_numpy(dtype=np.float64)


def one_run(job: tuple[str, str, int, int, Path]) -> tuple[FloatArray, int, float]:
    """The quality curve, padded to the budget; how many unique architectures were evaluated; seconds."""
    name, algorithm, seed, budget, data = job
    table = load(name, data)
    start = time.perf_counter()
    points = trajectory(table, algorithm, seed, budget)
    seconds = time.perf_counter() - start
    curve = table.quality(points)
    return np.pad(curve, (0, budget - len(curve)), mode="edge"), len(points), seconds


def holm(p_values: list[float]) -> list[float]:
    """Adjusted p-values (Holm 1979), in the order given."""
    adjusted, largest = [1.0] * len(p_values), 0.0
    for rank, i in enumerate(np.argsort(p_values, kind="stable").tolist()):
        largest = max(largest, min(1.0, p_values[i] * (len(p_values) - rank)))
        adjusted[i] = largest
    return adjusted


def compare(
    curves: dict[str, FloatArray], table: str, checkpoints: tuple[int, ...]
) -> list[dict[str, object]]:
    """Medians and quartiles of one table, and our MOEA/D against each of the others.

    Two-sided Mann-Whitney tests, corrected by Holm over the other algorithms at each number of evaluations.
    """
    rows: list[dict[str, object]] = []
    for evaluations in checkpoints:
        at = {name: curve[:, evaluations - 1] for name, curve in curves.items()}
        others = [name for name in curves if name != OURS]
        p_values = holm([float(mannwhitneyu(at[OURS], at[name]).pvalue) for name in others])
        adjusted = dict(zip(others, p_values, strict=True))
        for name, values in at.items():
            low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
            difference = np.median(at[OURS]) - median
            if name == OURS:
                verdict = ""
            elif adjusted[name] < 0.05:
                verdict = "moead better" if difference > 0 else "moead worse"
            else:
                verdict = "no difference shown"
            rows.append(
                {
                    "table": table,
                    "evaluations": evaluations,
                    "algorithm": name,
                    "median": median,
                    "lower_quartile": low,
                    "upper_quartile": high,
                    "p_holm": adjusted.get(name, np.nan),
                    "verdict": verdict,
                }
            )
    return rows


def draw(curves: dict[str, dict[str, FloatArray]], file: Path) -> None:
    """Median curves with quartile bands, a panel a table."""
    figure, axes = plt.subplots(1, len(curves), figsize=(13, 5.2), squeeze=False)
    for axis, (table, by_name) in zip(axes[0], curves.items(), strict=True):
        for i, (name, curve) in enumerate(by_name.items()):
            low, median, high = np.quantile(1.0 - curve, (0.25, 0.5, 0.75), axis=0)
            steps = np.arange(1, curve.shape[1] + 1)
            style, color = "--" if name.startswith("pymoo") else "-", COLOURS[i % len(COLOURS)]
            axis.plot(steps, median, style, color=color, label=name, lw=2.5 if name == OURS else 1.2)
            axis.fill_between(steps, low, high, color=color, alpha=0.08, lw=0)
        axis.set(title=table, xlabel="unique architectures evaluated", xscale="log", yscale="log")
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_xlim(20, curve.shape[1])
        axis.set_ylim(1e-4, 1.0)
        axis.set_ylabel("hypervolume missing, share of the true front's")
        axis.grid(alpha=0.3)
    axes[0][0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(file, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=21)
    parser.add_argument("--budget", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    checkpoints = tuple(c for c in CHECKPOINTS if c <= args.budget)
    keys = [(table, name) for table in TABLES for name in NAMES]
    jobs = [(*key, seed, args.budget, args.data) for key in keys for seed in range(args.seeds)]
    with ProcessPoolExecutor(args.workers) as pool:
        outcomes = list(pool.map(one_run, jobs, chunksize=args.seeds))
    curves: dict[str, dict[str, FloatArray]] = {table: {} for table in TABLES}
    effort = []
    for i, (table, name) in enumerate(keys):
        mine = outcomes[i * args.seeds : (i + 1) * args.seeds]
        curves[table][name] = np.array([curve for curve, _, _ in mine])
        unique, seconds = np.median([u for _, u, _ in mine]), np.median([s for _, _, s in mine])
        effort.append({"table": table, "algorithm": name, "unique": unique, "seconds_a_run": seconds})
    rows = [row for table in TABLES for row in compare(curves[table], table, checkpoints)]
    frame = pd.DataFrame(rows).merge(pd.DataFrame(effort), on=["table", "algorithm"])
    args.out.mkdir(parents=True, exist_ok=True)
    frame.round(5).to_csv(args.out / "tabular.csv", index=False)
    draw(curves, args.out / "tabular.png")
    for name in TABLES:
        table = load(name, args.data)
        print(f"{name}: {len(table.values):,} architectures, {table.front_size} on the true front")
    print(frame.round(4).to_string(index=False))


if __name__ == "__main__":
    main()
