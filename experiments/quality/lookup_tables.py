"""Published tables as finite problems: every architecture's objectives are known, and so is the true front."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

import nas
from nas.core.errors import NasError
from nas.core.records import Architecture, FloatArray
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import Box, hypervolume, hypervolume_curve
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

    def scaled(self, architecture: Architecture) -> tuple[float, ...]:
        """Objectives with the true front between 0 and 1."""
        point = (np.array(self.values[architecture]) - self.ideal) / (self.nadir - self.ideal)
        return tuple(point.tolist())

    def quality(self, points: FloatArray) -> FloatArray:
        """Hypervolume after each of n points (n, 3), as a fraction of the true front's, shape (n,).

        Scaled by the true front's ideal and nadir; reference point a tenth of the range beyond the nadir.
        """
        curve = hypervolume_curve(points, _box(self.ideal, self.nadir), steps=len(points))
        return curve / self.best_hypervolume


def _box(ideal: FloatArray, nadir: FloatArray) -> Box:
    return Box(ideal, nadir + 0.1 * (nadir - ideal))


def _entry(values: dict[Architecture, tuple[float, ...]], i: int, architecture: Architecture) -> float:
    return values[architecture][i]


def nasbench201_column(data: Path, column: str) -> dict[Architecture, float]:
    """A column of the table of all 15,625 cells."""
    frame, space = pd.read_parquet(data / "nasbench201" / "archs.parquet"), NASBench201()
    values = frame[column].astype(float)
    return {space.parse(text): value for text, value in zip(frame["ops"], values, strict=True)}


def nasbench201(data_set: str, data: Path) -> LookupTable:
    """All 15,625 cells; test error after 200 epochs on a data set, parameters and FLOPs of the CIFAR-10 network."""
    accuracy = nasbench201_column(data, f"{data_set}_test_acc_200")
    params, flops = (nasbench201_column(data, f"{name}_derived") for name in ("params", "flops"))
    values = {cell: (100.0 - accuracy[cell], params[cell], flops[cell]) for cell in accuracy}
    return LookupTable.make(f"nasbench201-{data_set}", NASBench201(), values)


class FiveVertexCells(nas.SearchSpace):
    """The NASBench-101 cells of at most five vertices whose error is known: ten edge bits, three operations.

    Small enough that generic variation finds valid cells, so that every algorithm, the outside ones included, can
    work on the same genes. Isomorphic cells are one architecture: the first of them in the order of the genes. What
    the table does not know is invalid. Encodings are those of `NASBench101`.
    """

    name = "nasbench101_5v"
    cardinalities = (2,) * 10 + (3,) * 3

    def __init__(self, known: dict[str, tuple[float, ...]]) -> None:
        self._full = full = NASBench101()
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
        self._cells = {own: cell for cell, own in first.items()}  # the same cell in NASBench101's own genes

    def is_valid(self, architecture: Architecture) -> bool:
        return architecture.genes in self._canonical

    def canonical(self, architecture: Architecture) -> Architecture:
        return self._canonical[architecture.genes]

    def enumerate(self) -> Iterator[Architecture]:
        """Every canonical cell, in the order of the genes."""
        return iter(self.values)

    def encode(self, architectures: Sequence[Architecture]) -> FloatArray:
        """Adjacency and operations, as `NASBench101` encodes them."""
        return self.encodings["default"](architectures)

    @property
    def encodings(self) -> Mapping[str, Callable[[Sequence[Architecture]], FloatArray]]:
        """Those of `NASBench101`."""
        return {name: partial(self._encode, encode) for name, encode in self._full.encodings.items()}

    def _encode(
        self,
        encode: Callable[[Sequence[Architecture]], FloatArray],
        architectures: Sequence[Architecture],
    ) -> FloatArray:
        return encode([self._cells[self.canonical(a)] for a in architectures])


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


TABLES: dict[str, Callable[[Path], LookupTable]] = {
    "nasbench201-cifar10": partial(nasbench201, "cifar10"),
    "nasbench101_5v": nasbench101_5v,
    "nasbench201-cifar100": partial(nasbench201, "cifar100"),
    "nasbench201-imagenet16": partial(nasbench201, "imagenet16"),
}
