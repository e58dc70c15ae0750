"""Synthetic problems in a space of 5.8e15 architectures, and the share of the best known hypervolume that searches reach.

`nice python experiments/quality/large_space.py --methods moead random --seeds 0 1 2` runs what `results/large_space.csv` lacks and writes
`results/large_space.md`. Instances 0 to 3 are reported; tune on instances and seeds from 100 on. The README has the definition.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import searches  # before numpy: one thread

# isort: split
import numpy as np
import pandas as pd
from searches import Problem

import nas
from nas.core.records import Architecture, FloatArray
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import Box, hypervolume

HERE = Path(__file__).resolve().parent
REFERENCE = HERE / "results" / "large_space_reference.csv"
CARDINALITIES = (2,) * 2 + (3,) * 2 + (4,) * 5 + (5,) * 6 + (6,) * 9  # shuffled for each instance
PAIRS = 60
INTERACTION = 1.0  # standard deviation of the pairwise terms, of that of the additive ones
COSTS = ("params", "madds")


@dataclass(frozen=True)
class Instance:
    """Problem number `number`: an even one has the objectives error and params, an odd one madds too.

    With z the standardised sum of a term for each gene and one for each of 60 pairs of genes, the error is 12 exp(0.15 z) percent.
    A cost sums a term for each gene and products of genes that follow each other. The values of two thirds of the genes are ordered: a larger
    one costs more and mostly lowers the error.
    """

    number: int

    @cached_property
    def cardinalities(self) -> tuple[int, ...]:
        """Values of each gene."""
        return tuple(np.random.default_rng([20, self.number]).permutation(CARDINALITIES).tolist())

    @property
    def costs(self) -> tuple[str, ...]:
        """Names of the cheap objectives."""
        return COSTS[: 1 + self.number % 2]

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of all objectives."""
        return ("error", *self.costs)

    @cached_property
    def _tables(self) -> _Tables:
        return _Tables.drawn(self.cardinalities, np.random.default_rng([21, self.number]))

    def values(self, genes: FloatArray) -> FloatArray:
        """True objectives (n, m) of genes (n, 24), all minimised."""
        return self._tables.values(np.asarray(genes, dtype=np.int64))[:, : len(self.objectives)]

    @cached_property
    def reference(self) -> tuple[Box, float]:
        """The box of the best known front and the share of it that the front dominates."""
        frame = pd.read_csv(REFERENCE)
        rows = frame[frame["instance"] == self.number]
        if rows.empty:
            raise SystemExit(f"instance {self.number}: no reference; run with --reference {self.number}")
        front = rows[list(self.objectives)].to_numpy(dtype=np.float64)
        box = Box(front.min(axis=0), front.max(axis=0) + 0.1 * np.ptp(front, axis=0))
        return box, hypervolume(front, box)


@dataclass(frozen=True)
class _Tables:
    """Terms of an instance, filled with zeros beyond a gene's values."""

    effect: FloatArray  # (24, 6)
    pairs: np.ndarray  # (60, 2), genes
    joint: FloatArray  # (60, 6, 6)
    levels: FloatArray  # (24, 6), in [0, 1]
    price: FloatArray  # (2, 24)
    product: FloatArray  # (2, 23)
    centre: float
    spread: float

    @classmethod
    def drawn(cls, cardinalities: tuple[int, ...], rng: np.random.Generator) -> _Tables:
        n, most = len(cardinalities), max(CARDINALITIES)
        effect, levels = np.zeros((2, n, most))
        strength = rng.lognormal(0.0, 0.6, n)
        for i, count in enumerate(cardinalities):
            level = np.sort(rng.uniform(0.0, 1.0, count))
            ordered = rng.random() < 2 / 3
            wobble = rng.normal(0.0, 0.1 if ordered else 0.4, count)
            effect[i, :count] = strength[i] * (wobble - level**0.7)
            levels[i, :count] = level
            if not ordered:
                shuffle = rng.permutation(count)
                effect[i, :count], levels[i, :count] = effect[i, shuffle], levels[i, shuffle]
        every = np.array([(i, j) for i in range(n) for j in range(i)])
        pairs = every[rng.choice(len(every), PAIRS, replace=False)]
        additive = math.sqrt(sum(effect[i, :c].var() for i, c in enumerate(cardinalities)))
        joint = rng.normal(0.0, INTERACTION * additive / math.sqrt(PAIRS), (PAIRS, most, most))
        shared = rng.lognormal(0.0, 0.5, n)
        price = np.stack([shared, shared * rng.lognormal(0.0, 0.6, n)])
        product = rng.lognormal(0.0, 0.5, (2, n - 1))
        made = cls(effect, pairs, joint, levels, price, product, 0.0, 1.0)
        sums = made.sums(rng.integers(0, cardinalities, (4000, n)))
        return cls(effect, pairs, joint, levels, price, product, float(sums.mean()), float(sums.std()))

    def sums(self, genes: np.ndarray) -> FloatArray:
        first, second = self.pairs.T
        single = self.effect[np.arange(genes.shape[1]), genes].sum(axis=1)
        return single + self.joint[np.arange(PAIRS), genes[:, first], genes[:, second]].sum(axis=1)

    def values(self, genes: np.ndarray) -> FloatArray:
        """Objectives (n, 3): error, params, madds."""
        error = 12.0 * np.exp(0.15 * (self.sums(genes) - self.centre) / self.spread)
        level = self.levels[np.arange(genes.shape[1]), genes]
        cost = level @ self.price.T + (level[:, :-1] * level[:, 1:]) @ self.product.T
        return np.column_stack([error, 1e5 * (1.0 + cost)])


