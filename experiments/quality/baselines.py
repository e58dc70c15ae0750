"""The four published tables of `compare.yaml`, by the searches without a model, as they are now.

`nice python experiments/quality/baselines.py` runs what `results/baselines.csv` lacks, a fraction of a second for each run, and writes
`results/baselines.md`. With `--methods sa-moead` and `--measured` also other searches.
"""

from __future__ import annotations

import argparse
import os
from functools import cache
from pathlib import Path

import searches  # before numpy: one thread

# isort: split
import numpy as np
import pandas as pd
from five_vertices import cells
from searches import Problem

from nas.core.records import Architecture, FloatArray
from nas.core.space import SearchSpace
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import Box, hypervolume
from search_spaces.nasbench201 import NASBench201

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("NAS_SHARED_DATA", HERE.parents[2] / "shared" / "data"))
OBJECTIVES = ("error", "params", "madds")
METHODS = (
    *("moead", "nsga2", "nsga3", "scalarized-evolution", "regularized-evolution", "local-search"),
    *("pymoo-nsga2:operators=categorical,population=15", "random"),
)
COLUMNS = {  # of the table, by problem
    "nasbench201-cifar10": "cifar10_test_acc_200",
    "nasbench201-cifar100": "cifar100_test_acc_200",
    "nasbench201-imagenet16": "imagenet16_test_acc_200",
}


def tabular(name: str, space: SearchSpace, table: dict[Architecture, FloatArray]) -> Problem:
    """A problem from the objectives (3,) of every canonical architecture."""
    every = np.array(list(table.values()))
    front = every[non_dominated(every)]
    box = Box(front.min(axis=0), front.max(axis=0) + 0.1 * np.ptp(front, axis=0))
    best = hypervolume(front, box)

    def values(genes: FloatArray) -> FloatArray:
        rows = (Architecture(space.name, tuple(row)) for row in np.asarray(genes, dtype=int).tolist())
        return np.array([table[space.canonical(a)] for a in rows])

    return Problem(
        name, lambda: space, OBJECTIVES, ("error",), values, lambda points: hypervolume(points, box) / best
    )


@cache
def nasbench201(name: str, data: str) -> Problem:
    """NAS-Bench-201: test error after 200 epochs, parameters and multiply-adds of the CIFAR-10 network."""
    frame, space = pd.read_parquet(f"{data}/nasbench201/archs.parquet"), NASBench201()
    keys = [Architecture(space.name, tuple(map(int, text))) for text in frame["ops"]]
    errors = dict(zip(keys, (100.0 - frame[COLUMNS[name]]).tolist(), strict=True))
    table = {a: np.array([errors[a], *space.cost(a).values()]) for a in space.enumerate()}
    return tabular(name, space, table)


@cache
def nasbench101(data: str) -> Problem:
    """NASBench-101, cells of at most five vertices: test error after 108 epochs, parameters, multiply-adds."""
    space = cells(f"{data}/nasbench101_5v")
    return tabular("nasbench101_5v", space, {a: np.array(row) for a, row in space.values.items()})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tables", nargs="+", default=[*COLUMNS, "nasbench101_5v"])
    parser.add_argument("--data", type=Path, default=DATA)
    searches.add_arguments(parser, HERE / "results" / "baselines.csv", METHODS)
    args = parser.parse_args()
    data = str(args.data)
    searches.main(args, [nasbench201(t, data) if t in COLUMNS else nasbench101(data) for t in args.tables])


if __name__ == "__main__":
    main()
