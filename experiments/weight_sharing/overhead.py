"""The overhead of an evaluation by inherited weights on a Ray cluster, as a share of the evaluation.

    python experiments/weight_sharing/overhead.py [--evaluations 80] [--workers 2]

Overhead of an evaluation: the time between the end of the previous one of its worker and its own start, and the time on the worker outside the evaluator. The
first two evaluations of each worker, which load PyTorch and the supernet, are shown apart. The space is MUXNet `tiny` on the digits, with random candidates, so that the time of the
algorithm does not count.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy loads its libraries

import argparse
import tempfile
import time
from pathlib import Path

import pandas as pd

import nas
from nas.core.records import Trial
from nas.executors.settings import RaySettings
from nas.sharing import SharedEvaluator, SupernetSettings
from nas.training import Recipe
from search_spaces.muxnet import MUXNetSpace


class Timed:
    """An evaluator that also reports its own time."""

    def __init__(self, evaluator: SharedEvaluator) -> None:
        self._inner = evaluator

    def __call__(self, trial: Trial) -> dict[str, float]:
        start = time.perf_counter()
        values = dict(self._inner(trial))
        return {**values, "evaluation_seconds": time.perf_counter() - start}


def overheads(history: pd.DataFrame) -> pd.DataFrame:
    """The evaluations after the first two of each worker: seconds of the evaluation and of its overhead."""
    found = []
    for _, rows in history.sort_values("started").groupby("worker"):
        waiting = rows["started"] - rows["finished"].shift()
        outside = rows["seconds"] - rows["evaluation_seconds"]
        found.append(
            pd.DataFrame({"evaluation": rows["evaluation_seconds"], "overhead": waiting + outside}).iloc[2:]
        )
    return pd.concat(found)


def main() -> None:
    """Search, and print the shares."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--evaluations", type=int, default=80)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        space = MUXNetSpace("tiny")
        evaluator = SharedEvaluator(
            space, recipe=Recipe(batch_size=64), supernet=SupernetSettings(epochs=1), final=None
        )
        evaluator.prepare()
        found = nas.search(
            space,
            ["error", "params"],
            evaluate=Timed(evaluator),
            algorithm="random",
            budget=args.evaluations,
            executor="ray",
            executor_settings=RaySettings(workers=args.workers),
            out=Path(folder) / "run",
        )
    table = overheads(found.history)
    share = table["overhead"] / table["evaluation"]
    print(f"{len(table)} evaluations on {args.workers} workers")
    print(f"evaluation: median {table['evaluation'].median():.3f} s")
    print(
        f"overhead: median {1e3 * table['overhead'].median():.1f} ms, {share.median():.1%} of the evaluation (quartiles {share.quantile(0.25):.1%} and {share.quantile(0.75):.1%})"
    )
    print(f"all together: {table['overhead'].sum() / table['evaluation'].sum():.1%}")


if __name__ == "__main__":
    main()
