"""Candidates for the Ray workers, good and bad; a trial's space names the one that it stands for."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nas.core.records import Architecture, Trial


def candidate(name: str, number: int = 0) -> Trial:
    return Trial(number, Architecture(name, (number,)), seed=number + 100)


def good(trial: Trial, folder: Path) -> Any:
    rng = np.random.default_rng(trial.seed)
    matrix = rng.normal(size=(50, 50))
    return {"error": float(np.linalg.norm(matrix @ matrix)), "pid": os.getpid()}


def raises(trial: Trial, folder: Path) -> Any:
    raise ValueError("no such layer")


def exits(trial: Trial, folder: Path) -> Any:
    sys.exit(3)


class Own(BaseException):
    pass


def own_base_exception(trial: Trial, folder: Path) -> Any:
    raise Own("of its own")


def interrupts(trial: Trial, folder: Path) -> Any:
    raise KeyboardInterrupt("from inside")


def cancelled(trial: Trial, folder: Path) -> Any:
    raise asyncio.CancelledError


def no_utf8(trial: Trial, folder: Path) -> Any:
    raise ValueError("cannot decode " + os.fsdecode(b"caf\xe9.png"))


def not_a_number(trial: Trial, folder: Path) -> Any:
    return {"error": float("nan")}


def wrong_keys(trial: Trial, folder: Path) -> Any:
    return {"eror": 1.0}


def text(trial: Trial, folder: Path) -> Any:
    return {"error": "5%"}


def huge_array(trial: Trial, folder: Path) -> Any:
    return {"error": np.ones((1000, 1000))}


def hangs(trial: Trial, folder: Path) -> Any:
    while True:
        time.sleep(60)


def fills_memory_at_once(trial: Trial, folder: Path) -> Any:
    return {"error": np.ones(10**9).sum()}


def fills_memory_by_and_by(trial: Trial, folder: Path) -> Any:
    kept = []
    while True:
        kept.append(np.ones(10**5))


def kills_itself(trial: Trial, folder: Path) -> Any:
    print("before its end", flush=True)
    (folder / f"killed-{time.time_ns()}").touch()
    os.kill(os.getpid(), signal.SIGKILL)


def dies_once(trial: Trial, folder: Path) -> Any:
    marker = folder / "died-once"
    if not marker.exists():
        marker.touch()
        os._exit(1)
    return {"error": 1.0}


def prints(trial: Trial, folder: Path) -> Any:
    line = "x" * 1000
    for _ in range(20_000):
        print(line)
    return {"error": 1.0}


def threads(trial: Trial, folder: Path) -> Any:
    import torch
    from threadpoolctl import threadpool_info

    counted = {
        "error": 1.0,
        "torch": torch.get_num_threads(),
        "pools": max([pool["num_threads"] for pool in threadpool_info()], default=1),
        "pid": os.getpid(),
    }
    torch.set_num_threads(3)  # as a careless evaluator might
    return counted


def meets_the_other(trial: Trial, folder: Path) -> Any:
    (folder / f"here-{trial.id}").touch()
    give_up = time.monotonic() + 600
    while len(list(folder.glob("here-*"))) < 2:
        if time.monotonic() > give_up:
            raise TimeoutError("the other trial did not come")
        time.sleep(0.01)
    return {"error": 1.0}


class Candidates:
    """Evaluates a trial by the function that its space names; carries an array, as an evaluator with data does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = np.zeros(1000)

    def __call__(self, trial: Trial) -> Mapping[str, float]:
        self.data += 1  # evaluators may write to their own arrays
        behaviour: Callable[[Trial, Path], Any] = globals()[trial.architecture.space]
        return behaviour(trial, self.folder)  # type: ignore[no-any-return]


class CannotTravel:
    """Can be pickled, but not unpacked where the driver is not."""

    def __init__(self) -> None:
        self.driver = os.getpid()

    def __setstate__(self, state: dict[str, int]) -> None:
        if state["driver"] != os.getpid():
            raise ModuleNotFoundError("No module named 'only_here'")

    def __call__(self, trial: Trial) -> Mapping[str, float]:
        return {"error": 1.0}
