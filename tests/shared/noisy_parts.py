"""A small search with a noisy objective, for tests of every consumer of its front."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from engine_parts import Grid

import nas
from nas.core.objectives import Objective
from nas.core.records import Trial

ERROR = Objective("error", "%", best=0.0, companions=["loss"])
COLUMNS = ["architecture", "error", "params", "error_expected", "error_low", "error_high"]


def noisy(trial: Trial) -> Mapping[str, float]:
    """An error with a noise of 6, and a loss with half of its luck."""
    luck = np.random.default_rng(trial.seed).normal()
    error = 20 + sum((5 - g) ** 2 for g in trial.architecture.genes) / 3
    return {"error": error + 6 * luck, "loss": (error + 3 * luck) / 40}


def search(out: Path | None = None, objective: Objective = ERROR, **changes: Any) -> nas.SearchResult:
    """A random search of 40 evaluations."""
    arguments: dict[str, Any] = {"algorithm": "random", "budget": 40, "seed": 3, "executor": "serial"}
    arguments |= {"evaluate": noisy, "out": out}
    return nas.search(Grid(), [objective, "params"], **arguments | changes)
