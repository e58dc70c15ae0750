"""How good are the fronts? Every algorithm on look-up tables with a known true front, beside other people's.

`python experiments/quality/tabular.py` runs what `results/curves.csv` lacks and reports on all of it;
`--methods sa-moead --again` runs that again. See the README beside this file.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch are loaded: their products are small

import curves
import pandas as pd
import report
from lookup_tables import TABLES, LookupTable
from methods import METHODS

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("NAS_SHARED_DATA", HERE.parents[2] / "shared" / "data"))


@lru_cache(maxsize=1)
def load(name: str, data: Path) -> LookupTable:
    return TABLES[name](data)


def one_run(table: str, method: str, budget: int, data: Path, seed: int) -> dict[str, object]:
    """One row of the cache."""
    chosen, known = METHODS[method], load(table, data)
    start = time.perf_counter()
    points = chosen.run(known, seed, budget)
    seconds = round(time.perf_counter() - start, 3)
    kept = curves.row(known.quality(points), budget)
    return {"table": table, "method": method, "seed": seed, "seconds": seconds, **kept}


def wanted(args: argparse.Namespace, cached: pd.DataFrame) -> list[tuple[str, str, list[int]]]:
    """What to run: (table, method, seeds). Without names, each method on its own tables only."""
    done = set() if args.again else set(cached[curves.KEY].itertuples(index=False, name=None))
    jobs = []
    for table in args.tables or TABLES:
        for method in args.methods or METHODS:
            if table in METHODS[method].tables or (args.methods and args.tables):
                jobs.append((table, method, [s for s in range(args.seeds) if (table, method, s) not in done]))
    return [job for job in jobs if job[2]]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="+", choices=METHODS, metavar="NAME", help="these only")
    parser.add_argument("--again", action="store_true", help="also what was run before")
    parser.add_argument("--tables", nargs="+", choices=TABLES, metavar="NAME")
    parser.add_argument("--seeds", type=int, default=21)
    parser.add_argument("--budget", type=int, help="unique evaluations, in place of each method's own number")
    parser.add_argument("--report", action="store_true", help="run nothing")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=HERE / "results")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    file = args.out / "curves.csv"
    frame = curves.read(file)
    with ProcessPoolExecutor(args.workers) as pool:
        for table, method, seeds in [] if args.report else wanted(args, frame):
            budget = args.budget or METHODS[method].budget
            seconds = 0.0
            for row in pool.map(partial(one_run, table, method, budget, args.data), seeds):
                frame = curves.merge(
                    file, pd.DataFrame([row]), list(METHODS)
                )  # at once: the rest may take hours
                seconds += float(str(row["seconds"]))
            print(f"{table} {method}: {seconds:.0f} s", flush=True)
    if frame.empty:
        raise SystemExit(f"{file}: no runs to report on; leave --report away to make them")
    report.write(frame, args.out)


if __name__ == "__main__":
    main()
