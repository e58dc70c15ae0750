"""Used share of the workers' time: the asynchronous pool beside a barrier after every generation.

Evaluations only sleep: 50 ms to 500 ms, a truncated Pareto distribution (index 1.1) drawn from the seed, so that a few take
ten times as long as most. Both run the same trials on the same executor and the same workers, by turns:

- `asynchronous`: a result is answered with the next trial at once, `workers` trials out at a time;
- `generational`: `generation` trials are submitted together, and the next when all of them are back.

Utilisation is the sum of the times inside the evaluator over (last finish - first start) x workers. The drain at
the end, when the last trials run on some workers only, is part of it. Workers that sleep need no core each.

    python experiments/speed/ray_utilisation.py --out experiments/speed/results/ray_utilisation.csv
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from nas.core.executor import Executor
from nas.core.records import Architecture, Result, Trial
from nas.executors import RaySettings
from nas.executors.ray import RayExecutor

SHORTEST_S, LONGEST_S, INDEX = 0.05, 0.5, 1.1


@dataclass(frozen=True)
class Row:
    """One run: `mean_s` is the mean time inside the evaluator, `wall_s` from first start to last finish."""

    mode: str
    workers: int
    repeat: int
    trials: int
    mean_s: float
    wall_s: float
    utilisation: float


def sleeping_times(n: int, rng: np.random.Generator) -> list[float]:
    """Seconds, from the Pareto distribution cut off at `LONGEST_S`, by inversion."""
    below = 1.0 - (SHORTEST_S / LONGEST_S) ** INDEX
    return [float(t) for t in SHORTEST_S * (1.0 - rng.uniform(0.0, below, n)) ** (-1.0 / INDEX)]


def evaluate(trial: Trial) -> Mapping[str, float]:
    time.sleep(trial.budget or 0.0)
    return {"error": 0.0}


def asynchronous(executor: Executor, trials: Iterator[Trial], workers: int) -> list[Result]:
    results: list[Result] = []
    out = 0
    while True:
        while out < workers and (trial := next(trials, None)) is not None:
            executor.submit(trial)
            out += 1
        if out == 0:
            return results
        arrived = executor.collect()
        out -= len(arrived)
        results += arrived


def generational(generation: int) -> Callable[[Executor, Iterator[Trial], int], list[Result]]:
    def run(executor: Executor, trials: Iterator[Trial], workers: int) -> list[Result]:
        results: list[Result] = []
        while batch := [trial for _, trial in zip(range(generation), trials, strict=False)]:
            for trial in batch:
                executor.submit(trial)
            expected = len(results) + len(batch)
            while len(results) < expected:
                results += executor.collect()
        return results

    return run


def measure(mode: str, workers: int, repeat: int, results: list[Result]) -> Row:
    if not all(result.ok for result in results):
        raise SystemExit(f"a trial failed: {next(r.error for r in results if not r.ok)}")
    wall = max(r.finished for r in results) - min(r.started for r in results)
    used = sum(r.seconds for r in results)
    return Row(
        mode, workers, repeat, len(results), round(used / len(results), 4), round(wall, 3),
        round(used / (wall * workers), 4),
    )  # fmt: skip


def run(workers: int, options: argparse.Namespace) -> list[Row]:
    modes = {
        "asynchronous": asynchronous,
        f"generational_{options.generation}": generational(options.generation),
    }
    executor = RayExecutor(evaluate, RaySettings(workers=workers))
    rows = []
    try:
        for number in range(workers):  # bring the workers up before anything is timed
            executor.submit(Trial(number, Architecture("sleep", ()), 0, 0.5))
        while executor.free < workers:
            executor.collect()
        for repeat in range(options.repeats):
            times = sleeping_times(options.trials, np.random.default_rng([options.seed, repeat]))
            for mode, drive in modes.items():
                trials = (Trial(i, Architecture("sleep", (i,)), repeat, t) for i, t in enumerate(times))
                rows.append(measure(mode, workers, repeat, drive(executor, trials, workers)))
    finally:
        executor.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--generation", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    rows = [row for workers in options.workers for row in run(workers, options)]
    print(f"{'mode':<18} workers  median utilisation  (lowest .. highest of {options.repeats})")
    for mode, workers in dict.fromkeys((row.mode, row.workers) for row in rows):
        used = [row.utilisation for row in rows if (row.mode, row.workers) == (mode, workers)]
        print(
            f"{mode:<18} {workers:>7}  {statistics.median(used):>18.1%}  ({min(used):.1%} .. {max(used):.1%})"
        )
    if options.out is not None:
        with options.out.open("w", newline="", encoding="utf-8") as file:
            file.write(f"# python {' '.join(sys.argv)}\n")
            writer = csv.writer(file)
            writer.writerow([field.name for field in fields(Row)])
            writer.writerows(astuple(row) for row in rows)


if __name__ == "__main__":
    main()
