"""Kendall's tau of each surrogate, and of the selector's choice, on unseen cells.

`python experiments/surrogates/kendall_tau.py [--seeds 21] [--minutes 20] [--data DIR]`. Every result is appended to
`results/raw.csv` at once; existing results are not computed again. One process, one thread.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy loads its libraries

import argparse
import csv
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from report import write_report
from sklearn.ensemble import ExtraTreesRegressor
from tables import TABLES, Cells

from nas.core.records import Architecture, FloatArray
from nas.core.space import one_hot
from nas.core.surrogate import Surrogate
from surrogates import SURROGATES
from surrogates.candidates import Candidate, Encoding, default_candidates, encode, encodings_of
from surrogates.quality import coverage, kendall_tau, rmse
from surrogates.selector import Selector
from surrogates.targets import RankNormal, Transformed

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
DATA = Path(os.environ.get("NAS_SHARED_DATA", HERE.parents[2] / "shared" / "data"))
SIZES = (50, 100, 200, 400, 1000)
HELD_OUT = 1000
BASELINE, CHOSEN = "extra-trees, one-hot genes", "selector"
FEWER = 5  # seeds of what takes long: the networks, and 1,000 training cells
SLOW = ("graph-network", "mlp-ensemble")
COLUMNS = ("table", "cells", "seed", "model", "tau", "coverage", "rmse", "seconds", "chosen")


class Split(NamedTuple):
    """Training and test cells of one seed."""

    train: list[Architecture]
    known: FloatArray
    test: list[Architecture]
    hidden: FloatArray


class OneHotTrees:
    """The baseline: scikit-learn's extra-trees on one-hot genes, a root of the columns tried at each split."""

    def fit(self, X: FloatArray, y: FloatArray) -> OneHotTrees:
        self.trees_ = ExtraTreesRegressor(100, max_features="sqrt", random_state=0).fit(X, y)
        return self

    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        votes = np.stack([tree.predict(X) for tree in self.trees_.estimators_])
        return votes.mean(axis=0), votes.std(axis=0)


def models(cells: Cells) -> tuple[dict[str, Encoding], dict[str, Candidate], list[str]]:
    """Encodings; every single model; and the names of those that the selector chooses from."""
    space = cells.space
    encodings = encodings_of(space)
    encodings["one-hot"] = lambda batch: one_hot([a.genes for a in batch], space.cardinalities)
    tried = default_candidates(space)
    wide = "structure+cost"
    vertices = 8 if space.name == "nasbench201" else 7
    others = {
        "gp-genes-only": Candidate("genes", SURROGATES["gaussian-process"]),
        "support-vector": Candidate(wide, SURROGATES["support-vector"]),
        "random-forest": Candidate(wide, SURROGATES["random-forest"]),
        "mlp-ensemble": Candidate(wide, SURROGATES["mlp-ensemble"]),
        "graph-network": Candidate("graph", partial(SURROGATES["graph-network"], vertices=vertices)),
    }
    singles = {
        name: Candidate(c.encoding, partial(_transformed, c.make)) for name, c in {**tried, **others}.items()
    }
    return encodings, {BASELINE: Candidate("one-hot", OneHotTrees), **singles}, list(tried)


def _transformed(make: partial[Surrogate]) -> Surrogate:
    return Transformed(make(), RankNormal())


def split(cells: Cells, n: int, seed: int) -> Split:
    """n training cells and 1,000 others, drawn without replacement."""
    rows = np.random.default_rng(seed).permutation(len(cells.errors))[: n + HELD_OUT]
    drawn = [cells.architectures[i] for i in rows]
    return Split(drawn[:n], cells.errors[rows[:n]], drawn[n:], cells.errors[rows[n:]])


def measure(
    model: Candidate | Selector, encodings: dict[str, Encoding], data: Split
) -> tuple[float, float, float, float, str]:
    """tau, coverage, rmse on the held-out cells, seconds to fit (choosing and encoding included), the choice."""
    start = time.perf_counter()
    if isinstance(model, Selector):
        model.fit(data.train, data.known)
        seconds, chosen = time.perf_counter() - start, "+".join(model.selection_.chosen)
        mean, std = model.predict(data.test)
    else:
        fitted = model.make().fit(encode(encodings, model.encoding, data.train), data.known)
        seconds, chosen = time.perf_counter() - start, ""
        mean, std = fitted.predict(encode(encodings, model.encoding, data.test))
    return (
        kendall_tau(mean, data.hidden),
        coverage(mean, std, data.hidden),
        rmse(mean, data.hidden),
        seconds,
        chosen,
    )


def done(raw: Path) -> set[tuple[str, int, int, str]]:
    if not raw.is_file():
        return set()
    frame = pd.read_csv(raw)
    return set(zip(frame["table"], frame["cells"], frame["seed"], frame["model"], strict=True))


def run(seeds: int, minutes: float, data: Path, raw: Path) -> None:
    """Seed by seed, small trainings first, until all are done or the time is over."""
    end = time.monotonic() + 60.0 * minutes
    known = done(raw)
    tables = {name: load(data) for name, load in TABLES.items()}
    prepared = {name: models(cells) for name, cells in tables.items()}
    with raw.open("a", newline="") as file:
        writer = csv.writer(file)
        if raw.stat().st_size == 0:
            writer.writerow(COLUMNS)
        for seed in range(seeds):
            for n in SIZES:
                for table, cells in tables.items():
                    encodings, singles, tried = prepared[table]
                    wanted = {} if n >= 1000 and seed >= FEWER else {**singles, CHOSEN: None}
                    parts = split(cells, n, seed)
                    for name, model in wanted.items():
                        if (table, n, seed, name) in known or (name in SLOW and seed >= FEWER):
                            continue
                        if time.monotonic() > end:
                            return
                        if model is None:
                            found = default_candidates(cells.space)
                            model = Selector({k: found[k] for k in tried}, encodings)
                        tau, held, error, seconds, chosen = measure(model, encodings, parts)
                        figures = (f"{tau:.5f}", f"{held:.4f}", f"{error:.5f}", f"{seconds:.3f}")
                        writer.writerow((table, n, seed, name, *figures, chosen))
                        file.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=21)
    parser.add_argument("--minutes", type=float, default=20.0, help="stop then; run again to continue")
    parser.add_argument("--data", type=Path, default=DATA)
    args = parser.parse_args()
    torch.set_num_threads(1)
    RESULTS.mkdir(exist_ok=True)
    raw = RESULTS / "raw.csv"
    run(args.seeds, args.minutes, args.data, raw)
    write_report(pd.read_csv(raw), RESULTS, BASELINE, CHOSEN)


if __name__ == "__main__":
    main()
