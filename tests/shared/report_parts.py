"""Runs that tests make pages of, without a search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nas.core.objectives import Limit, Objective
from nas.core.records import Note
from nas.report import Source
from nas.runs.run_folder import RunTable, run_table

ERROR = Objective("error", "%", best=0.0)
ACCURACY = Objective("accuracy", "%", maximize=True, best=100.0)
PARAMS = Objective("params", "parameters", best=0.0)
MADDS = Objective("madds", "multiply-adds", best=0.0)
LATENCY = Objective("latency", "ms")
ENERGY = Objective("energy", "J")
FIVE = (ACCURACY, PARAMS, MADDS, LATENCY, ENERGY)
THREE = (ERROR, PARAMS, MADDS)
NASTY = "<script>window.hacked = true</script>"


def frame_of(objectives: tuple[Objective, ...], n: int, seed: int = 7) -> pd.DataFrame:
    """A run's table as `read_history` gives it: n successes, with a trade-off between size and error, on two workers."""
    rng = np.random.default_rng(seed)
    params = np.round(10 ** rng.normal(6.0, 0.6, n))
    error = 5 + 60 * (params / 1e5) ** -0.5 + rng.gamma(1.5, 2.0, n)
    known = {
        "error": error,
        "accuracy": 100 - error,
        "params": params,
        "madds": np.round(params * rng.uniform(20, 200, n)),
        "latency": params / 1e4 + rng.gamma(2.0, 4.0, n),
        "energy": params / 1e5 + rng.gamma(2.0, 1.0, n),
    }
    started = 1000.0 + 10.0 * (np.arange(n) // 2)
    return pd.DataFrame(
        {
            "trial": np.arange(n),
            "architecture": [f"{i}-{i % 7}-{i % 5}" for i in range(n)],
            "status": "ok",
            **{o.name: known[o.name] for o in objectives},
            "seconds": 9.0,
            "reason": "",
            "worker": [f"host:{i % 2}" for i in range(n)],
            "seed": 0,
            "budget": np.nan,
            "asked_at": started,
            "started": started,
            "finished": started + 9.0,
            "told": np.arange(1.0, n + 1),
            "told_seconds": 10.0 * (np.arange(n) // 2 + 1),
        }
    )


def failed(frame: pd.DataFrame, rows: list[int], reason: str, status: str = "failed") -> pd.DataFrame:
    """The table with these rows failed."""
    changed = frame.copy()
    measured = [
        name for name in ("error", "accuracy", "params", "madds", "latency", "energy") if name in frame
    ]
    changed.loc[rows, measured] = np.nan
    changed.loc[rows, "status"] = status
    changed.loc[rows, "reason"] = reason
    return changed


def notes(count: int = 3) -> list[Note]:
    """Judgements of a surrogate."""
    return [
        Note(
            10 * (i + 1),
            "surrogate",
            {
                "objective": "error", "chosen": "gp-genes", "tau": 0.2 + 0.1 * i, "tau_low": 0.1 * i, "tau_high": 0.5,
                "coverage": 0.9, "reliable": i > 0, "text": f"tau {0.2 + 0.1 * i:.1f}",
            },
        )
        for i in range(count)
    ]  # fmt: skip


def table_of(
    frame: pd.DataFrame, objectives: tuple[Objective, ...], *limits: str, said: list[Note] | None = None
) -> RunTable:
    return run_table(frame, objectives, [Limit.parse(text) for text in limits], 5, said or ())


def source_of(table: RunTable, folder: str = "runs/mine", **changes: Any) -> Source:
    """A finished run of `nas search` in the space muxnet-tiny, unless `changes` to its config say otherwise."""
    search = {
        "space": {"name": "muxnet-tiny", "resolutions": [8]},
        "evaluator": {"name": "training", "data": {"name": "digits", "validation": 0.3}},
        "executor": {"name": "ray", "workers": 2},
    }
    config = {
        "config": {"search": search, "base": None},
        "space": "muxnet-tiny",
        "algorithm": "moead",
        "limits": [],
        "loop": {"evaluations": 20, "seconds": None, "seed": 1},
        "versions": {"python": "3.11"},
    }
    return Source(Path(folder), table, config | changes, "finished", None)


def some_source(
    n: int = 20, objectives: tuple[Objective, ...] = THREE, folder: str = "runs/mine", seed: int = 7
) -> Source:
    return source_of(table_of(frame_of(objectives, n, seed), objectives), folder)
