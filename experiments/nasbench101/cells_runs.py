"""The runs of a report: the committed rows, replaced by those of comparisons."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from cells_tasks import DATA, HERE

import nas
from nas.compare.config import check_comparison
from nas.compare.folder import recorded
from nas.compare.runs import Comparison
from nas.core.errors import ConfigError

KEY = ["task", "method", "seed"]
FIRST = "9e4122f"  # the commit of the rows without a column `engine`


class Run(NamedTuple):
    """A complete run of a comparison, with its successful evaluations in the order of telling."""

    task: str
    method: str
    seed: int
    budget: int
    told: pd.DataFrame


Row = dict[str, Any]
Score = Callable[[Run], list[Row]]


def arguments(description: str, *, tuning: bool = False) -> argparse.Namespace:
    """The command-line arguments of every report; with `tuning` also folders of tuning runs."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", nargs="*", type=Path, default=[], help="folders that `nas compare` wrote")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the tables")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="the folder to write")
    parser.add_argument("--engine", help="the commit that made these runs")
    if tuning:
        parser.add_argument("--tuning", nargs="*", type=Path, default=[], help="folders of tuning runs")
    args = parser.parse_args()
    if (args.runs or (tuning and args.tuning)) and not args.engine:
        parser.error("runs need --engine, the commit that made them")
    args.out.mkdir(parents=True, exist_ok=True)
    return args


def rows(name: str, args: argparse.Namespace, score: Score, order: Sequence[str]) -> pd.DataFrame:
    """The rows of `results/NAME.csv`; rows of `args.runs` replace theirs, and all are written to `args.out`.

    `score` gives the rows of a run, without those of its task, method and seed that are its own. Rows are by task, then method in the
    given order, then seed.
    """
    file = HERE / "results" / f"{name}.csv"
    frame = pd.read_csv(file, dtype={"engine": str}) if file.exists() else pd.DataFrame(columns=KEY)
    if "engine" not in frame:
        frame["engine"] = FIRST
    fresh = [row for folder in args.runs for row in of_comparison(folder, score)]
    fresh = [row | {"engine": args.engine} for row in fresh]
    if not fresh:
        return frame
    place = {method: i for i, method in enumerate(order)}
    frame = pd.concat([frame, pd.DataFrame(fresh)]).drop_duplicates(KEY, keep="last")
    frame = frame.sort_values(
        KEY, key=lambda c: c.map(place).fillna(len(place)) if c.name == "method" else c, kind="stable"
    )
    frame.to_csv(args.out / f"{name}.csv", index=False)
    return frame.reset_index(drop=True)


def of_comparison(folder: Path, score: Score) -> list[Row]:
    """A row for each complete run in the folder of a comparison. Raises `ConfigError` without one."""
    known = recorded(folder)
    if known is None:
        raise ConfigError(
            f"{folder}: not the folder of a comparison; run `nas compare` with the config beside this script"
        )
    comparison, found = Comparison(check_comparison(known["config"]), folder, folder), []
    for key in comparison.every_run():
        if comparison.done(key):
            told = nas.load_run(comparison.folder(key))[0].told
            told = told[told["status"] == "ok"].reset_index(drop=True)
            budget = comparison.config.budget_of(comparison.config.problem(key.problem))
            own = dict(zip(KEY, key, strict=True))
            found += [own | row for row in score(Run(*key, budget, told))]
    return found
