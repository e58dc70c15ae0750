"""A search with a failed trial, and the check of its numbers in a tracker."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from typing import Any

import pytest
from engine_parts import Grid, Noting, quick

import nas

OBJECTIVES = ["error", "params", "madds"]


def needs(*modules: str) -> pytest.MarkDecorator:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def fails(trial: nas.Trial) -> dict[str, float]:
    if trial.id == 6:
        raise RuntimeError("no such layer")
    return dict(quick(trial))


def search(out: Path, *callbacks: object, **changes: Any) -> nas.SearchResult:
    arguments = {"evaluate": fails, "algorithm": Noting, "budget": 25, "out": out, "callbacks": callbacks}
    return nas.search(Grid(), OBJECTIVES, **({"algorithm": "moead", **arguments | changes}))


def check(logged: dict[str, list[tuple[int, float]]], result: nas.SearchResult) -> None:
    """Each evaluation is there once, with the values of the run's own files."""
    table = result.history
    steps = list(range(1, len(table) + 1))
    assert [step for step, _ in logged["front/hypervolume"]] == steps
    assert logged["front/hypervolume"][-1][1] == pytest.approx(result.summary["hypervolume"], rel=1e-6)
    assert logged["front/size"][-1][1] == result.summary["front_size"]
    assert logged["failures/all"][-1][1] == logged["failures/failed"][-1][1] == 1
    assert logged["best/error"][-1][1] == pytest.approx(result.summary["best"]["error"], rel=1e-6)
    ok = table[table["status"] == "ok"]
    assert [step for step, _ in logged["objective/error"]] == [i + 1 for i in ok["trial"]]
    assert [v for _, v in logged["objective/error"]] == pytest.approx(ok["error"].tolist(), rel=1e-6)
    assert logged["surrogate/tau_error"][-1][1] == pytest.approx(0.7)
    assert logged["pace/evaluations_per_minute"][-1][1] > 0
    assert all(math.isfinite(value) for rows in logged.values() for _, value in rows)
