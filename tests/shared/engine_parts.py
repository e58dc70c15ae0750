"""A small space, evaluators and executors for tests of the engine; importable by Ray workers."""

from __future__ import annotations

import ctypes
import math
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nas.algorithms.random_search import RandomSearch
from nas.algorithms.sa_moead import SAMOEADSettings
from nas.core.algorithm import Algorithm
from nas.core.evaluator import Evaluate
from nas.core.problem import Problem
from nas.core.records import Architecture, Note, Observation, Result, Trial
from nas.core.space import SearchSpace
from nas.engine.search_state import SearchState
from nas.executors import run_trial
from nas.runs.history import read_history


class Grid(SearchSpace):
    """Six genes with exact costs; `params` starts at 10."""

    name = "grid"

    def __init__(self, choices: int = 6, genes: int = 6, scale: float = 1.0) -> None:
        self.cardinalities = (choices,) * genes
        self._scale = scale

    def cost(self, architecture: Architecture) -> Mapping[str, float]:
        genes = architecture.genes
        return {
            "params": self._scale * (10.0 + sum(genes)),
            "madds": float(sum((i + 1) * g for i, g in enumerate(genes))),
        }


def interrupt_at(evaluated: int | None) -> Callable[[SearchState], None]:
    """A callback that interrupts a search, like Ctrl-C, after so many evaluations (None: never)."""

    def callback(state: SearchState) -> None:
        if evaluated is not None and state.evaluated >= evaluated:
            raise KeyboardInterrupt

    return callback


def quick(trial: Trial) -> Mapping[str, float]:
    """An error that depends on the genes and the trial's seed."""
    noise = np.random.default_rng(trial.seed).random()
    return {"error": float(sum((5 - g) ** 2 for g in trial.architecture.genes) + noise)}


def uneven(trial: Trial) -> Mapping[str, float]:
    """`quick`, after a pause that varies between runs."""
    time.sleep(0.03 * (os.urandom(1)[0] / 255) ** 2)
    return quick(trial)


def troubled(trial: Trial) -> Mapping[str, float]:
    """`quick`, with one candidate of each kind of failure."""
    if trial.id == 3:
        raise ValueError("no such layer")
    if trial.id == 5:
        return {"error": float("nan")}
    if trial.id == 7:
        return {"eror": 1.0}
    if trial.id == 9:
        time.sleep(3600)
    if trial.id == 11:
        return {"error": float(np.ones(10**9).sum())}
    if trial.id == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return quick(trial)


def hostile(trial: Trial) -> Mapping[str, Any]:
    """`quick`, with every misbehaviour that a search in one process survives."""
    if trial.id in HOSTILE:
        return HOSTILE[trial.id]()
    return quick(trial)


def deadly(trial: Trial) -> Mapping[str, Any]:
    """`hostile`, plus candidates that end their process, fill the memory or hang in compiled code."""
    if trial.id == 22:
        time.sleep(600)
    if trial.id == 24:
        return {"error": float(np.ones(10**9).sum())}
    if trial.id == 26:
        ctypes.string_at(0)  # a segmentation fault
    if trial.id == 28:
        os._exit(3)
    return hostile(trial)


def _raise(error: BaseException) -> Any:
    raise error


def _print_much() -> dict[str, float]:
    for _ in range(300):
        print("x" * 10_000)
    return {"error": 50.0}


class Unspeakable(Exception):
    """An exception whose `__str__` raises."""

    def __str__(self) -> str:
        raise ValueError


HOSTILE: Mapping[int, Callable[[], Any]] = {
    2: lambda: _raise(ValueError("no such layer")),
    3: lambda: _raise(SystemExit(3)),
    4: lambda: _raise(Unspeakable()),
    6: lambda: {"error": math.nan},
    7: lambda: {"error": -math.inf},
    8: lambda: {"error": "5%"},
    10: lambda: {"error": np.ones((2000, 500))},
    11: lambda: [1.0, 2.0],
    12: lambda: None,
    14: lambda: {"error": 1.0, 7: 2.0},
    15: lambda: {"error": 10**400},
    16: lambda: {"error": 1.0, "note": "x" * 10**7},
    18: lambda: _raise(RuntimeError("y" * 10**7)),
    19: lambda: _raise(MemoryError()),
    20: _print_much,
}


def rising(trial: Trial) -> Mapping[str, float]:
    """An error that falls with the budget at a rate that depends on the architecture; occasionally it rises."""
    assert trial.budget is not None
    rate = np.random.default_rng([trial.seed, *trial.architecture.genes]).uniform(-0.02, 0.5)
    return {"error": float(quick(trial)["error"] * trial.budget**-rate)}


