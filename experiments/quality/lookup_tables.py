"""Two published tables as finite problems: every architecture's objectives are known, and so is the true front."""

from __future__ import annotations

import itertools
import operator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

import nas
from nas.errors import NasError
from nas.front import non_dominated
from nas.indicators import Box, hypervolume, hypervolume_curve
from nas.records import Architecture, FloatArray
from search_spaces.nasbench101 import NASBench101
from search_spaces.nasbench201 import NASBench201

OBJECTIVES = ("error", "params", "flops")


@dataclass(frozen=True)
class LookupTable:
    """A space and the objectives of each of its architectures (error in percent, parameters, FLOPs), minimised."""

    name: str
    space: nas.SearchSpace
    values: dict[Architecture, tuple[float, ...]]
    ideal: FloatArray  # of the true front
    nadir: FloatArray
    front_size: int
    best_hypervolume: float

    @classmethod
    def make(
        cls, name: str, space: nas.SearchSpace, values: dict[Architecture, tuple[float, ...]]
    ) -> LookupTable:
        points = np.array(list(values.values()))
        front = points[non_dominated(points)]
        ideal, nadir = front.min(axis=0), front.max(axis=0)
        best = hypervolume(front, _box(ideal, nadir))
        return cls(name, space, values, ideal, nadir, len(front), best)

    def objectives(self) -> list[nas.Objective]:
        """Look-ups for `nas.search`; parameters and FLOPs are known before training, as they are in life."""
        read = [partial(_entry, self.values, i) for i in range(len(OBJECTIVES))]
        return [
            nas.Objective("error", "%", function=read[0]),
            nas.Objective("params", function=read[1], cheap=True),
            nas.Objective("flops", function=read[2], cheap=True),
        ]

    def quality(self, points: FloatArray) -> FloatArray:
        """Hypervolume after each of n points (n, 3), as a fraction of the true front's, shape (n,).

        Scaled by the true front's ideal and nadir; reference point a tenth of the range beyond the nadir.
        """
        return hypervolume_curve(points, _box(self.ideal, self.nadir)) / self.best_hypervolume


def _box(ideal: FloatArray, nadir: FloatArray) -> Box:
    return Box(ideal, nadir + 0.1 * (nadir - ideal))


def _entry(values: dict[Architecture, tuple[float, ...]], i: int, architecture: Architecture) -> float:
    return values[architecture][i]


def nasbench201(data: Path) -> LookupTable:
    """All 15,625 cells; CIFAR-10 test error after 200 epochs."""
    frame = pd.read_parquet(data / "nasbench201" / "archs.parquet")
    space = NASBench201()
    columns = (100.0 - frame["cifar10_test_acc_200"], frame["params_derived"], frame["flops_derived"])
    rows = zip(*(column.astype(float) for column in columns), strict=True)
    values = {space.parse(text): row for text, row in zip(frame["ops"], rows, strict=True)}
    return LookupTable.make("nasbench201", space, values)


class FiveVertexCells(nas.SearchSpace):
    """The NASBench-101 cells of at most five vertices whose error is known: ten edge bits, three operations.

    Small enough that generic variation finds valid cells, so that every algorithm, pymoo's included, can work on
    the same genes. Isomorphic cells are one architecture: the first of them in the order of the genes.
    """

    name = "nasbench101_5v"
    cardinalities = (2,) * 10 + (3,) * 3

    def __init__(self, known: dict[str, tuple[float, ...]]) -> None:
        full = NASBench101()
        by_cell = {full.canonical(full.parse(text)): row for text, row in known.items()}
        first: dict[Architecture, Architecture] = {}
        self._canonical: dict[tuple[int, ...], Architecture] = {}
        self.values: dict[Architecture, tuple[float, ...]] = {}
        for genes in itertools.product(*map(range, self.cardinalities)):
            text = "".join(map(str, genes))
            try:
                cell = full.canonical(full.parse(f"{text[:10]}-{text[10:]}"))
            except NasError:
                continue
            if cell in by_cell:
                canonical = first.setdefault(cell, Architecture(self.name, genes))
                self._canonical[genes] = canonical
                self.values[canonical] = by_cell[cell]
        self.size = len(self.values)

    def is_valid(self, architecture: Architecture) -> bool:
        return architecture.genes in self._canonical

    def canonical(self, architecture: Architecture) -> Architecture:
        return self._canonical[architecture.genes]


def nasbench101_5v(data: Path) -> LookupTable:
    """The 2,516 cells of at most five vertices with a known test error after 108 epochs."""
    frame = pd.read_parquet(data / "nasbench101_5v" / "cells_108epochs.parquet").dropna(
        subset=["test_error_108"]
    )
    texts = map(operator.concat, frame["adjacency"] + "-", frame["ops"])
    rows = zip(
        100.0 * frame["test_error_108"],
        frame["params"].astype(float),
        frame["flops"].astype(float),
        strict=True,
    )
    space = FiveVertexCells(dict(zip(texts, rows, strict=True)))
    return LookupTable.make("nasbench101_5v", space, space.values)


TABLES = {"nasbench201": nasbench201, "nasbench101_5v": nasbench101_5v}
