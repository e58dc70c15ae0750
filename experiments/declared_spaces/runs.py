"""Searches of declared spaces against the same problems in another form: hypervolume, and seconds of the engine.

`nice python experiments/declared_spaces/runs.py [--budget 100] [--seeds 21] [--cases ...]` appends a row a run to
`results.csv`, where a run in the file is not repeated, and prints the table of `results.md`. One process, one thread.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy loads its libraries

import numpy as np
import pandas as pd
from spaces import CASES, Case, front_of

import nas
from nas.compare.statistics import signed_rank, vargha_delaney
from nas.core.records import FloatArray
from nas.engine.search_state import LoopSettings
from nas.pareto.indicators import Box, hypervolume

sys.path.append(str(Path(__file__).resolve().parents[1]))
from engine_commit import engine_commit

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("NAS_SHARED_DATA", HERE.parents[2] / "shared" / "data"))
KEY = ["case", "form", "algorithm", "budget", "seed"]
CHECKPOINTS = (50, 100, 200, 300)
ALGORITHMS = ("sa-moead", "moead")
TABLES = ("hand-written", "declared")
FORMS = {  # the form compared with, then the declared one
    "nasbench201": TABLES,
    "nasbench101_5v": TABLES,
    "smooth numbers": ("categories", "ordered"),
    "muxnet-cifar": ("as today", "ordered"),
}
COLUMNS = (
    *(
        "problem",
        "algorithm",
        "evaluations",
        "seeds",
        "hypervolume, first form",
        "second form",
        "difference",
        "p",
    ),
    *("effect", "ms an evaluation, first form", "second form", "ratio"),
)


def search(case: Case, form: str, algorithm: str, budget: int, seed: int) -> tuple[FloatArray, float]:
    """The objectives (n, m) in the order of telling, and the processor seconds of the engine for each evaluation."""
    spent = [0.0]

    def evaluate(trial: nas.Trial) -> dict[str, float]:
        start = time.process_time()
        value = case.error(trial.architecture.genes)
        spent[0] += time.process_time() - start
        return {"error": value}

    space = case.forms[form]()
    _ = space.size  # equal architectures are found once, by hand or from `same`
    loop = LoopSettings(evaluations=budget, seed=seed, concurrency=1)
    start = time.process_time()
    found = nas.search(space, list(map(objective, case.objectives)), evaluate, algorithm=algorithm, loop=loop)
    seconds = time.process_time() - start - spent[0]
    return found.history[list(case.objectives)].to_numpy(dtype=np.float64), seconds / budget


def objective(name: str) -> str | nas.Objective:
    return nas.Objective(name, cheap=True) if name == "price" else name


def reference() -> None:
    """Write the reference front of MUXNet."""
    case = CASES["muxnet-cifar"]("")
    points, _ = search(case, "ordered", "moead", 20_000, 1000)
    frame = pd.DataFrame(front_of(points), columns=list(case.objectives)).sort_values("params")
    frame.to_csv(HERE / "reference.csv", index=False, float_format="%.6g", lineterminator="\n")


def run(args: argparse.Namespace, file: Path) -> pd.DataFrame:
    """All runs, the missing ones made now."""
    frame = pd.read_csv(file, dtype={"engine": str}) if file.exists() else pd.DataFrame(columns=KEY)
    done = set(frame[KEY].itertuples(index=False, name=None))
    for name in args.cases:
        case = CASES[name](str(args.data))
        front = case.front()
        box = Box(front.min(axis=0), front.max(axis=0) + 0.1 * np.ptp(front, axis=0))
        best = hypervolume(front, box)
        for seed, algorithm in ((s, a) for s in args.seeds for a in args.algorithms):
            for form in case.forms:
                key = (name, form, algorithm, args.budget, seed)
                if key in done:
                    continue
                points, seconds = search(case, form, algorithm, args.budget, seed)
                values = {
                    f"hv{n}": hypervolume(points[:n], box) / best for n in CHECKPOINTS if n <= args.budget
                }
                row = dict(zip(KEY, key, strict=True)) | values | {"ms": 1000 * seconds}
                row["engine"] = engine_commit()
                frame = pd.concat([frame, pd.DataFrame([row])]) if len(frame) else pd.DataFrame([row])
                frame.to_csv(file, index=False, float_format="%.5g", lineterminator="\n")
                print(row, flush=True)
    return frame


def table(frame: pd.DataFrame) -> str:
    """A row for each problem, algorithm, budget and number of evaluations."""
    rows = [COLUMNS, ("---",) * len(COLUMNS)]
    for (case, algorithm, budget), runs in frame.groupby(["case", "algorithm", "budget"], sort=False):
        first, second = (runs[runs["form"] == form].set_index("seed") for form in FORMS[case])
        seeds = first.index.intersection(second.index)
        first, second = first.loc[seeds], second.loc[seeds]
        for n in (n for n in CHECKPOINTS if 100 <= n <= budget):
            one, other = first[f"hv{n}"].to_numpy(), second[f"hv{n}"].to_numpy()
            p, effect = signed_rank(other, one), vargha_delaney(other, one)
            gap = np.median(other) - np.median(one)
            ms = [side["ms"].median() for side in (first, second)]
            forms = f"{np.median(one):.4f} | {np.median(other):.4f} | {gap:+.4f} | {p:.3g} | {effect:.2f}"
            spent = f"{ms[0]:.2f} | {ms[1]:.2f} | {ms[1] / ms[0]:.2f}"
            rows.append((case, algorithm, f"{n} of {budget}", f"{len(seeds)} | {forms} | {spent}"))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", nargs="*", default=list(CASES))
    parser.add_argument("--algorithms", nargs="+", default=ALGORITHMS)
    parser.add_argument("--budget", type=int, default=100)
    parser.add_argument("--seeds", nargs="+", type=int, default=range(21))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--reference", action="store_true", help="write the reference front of MUXNet first")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.reference:
        reference()
    text = table(run(args, args.out / "results.csv"))
    (args.out / "results.md").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
