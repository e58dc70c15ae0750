"""Tables through plain genes: the share of the true front's hypervolume, with costs known, or measured by the evaluation.

`nice python experiments/quality/plain_genes.py --methods sa-moead optuna-tpe [--measured]` runs what `results/plain_genes.csv` lacks and
writes `results/plain_genes.md`. A user's own space looks like this: genes, validity, and no encoding made by hand. The forms of a problem:
`genes` (one-hot genes), `declared` (a `nas.Space`), `hand` (the space of the package, with its encodings). Tune on the CIFAR-100 and
ImageNet16-120 columns and on seeds from 100 on.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

import searches  # before numpy: one thread

# isort: split
import numpy as np
from five_vertices import cells
from searches import Problem

import nas
from nas.core.records import Architecture, FloatArray
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import Box, hypervolume
from search_spaces.nasbench201 import NASBench201

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "declared_spaces"))
from spaces import OneHot, declared_101, declared_201, errors_201  # noqa: E402

DATA = Path(os.environ.get("NAS_SHARED_DATA", HERE.parents[2] / "shared" / "data"))
OBJECTIVES = ("error", "params", "madds")
NASBENCH201 = {
    "nasbench201": "cifar10_test_acc_200",
    "nasbench201-cifar100": "cifar100_test_acc_200",
    "nasbench201-imagenet16": "imagenet16_test_acc_200",
}
FORMS = ("genes", "declared", "hand")
NAMES = [f"{table}-{form}" for table in (*NASBENCH201, "five-vertices") for form in FORMS]


class WithoutCosts(OneHot):
    """Plain genes whose costs only an evaluation knows."""

    lacks = frozenset({"cost"})


def table_of(name: str) -> tuple[nas.SearchSpace, dict[tuple[int, ...], FloatArray]]:
    """The package's space, and the objectives of each canonical architecture by genes."""
    if name == "five-vertices":
        known = cells(str(DATA / "nasbench101_5v"))
        return known, {a.genes: np.array(row, dtype=np.float64) for a, row in known.values.items()}
    bench = NASBench201()
    by_genes = errors_201(str(DATA), NASBENCH201[name])
    return bench, {a.genes: np.array([by_genes[a.genes], *bench.cost(a).values()]) for a in bench.enumerate()}


@lru_cache
def problem(name: str, known: bool) -> Problem:
    """The table of `name` in the form of its last word."""
    table, _, form = name.rpartition("-")
    inner, values = table_of(table)
    points = np.array(list(values.values()))
    front = points[non_dominated(points)]
    box = Box(front.min(axis=0), front.max(axis=0) + 0.1 * np.ptp(front, axis=0))
    best = hypervolume(front, box)
    made_by = partial(declared_101, str(DATA)) if table == "five-vertices" else declared_201
    forms: dict[str, Callable[[], nas.SearchSpace]] = {
        "genes": lambda: (OneHot if known else WithoutCosts)(inner),
        "declared": made_by,
        "hand": lambda: inner,
    }

    def look_up(genes: FloatArray) -> FloatArray:
        rows = [tuple(map(int, row)) for row in genes]
        return np.array([values[inner.canonical(Architecture(inner.name, row)).genes] for row in rows])

    return Problem(
        name, forms[form], OBJECTIVES, ("error",), look_up, lambda points: hypervolume(points, box) / best
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    searches.add_arguments(parser, HERE / "results" / "plain_genes.csv")
    parser.add_argument(
        "--problems", nargs="+", choices=NAMES, default=["nasbench201-genes", "five-vertices-genes"]
    )
    args = parser.parse_args()
    if args.measured and not all(name.endswith("-genes") for name in args.problems):
        sys.exit("--measured takes the form genes alone: the other spaces know their costs")
    searches.main(args, [problem(name, not args.measured) for name in args.problems])
