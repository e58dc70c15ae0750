"""Run searches of synthetic and tabular problems one after the other: a row a run in a CSV file, and a table of medians and tests.

A run that the file has is not repeated. One process, one thread; import this module before numpy.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy loads its libraries

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import nas
from nas.algorithms import ALGORITHMS
from nas.algorithms.peers import PEERS
from nas.compare.statistics import against
from nas.core.records import FloatArray
from nas.engine.search_state import LoopSettings
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import hypervolume_alone

sys.path.append(str(Path(__file__).resolve().parent.parent))
from engine_commit import engine_commit

KEY = ["problem", "costs", "noise", "method", "budget", "seed"]
CHECKPOINTS = (50, 100, 200, 300)
METHODS = (
    *("sa-moead", "moead", "nsga2", "scalarized-evolution", "regularized-evolution"),
    *("local-search", "optuna-tpe", "random"),
)


@dataclass(frozen=True)
class Problem:
    """A problem whose true values are known.

    `values` gives the true objectives (n, m), minimised, of genes (n, g); those in `measured` are measured with noise, the others are
    costs. `share` gives the quality of points (n, m).
    """

    name: str
    space: Callable[[], nas.SearchSpace]
    objectives: tuple[str, ...]
    measured: tuple[str, ...]
    values: Callable[[FloatArray], FloatArray]
    share: Callable[[FloatArray], float]


@dataclass(frozen=True)
class Replay:
    """A finished search: true and measured objectives (n, m) in the order of telling, seconds of the engine for a proposal."""

    true: FloatArray
    measured: FloatArray
    seconds: float


def search(
    problem: Problem, method: str, budget: int, seed: int, *, noise: float = 0.0, known: bool = True
) -> Replay:
    """Search `problem`; `noise` is the relative standard deviation of the measured objectives.

    With `known` costs are cheap objectives, else an evaluation measures them. `method` is a name of an algorithm or a peer, with
    settings after it: "moead:theta=2,population=20".
    """
    true: list[FloatArray] = []
    seen: list[FloatArray] = []
    spent = 0.0
    at = [problem.objectives.index(name) for name in problem.measured]

    def evaluate(trial: nas.Trial) -> dict[str, float]:
        nonlocal spent
        start = time.process_time()
        true.append(problem.values(np.array([trial.architecture.genes]))[0])
        row = true[-1].copy()
        row[at] *= np.exp(noise * np.random.default_rng([trial.seed, seed]).normal(size=len(at)))
        seen.append(row)
        spent += time.process_time() - start
        return dict(zip(problem.objectives, row.tolist(), strict=True))

    objectives = [
        nas.Objective(name, cheap=known and name not in problem.measured) for name in problem.objectives
    ]
    name, settings = parsed(method)
    loop = LoopSettings(evaluations=budget, seed=seed, concurrency=1)
    start = time.process_time()
    nas.search(problem.space(), objectives, evaluate, algorithm=name, algorithm_settings=settings, loop=loop)
    seconds = time.process_time() - start - spent
    return Replay(np.array(true), np.array(seen), seconds / len(true))


def parsed(method: str) -> tuple[Any, dict[str, Any] | None]:
    """An algorithm, by name or class, and its settings."""
    name, _, text = method.partition(":")
    if name not in ALGORITHMS and name not in PEERS:
        raise SystemExit(f"unknown method {name!r}; known: {', '.join([*ALGORITHMS, *PEERS])}")
    pairs = [part.partition("=") for part in text.split(",") if part]
    return ALGORITHMS.get(name, PEERS.get(name)), {k: _value(v) for k, _, v in pairs} or None


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def measures(problem: Problem, replay: Replay, budget: int) -> dict[str, float]:
    """At each checkpoint the share of all evaluated (`all_N`), and of those on the measured front (`front_N`), by true values."""
    row = {}
    for n in (n for n in CHECKPOINTS if n <= budget):
        row[f"all_{n}"] = problem.share(replay.true[:n])
        front = non_dominated(replay.measured[:n])
        row[f"front_{n}"] = problem.share(replay.true[:n][front])
    return row


def spread_front(points: FloatArray, most: int) -> np.ndarray:
    """Indices of the non-dominated points (n, m); at most `most`, those with the largest exclusive hypervolume."""
    kept = non_dominated(points)
    while len(kept) > most:
        drop = max(
            1, min(len(kept) - most, len(kept) // 4)
        )  # a few rounds: the values change as neighbours leave
        kept = np.delete(kept, np.argsort(hypervolume_alone(points[kept]), kind="stable")[:drop])
    return kept


def add_arguments(parser: argparse.ArgumentParser, file: Path, methods: Sequence[str] = METHODS) -> None:
    """The arguments that `main` uses."""
    parser.add_argument("--methods", nargs="+", default=methods)
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(21)))
    parser.add_argument("--budget", type=int, default=300)
    parser.add_argument("--noise", nargs="+", type=float, default=[0.0])
    parser.add_argument("--measured", action="store_true", help="measure the costs too")
    parser.add_argument(
        "--out", type=Path, default=file, help="file of the runs; the table is written beside it"
    )


def main(args: argparse.Namespace, problems: Sequence[Problem]) -> None:
    """Make the missing runs, seed by seed, and write the table of all."""
    file: Path = args.out
    file.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.read_csv(file, dtype={"engine": str}) if file.exists() else pd.DataFrame(columns=KEY)
    done = set(frame[KEY].itertuples(index=False, name=None))
    costs = "measured" if args.measured else "known"
    wanted = ((s, p, n, m) for s in args.seeds for p in problems for n in args.noise for m in args.methods)
    for seed, problem, noise, method in wanted:
        key = (problem.name, costs, noise, method, args.budget, seed)
        if key in done:
            continue
        replay = search(problem, method, args.budget, seed, noise=noise, known=not args.measured)
        row = dict(zip(KEY, key, strict=True)) | measures(problem, replay, args.budget)
        row |= {"ms": 1000 * replay.seconds, "engine": engine_commit()}
        frame = pd.concat([frame, pd.DataFrame([row])]) if len(frame) else pd.DataFrame([row])
        frame.to_csv(file, index=False, float_format="%.5g", lineterminator="\n")
        print(*(f"{v:.4f}" if isinstance(v, float) else v for v in row.values()), flush=True)
    text = table(frame)
    file.with_suffix(".md").write_text(text + "\n", encoding="utf-8")
    print(text)


def table(frame: pd.DataFrame) -> str:
    """For each problem and number of evaluations: median and quartiles of each method, and its test against the first."""
    lines = []
    for key, runs in frame.groupby(["problem", "costs", "noise", "budget"], sort=False):
        name, costs, noise, budget = key
        prefix = "front" if noise else "all"
        columns = [f"{prefix}_{n}" for n in CHECKPOINTS if n <= budget]
        lines += [f"\n## {name}, costs {costs}, noise {100 * noise:g}%\n"]
        lines += [f"| method | runs | {' | '.join(c.partition('_')[2] for c in columns)} | ms a proposal |"]
        lines += ["|---" * (len(columns) + 3) + "|"]
        methods = list(dict.fromkeys(runs["method"]))
        tests = {c: _tests(runs, c, methods) for c in columns}
        for method in methods:
            of = runs[runs["method"] == method]
            cells = [_cell(of[c], tests[c].get(method, "")) for c in columns]
            lines += [f"| {method} | {len(of)} | {' | '.join(cells)} | {of['ms'].median():.1f} |"]
    return "\n".join(lines).strip()


def _cell(values: pd.Series, mark: str) -> str:
    low, middle, high = values.quantile([0.25, 0.5, 0.75])
    return f"{middle:.3f} ({low:.3f}-{high:.3f}){mark}"


def _tests(runs: pd.DataFrame, column: str, methods: Sequence[str]) -> Mapping[str, str]:
    """A mark for each method: - or + where it is worse or better than sa-moead (p < .05)."""
    values = {
        m: dict(zip(of["seed"], of[column], strict=True))
        for m in methods
        if len(of := runs[runs["method"] == m].dropna(subset=[column]))
    }
    if "sa-moead" not in values or len(values) < 2:
        return {}
    marks = {"worse": " -", "better": " +"}
    return {name: marks.get(pair.verdict(), "") for name, pair in against(values, "sa-moead").items()}
