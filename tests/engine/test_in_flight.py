"""The default number of trials in flight, and the utilisation of the workers that it gives."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from engine_parts import Grid, quick

import nas
from nas.core.errors import HistoryError
from nas.core.records import Trial
from nas.engine.in_flight import default_concurrency, expected_utilisation, used_share
from nas.engine.loop import LoopSettings
from nas.executors import SimulatedSettings

pytestmark = pytest.mark.usefixtures("no_plots")


def timed(trial: Trial) -> dict[str, float]:
    seconds = 10.0 ** float(np.random.default_rng(trial.seed).random())
    return {**quick(trial), "train_seconds": seconds}


def search(workers: int, budget: int = 80, **changes: object) -> nas.SearchResult:
    settings = SimulatedSettings(workers, "train_seconds")
    given = {
        "algorithm": "moead",
        "algorithm_settings": {"population": 10},
        "executor": "simulated",
        "executor_settings": settings,
        **changes,
    }
    return nas.search(Grid(), ["error", "params", "madds"], timed, budget=budget, seed=3, **given)  # type: ignore[arg-type]


def recorded(out: Path) -> object:
    return json.loads((out / "config.json").read_text())["concurrency"]


def asked(found: nas.SearchResult) -> list[str]:
    return found.history.sort_values("trial")["architecture"].tolist()


@pytest.mark.parametrize(
    ("workers", "evaluations", "expected"),
    [
        (None, 100, 8),
        (1, 100, 8),
        (4, 100, 8),
        (8, 100, 16),
        (8, 300, 16),
        (8, None, 16),
        (16, 100, 32),
        (64, 100, 64),
        (64, 1000, 128),
        (2, 10, 8),
    ],
)
def test_the_default_is_twice_the_workers_within_a_third_of_the_budget(
    workers: int | None, evaluations: int | None, expected: int
) -> None:
    assert default_concurrency(workers, evaluations) == expected


@pytest.mark.parametrize(
    ("workers", "concurrency", "expected"),
    [
        (2, 2, 13 / 22),  # the third trial is asked when the first, of 10 seconds, is told
        (2, 3, 13 / 22),  # the fourth
        (2, 4, 13 / 20),
        (2, None, 13 / 20),
        (1, 1, 1.0),
        (8, 8, 13 / 80),  # more workers than trials
    ],
)
def test_the_used_share_of_a_schedule_worked_out_by_hand(
    workers: int, concurrency: int | None, expected: float
) -> None:
    assert used_share([10.0, 1.0, 1.0, 1.0], workers, concurrency) == pytest.approx(expected)


@pytest.mark.parametrize("concurrency", [4, 8, 11, None])
def test_the_used_share_is_that_of_a_simulated_search(concurrency: int | None) -> None:
    loop = LoopSettings(concurrency=concurrency or 1, ordered=concurrency is not None)
    trials = search(5, loop=loop).history.sort_values("trial")
    seconds = trials["seconds"]
    assert used_share(seconds.tolist(), 5, concurrency) == pytest.approx(
        seconds.sum() / (5 * trials["finished"].max())
    )


@pytest.mark.parametrize("evaluations", [100, 300])
def test_eight_workers_are_used_to_85_percent_by_default(evaluations: int) -> None:
    chosen = default_concurrency(8, evaluations)
    assert expected_utilisation(8, 8, evaluations) < 0.65
    assert 0.85 < expected_utilisation(8, chosen, evaluations) < expected_utilisation(8, None, evaluations)


def test_a_resumed_run_keeps_its_concurrency_with_another_number_of_workers(tmp_path: Path) -> None:
    search(8, 40, out=tmp_path)
    assert recorded(tmp_path) == 13
    resumed = search(2, 80, out=tmp_path, resume=True)
    assert recorded(tmp_path) == 13
    fixed = search(2, 80, loop=LoopSettings(concurrency=13))
    assert resumed.front.equals(fixed.front)
    assert asked(resumed) == asked(fixed) != asked(search(8, 80))


def test_with_a_fixed_concurrency_the_workers_do_not_change_the_outcome() -> None:
    fronts = [search(n, loop=LoopSettings(concurrency=8)).front for n in (1, 8)]
    assert fronts[0].equals(fronts[1])
    assert fronts[0].equals(search(4).front)  # the default for up to four workers


def test_a_run_of_an_earlier_default_is_resumed_with_it(tmp_path: Path) -> None:
    search(8, 40, out=tmp_path, loop=LoopSettings(concurrency=8))
    search(8, 50, out=tmp_path, resume=True)
    assert recorded(tmp_path) == 8


def test_another_given_concurrency_is_refused_on_resume(tmp_path: Path) -> None:
    search(8, 40, out=tmp_path)
    with pytest.raises(HistoryError, match="concurrency: 13 then, 8 now"):
        search(8, 50, out=tmp_path, resume=True, loop=LoopSettings(concurrency=8))


def test_a_search_logs_the_expected_utilisation(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "nas.engine.run"):
        search(8, 100)
    assert "concurrency 16 on 8 workers: expected utilisation 89%" in caplog.text
