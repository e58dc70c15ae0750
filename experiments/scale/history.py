"""Growth of a search: time, memory and disk per evaluation, up to 100,000 in one history, and the time to open it.

A look-up problem (12 genes of 8 choices, error with noise, two exact costs), so that only the engine is measured:
the median processor time of each thousand evaluations, of which asking and telling the algorithm, the rest being
the loop and the log; resident memory and the size of the log after it. A fixed piece of work is timed between the
evaluations, since processor time too depends on the machine's load: `relative` is the ratio of the two. Then the processor time to read the
finished run, to write its tables and plots, to print its front, and to resume it. Run:
`python experiments/scale/history.py [--moead 100000] [--sa-moead 10000] [--out experiments/scale/results]`.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import nas
from nas.algorithms import ALGORITHMS
from nas.engine.loop import LoopSettings, SearchState
from nas.report.plots import write_plots
from nas.report.run_tables import write_tables
from nas.runs.history import FILE

GENES, CHOICES = 12, 8
EVERY = 1_000
OBJECTIVES = ["error", "params", "madds"]
RESULTS = Path(__file__).resolve().parent / "results"
WORTH = np.random.default_rng(0).normal(size=(GENES, CHOICES))
BLUE, VERMILLION, INK = "#0072B2", "#D55E00", "#333333"
COLOUR = {"moead": BLUE, "sa-moead": VERMILLION}


class Genes(nas.SearchSpace):
    """Twelve genes of eight choices, with two exact costs."""

    name = "genes"
    cardinalities = (CHOICES,) * GENES

    def cost(self, architecture: nas.Architecture) -> Mapping[str, float]:
        genes = architecture.genes
        return {
            "params": 10.0 + sum(genes),
            "madds": float(sum((i + 1) * gene for i, gene in enumerate(genes))),
        }


def evaluate(trial: nas.Trial) -> Mapping[str, float]:
    """A sum over genes, and noise."""
    worth = sum(float(WORTH[i, gene]) for i, gene in enumerate(trial.architecture.genes))
    return {"error": 20.0 + worth + 1e-4 * (trial.seed % 1000)}


def fixed_work() -> float:
    """Processor seconds of a piece of work that never changes, of the kind that an evaluation is made of."""
    begun = time.process_time()
    for _ in range(20):
        front = np.arange(600.0).reshape(3, 200)
        (front <= front[:, :1]).all(axis=0).any()
        json.loads(json.dumps({"error": 1.0, "params": 2.0, "madds": 3.0}))
        sum(range(500))
    return time.process_time() - begun


class Clock:
    """Processor time of each evaluation, and of each call of the algorithm within it; a callback of the search."""

    def __init__(self, out: Path, put: Callable[[list[dict[str, float]]], object]) -> None:
        self._out, self._process, self._put_down = out, psutil.Process(), put
        self._fixed: list[float] = []
        self._last = time.process_time()
        self._spent = {"ask": 0.0, "tell": 0.0}
        self._of: list[tuple[float, float, float]] = []
        self.rows: list[dict[str, float]] = []

    def timed(self, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            begun = time.process_time()
            try:
                return act(*arguments)
            finally:
                self._spent[name] += time.process_time() - begun

        return call

    def __call__(self, state: SearchState) -> None:
        now = time.process_time()
        if state.evaluated:
            self._of.append((now - self._last, self._spent["ask"], self._spent["tell"]))
        self._spent = {"ask": 0.0, "tell": 0.0}
        if len(self._of) % 50 == 0:
            self._fixed.append(1e3 * fixed_work())
        if len(self._of) == EVERY:
            self._put(state)
        self._last = time.process_time()

    def _put(self, state: SearchState) -> None:
        whole, ask, tell = (1e3 * np.array(self._of).T).tolist()
        mean_ask = float(np.mean(ask))  # of sa-moead only now and then does one take long
        fixed = float(np.median(self._fixed))
        logs = [self._out / FILE, self._out / f"{FILE}-wal"]
        self.rows.append(
            {
                "evaluations": state.evaluated,
                "evaluation_ms": round(float(np.median(whole)), 4),
                "evaluation_mean_ms": round(float(np.mean(whole)), 4),
                "ask_ms": round(float(np.median(ask)), 4),
                "ask_mean_ms": round(mean_ask, 4),
                "tell_ms": round(float(np.median(tell)), 4),
                "fixed_work_ms": round(fixed, 4),
                "relative": round(float(np.median(whole)) / fixed, 4),
                "memory_mb": round(self._process.memory_info().rss / 2**20, 1),
                "log_mb": round(sum(p.stat().st_size for p in logs if p.exists()) / 2**20, 2),
                "front": len(state.front),
            }
        )
        print(self.rows[-1], flush=True)
        self._put_down(self.rows)
        self._of.clear()
        self._fixed.clear()


def searched(
    algorithm: str, evaluations: int, out: Path, *callbacks: Any, resume: bool = False
) -> nas.SearchResult:
    clock = callbacks[0] if callbacks else None

    def make(problem: nas.Problem, rng: np.random.Generator, settings: Any) -> Any:
        made = ALGORITHMS[algorithm](
            problem, rng, ALGORITHMS[algorithm].default_settings(len(OBJECTIVES), evaluations)
        )
        if clock is not None:
            made.ask = clock.timed("ask", made.ask)
            made.tell = clock.timed("tell", made.tell)
        return made

    make.__name__ = algorithm
    loop = LoopSettings(evaluations=evaluations, seed=1)
    return nas.search(
        Genes(), OBJECTIVES, evaluate, algorithm=make, loop=loop, out=out, callbacks=callbacks, resume=resume
    )


def seconds(act: Callable[[], Any]) -> float:
    begun = time.process_time()
    act()
    return round(time.process_time() - begun, 2)


def opening(algorithm: str, evaluations: int, out: Path) -> dict[str, Any]:
    """Processor seconds to open and to write again a finished run."""
    row: dict[str, Any] = {"evaluations": evaluations}
    row["read_s"] = seconds(lambda: nas.load_run(out))
    table, _ = nas.load_run(out)
    row["tables_s"] = seconds(lambda: write_tables(out, table, {}, plots=False))
    row["resume_s"] = seconds(lambda: searched(algorithm, evaluations, out, resume=True))
    row["pictures_s"] = seconds(lambda: write_plots(out / "plots", table))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", "from nas.cli import main; main()", "front", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    row["nas_front_s"] = round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2)
    row["log_mb"] = round((out / FILE).stat().st_size / 2**20, 1)
    print(row, flush=True)
    return row


def draw(growth: pd.DataFrame, path: Path) -> None:
    figure = Figure(figsize=(10, 3.4), dpi=150, layout="constrained", facecolor="white")
    panels = (
        ("relative", "time per evaluation (fixed work = 1)"),
        ("memory_mb", "resident memory (MB)"),
        ("log_mb", "log on disk (MB)"),
    )
    for ax, (column, label) in zip(figure.subplots(1, 3), panels, strict=True):
        for algorithm, rows in growth.groupby("algorithm", sort=False):
            ax.plot(rows["evaluations"] / 1e3, rows[column], color=COLOUR[str(algorithm)], label=algorithm)
        ax.set_xlabel("evaluations (thousands)", color=INK)
        ax.set_ylabel(label, color=INK)
        if column == "relative":
            ax.legend(frameon=False)
        ax.set_ylim(bottom=0)
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(color="#ECECEC", linewidth=0.8)
    FigureCanvasAgg(figure).print_png(str(path))


def put(path: Path, algorithm: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write an algorithm's rows in place of its earlier ones, those of the others kept."""
    table = pd.DataFrame([{"algorithm": algorithm, **row} for row in rows])
    if path.exists():
        earlier = pd.read_csv(path)
        table = pd.concat([earlier[earlier["algorithm"] != algorithm], table], ignore_index=True)
    table.sort_values("algorithm", kind="stable").to_csv(path, index=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--moead", type=int, default=100_000, help="evaluations; 0 keeps the earlier measurements"
    )
    parser.add_argument("--sa-moead", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for algorithm, evaluations in (("moead", args.moead), ("sa-moead", args.sa_moead)):
        if evaluations < EVERY:
            continue
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "run"
            clock = Clock(out, partial(put, args.out / "growth.csv", algorithm))
            searched(algorithm, evaluations, out, clock)
            put(args.out / "opening.csv", algorithm, [opening(algorithm, evaluations, out)])
        draw(pd.read_csv(args.out / "growth.csv"), args.out / "growth.png")


if __name__ == "__main__":
    main()