@dataclass(frozen=True)
class Keeping:
    """`rising`, with weights: a file with the budget of the training."""

    folder: str | None = None
    horizon: float | None = None

    def __call__(self, trial: Trial) -> Mapping[str, float]:
        assert trial.budget is not None
        done = 0.0
        if self.folder is not None:
            file = self.weights_file(trial)
            file.parent.mkdir(parents=True, exist_ok=True)
            done = float(file.read_text()) if file.exists() else 0.0
            file.write_text(str(max(done, trial.budget)))
        return {**rising(trial), "trained": trial.budget - done}

    def keeping(self, folder: str | None, horizon: float | None) -> Keeping:
        return Keeping(folder, horizon)

    def weights_file(self, trial: Trial) -> Path:
        name = "".join(map(str, trial.architecture.genes))
        return Path(self.folder or "") / f"{name}-{trial.seed}.pt"


class Shuffled:
    """An executor with `workers` workers that returns results in random order."""

    def __init__(self, evaluate: Evaluate, workers: int, seed: int) -> None:
        self._evaluate = evaluate
        self._workers = workers
        self._rng = np.random.default_rng(seed)
        self._waiting: list[Trial] = []
        self.submitted: list[Trial] = []

    @property
    def free(self) -> int:
        return self._workers - len(self._waiting)

    def submit(self, trial: Trial) -> None:
        self.submitted.append(trial)
        self._waiting.append(trial)

    def collect(self, timeout: float | None = None) -> list[Result]:
        if not self._waiting or self._rng.random() < 0.2:
            return []  # nothing finished in time
        running = min(len(self._waiting), self._workers)
        trial = self._waiting.pop(int(self._rng.integers(running)))
        return [run_trial(self._evaluate, trial)]

    def close(self) -> None:
        self._waiting.clear()


class Listed(Algorithm):
    """Asks for the architectures of a list, ignoring limits."""

    def __init__(self, architectures: list[Architecture]) -> None:
        self._left = list(architectures)
        self.told: list[Observation] = []

    def ask(self, n: int) -> list[Architecture]:
        return [self._left.pop(0) for _ in range(min(n, len(self._left)))]

    def tell(self, observations: object) -> None:
        self.told.extend(observations)  # type: ignore[arg-type]


class Noting(Algorithm):
    """Random search with an expensive ask and `recall`, which notes every fifth tell."""

    Settings = RandomSearch.Settings
    asks = 0  # over all instances since it was last set

    def __init__(self, problem: Problem, rng: np.random.Generator, settings: Any = None) -> None:
        self._inner = RandomSearch(problem, rng)
        self._told = 0
        self._notes: list[Note] = []

    def ask(self, n: int) -> list[Architecture]:
        type(self).asks += 1
        return self._inner.ask(n)

    def recall(self, architecture: Architecture | None) -> None:
        self._inner.ask(1)

    def tell(self, observations: Sequence[Observation]) -> None:
        self._inner.tell(observations)
        self._told += len(observations)
        if self._told % 5 == 0:
            self._notes.append(Note(self._told, "surrogate", judgement(self._told)))

    def notes(self) -> list[Note]:
        given, self._notes = self._notes, []
        return given


def judgement(told: int) -> dict[str, float | int | str | bool]:
    """A fake note of a surrogate-assisted algorithm: unreliable at first, another model from 20 on."""
    early = told < 10
    chosen = "gp/onehot" if told < 20 else "ridge/pairs"
    return {
        "objective": "error",
        "chosen": chosen,
        "rows": told,
        "tau": 0.1 if early else 0.7,
        "tau_low": -0.2 if early else 0.6,
        "tau_high": 0.4 if early else 0.8,
        "coverage": math.nan if early else 0.88,
        "calibration": 1.1,
        "rmse": math.nan if early else 2.5,
        "reliable": not early,
        "text": f"{chosen}: tau {0.1 if early else 0.7} on {told} results"
        + ("; falls back to varied candidates" if early else ""),
    }


def log_of(folder: Path) -> list[tuple[int, str, str, float]]:
    """The trials and results of a run, without times."""
    frame, _ = read_history(folder)
    return list(zip(frame["trial"], frame["architecture"], frame["status"], frame["told"], strict=True))


# Each ask of a search with surrogates takes a while; these settings keep tests of anything else quick.
QUICK_SETTINGS = {"sa-moead": SAMOEADSettings(initial=6, surrogate="rbf", pool=60, growth=0.3)}
