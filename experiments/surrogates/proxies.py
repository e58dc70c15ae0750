"""Do zero-cost proxies order NASBench-101 cells, and do they help the surrogates?

`python experiments/surrogates/proxies.py [--cells 500] [--width 16] [--seeds 10] [--minutes 40] [--data DIR]`. Every value
is appended to `results/proxies_width16.csv` and `results/proxies_raw.csv` at once; existing values are not computed
again. One process, one thread. The networks have `width` channels in the stem where the benchmark has 128; with
`--width 128 --cells 16 --seeds 0` the first cells are measured at full width too, and the report compares.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy loads its libraries

import argparse
import csv
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from proxies_report import write_report
from tables import Cells, nasbench101_5v, nasbench101_cec

from nas.core.records import Architecture, FloatArray
from nas.core.space import SearchSpace
from nas.training.data.parquet import Parquet
from nas.training.proxies import Proxies
from search_spaces.nasbench101 import NASBench101
from surrogates.candidates import default_candidates, encodings_of
from surrogates.quality import kendall_tau
from surrogates.selector import Selector

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
DATA = Path(os.environ.get("NAS_SHARED_DATA", HERE.parents[2] / "shared" / "data"))
TABLES: dict[str, Callable[[Path], Cells]] = {
    "nasbench101_5v": nasbench101_5v,
    "nasbench101_cec": nasbench101_cec,
}
MEASURED = ("naswot", "synflow", "grad_norm")
NARROW, WIDE = 16, 128  # channels of the stem: measured here, and in the benchmark
SIZES = (50, 100, 200)
HELD_OUT = 300
# Features added to every candidate of the selector; "bare" knows only one-hot genes and costs.
VARIANTS: dict[str, tuple[str, ...]] = {
    "without": (),
    "naswot": ("naswot",),
    "all three": MEASURED,
    "bare, without": (),
    "bare, all three": MEASURED,
}
VALUES = ("table", "architecture", "error", "params", "madds", *MEASURED, *(f"{n}_seconds" for n in MEASURED))
RAW = ("table", "cells", "seed", "variant", "tau", "chosen")


class Bare(SearchSpace):
    """NASBench-101 as a space with only genes and costs."""

    name = NASBench101.name
    cardinalities = NASBench101.cardinalities

    def cost(self, architecture: Architecture) -> Mapping[str, int]:
        """As of the benchmark's network."""
        return NASBench101().cost(architecture)


class Rows:
    """A CSV file to append to; `known` holds the first columns of its existing rows."""

    def __init__(self, file: Path, columns: Sequence[str], keys: int) -> None:
        self._file = file
        if not file.is_file():
            self.add(columns)
        with file.open(newline="") as lines:
            self.known = {tuple(row[:keys]) for row in csv.reader(lines)}

    def add(self, row: Sequence[Any]) -> None:
        with self._file.open("a", newline="") as lines:
            csv.writer(lines, lineterminator="\n").writerow(row)


def sampled(cells: Cells, count: int) -> list[tuple[Architecture, float]]:
    """`count` random cells of the table, with their test errors."""
    rows = np.random.default_rng(0).permutation(len(cells.errors))[:count]
    return [(cells.architectures[i], float(cells.errors[i])) for i in rows]


def values_file(width: int) -> Path:
    return RESULTS / f"proxies_width{width}.csv"


def measure(tables: dict[str, Cells], count: int, width: int, data: Path, end: float) -> None:
    """The proxies of every sampled cell on one batch of 32 CIFAR-10 images, and the seconds of each."""
    rows = Rows(values_file(width), VALUES, 2)
    images = Parquet(str(data / "images" / "cifar10_subset10k.parquet"))
    full, small = NASBench101(), NASBench101(stem_channels=width)
    proxies = [Proxies(small, images, (name,)) for name in MEASURED]
    for each in proxies:  # the first call reads the images
        each(tables["nasbench101_5v"].architectures[0])
    for table, cells in tables.items():
        for architecture, error in sampled(cells, count):
            text = full.format(architecture)
            if (table, text) in rows.known:
                continue
            if time.monotonic() > end:
                return
            found, seconds = [], []
            for name, proxy in zip(MEASURED, proxies, strict=True):
                start = time.perf_counter()
                found.append(f"{proxy(architecture)[name]:.6g}")
                seconds.append(f"{time.perf_counter() - start:.3f}")
            cost = full.cost(architecture)
            rows.add((table, text, f"{error:.6f}", cost["params"], cost["madds"], *found, *seconds))


