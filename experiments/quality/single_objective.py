"""One objective: the test error of the best architecture after 150 evaluations, sa-moead beside the usual searches.

`python experiments/quality/single_objective.py` runs what `results/single_objective.csv` lacks and reports on all of
it; `--methods sa-moead --again` runs that again. See the README beside this file.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch are loaded: their products are small

import pandas as pd
from bananas import Bananas
from curves import KEY, merge, read
from lookup_tables import TABLES, nasbench201_column
from report import verdict
from tabular import DATA, HERE

import nas
from nas.algorithms import ALGORITHMS
from nas.algorithms.regularized_evolution import RegularizedEvolutionSettings
from nas.compare.statistics import against
from nas.core.records import Architecture
from nas.engine.loop import LoopSettings
from search_spaces.nasbench201 import NASBench201

BUDGET = 150
CHECKPOINTS = (25, 50, 100, 150)
REFERENCE = "sa-moead"


@dataclass(frozen=True)
class Task:
    """A space, the error that a search sees and the test error that is reported, both in percent."""

    space: nas.SearchSpace
    searched: dict[Architecture, float]
    reported: dict[Architecture, float]


def by_test(table: str, data: Path) -> Task:
    """The search sees the test error of the full schedule itself."""
    known = TABLES[table](data)
    error = {architecture: values[0] for architecture, values in known.values.items()}
    return Task(known.space, error, error)


def by_validation(data_set: str, data: Path) -> Task:
    """The search sees the validation error after 12 epochs; reported is the test error after 200."""
    seen = nasbench201_column(data, f"{data_set}_val_acc_12")
    final = nasbench201_column(data, f"{data_set}_test_acc_200")
    return Task(
        NASBench201(), {a: 100.0 - v for a, v in seen.items()}, {a: 100.0 - v for a, v in final.items()}
    )


DATA_SETS = ("cifar10", "cifar100", "imagenet16")
TASKS: dict[str, Callable[[Path], Task]] = {
    **{name: partial(by_test, name) for name in TABLES},
    **{f"nasbench201-{name}-val12": partial(by_validation, name) for name in DATA_SETS},
}
METHODS: dict[str, tuple[object, object]] = {  # algorithm and settings, as `nas.search` takes them
    **{
        name: (name, None)
        for name in ("sa-moead", "regularized-evolution", "local-search", "random")
        if name in ALGORITHMS
    },
    # The population and the tournament that White et al. give it at this budget
    "regularized-evolution 30/10": ("regularized-evolution", RegularizedEvolutionSettings(30, 10)),
    "bananas": (Bananas, None),
}


@lru_cache(maxsize=1)
def load(name: str, data: Path) -> Task:
    return TASKS[name](data)


def one_run(name: str, method: str, seed: int, data: Path) -> dict[str, object]:
    """Errors of the best by what was searched, after each number of evaluations: seen and reported, in percent."""
    task = load(name, data)
    (algorithm, settings), start = METHODS[method], time.perf_counter()
    found = nas.search(
        task.space,
        [nas.Objective("error", "%", function=task.searched.__getitem__)],
        algorithm=algorithm,
        algorithm_settings=settings,
        loop=LoopSettings(evaluations=BUDGET, seed=seed, concurrency=1),
    ).history
    seconds = round(time.perf_counter() - start, 3)
    row: dict[str, object] = {"table": name, "method": method, "seed": seed, "seconds": seconds}
    for n in CHECKPOINTS:
        best = task.space.parse(found.loc[found["error"][:n].idxmin(), "architecture"])
        row[f"seen_{n}"] = round(task.searched[best], 4)
        row[f"test_{n}"] = round(task.reported[best], 4)
    return row


def report(frame: pd.DataFrame, data: Path) -> pd.DataFrame:
    """Mean and deviation over seeds of the reported error, and the reference against each by its paired seeds."""
    rows, last = [], f"test_{BUDGET}"
    for name, of_task in frame.groupby("table", sort=False):
        values = {str(m): v for m, v in of_task.groupby("method", sort=False)}
        errors = {m: dict(zip(v["seed"], -v[last], strict=True)) for m, v in values.items()}
        pairs = against(errors, REFERENCE) if REFERENCE in values else {}
        best = min(load(str(name), data).reported.values())
        for m, v in values.items():
            row = {"table": name, "method": m, "runs": len(v)}
            row |= {f"mean_{n}": v[f"test_{n}"].mean() for n in CHECKPOINTS}
            row |= {f"deviation_{BUDGET}": v[last].std(), f"seen_{BUDGET}": v[f"seen_{BUDGET}"].mean()}
            p, said = (pairs[m].p_holm, f"{REFERENCE} {verdict(pairs[m])}") if m in pairs else (None, "")
            rows.append(row | {"best_in_table": best, "p_holm": p, "verdict": said})
    return pd.DataFrame(rows)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="+", choices=METHODS, metavar="NAME", help="these only")
    parser.add_argument("--again", action="store_true", help="also what was run before")
    parser.add_argument("--tables", nargs="+", choices=TASKS, default=list(TASKS), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=21)
    parser.add_argument("--report", action="store_true", help="run nothing")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=HERE / "results")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    file = args.out / "single_objective.csv"
    frame = read(file)
    done = set() if args.again else set(frame[KEY].itertuples(index=False, name=None))
    for name in [] if args.report else args.tables:
        for method in args.methods or METHODS:
            seeds = [seed for seed in range(args.seeds) if (name, method, seed) not in done]
            rows = [one_run(name, method, seed, args.data) for seed in seeds]
            if rows:
                frame = merge(file, pd.DataFrame(rows), list(METHODS))
                print(f"{name} {method}: {sum(float(str(r['seconds'])) for r in rows):.0f} s", flush=True)
    summary = report(frame, args.data).round(4)
    summary.to_csv(args.out / "single_objective_summary.csv", index=False)
    print(summary.to_string(index=False))


if __name__ == "__main__":
    main()
