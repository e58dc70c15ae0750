"""Runs, a row each in a CSV file, many at a time; what is there already is not run again."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is loaded: its products are small here

import pandas as pd
from cells_tasks import DATA, HERE, Task

import nas
from nas.engine.loop import LoopSettings

KEY = ["task", "method", "seed"]
SEEDS = 21
_EVERY = 5.0  # seconds between writings of the file


@dataclass(frozen=True)
class Method:
    """A search with its settings (None: the defaults for the budget), and the most evaluations that it is given."""

    algorithm: Any
    settings: Any = None
    budget: int | None = None
    concurrency: int = 1


@dataclass(frozen=True)
class Job:
    """One row to be."""

    task: str
    method: str
    seed: int


def search(task: Task, method: Method, seed: int, budget: int) -> pd.DataFrame:
    """One search's evaluations in the order in which they were told."""
    loop = LoopSettings(
        evaluations=min(budget, method.budget or budget), seed=seed, concurrency=method.concurrency
    )
    return nas.search(
        task.space,
        task.objectives,
        task.evaluate,
        algorithm=method.algorithm,
        algorithm_settings=method.settings,
        loop=loop,
    ).history


def read(file: Path) -> pd.DataFrame:
    """The rows that are there."""
    return pd.read_csv(file) if file.exists() else pd.DataFrame(columns=KEY)


def write(file: Path, rows: pd.DataFrame, order: Sequence[str]) -> None:
    """Replace the file at once, its rows by task, then method in the given order, then seed."""
    place = {name: i for i, name in enumerate(order)}
    rows = rows.drop_duplicates(KEY, keep="last").sort_values(
        KEY, key=lambda c: c.map(place).fillna(len(place)) if c.name == "method" else c, kind="stable"
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".tmp")
    rows.to_csv(draft, index=False)
    draft.replace(file)


def run_missing(
    file: Path,
    jobs: Iterable[Job],
    work: Callable[[Job], dict[str, Any]],
    order: Sequence[str],
    args: argparse.Namespace,
) -> pd.DataFrame:
    """Make the rows that the file lacks, `args.workers` at a time; every few seconds they are written.

    After `args.minutes` (None: no limit) no more are begun.
    """
    frame = read(file)
    done = set(frame[KEY].itertuples(index=False, name=None))
    missing = [job for job in jobs if (job.task, job.method, job.seed) not in done]
    if not missing:
        return frame
    print(f"{file.name}: {len(missing)} runs to make, {len(done)} are there", flush=True)
    fresh: list[dict[str, Any]] = []
    written = start = time.monotonic()
    with ProcessPoolExecutor(args.workers) as pool:
        try:
            begun = [pool.submit(_timed, work, job) for job in missing]
            for ended in as_completed(begun):
                if ended.cancelled():
                    continue
                fresh.append(ended.result())
                if args.minutes is not None and time.monotonic() - start > 60.0 * args.minutes:
                    for waiting in begun:
                        waiting.cancel()
                if time.monotonic() - written > _EVERY:
                    write(file, pd.concat([frame, pd.DataFrame(fresh)]), order)
                    print(f"{file.name}: {len(fresh)} of {len(missing)}", flush=True)
                    written = time.monotonic()
        finally:
            if fresh:
                write(file, pd.concat([frame, pd.DataFrame(fresh)]), order)
            pool.shutdown(wait=False, cancel_futures=True)
    return read(file)


def _timed(work: Callable[[Job], dict[str, Any]], job: Job) -> dict[str, Any]:
    start = time.process_time()
    row = work(job)
    return {**vars(job), "cpu_seconds": round(time.process_time() - start, 2), **row}


def jobs_of(tasks: Sequence[str], methods: Sequence[str], seeds: Sequence[int]) -> list[Job]:
    """All runs, those of a seed before those of the next, so that what is there compares like with like."""
    return [Job(t, m, s) for s in seeds for t in tasks for m in methods]


def arguments(
    description: str, tasks: Sequence[str], methods: Sequence[str], budget: int
) -> argparse.Namespace:
    """What every script here takes on the command line."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", nargs="+", choices=tasks, default=list(tasks), metavar="NAME")
    parser.add_argument("--methods", nargs="+", choices=methods, default=list(methods), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="0, 1, ... below this")
    parser.add_argument("--budget", type=int, default=budget, help="evaluations of a run")
    parser.add_argument("--workers", type=int, default=1, help="runs at a time, each in a process")
    parser.add_argument("--minutes", type=float, help="begin no run after so long; the next call goes on")
    parser.add_argument("--report", action="store_true", help="run nothing, report on what is there")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the tables")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="the folder of the results")
    return parser.parse_args()