def compare(values: pd.DataFrame, seeds: int, end: float) -> None:
    """Tau of the selector on held-out cells, by the features of its candidates; the same cells for every variant."""
    rows = Rows(RESULTS / "proxies_raw.csv", RAW, 4)
    space = NASBench101()
    for seed in range(seeds):
        for table, frame in values.groupby("table", sort=False):
            if len(frame) < max(SIZES) + HELD_OUT:
                continue
            architectures = [space.parse(text) for text in frame["architecture"]]
            errors = frame["error"].to_numpy(dtype=np.float64)
            order = np.random.default_rng(seed).permutation(len(errors))
            test, rest = order[:HELD_OUT], order[HELD_OUT:]
            for size in SIZES:
                train = rest[:size]
                for variant, names in VARIANTS.items():
                    if (str(table), str(size), str(seed), variant) in rows.known:
                        continue
                    if time.monotonic() > end:
                        return
                    offers = Bare() if variant.startswith("bare") else space
                    model = selector(offers, features(architectures, frame, names))
                    model.fit([architectures[i] for i in train], errors[train])
                    mean, _ = model.predict([architectures[i] for i in test])
                    tau, chosen = kendall_tau(mean, errors[test]), "+".join(model.selection_.chosen)
                    rows.add((table, size, seed, variant, f"{tau:.5f}", chosen))


def features(
    architectures: list[Architecture], frame: pd.DataFrame, names: tuple[str, ...]
) -> dict[Architecture, list[float]]:
    """The named proxies of each cell, as `Proxies.encode` scales them."""
    columns = [np.log(frame[name]) if name == "grad_norm" else frame[name] for name in names]
    return {a: [float(c.iloc[i]) for c in columns] for i, a in enumerate(architectures)}


def selector(space: SearchSpace, known: dict[Architecture, list[float]]) -> Selector:
    """The default candidates; each sees the known proxies after its own columns, if there are any."""
    candidates = default_candidates(space)
    encodings = encodings_of(space)
    if any(known.values()):
        encodings["proxies"] = partial(_looked_up, known)
        candidates = {k: replace(c, encoding=f"{c.encoding}+proxies") for k, c in candidates.items()}
    return Selector(candidates, encodings)


def _looked_up(known: dict[Architecture, list[float]], architectures: Sequence[Architecture]) -> FloatArray:
    return np.array([known[a] for a in architectures], dtype=np.float64)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cells", type=int, default=500, help="cells of each table")
    parser.add_argument(
        "--width", type=int, default=NARROW, choices=(NARROW, WIDE), help="channels of the stem"
    )
    parser.add_argument("--seeds", type=int, default=10, help="splits for the selector")
    parser.add_argument("--minutes", type=float, default=40.0, help="stop then; run again to continue")
    parser.add_argument("--data", type=Path, default=DATA)
    args = parser.parse_args()
    end = time.monotonic() + 60.0 * args.minutes
    torch.set_num_threads(1)
    RESULTS.mkdir(exist_ok=True)
    measure({name: load(args.data) for name, load in TABLES.items()}, args.cells, args.width, args.data, end)
    values = pd.read_csv(values_file(NARROW))
    compare(values, args.seeds, end)
    wide = pd.read_csv(values_file(WIDE)) if values_file(WIDE).is_file() else None
    write_report(values, wide, pd.read_csv(RESULTS / "proxies_raw.csv"), RESULTS, NARROW)


if __name__ == "__main__":
    main()
