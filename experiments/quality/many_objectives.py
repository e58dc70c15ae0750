"""Ten objectives: NAS-Bench-201 and a synthetic problem, by the share of the true front's hypervolume that searches reach.

`nice python experiments/quality/many_objectives.py --methods sa-moead nsga3 --seeds 0 1 2` runs what `results/many_objectives.csv` lacks
and writes `results/many_objectives.md`. Tune on synthetic instances and seeds from 100 on. The README has the definition.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import searches  # before numpy: one thread

# isort: split
import moocore
import numpy as np
import pandas as pd
from searches import Problem

import nas
from nas.core.records import Architecture, FloatArray
from nas.pareto.indicators import Box, hypervolume

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("NAS_SHARED_DATA", HERE.parents[2] / "shared" / "data"))
COSTS = ("params", "madds")
METHODS = ("sa-moead", "moead", "nsga2", "nsga3", "local-search", "random")
ACCURACIES = (  # columns of the table: 200 epochs, then 12
    *(f"{data}_test_acc_200" for data in ("cifar10", "cifar100", "imagenet16")),
    *(f"{data}_val_acc_12" for data in ("cifar10", "cifar100", "imagenet16")),
    *(f"{data}_test_acc_12" for data in ("cifar10", "cifar100")),
)


class TableSpace(nas.SearchSpace):
    """Plain genes with known costs: row `place(genes)` of a table of all architectures."""

    def __init__(self, name: str, cardinalities: tuple[int, ...], costs: FloatArray) -> None:
        self.name, self.cardinalities, self._costs = name, cardinalities, costs

    def cost(self, architecture: Architecture) -> Mapping[str, float]:
        """The exact costs."""
        row = self._costs[np.ravel_multi_index(architecture.genes, self.cardinalities)]
        return dict(zip(COSTS, row.tolist(), strict=True))


def tabular(name: str, cardinalities: tuple[int, ...], values: FloatArray) -> Problem:
    """A problem from the objectives (n, m) of all architectures in the order of their genes, costs last."""
    measured = tuple(f"error{i}" for i in range(values.shape[1] - len(COSTS)))
    front = values[moocore.is_nondominated(values, keep_weakly=False)]
    box = Box(front.min(axis=0), front.max(axis=0) + 0.1 * np.ptp(front, axis=0))
    best = hypervolume(front, box)
    space = TableSpace(name, cardinalities, values[:, -len(COSTS) :])

    def look_up(genes: FloatArray) -> FloatArray:
        return values[np.ravel_multi_index(tuple(np.asarray(genes, dtype=np.int64).T), cardinalities)]

    return Problem(
        name,
        lambda: space,
        (*measured, *COSTS),
        measured,
        look_up,
        lambda points: hypervolume(points, box) / best,
    )


@lru_cache
def nasbench201(data: str) -> Problem:
    """NAS-Bench-201: the errors of `ACCURACIES`, parameters and multiply-adds of the CIFAR-10 network."""
    frame = pd.read_parquet(f"{data}/nasbench201/archs.parquet").sort_values("ops")
    errors = 100.0 - frame[list(ACCURACIES)].to_numpy(dtype=np.float64)
    costs = frame[["params_derived", "flops_derived"]].to_numpy(dtype=np.float64)
    return tabular("nasbench201-10", (5,) * 6, np.column_stack([errors, costs]))


@lru_cache
def synthetic(number: int) -> Problem:
    """Instance `number`: 86,400 architectures of eight genes, eight errors and two costs.

    The standardised sum of a term for each gene and each pair of genes is made for each error and one for all; an error is 12 exp(0.15 z)
    with z the mean of the two. A cost sums a level for each gene times a price; a higher level mostly lowers all errors.
    """
    rng = np.random.default_rng([23, number])
    cardinalities = tuple(rng.permutation([3, 3, 4, 4, 4, 5, 5, 6]).tolist())
    genes = np.indices(cardinalities).reshape(len(cardinalities), -1)
    levels = [rng.permutation(np.sort(rng.random(n))) for n in cardinalities]
    level = np.stack([of[g] for of, g in zip(levels, genes, strict=True)])

    def sums(gain: FloatArray) -> FloatArray:
        total = -(gain @ level**0.7)
        for i, n in enumerate(cardinalities):
            total += 0.3 * gain[i] * rng.normal(size=n)[genes[i]]
            for j in range(i):
                total += 0.1 * rng.normal(size=(n, cardinalities[j]))[genes[i], genes[j]]
        return (total - total.mean()) / total.std()

    common = rng.lognormal(0.0, 0.5, len(cardinalities))
    shared = sums(common)
    errors = []
    for _ in range(8):
        z = shared + sums(common * rng.lognormal(0.0, 0.5, len(cardinalities)))
        errors.append(12.0 * np.exp(0.15 * z / z.std()))
    price = rng.lognormal(0.0, 0.5, (2, len(cardinalities)))
    costs = 1e5 * (1.0 + np.array([price[0], price.prod(axis=0)]) @ level)
    return tabular(f"synthetic-10-{number}", cardinalities, np.column_stack([*errors, *costs]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--instances", nargs="*", type=int, default=[0], help="of the synthetic problem")
    parser.add_argument("--no-table", action="store_true", help="without NAS-Bench-201")
    parser.add_argument("--data", type=Path, default=DATA)
    searches.add_arguments(parser, HERE / "results" / "many_objectives.csv", METHODS)
    args = parser.parse_args()
    tables = [] if args.no_table else [nasbench201(str(args.data))]
    searches.main(args, [*tables, *map(synthetic, args.instances)])


if __name__ == "__main__":
    main()
