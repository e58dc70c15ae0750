"""Whole searches on Ray workers: the same outcome for any number of workers, and failing candidates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_parts import Grid, interrupt_at, log_of, quick, troubled, uneven

import nas
from nas.engine.loop import LoopSettings
from nas.executors import RaySettings
from nas.runs.history import read_history

ray = pytest.importorskip("ray")
OBJECTIVES = ["error", "params", "madds"]
LOOP = LoopSettings(evaluations=50, seed=7, concurrency=6)


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """One cluster for all tests here; an executor uses it when it is there."""
    ray.init(
        address="local", num_cpus=4, include_dashboard=False, log_to_driver=False, object_store_memory=2**28
    )
    yield
    ray.shutdown()


pytestmark = [pytest.mark.usefixtures("cluster", "no_plots"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same search in this process, with an evaluator that takes no time."""
    out = tmp_path_factory.mktemp("ray") / "serial"
    nas.search(Grid(), OBJECTIVES, quick, loop=LOOP, out=out, algorithm="moead")
    return out


def on_ray(out: Path, workers: int, loop: LoopSettings = LOOP, **changes: object) -> nas.SearchResult:
    return nas.search(
        Grid(), OBJECTIVES, uneven, loop=loop, out=out,
        executor="ray", executor_settings=RaySettings(workers=workers), **{"algorithm": "moead", **changes},
    )  # type: ignore[arg-type]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_any_number_of_workers_gives_the_trials_and_the_front_of_one_process(
    workers: int, serial: Path, tmp_path: Path
) -> None:
    on_ray(tmp_path / "run", workers)
    assert log_of(tmp_path / "run") == log_of(serial)
    assert (tmp_path / "run/front.csv").read_bytes() == (serial / "front.csv").read_bytes()


@pytest.mark.slow
def test_a_search_may_continue_with_another_number_of_workers(serial: Path, tmp_path: Path) -> None:
    first = on_ray(tmp_path / "run", 4, callbacks=[interrupt_at(20)])
    assert first.state == "interrupted"
    on_ray(tmp_path / "run", 1, resume=True)
    assert log_of(tmp_path / "run") == log_of(serial)
    assert (tmp_path / "run/front.csv").read_bytes() == (serial / "front.csv").read_bytes()


@pytest.mark.slow
def test_an_unordered_search_replays_and_continues(tmp_path: Path) -> None:
    loop = LoopSettings(evaluations=50, seed=7, ordered=False)
    on_ray(tmp_path / "run", 4, loop, callbacks=[interrupt_at(20)])
    result = on_ray(tmp_path / "run", 2, loop, resume=True)
    assert result.summary["evaluations"] == 50
    again = nas.search(
        Grid(), OBJECTIVES, quick, loop=loop, out=tmp_path / "run", resume=True, algorithm="moead"
    )
    assert again.state == "finished"  # the whole log replays


@pytest.mark.slow
def test_candidates_that_go_wrong_have_a_status_and_the_search_ends(serial: Path, tmp_path: Path) -> None:
    settings = RaySettings(workers=4, timeout_s=10.0, memory_bytes=500 * 2**20, retries=1)
    result = nas.search(
        Grid(),
        OBJECTIVES,
        troubled,
        loop=LOOP,
        out=tmp_path / "run",
        executor="ray",
        executor_settings=settings,
        algorithm="moead",
    )
    frame, _ = read_history(tmp_path / "run")
    status, reason = frame["status"], frame["reason"]
    assert result.state == "finished"
    assert (status[3], status[5], status[7], status[9], status[11], status[13]) == (
        "failed", "failed", "failed", "timeout", "out_of_memory", "lost",
    )  # fmt: skip
    assert reason[3].startswith("ValueError: no such layer")
    assert "error=nan; expected a finite number" in reason[5]
    assert "'error' missing ('eror' may be meant for 'error')" in reason[7]
    assert "timeout_s=10" in reason[9]
    assert "died 2 times" in reason[13]
    assert (status == "ok").sum() == result.summary["ok"] == 44
    assert not set(frame["architecture"][status != "ok"]) & set(result.front["architecture"])


@pytest.mark.slow
def test_a_search_stopped_by_dying_workers_continues_after_the_fix(tmp_path: Path) -> None:
    def deadly(trial: nas.Trial):
        import os

        os._exit(1)

    settings = RaySettings(workers=4, retries=0)
    loop = LoopSettings(evaluations=30, concurrency=4)
    with pytest.raises(
        nas.NasError, match=r"10 of the last 10 candidates failed .* worker process died"
    ) as stopped:
        nas.search(
            Grid(),
            OBJECTIVES,
            deadly,
            loop=loop,
            out=tmp_path,
            executor="ray",
            executor_settings=settings,
            algorithm="moead",
        )
    assert stopped.value.exit_code == 6
    assert (tmp_path / "front.csv").exists()
    result = nas.search(Grid(), OBJECTIVES, quick, loop=loop, out=tmp_path, resume=True, algorithm="moead")
    assert result.summary["evaluations"] == 30
    assert result.summary["ok"] >= 16
