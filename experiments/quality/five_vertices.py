"""The NASBench-101 cells of at most five vertices, as a space in which generic variation finds valid cells."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import pandas as pd

import nas
from nas.core.errors import NasError
from nas.core.records import Architecture, FloatArray, Trial
from search_spaces.nasbench101 import NASBench101


class FiveVertexCells(nas.SearchSpace):
    """The NASBench-101 cells of at most five vertices whose error is known: ten edge bits, three operations.

    Small enough that generic variation finds valid cells, so that every algorithm, the outside ones included, can
    work on the same genes. Isomorphic cells are one architecture: the first of them in the order of the genes. Cells
    missing from the table are invalid. Encodings are those of `NASBench101`.
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

    def cost(self, architecture: Architecture) -> dict[str, float]:
        """Parameters, and half of the table's FLOPs as multiply-adds."""
        _, params, madds = self.values[self.canonical(architecture)]
        return {"params": params, "madds": madds}

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
        self, encode: Callable[[Sequence[Architecture]], FloatArray], architectures: Sequence[Architecture]
    ) -> FloatArray:
        return encode([self._cells[self.canonical(a)] for a in architectures])


@cache
def cells(path: str) -> FiveVertexCells:
    """The 2,516 cells of at most five vertices with a known test error after 108 epochs, in the table at `path`."""
    frame = pd.read_parquet(f"{path}/cells_108epochs.parquet").dropna(subset=["test_error_108"])
    texts = map(operator.concat, frame["adjacency"] + "-", frame["ops"])
    columns = (
        100.0 * frame["test_error_108"],
        frame["params"].astype(float),
        frame["flops"].astype(float) / 2,
    )
    return FiveVertexCells(dict(zip(texts, zip(*columns, strict=True), strict=True)))


@dataclass(frozen=True)
class Errors:
    """Looks the test error up in the table at `path`, percent; the trial's seed draws noise of a standard deviation."""

    path: str
    noise: float = 0.0

    def __call__(self, trial: Trial) -> dict[str, float]:
        known = cells(self.path).values[trial.architecture][0]
        return {"error": known + self.noise * float(np.random.default_rng(trial.seed).normal())}
