"""The driver's memory over a long search: only the log's rows grow."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import psutil
import pytest
from engine_parts import Grid, Keeping, quick

import nas
from nas.engine.loop import LoopSettings, SearchState
from nas.executors import RaySettings
from nas.training import Halving

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_plots")]
WARM, EVALUATIONS = 200, 1_200


def grown(out: Path, evaluate: Any, halving: Halving | None = None, **more: Any) -> float:
    """Resident megabytes that the driver gains from the 200th to the 1,200th evaluation."""
    process, at = psutil.Process(), {}

    def look(state: SearchState) -> None:
        len(state.front)
        if state.evaluated in (WARM, EVALUATIONS) and state.evaluated not in at:
            gc.collect()
            at[state.evaluated] = process.memory_info().rss

    loop = LoopSettings(evaluations=EVALUATIONS, halving=halving)
    nas.search(
        Grid(8, 8),
        ["error", "params", "madds"],
        evaluate,
        loop=loop,
        out=out,
        callbacks=[look],
        **{"algorithm": "moead", **more},
    )
    return (at[EVALUATIONS] - at[WARM]) / 2**20


@pytest.mark.parametrize("algorithm", ["moead", "nsga2"])
def test_it_stays_flat_over_a_thousand_evaluations(algorithm: str, tmp_path: Path) -> None:
    gain = grown(tmp_path, quick, algorithm=algorithm)
    assert gain < 5, f"{gain:.1f} MB"


def test_it_stays_flat_when_weights_are_kept_and_continued(tmp_path: Path) -> None:
    gain = grown(tmp_path, Keeping(), Halving(2, 18, 3))
    assert gain < 8, f"{gain:.1f} MB"


def test_it_stays_flat_on_ray(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    gain = grown(tmp_path, quick, executor="ray", executor_settings=RaySettings(workers=2))
    assert gain < 8, f"{gain:.1f} MB"
