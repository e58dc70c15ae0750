"""A search by inherited weights over many networks: memory, and the same results after interruptions.

    python experiments/weight_sharing/many.py [--networks 5000] [--interruptions 3] [--out runs/many]

The space is NAS-Bench-201 with 4 channels on the digits, so that an evaluation takes about a tenth of a second. One search runs without interruption; the
other is stopped after a part of the evaluations, some times, and resumed. The script prints the memory of the process (resident set) over the first search, and whether
both histories are equal. A killed script continues both searches.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy loads its libraries

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

import nas
from nas.engine.search_state import SearchState
from nas.sharing import SharedEvaluator, SupernetSettings
from nas.training import Recipe
from search_spaces.nasbench201 import NASBench201

COMPARED = [
    "trial",
    "architecture",
    "budget",
    "seed",
    "status",
    "error",
    "inherited_error",
    "inherited_loss",
    "told",
]


def search(out: Path, budget: int, callback: Callable[[SearchState], None]) -> nas.SearchResult:
    """The search in the folder `out`, continued if it is there."""
    space = NASBench201(channels=4, cells_per_stage=1)
    recipe = Recipe(epochs=2, batch_size=64)
    evaluator = SharedEvaluator(space, recipe=recipe, supernet=SupernetSettings(epochs=8))
    return nas.search(
        space,
        ["error", "params"],
        evaluate=evaluator,
        algorithm="moead",
        budget=budget,
        seed=0,
        out=out,
        resume=(out / "history.sqlite").is_file(),
        callbacks=[callback],
    )


class Memory:
    """Records the resident set (MB) of this process over the evaluations."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.rows: list[dict[str, float]] = []
        self._process, self._start = psutil.Process(), time.monotonic()

    def __call__(self, state: SearchState) -> None:
        if state.evaluated % self.every == 0:
            memory = self._process.memory_info().rss / 1e6
            seconds = time.monotonic() - self._start
            self.rows.append(
                {"evaluations": state.evaluated, "memory_mb": round(memory, 1), "seconds": round(seconds, 1)}
            )
            print(f"{state.evaluated:6d} evaluations: {memory:7.1f} MB, {seconds:7.1f} s", flush=True)


def stop_at(evaluations: int) -> Callable[[SearchState], None]:
    """A callback that interrupts like Ctrl-C."""

    def callback(state: SearchState) -> None:
        if state.evaluated >= evaluations:
            raise KeyboardInterrupt

    return callback


def growth(rows: pd.DataFrame) -> float:
    """Memory (MB) that each further 1,000 evaluations take, over the second half."""
    half = rows[rows["evaluations"] >= rows["evaluations"].max() / 2]
    return float(np.polyfit(half["evaluations"], half["memory_mb"], 1)[0] * 1000)


def main() -> None:
    """Run both searches and print the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", type=int, default=5000)
    parser.add_argument("--interruptions", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/many"))
    args = parser.parse_args()
    memory = Memory(max(1, args.networks // 20))
    whole = search(args.out / "whole", args.networks, memory).history
    for part in range(1, args.interruptions + 1):
        search(args.out / "resumed", args.networks, stop_at(part * args.networks // (args.interruptions + 1)))
    resumed = search(args.out / "resumed", args.networks, lambda state: None).history
    pd.testing.assert_frame_equal(resumed[COMPARED], whole[COMPARED])
    print(
        f"{len(whole)} evaluations, {whole['architecture'].nunique()} networks: equal after {args.interruptions} interruptions"
    )
    rows = pd.DataFrame(memory.rows)
    if len(rows) > 2:
        print(
            f"memory: {rows['memory_mb'].iloc[-1]:.0f} MB at the end, {growth(rows):+.1f} MB for each further 1,000 evaluations"
        )


if __name__ == "__main__":
    main()
