"""Successive halving on Ray workers: the outcome and the weights of one process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_parts import Grid, Keeping, interrupt_at, log_of

import nas
from nas.engine.loop import LoopSettings
from nas.executors import RaySettings
from nas.training import Halving

ray = pytest.importorskip("ray")
LOOP = LoopSettings(evaluations=60, seed=7, concurrency=4, halving=Halving(2, 18, 3))


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """One cluster for all tests here; an executor uses it when it is there."""
    ray.init(
        address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=2**28
    )
    yield
    ray.shutdown()


pytestmark = [pytest.mark.usefixtures("cluster", "no_plots"), pytest.mark.timeout(900)]


def search(out: Path, workers: int, stop: int | None = None, resume: bool = False) -> nas.SearchResult:
    more = {"executor": "ray", "executor_settings": RaySettings(workers=workers)} if workers else {}
    return nas.search(
        Grid(),
        ["error", "params"],
        Keeping(),
        loop=LOOP,
        out=out,
        resume=resume,
        callbacks=[interrupt_at(stop)],
        **{"algorithm": "moead", **more},
    )  # type: ignore[arg-type]


def weights(out: Path) -> list[str]:
    return sorted(path.name for path in (out / "weights").iterdir())


@pytest.mark.slow
def test_two_workers_stopped_half_way_give_the_trials_the_front_and_the_weights_of_one_process(
    tmp_path: Path,
) -> None:
    search(tmp_path / "serial", workers=0)
    search(tmp_path / "ray", workers=2, stop=25)
    search(tmp_path / "ray", workers=2, resume=True)
    assert log_of(tmp_path / "ray") == log_of(tmp_path / "serial")
    assert (tmp_path / "ray/front.csv").read_bytes() == (tmp_path / "serial/front.csv").read_bytes()
    assert weights(tmp_path / "ray") == weights(tmp_path / "serial")
