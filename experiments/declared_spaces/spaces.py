"""The problems: a published table or a made-up error, each with a declared space and the form it is compared with."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

import nas
from nas.core.records import Architecture, FloatArray
from nas.pareto.archive import non_dominated
from search_spaces.muxnet import MUXNetSpace
from search_spaces.muxnet.spec import BlockKind
from search_spaces.nasbench201 import NASBench201
from search_spaces.nasbench201.cell import EDGES, OPERATIONS

sys.path.append(str(Path(__file__).resolve().parents[1] / "quality"))
from five_vertices import FiveVertexCells, cells

Genes = tuple[int, ...]
TEXTS = {name: i for i, name in enumerate(OPERATIONS)}
OPERATIONS_101 = ("conv3x3", "conv1x1", "maxpool3x3")


@dataclass(frozen=True)
class Case:
    """One problem in two forms of the space, by name; both evaluate genes by the same function."""

    forms: Mapping[str, Callable[[], nas.SearchSpace]]
    objectives: tuple[str, ...]
    error: Callable[[Genes], float]
    front: Callable[[], FloatArray]  # reference front (n, m): the true one, or the best known


class OneHot(nas.SearchSpace):
    """A hand-written space reduced to its genes: no encoding but one-hot, generic variation."""

    def __init__(self, inner: NASBench201 | FiveVertexCells) -> None:
        self._inner = inner
        self.name, self.cardinalities, self.size = inner.name, inner.cardinalities, inner.size

    def is_valid(self, architecture: Architecture) -> bool:
        return self._inner.is_valid(architecture)

    def canonical(self, architecture: Architecture) -> Architecture:
        return self._inner.canonical(architecture)

    def cost(self, architecture: Architecture) -> Mapping[str, float]:
        return self._inner.cost(architecture)

    def enumerate(self) -> Iterator[Architecture]:
        return self._inner.enumerate()


# -- NAS-Bench-201


@cache
def errors_201(data: str, accuracy: str = "cifar10_test_acc_200") -> dict[Genes, float]:
    """The errors of all genes, in percent, from a column of accuracies."""
    frame = pd.read_parquet(f"{data}/nasbench201/archs.parquet")
    keys = [tuple(map(int, text)) for text in frame["ops"]]
    return dict(zip(keys, (100.0 - frame[accuracy]).tolist(), strict=True))


def declared_201() -> nas.Space:
    """Six choices of five operations."""
    space = nas.Space("declared201", {f"edge{i}": nas.Choice(*OPERATIONS) for i in range(len(EDGES))})
    bench = NASBench201()

    @space.cost
    def cost(c: nas.Choices) -> Mapping[str, float]:
        return bench.cost(c)

    return space


def nasbench201(data: str) -> Case:
    def front() -> FloatArray:
        bench = NASBench201()
        rows = [[errors_201(data)[a.genes], *bench.cost(a).values()] for a in bench.enumerate()]
        return front_of(np.array(rows))

    forms = {"hand-written": lambda: OneHot(NASBench201()), "declared": declared_201}
    return Case(forms, ("error", "params", "madds"), lambda genes: errors_201(data)[genes], front)


# -- NASBench-101, cells of at most five vertices


def declared_101(data: str) -> nas.Space:
    """Ten edge bits and three operations; `forbid` what the table lacks, `same` for isomorphic cells."""
    known = cells(f"{data}/nasbench101_5v")
    edges = {f"edge{i}": nas.Choice(False, True) for i in range(10)}
    space = nas.Space("declared101", {**edges, **{f"op{i}": nas.Choice(*OPERATIONS_101) for i in range(3)}})
    space.forbid(lambda c: not known.is_valid(c))
    space.same(lambda c: known.canonical(c).genes)

    @space.cost
    def cost(c: nas.Choices) -> Mapping[str, float]:
        return known.cost(c)

    return space


def nasbench101(data: str) -> Case:
    known = cells(f"{data}/nasbench101_5v")
    forms = {"hand-written": lambda: OneHot(known), "declared": lambda: declared_101(data)}

    def error(genes: Genes) -> float:
        return known.values[known.canonical(Architecture(known.name, genes))][0]

    return Case(
        forms, ("error", "params", "madds"), error, lambda: front_of(np.array(list(known.values.values())))
    )


# -- a smooth problem of eight whole numbers

LEVELS, NUMBERS = 8, 8
GAIN = np.linspace(0.2, 0.6, NUMBERS)
PRICE = np.linspace(2.0, 0.5, NUMBERS - 1)


def smooth(columns: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Error (percent) and cost of eight numbers 0 to 7, which may be arrays that broadcast.

    The error falls with each number, ever more slowly, and rises with the difference of neighbours; the cost grows with the
    product of neighbours.
    """
    u = [np.asarray(c, dtype=np.float32) / (LEVELS - 1) for c in columns]
    gain = sum(g * x**0.7 for g, x in zip(GAIN.tolist(), u, strict=True))
    uneven = sum((a - b) ** 2 for a, b in itertools.pairwise(u))
    pairs = zip(PRICE.tolist(), u[:-1], u[1:], strict=True)
    cost = sum(p * (1 + 3 * a) * (1 + 3 * b) for p, a, b in pairs)
    return 4.0 + 40.0 * np.exp(-gain) + 1.5 * uneven, cost


