"""Hostile candidates in whole searches: a status, a reason, and the search continues."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from engine_parts import Grid, deadly, hostile, quick

import nas
from nas.core.errors import TooManyFailures
from nas.core.records import Trial
from nas.engine.loop import LoopSettings
from nas.executors import RaySettings, SerialSettings
from nas.runs.history import FILE

pytestmark = pytest.mark.usefixtures("no_plots")
OBJECTIVES = ["error", "params", "madds"]
LOOP = LoopSettings(evaluations=60, seed=2, concurrency=4, max_failures=0.8)
REASONS = {
    2: ("failed", "ValueError: no such layer"),
    3: ("failed", "SystemExit: 3"),
    4: ("failed", "Unspeakable: (its message cannot be shown)"),
    6: ("failed", "evaluate returned error=nan; expected a finite number"),
    7: ("failed", "evaluate returned error=-inf; expected a finite number"),
    8: ("failed", "evaluate returned error='5%'; expected a finite number"),
    10: ("failed", "evaluate returned error=<ndarray of shape (2000, 500)>; expected a finite number"),
    11: ("failed", "evaluate returned <list of length 2>; expected a mapping"),
    12: ("failed", "evaluate returned None; expected a mapping"),
    15: ("failed", "evaluate returned error="),
    18: ("failed", "RuntimeError: yyyy"),
    19: ("out_of_memory", "MemoryError"),
}
DEADLY = {
    22: ("timeout", "stopped after timeout_s=10 s"),
    24: ("out_of_memory", "MemoryError"),
    26: ("lost", "the worker process died 1 times"),
    28: ("lost", "the worker process died 1 times"),
}


def check(result: nas.SearchResult, folder: Path, reasons: Mapping[int, tuple[str, str]]) -> None:
    frame = result.history.set_index("trial")
    found = {n: (frame["status"][n], frame["reason"][n][: len(reason)]) for n, (_, reason) in reasons.items()}
    assert found == dict(reasons)
    assert (frame["status"] == "ok").sum() == LOOP.evaluations - len(reasons)
    assert result.state == "finished"
    assert not set(frame["architecture"][frame["status"] != "ok"]) & set(result.front["architecture"])
    assert result.summary["failed"] == len(reasons)
    assert (folder / FILE).stat().st_size < 2**20  # for any returned value, exception or output
    again = nas.load_run(folder)[0]
    assert again.frame["status"].tolist() == result.history["status"].tolist()


def test_a_search_in_one_process_survives_hostile_candidates(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    result = nas.search(Grid(), OBJECTIVES, hostile, loop=LOOP, out=tmp_path / "run", algorithm="moead")
    check(result, tmp_path / "run", REASONS)
    capfd.readouterr()


def test_a_candidate_that_hangs_is_stopped_in_one_process(tmp_path: Path) -> None:
    def hangs(trial: Trial) -> Mapping[str, float]:
        if trial.id == 5:
            signal.setitimer(signal.ITIMER_REAL, 0.1)  # the limit of this one alone is over soon
        while trial.id == 5:
            pass
        return quick(trial)

    settings = SerialSettings(timeout_s=600.0)
    result = nas.search(
        Grid(), OBJECTIVES, hangs, budget=15, executor_settings=settings, algorithm="random", out=tmp_path
    )
    assert (result.history["status"] == "timeout").tolist() == [n == 5 for n in range(15)]
    assert result.history["reason"][5].endswith("the time limit")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_search_on_workers_survives_all_hostile_candidates(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    settings = RaySettings(workers=2, timeout_s=10.0, memory_bytes=500 * 2**20, retries=0)
    try:
        result = nas.search(
            Grid(),
            OBJECTIVES,
            deadly,
            loop=LOOP,
            out=tmp_path / "run",
            executor="ray",
            executor_settings=settings,
            algorithm="moead",
        )
    finally:
        ray.shutdown()
    check(result, tmp_path / "run", REASONS | DEADLY)


def stopped(evaluate: Any, space: nas.SearchSpace | None = None, **loop: Any) -> str:
    """The message of a search stopped by too many failures."""
    settings = LoopSettings(evaluations=400, **loop)
    with pytest.raises(TooManyFailures) as error:
        nas.search(space or Grid(), OBJECTIVES, evaluate, algorithm="random", loop=settings)
    return str(error.value)


def test_a_stopped_search_names_the_gene_that_its_failures_share() -> None:
    def no_third_choice(trial: Trial) -> Mapping[str, float]:
        if trial.architecture.genes[3] == 2:
            raise RuntimeError(f"kernel of {trial.seed} bytes does not fit")
        return quick(trial)

    said = stopped(no_third_choice, Grid(choices=3, genes=8), max_failures=0.5)
    assert "of them with: RuntimeError: kernel of" in said
    assert "have gene 3 = 2, as none of" in said
    assert said.count("have gene") == 1


def test_a_stopped_search_names_no_gene_when_all_failures_share_is_the_reason() -> None:
    def by_chance(trial: Trial) -> Mapping[str, float]:
        if trial.id > 60:
            raise OSError("the data set is gone")
        return quick(trial)

    said = stopped(by_chance)
    assert "of them with: OSError: the data set is gone" in said
    assert "gene" not in said


def test_reasons_that_differ_in_their_numbers_count_as_one() -> None:
    def numbered(trial: Trial) -> Mapping[str, float]:
        raise ValueError(f"shape ({trial.id}, 3) at 0x{trial.seed:x}")

    assert "10 of them with: ValueError: shape (" in stopped(numbered)
