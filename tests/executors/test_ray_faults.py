"""Clusters that lose workers, nodes and their head in the middle of a run, and that grow: minutes of real Ray."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from ray_nodes import Nodes, cluster_environment, kill_all, nodes

import nas
from nas.core.errors import ExecutorError
from nas.core.executor import Executor
from nas.core.records import Architecture, Result, Trial
from nas.core.space import SearchSpace
from nas.engine.loop import LoopSettings, SearchState
from nas.executors import RaySettings

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_plots"), pytest.mark.timeout(1200)]

KILLS = 50


class Cells(SearchSpace):
    name = "cells"
    cardinalities = (5,) * 6

    def cost(self, architecture: Architecture) -> Mapping[str, float]:
        return {"params": 10.0 + sum(architecture.genes), "madds": 1.0}


def measured(trial: Trial) -> Mapping[str, float]:
    noise = np.random.default_rng(trial.seed).random()
    return {"error": float(sum((4 - g) ** 2 for g in trial.architecture.genes) + noise)}


def slowly(trial: Trial) -> Mapping[str, float]:
    time.sleep(0.1)
    return measured(trial)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    for name, value in cluster_environment().items():
        monkeypatch.setenv(name, value)
    with nodes() as started:
        yield started


def search(out: Path, evaluate: Callable[[Trial], Mapping[str, float]], budget: int, **more: object) -> str:
    nas.search(
        Cells(), ["error", "params"], evaluate, out=out,
        loop=LoopSettings(budget, seed=3, concurrency=8), **{"algorithm": "moead", **more},  # type: ignore[arg-type]
    )  # fmt: skip
    return (out / "front.csv").read_text()


class Saboteur:
    """Kills something after every second result: a worker mostly, now and then a raylet or a node, which is then replaced."""

    def __init__(self, cluster: Nodes, second: int) -> None:
        self._cluster = cluster
        self._second = second
        self._rng = np.random.default_rng(11)
        self._next = 2
        self.kills: dict[str, int] = {"worker": 0, "raylet": 0, "node": 0}

    def __call__(self, state: SearchState) -> None:
        if state.evaluated < self._next or sum(self.kills.values()) >= KILLS:
            return
        kind = str(self._rng.choice(["worker", "raylet", "node"], p=[0.84, 0.08, 0.08]))
        done = self._kill_worker() if kind == "worker" else self._kill_node(kind)
        if done:
            self.kills[kind] += 1
            self._next = state.evaluated + 2

    def _kill_worker(self) -> bool:
        workers = [
            process
            for number in (0, self._second)
            if self._cluster.alive(number)
            for process in self._cluster.named(number, "ray::Worker")
        ]
        if not workers:
            return False  # the next time something is told
        kill_all([workers[int(self._rng.integers(len(workers)))]])
        return True

    def _kill_node(self, kind: str) -> bool:
        if not self._cluster.alive(self._second):
            return False
        if kind == "raylet":
            kill_all(self._cluster.named(self._second, "raylet"))
        else:
            self._cluster.kill(self._second)
        self._second = self._cluster.start("--num-cpus", "2", wait=False)
        return True


def test_fifty_kills_of_workers_raylets_and_nodes_leave_the_front_of_an_undisturbed_run(
    cluster: Nodes, tmp_path: Path
) -> None:
    undisturbed = search(tmp_path / "undisturbed", measured, 130)
    cluster.start("--num-cpus", "2")
    saboteur = Saboteur(cluster, cluster.start("--num-cpus", "2"))
    settings = RaySettings(workers=4, address=cluster.address, retries=30)
    front = search(
        tmp_path / "run", slowly, 130, executor="ray", executor_settings=settings, callbacks=[saboteur]
    )
    print(saboteur.kills)
    assert sum(saboteur.kills.values()) == KILLS
    assert min(saboteur.kills.values()) > 0
    assert front == undisturbed


def at(evaluated: int, do: Callable[[], object]) -> Callable[[SearchState], None]:
    """A callback that acts once, after this number of results."""
    done: list[object] = []

    def callback(state: SearchState) -> None:
        if state.evaluated >= evaluated and not done:
            done.append(do())

    return callback


def test_a_head_that_is_killed_and_started_again_is_found_again(
    cluster: Nodes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.start("--num-cpus", "2")

    def restart() -> None:
        cluster.kill(0)
        cluster.start("--head", "--num-cpus", "2")

    settings = RaySettings(workers=2, address=cluster.address, retries=0, patience_s=300)
    front = search(
        tmp_path / "run", slowly, 40, executor="ray", executor_settings=settings, callbacks=[at(15, restart)]
    )
    assert front == search(tmp_path / "undisturbed", measured, 40)
    assert "Ray is back" in caplog.text


def test_a_head_that_stays_away_stops_the_search_which_can_be_resumed(cluster: Nodes, tmp_path: Path) -> None:
    cluster.start("--num-cpus", "2")
    settings = RaySettings(workers=2, address=cluster.address, patience_s=15)
    with pytest.raises(
        ExecutorError, match=r"no Ray cluster answers at .*|lost for longer than patience_s=15"
    ):
        search(
            tmp_path / "run", slowly, 40, executor="ray", executor_settings=settings,
            callbacks=[at(15, lambda: cluster.kill(0))],
        )  # fmt: skip
    assert (tmp_path / "run/front.csv").exists()
    resumed = search(tmp_path / "run", measured, 40, resume=True)
    assert resumed == search(tmp_path / "undisturbed", measured, 40)


def test_a_cluster_that_is_halted_for_a_while_is_waited_for_with_messages(
    cluster: Nodes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.start("--num-cpus", "2")
    halted: list[float] = []

    def callback(state: SearchState) -> None:
        if state.evaluated >= 10 and not halted:
            cluster.halt(0)
            halted.append(time.monotonic())
        if halted and halted[0] and time.monotonic() > halted[0] + 20:
            cluster.halt(0, signal.SIGCONT)
            halted[0] = 0.0

    settings = RaySettings(workers=2, address=cluster.address, retries=0)
    front = search(
        tmp_path / "run", slowly, 40, executor="ray", executor_settings=settings, callbacks=[callback]
    )
    assert front == search(tmp_path / "undisturbed", measured, 40)
    assert "Ray has not answered for" in caplog.text
    assert "Ray answers again" in caplog.text


def test_a_cluster_that_is_not_there_yet_is_waited_for_with_messages(
    cluster: Nodes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Starting(logging.Handler):
        """Starts the head at the first message of waiting."""

        def emit(self, record: logging.LogRecord) -> None:
            if "trying again" in record.getMessage() and not cluster.processes:
                cluster.start("--num-cpus", "1", wait=False)

    log, handler = logging.getLogger("nas"), Starting()
    log.addHandler(handler)
    try:
        settings = RaySettings(workers=1, address=cluster.address, connect_timeout_s=120)
        search(tmp_path / "run", measured, 20, executor="ray", executor_settings=settings)
    finally:
        log.removeHandler(handler)
    assert "no Ray cluster answers at" in caplog.text


def test_workers_on_a_node_that_joins_are_used_and_fractions_share_its_gpus(cluster: Nodes) -> None:
    from nas.executors.ray import RayExecutor

    def where(trial: Trial) -> Mapping[str, float]:
        import os

        import ray

        time.sleep(0.2)
        gpus = ray.get_runtime_context().get_accelerator_ids().get("GPU", [])
        return {"error": 1.0, "pid": os.getpid(), "gpu": float(gpus[0])}

    cluster.start("--num-cpus", "4", "--num-gpus", "1")
    executor = RayExecutor(where, RaySettings(workers=8, address=cluster.address, gpus_per_trial=0.5))
    try:
        assert executor.free == 2  # half a GPU each
        assert workers_used(executor, 2) == 2
        cluster.start("--num-cpus", "4", "--num-gpus", "1")
        assert workers_used(executor, 4) == 4
        assert executor.free == 4
    finally:
        executor.close()


def workers_used(executor: Executor, expected: int) -> int:
    """How many workers share eight trials, once they are as many as expected, or after minutes."""
    give_up, used = time.monotonic() + 600, 0
    while used < expected and time.monotonic() < give_up:
        used = len({result.values["pid"] for result in some(executor, 8)})
    return used


def some(executor: Executor, count: int) -> list[Result]:
    for number in range(count):
        executor.submit(Trial(number, Architecture("cells", (number,)), seed=number))
    results: list[Result] = []
    give_up = time.monotonic() + 600
    while len(results) < count:
        assert time.monotonic() < give_up, f"only {len(results)} came back"
        results += executor.collect(1.0)
    assert all(r.ok for r in results), [r.error for r in results]
    return results


class Sized:
    """Every fourth candidate needs two processors, and says how many it got."""

    def resources(self, trial: Trial) -> Mapping[str, float]:
        return {"cpus": 2.0} if trial.id % 4 == 3 else {}

    def __call__(self, trial: Trial) -> Mapping[str, float]:
        import ray

        time.sleep(0.1)
        return {"error": 1.0, "cpus": ray.get_runtime_context().get_assigned_resources().get("CPU", 0.0)}


def test_candidates_of_different_size_get_their_resources_side_by_side(cluster: Nodes) -> None:
    from nas.executors.ray import RayExecutor

    cluster.start("--num-cpus", "2")
    executor = RayExecutor(Sized(), RaySettings(workers=2, address=cluster.address))
    try:
        results = some(executor, 16)
        for result in results:
            assert result.values["cpus"] == (2.0 if result.trial.id % 4 == 3 else 1.0)
    finally:
        executor.close()