def numbers(ordered: bool) -> nas.Space:
    def parameter() -> nas.Choice:
        return nas.Choice(*range(LEVELS), ordered=ordered)

    space = nas.Space(f"numbers-{ordered}", {f"n{i}": parameter() for i in range(NUMBERS)})

    @space.cost
    def cost(c: nas.Choices) -> Mapping[str, float]:
        return {"price": float(smooth(c.genes)[1])}

    return space


def all_numbers() -> FloatArray:
    """The true front among all 16,777,216."""
    axes = np.meshgrid(*[np.arange(LEVELS)] * NUMBERS, indexing="ij", sparse=True)
    error, cost = (part.ravel() for part in smooth(axes))
    order = np.lexsort((error, cost))
    error, cost = error[order], cost[order]
    best = np.minimum.accumulate(error)
    kept = np.concatenate([[True], best[1:] < best[:-1]])
    return front_of(np.stack([error[kept], cost[kept]], axis=1).astype(np.float64))


def synthetic(_: str) -> Case:
    forms = {"categories": lambda: numbers(False), "ordered": lambda: numbers(True)}
    return Case(forms, ("error", "price"), lambda genes: float(smooth(genes)[0]), all_numbers)


# -- MUXNet


class AsToday(MUXNetSpace):
    """MUXNet's space without the order and absence of its genes."""

    def __init__(self) -> None:
        super().__init__("cifar")
        self.first_numeric = None


MUX = MUXNetSpace("cifar")


def mux_error(genes: Genes) -> float:
    """A made-up error (percent) of a decoded network: smooth in widths, expansions, depths, kernels and resolution."""
    spec = MUX.spec(Architecture(MUX.name, genes))
    capacity, before = 0.35 * np.log2(spec.stem / 8) + 0.6 * np.log2(spec.resolution / 16), spec.stem
    uneven = 0.0
    for block in spec.blocks[1:]:
        wide = np.log2(block.width / 8)
        if block.kind is BlockKind.IR:
            capacity += 0.30 * wide**0.7 + 0.10 * np.log2(block.expansion) + 0.03 * max(block.kernels)
            uneven += (np.log2(block.width / before) - 0.5) ** 2
            before = block.width
        else:
            capacity += 0.18 * (block.split * block.expansion) ** 0.5 + 0.02 * max(block.kernels)
            capacity += 0.05 * len(block.scales) + 0.04 * np.log2(block.group)
        capacity += 0.10 * block.se**0.5
    return float(3.0 + 60.0 * np.exp(-0.28 * capacity) + 0.4 * uneven)


def mux_front() -> FloatArray:
    """The best front known: of 20,000 evaluations of moead (`reference.csv`)."""
    return pd.read_csv(Path(__file__).resolve().parent / "reference.csv").to_numpy(dtype=np.float64)


def muxnet(_: str) -> Case:
    forms = {"as today": AsToday, "ordered": lambda: MUXNetSpace("cifar")}
    return Case(forms, ("error", "params", "madds"), mux_error, mux_front)


def front_of(points: FloatArray) -> FloatArray:
    return points[non_dominated(points)]


CASES: dict[str, Callable[[str], Case]] = {
    "nasbench201": nasbench201,
    "nasbench101_5v": nasbench101,
    "smooth numbers": synthetic,
    "muxnet-cifar": muxnet,
}