class LargeSpace(nas.SearchSpace):
    """The space of an instance: plain genes, all combinations valid and different, known costs."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.name, self.cardinalities = f"large-{instance.number}", instance.cardinalities

    def cost(self, architecture: Architecture) -> Mapping[str, float]:
        """The exact costs."""
        row = self.instance.values(np.array([architecture.genes]))[0].tolist()
        return dict(zip(self.instance.costs, row[1:], strict=True))


def problem(number: int) -> Problem:
    """Instance `number` as a problem for `searches`."""
    instance = Instance(number)
    box, best = instance.reference
    return Problem(
        f"large-{number}",
        lambda: LargeSpace(instance),
        instance.objectives,
        ("error",),
        instance.values,
        lambda points: hypervolume(points, box) / best,
    )


# -- the best known front


def best_front(instance: Instance, generations: int, seed: int) -> FloatArray:
    """The non-dominated points (k, m) of an evolutionary search on true values: 4,000 children of the archive a generation.

    The archive has at most 1,500 members; the members with the smallest exclusive hypervolume are removed.
    """
    rng = np.random.default_rng([22, instance.number, seed])
    cards = np.array(instance.cardinalities)
    genes = rng.integers(0, cards, (4000, len(cards)))
    points = instance.values(genes)
    for _ in range(generations):
        kept = searches.spread_front(points, 1500)
        genes, points = genes[kept], points[kept]
        first, second = rng.integers(0, len(genes), (2, 4000))
        near = np.argsort(points[:, 0], kind="stable")  # half of the mates are neighbours by error
        place = np.argsort(near, kind="stable")[first] + rng.integers(-3, 4, 4000)
        second[:2000] = near[np.clip(place, 0, len(genes) - 1)][:2000]
        children = np.where(rng.random((4000, len(cards))) < 0.5, genes[first], genes[second])
        children[::4] = genes[first][::4]
        hit = rng.random(children.shape) < rng.choice([0.5, 1.0, 2.0], (4000, 1)) / len(cards)
        children = np.where(hit, rng.integers(0, cards, children.shape), children)
        children = np.unique(children, axis=0)
        genes, points = np.vstack([genes, children]), np.vstack([points, instance.values(children)])
    return points[non_dominated(points)]


def write_references(numbers: list[int], generations: int) -> None:
    """Add the fronts of these instances to the file of references, 400 members of each."""
    frame = pd.read_csv(REFERENCE) if REFERENCE.exists() else pd.DataFrame(columns=["instance"])
    for number in numbers:
        instance = Instance(number)
        points = np.vstack([best_front(instance, generations, seed) for seed in range(3)])
        points = points[searches.spread_front(points, 400)]
        rows = pd.DataFrame(points, columns=list(instance.objectives)).sort_values("error")
        rows.insert(0, "instance", number)
        frame = pd.concat([frame[frame["instance"] != number], rows]).sort_values("instance", kind="stable")
        frame.to_csv(REFERENCE, index=False, float_format="%.7g", lineterminator="\n")
        print(number, len(points), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--instances", nargs="+", type=int, default=[0, 1, 2, 3])
    parser.add_argument(
        "--reference", nargs="+", type=int, help="only write the best known fronts of these instances"
    )
    parser.add_argument("--generations", type=int, default=150, help="of the search for a best known front")
    searches.add_arguments(parser, HERE / "results" / "large_space.csv")
    args = parser.parse_args()
    if args.reference:
        write_references(args.reference, args.generations)
    else:
        searches.main(args, [problem(n) for n in args.instances])


if __name__ == "__main__":
    main()
