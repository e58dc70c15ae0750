"""Does a search with successive halving gain from models that see every budget?

    PYTHONPATH=experiments/quality python experiments/halving/fidelities.py [--data ../shared/data] [--tables nasbench201 cells] [--seeds 21]

Two tables with results of several budgets: NAS-Bench-201 on CIFAR-10 (validation error after 12 epochs, test error after 200, a schedule of its own) and
the NASBench-101 cells of at most five vertices (validation error after two and four epochs, test error after 108). Each rung continues a third of
the last. `every` is `sa-moead`; `first` the same algorithm told the results of the first rung alone
(rows of `value` are of an earlier model). A run is scored by the hypervolume
of the true errors after the longest training and the parameters, up to the worst tenth of the errors: `front` of the networks that had the highest budget, `trained` of
all that were trained at all, both as shares of the whole table's. Each result is appended to results.csv; what is there is not computed again.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy loads its libraries

import argparse
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from five_vertices import cells

import nas
from nas.algorithms.sa_moead import SAMOEAD, SAMOEADSettings
from nas.core.records import Architecture, FloatArray
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import Box, hypervolume
from search_spaces.nasbench101 import NASBench101
from search_spaces.nasbench201 import NASBench201

RESULTS = Path(__file__).parent / "results.csv"
KEY = ["table", "budget", "told", "seed"]


@dataclass(frozen=True)
class Table:
    """Errors (n, r) of n architectures at r budgets, 1, 3, 9, ...; the last column has the true ones."""

    space: Any
    rows: dict[Architecture, int]
    errors: FloatArray

    @property
    def budgets(self) -> list[int]:
        """The budgets of the search, in order."""
        return [3**r for r in range(self.errors.shape[1])]

    def __call__(self, trial: nas.Trial) -> dict[str, float]:
        row = self.rows[trial.architecture]
        return {"error": float(self.errors[row, self.budgets.index(int(trial.budget or 0))])}


def nasbench201(data: Path) -> Table:
    """NAS-Bench-201 on CIFAR-10."""
    frame, space = pd.read_parquet(data / "nasbench201" / "archs.parquet"), NASBench201()
    columns = frame[["cifar10_val_acc_12", "cifar10_test_acc_200"]].to_numpy()
    return Table(space, {space.parse(text): i for i, text in enumerate(frame["ops"])}, 100.0 - columns)


def five_vertex_cells(data: Path) -> Table:
    """The cells of at most five vertices with a result at every budget; the others keep the worst error of a rung."""
    space, full = cells(str(data / "nasbench101_5v")), NASBench101()
    records = pd.read_parquet(data / "nasbench101_5v" / "records.parquet").query("campaign == '5v'")
    short = records.pivot(index=["adjacency", "ops"], columns="epochs", values="val_accuracy")[[2.0, 4.0]]
    by_cell = {
        full.canonical(full.parse(f"{bits}-{ops}")): 100.0 - 100.0 * row
        for (bits, ops), row in zip(short.index, short.to_numpy(), strict=True)
    }
    unknown = np.full(2, 100.0)
    errors = [[*by_cell.get(space._cells[a], unknown), values[0]] for a, values in space.values.items()]
    return Table(
        space, {a: i for i, a in enumerate(space.values)}, np.nan_to_num(np.array(errors), nan=100.0)
    )


TABLES = {"nasbench201": nasbench201, "cells": five_vertex_cells}


def first_only(problem: Any, rng: np.random.Generator, settings: Any = None) -> SAMOEAD:
    """`sa-moead` that is told the results of the first rung alone."""
    made = SAMOEAD(problem, rng, settings)
    made.every_budget = False
    return made


first_only.Settings = SAMOEADSettings  # type: ignore[attr-defined]


def scores(table: Table, told: str, budget: int, seed: int) -> dict[str, float]:
    """The scores of one search, and the seconds of the processor for an evaluation."""
    start = time.process_time()
    found = nas.search(
        table.space, [nas.Objective("error", "%", best=0.0), "params"], table,
        algorithm="sa-moead" if told == "every" else first_only, budget=budget, seed=seed,
        loop={"halving": {"first": 1, "last": table.budgets[-1], "eta": 3.0}},
    )  # fmt: skip
    seconds = (time.process_time() - start) / budget
    problem = nas.Problem(table.space, ["params"])
    every = np.array([problem.cheap_values(a)["params"] for a in table.rows])
    points = np.column_stack([table.errors[:, -1], every])
    box = Box(points.min(axis=0), np.array([np.quantile(points[:, 0], 0.9), points[:, 1].max()]))

    def share(rows: Sequence[int]) -> float:
        some = points[rows]
        some = some[(some < box.reference).all(axis=1)]
        return hypervolume(some[non_dominated(some)], box)

    space, whole = table.space, share(range(len(points)))
    history = found.history.assign(
        row=[table.rows[space.canonical(space.parse(text))] for text in found.history["architecture"]]
    )
    longest = history[history["budget"] == history["budget"].max()]
    parts = {"front": longest["row"].tolist(), "trained": history["row"].unique().tolist()}
    return {name: share(rows) / whole for name, rows in parts.items()} | {"seconds": seconds}


def main() -> None:
    """Fill the table and print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--budgets", nargs="+", type=int, default=[100])
    parser.add_argument("--seeds", type=int, default=21)
    args = parser.parse_args()
    engine = subprocess.run(
        ["git", "rev-parse", "--short=8", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    frame = pd.read_csv(RESULTS, dtype={"engine": str}) if RESULTS.exists() else pd.DataFrame(columns=KEY)
    done = set(frame[KEY].itertuples(index=False, name=None))
    for name in args.tables:
        table = TABLES[name](args.data)
        keys = [
            (name, b, told, s) for b in args.budgets for s in range(args.seeds) for told in ("first", "every")
        ]
        for key in [key for key in keys if key not in done]:
            row = (
                dict(zip(KEY, key, strict=True)) | scores(table, key[2], key[1], key[3]) | {"engine": engine}
            )
            pd.DataFrame([row]).to_csv(
                RESULTS, mode="a", header=not RESULTS.exists(), index=False, float_format="%.4f"
            )
    if RESULTS.exists():
        shown = pd.read_csv(RESULTS).groupby(["table", "budget", "told"])[["front", "trained", "seconds"]]
        print(shown.quantile([0.25, 0.5, 0.75]).unstack().to_string(float_format="%.3f"))


if __name__ == "__main__":
    main()
