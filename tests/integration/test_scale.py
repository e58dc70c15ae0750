"""Long histories: the cost of an evaluation does not grow with their number. Counted, not timed."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_parts import Grid, quick

import nas
from nas.engine.loop import LoopSettings, SearchState
from nas.pareto.archive import ParetoArchive, non_dominated
from nas.pareto.indicators import Box, hypervolume, hypervolume_curve
from nas.report.plots_axes import visible
from nas.runs.fold import Fold, fold_rows
from nas.runs.history import FILE, History, read_history

pytestmark = pytest.mark.usefixtures("no_plots")
OBJECTIVES = ["error", "params", "madds"]


class Calls:
    """A callback that counts the calls of Python functions in each stretch of a search."""

    def __init__(self, every: int) -> None:
        self._every, self._count = every, 0
        self.stretches: list[int] = []
        self.steps: Counter[int] = Counter()  # instructions of SQLite, in thousands, by stretch

    def __call__(self, state: SearchState) -> None:
        if state.evaluated and state.evaluated == self._every * (len(self.stretches) + 1):
            self.stretches.append(self._count)
            self._count = 0

    def count(self, frame: Any, event: str, argument: Any) -> None:
        self._count += event == "call" or event == "c_call"


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_an_evaluation_takes_the_same_number_of_steps_after_ten_thousand_as_after_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls(500)
    opened = History._open

    def counted(self: History, create: bool) -> None:
        opened(self, create)

        def step() -> int:
            calls.steps[len(calls.stretches)] += 1
            return 0

        self._db.set_progress_handler(step, 100)

    monkeypatch.setattr(History, "_open", counted)
    loop = LoopSettings(evaluations=10_000, seed=1)
    sys.setprofile(calls.count)
    try:
        nas.search(
            Grid(8, 10),
            OBJECTIVES,
            quick,
            loop=loop,
            out=tmp_path / "run",
            callbacks=[calls],
            algorithm="moead",
        )
    finally:
        sys.setprofile(None)
    assert len(calls.stretches) == 20
    early, late = np.median(calls.stretches[2:6]), np.median(calls.stretches[-4:])
    assert late <= 1.2 * early, calls.stretches
    sqlite = [calls.steps[i] for i in range(20)]
    assert np.median(sqlite[-4:]) <= 1.2 * np.median(sqlite[2:6]) + 10, sqlite
    size = (tmp_path / "run" / FILE).stat().st_size
    assert size < 300 * 10_000  # bytes per evaluation


def hundred_thousand(folder: Path) -> Path:
    """A run of 100,000 evaluations, whose rows are written directly instead of searched."""
    nas.search(Grid(10, 10), OBJECTIVES, quick, budget=30, algorithm="random", out=folder)
    history = History(folder, Grid(10, 10), create=False)
    rng = np.random.default_rng(0)
    points = rng.random((100_000, 3)).round(6).tolist()
    with history._transaction() as db:
        names = ["-".join(f"{i:010d}") for i in range(30, 100_000)]
        db.executemany("INSERT INTO trials VALUES (?, ?, 1, NULL, 0)", enumerate(names, 30))
        db.executemany(
            "INSERT INTO results VALUES (?, 'ok', ?, 1, '', '', 0, 0)",
            (
                (i, f'{{"error": {a}, "params": {b}, "madds": {c}}}')
                for i, (a, b, c) in enumerate(points[30:], 30)
            ),
        )
        db.executemany("INSERT INTO log (event, trial) VALUES ('ask', ?)", ((i,) for i in range(30, 100_000)))
        db.executemany(
            "INSERT INTO log (event, trial, seconds) VALUES ('tell', ?, ?)",
            ((i, float(i)) for i in range(30, 100_000)),
        )
    history.close()
    return folder


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_hundred_thousand_evaluations_are_opened_and_exported_without_a_step_for_each_pair(
    tmp_path: Path,
) -> None:
    run = hundred_thousand(tmp_path / "run")
    from nas.report.run_tables import write_tables as export

    compared = 0
    added = ParetoArchive.add

    def counting(self: ParetoArchive[Any], point: Any, item: Any) -> bool:
        nonlocal compared
        compared += 1
        return added(self, point, item)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ParetoArchive, "add", counting)
        table, _ = nas.load_run(run)
        summary = export(run, table, {})
    assert summary["evaluations"] == 100_000
    assert len(read_history(run)[0]) == 100_000
    assert compared < 10_000  # of 100,000 points: the rest was ruled out many at a time
    assert (run / FILE).stat().st_size < 30 * 2**20


@pytest.mark.parametrize("m", [1, 2, 3, 4])
@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_the_quick_front_is_that_of_comparing_one_by_one(m: int, decimals: int) -> None:
    points = np.random.default_rng(m).random((700, m)).round(decimals)
    slow: ParetoArchive[int] = ParetoArchive(m)
    for index, point in enumerate(points):
        slow.add(point, index)
    assert non_dominated(points).tolist() == sorted(slow.items)


def test_the_quick_curves_are_those_of_comparing_one_by_one() -> None:
    rng = np.random.default_rng(3)
    points = rng.random((1_000, 3)).round(1)
    points[rng.random(1_000) < 0.1] = np.nan
    slow: ParetoArchive[int] = ParetoArchive(3)
    box, sizes = Box(np.zeros(3), np.ones(3)), []
    for index, point in enumerate(points):
        if np.isfinite(point).all():
            slow.add(point, index)
        sizes.append(hypervolume(slow.points, box))
    assert np.allclose(hypervolume_curve(points, box, 1_000), sizes)
    keys = [None if np.isnan(p).any() else f"architecture {i}" for i, p in enumerate(points)]
    fold: Fold[int] = Fold([nas.Objective(name) for name in OBJECTIVES], [])
    fronts = fold_rows(fold, keys, [None] * 1_000, points, 1_000).fronts
    assert fronts[-1][1] == slow.items
    held = [hypervolume(points[[f for row, f in fronts if row <= i][-1]], box) for i in range(0, 1_000, 50)]
    assert np.allclose(held, sizes[::50])


def test_a_plot_omits_only_points_covered_by_others() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random(60_000), rng.random(60_000)
    drawn = visible(x, y)
    assert 5_000 < len(drawn) < 25_000
    assert (np.diff(drawn) > 0).all()
    grid = {(int(a * 150), int(b * 150)) for a, b in zip(x, y, strict=True)}
    kept = {(int(a * 150), int(b * 150)) for a, b in zip(x[drawn], y[drawn], strict=True)}
    assert len(kept) > 0.97 * len(grid)
    assert visible(x[:1_000], y[:1_000]).tolist() == list(range(1_000))
