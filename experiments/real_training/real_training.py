"""Real training: does sa-moead reach MOEA/D's front with half the evaluations, without any table?

The search of `make search` (MUXNet `tiny` on the digits: every candidate is trained, see nas/config/searches/muxnet-tiny.yaml),
by both algorithms, for each seed. Runs are ordinary run folders under `--runs`: an interrupted one continues, a
complete one is only read. `results/curves.csv` has every front's hypervolume after each evaluation, `results/summary.csv`
and `results/README.md` the conclusions; `--report` writes those again from the curves.

    python experiments/real_training/real_training.py --runs runs/real --seeds 5 --jobs 2
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a run has one core; before numpy and torch are loaded

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from nas.config.assemble import assemble, built_in_config
from nas.config.schema import check_config, override, read_config
from nas.core.records import FloatArray
from nas.engine.run import run as search
from nas.pareto.indicators import Box, hypervolume_curve, pareto_ranks
from nas.runs.history import FILE

RESULTS = Path(__file__).parent / "results"
OBJECTIVES = ["error", "params", "madds"]
BUDGETS = {"moead": 100, "sa-moead": 50}
SCALES = {"linear": lambda points: points, "logarithmic": np.log10}
COLOURS = {"moead": "#d55e00", "sa-moead": "#0072b2"}


def run(folder: Path, job: tuple[str, int]) -> pd.DataFrame:
    """Every evaluation of one search, in the order of telling; an interrupted search continues."""
    algorithm, seed = job
    out = folder / f"{algorithm}-{seed}"
    path = built_in_config("muxnet-tiny")
    assert path is not None
    values = read_config(path)
    settings = values["algorithm"] if algorithm == "sa-moead" else algorithm
    values |= {"algorithm": settings, "budget": BUDGETS[algorithm], "seed": seed, "executor": "serial"}
    spec = assemble(check_config(override(values, ())))
    found = search(replace(spec, out=out, resume=(out / FILE).exists(), keep_weights=False))
    told = found.history[found.history["status"] == "ok"][: BUDGETS[algorithm]]  # a run may be longer
    print(f"{algorithm}, seed {seed}: {len(told)} evaluations, front of {len(found.front)}", flush=True)
    return told[OBJECTIVES].assign(algorithm=algorithm, seed=seed, evaluations=np.arange(1, len(told) + 1))


def common_box(points: FloatArray) -> Box:
    """From the ideal of the front of all results to a tenth of the range beyond its nadir."""
    front = points[pareto_ranks(points) == 0]
    ideal, nadir = front.min(axis=0), front.max(axis=0)
    return Box(ideal, nadir + 0.1 * (nadir - ideal))


def curves(told: pd.DataFrame) -> pd.DataFrame:
    """Hypervolume after each evaluation of each run, on either scale, as a share of that of all runs together."""
    rows = []
    for scale, transform in SCALES.items():
        points = transform(told[OBJECTIVES].to_numpy(dtype=np.float64).clip(min=1e-3))
        box = common_box(points)
        all_found = hypervolume_curve(points, box, steps=2)[-1]
        for (algorithm, seed), of_run in told.groupby(["algorithm", "seed"], sort=False):
            mine = transform(of_run[OBJECTIVES].to_numpy(dtype=np.float64).clip(min=1e-3))
            share = hypervolume_curve(mine, box, steps=len(mine)) / all_found
            rows.append(
                pd.DataFrame(
                    {
                        "scale": scale,
                        "algorithm": algorithm,
                        "seed": seed,
                        "evaluations": of_run["evaluations"],
                    }
                ).assign(hypervolume=share.round(5))
            )
    return pd.concat(rows, ignore_index=True)


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """For each scale, seed and budget of MOEA/D: the evaluations in which sa-moead has the same hypervolume."""
    rows = []
    for (scale, seed), of_seed in frame.groupby(["scale", "seed"], sort=False):
        both = {name: part["hypervolume"].to_numpy() for name, part in of_seed.groupby("algorithm")}
        if len(both) < 2:
            continue
        for budget in (30, 60, 100):
            target = both["moead"][budget - 1]
            reached = np.flatnonzero(both["sa-moead"] >= target)
            needed = int(reached[0]) + 1 if len(reached) else np.inf
            rows.append(
                {
                    "scale": scale,
                    "seed": seed,
                    "moead_evaluations": budget,
                    "moead_hypervolume": target,
                    "sa_moead_evaluations": needed,
                    "share": needed / budget,
                }
            )
    return pd.DataFrame(rows)


def draw(frame: pd.DataFrame, path: Path) -> None:
    """Median and range over seeds, one panel per scale."""
    figure, axes = plt.subplots(1, len(SCALES), figsize=(9, 3.6), sharex=True, layout="constrained")
    for axis, (scale, of_scale) in zip(axes, frame.groupby("scale", sort=False), strict=True):
        for name, part in of_scale.groupby("algorithm"):
            table = part.pivot(index="evaluations", columns="seed", values="hypervolume")
            axis.fill_between(
                table.index, table.min(axis=1), table.max(axis=1), color=COLOURS[name], alpha=0.2, lw=0
            )
            axis.plot(table.index, table.median(axis=1), color=COLOURS[name], label=name)
        axis.set(title=f"{scale} scale", xlabel="networks trained", ylim=(0.0, 1.0))
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("hypervolume, share of all runs' together")
    axes[1].legend(loc="lower right")
    figure.savefig(path, dpi=150)


def report(frame: pd.DataFrame) -> None:
    """Write the summary of the curves."""
    table = summary(frame)
    table.round(4).to_csv(RESULTS / "summary.csv", index=False)
    draw(frame, RESULTS / "curves.png")
    lines = [
        "# Evaluations of sa-moead to the hypervolume of MOEA/D",
        "",
        "Written by `python experiments/real_training/real_training.py`. MUXNet `tiny` on the digits, each network trained for four",
        "epochs; hypervolume of validation error, parameters and multiply-adds, in the box from the joint ideal of all runs to a",
        "tenth of the range beyond its nadir, on the raw objectives (linear) and on their logarithms. Median over seeds, and",
        "(least to most); `>` more than the budget of the search.",
        "",
        "| scale | MOEA/D's evaluations | sa-moead's evaluations for the same | share | seeds at most half |",
        "|---|---|---|---|---|",
    ]
    for (scale, budget), part in table.groupby(["scale", "moead_evaluations"], sort=False):
        needed, share = part["sa_moead_evaluations"], part["share"]
        lines.append(
            f"| {scale} | {budget} | {_number(needed.median())} ({_number(needed.min())} to {_number(needed.max())}) | "
            f"{_number(share.median(), 2, BUDGETS['sa-moead'] / budget)} | {(share <= 0.5).sum()} of {len(part)} |"
        )
    lines += [
        "",
        "The same hypervolume at equal numbers of evaluations, median over seeds (least to most):",
        "",
    ]
    lines += [
        "| scale | evaluations | moead | sa-moead | seeds where sa-moead has more |",
        "|---|---|---|---|---|",
    ]
    for scale, of_scale in frame.groupby("scale", sort=False):
        for evaluations in (20, 30, 40, 50):
            at = of_scale[of_scale["evaluations"] == evaluations].pivot(
                index="seed", columns="algorithm", values="hypervolume"
            )
            cells = [f"{at[a].median():.3f} ({at[a].min():.3f} to {at[a].max():.3f})" for a in BUDGETS]
            more = f"{int((at['sa-moead'] > at['moead']).sum())} of {len(at)}"
            lines.append(f"| {scale} | {evaluations} | {cells[0]} | {cells[1]} | {more} |")
    (RESULTS / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines[7:]))


def _number(value: float, digits: int = 0, given: float = BUDGETS["sa-moead"]) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else f"> {given:.{digits}f}"


def main() -> None:
    """Run the missing searches, then report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, help="folder of the runs; needed unless --report")
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 1")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, each on one core")
    parser.add_argument("--report", action="store_true", help="run nothing")
    args = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    if args.report:
        frame = pd.read_csv(RESULTS / "curves.csv")
    elif args.runs is None:
        raise SystemExit("--runs FOLDER: set the folder of the runs")
    else:
        jobs = [(algorithm, seed) for seed in range(1, args.seeds + 1) for algorithm in BUDGETS]
        with ProcessPoolExecutor(args.jobs) as pool:
            frame = curves(pd.concat(pool.map(partial(run, args.runs), jobs), ignore_index=True))
        frame.to_csv(RESULTS / "curves.csv", index=False)
    report(frame)


if __name__ == "__main__":
    main()
