"""The same seed, the same front, byte for byte: in one process, on 1, 2 and 4 Ray workers, killed and resumed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from engine_parts import QUICK_SETTINGS, Grid, log_of, quick, uneven

import nas
from nas.core.records import Trial
from nas.engine.loop import LoopSettings
from nas.executors import RaySettings

pytestmark = pytest.mark.usefixtures("no_plots")
EVALUATIONS, KILLED_AT = 26, 13


def search(out: Path, algorithm: str, evaluate: Any = quick, workers: int = 0, resume: bool = False) -> None:
    """The search of all these tests; on Ray with `workers`, else in this process."""
    more: dict[str, Any] = {}
    if workers:
        more = {"executor": "ray", "executor_settings": RaySettings(workers=workers)}
    nas.search(
        Grid(), ["error", "params", "madds"], evaluate, algorithm=algorithm, out=out, resume=resume,
        algorithm_settings=QUICK_SETTINGS.get(algorithm), loop=LoopSettings(EVALUATIONS, seed=11, concurrency=5), **more,
    )  # fmt: skip


def dies(trial: Trial) -> Any:
    """`quick`, but one trial kills the whole search."""
    if trial.id == KILLED_AT:
        os.kill(os.getpid(), signal.SIGKILL)
    return quick(trial)


def killed(out: Path, algorithm: str) -> None:
    """A search in a separate process, killed half way."""
    here = Path(__file__).resolve().parent
    folders = [str(here), str(here.parent / "shared"), os.environ.get("PYTHONPATH", "")]
    code = "import sys, pathlib, test_reproducible as t; t.search(pathlib.Path(sys.argv[1]), sys.argv[2], t.dies)"
    done = subprocess.run(
        [sys.executable, "-c", code, out, algorithm],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
    )
    assert done.returncode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("algorithm", ["moead", "sa-moead"])
def test_one_seed_gives_one_front_however_it_is_run(algorithm: str, tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    search(tmp_path / "serial", algorithm)
    ways = {"serial": tmp_path / "serial"}
    ray.init(
        address="local", num_cpus=4, include_dashboard=False, log_to_driver=False, object_store_memory=2**28
    )
    try:
        for workers in (1, 2, 4):
            ways[f"{workers} workers"] = tmp_path / f"{workers}"
            search(tmp_path / f"{workers}", algorithm, uneven, workers)
        for name, workers in (("killed, resumed in one process", 0), ("killed, resumed on two workers", 2)):
            ways[name] = tmp_path / f"killed-{workers}"
            killed(ways[name], algorithm)
            search(ways[name], algorithm, uneven, workers, resume=True)
    finally:
        ray.shutdown()
    fronts = {name: (out / "front.csv").read_bytes() for name, out in ways.items()}
    assert fronts == dict.fromkeys(ways, fronts["serial"])
    logs = {name: log_of(out) for name, out in ways.items()}
    assert logs == dict.fromkeys(ways, logs["serial"])
