"""Hypervolume, IGD+ and their curves against their definitions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nas.core.objectives import OBJECTIVES, Objective
from nas.core.records import FloatArray
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import Box, hypervolume, hypervolume_curve, igd_plus, reference_box
from nas.runs.run_folder import RunTable, run_table

UNIT = Box(np.zeros(2), np.ones(2))


def test_hypervolume_is_the_share_of_the_box_that_is_dominated() -> None:
    assert hypervolume(np.array([[0.5, 0.5]]), UNIT) == pytest.approx(0.25)
    assert hypervolume(np.array([[0.25, 0.5], [0.5, 0.25]]), UNIT) == pytest.approx(0.5)
    assert hypervolume(np.array([[1.5, 0.0]]), UNIT) == 0.0
    assert hypervolume(np.empty((0, 2)), UNIT) == 0.0


def test_hypervolume_does_not_depend_on_the_units_of_the_objectives() -> None:
    points = np.array([[0.2, 0.7], [0.6, 0.3]])
    scale = np.array([1e8, 1e-3])
    assert hypervolume(points * scale, Box(np.zeros(2), scale)) == pytest.approx(hypervolume(points, UNIT))


def test_igd_plus_counts_only_points_worse_than_the_front() -> None:
    front = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert igd_plus(front, front, UNIT) == 0.0
    assert igd_plus(front - 0.1, front, UNIT) == 0.0
    # the nearest to (0, 1) is worse by 0.5 in the first only, the nearest to (1, 0) by 0.5 in the second only
    assert igd_plus(np.array([[0.5, 0.5]]), front, UNIT) == pytest.approx(0.5)
    assert igd_plus(np.empty((0, 2)), front, UNIT) == np.inf


def table_of(points: FloatArray) -> RunTable:
    """The table of a run with these objectives; NaN marks a failure."""
    frame = pd.DataFrame(points, columns=["a", "b", "c"]).assign(told=range(len(points)), told_seconds=0.0)
    status = np.where(np.isnan(points).any(axis=1), "failed", "ok")
    frame = frame.assign(architecture=[str(i) for i in range(len(points))], status=status)
    return run_table(frame, [Objective(name) for name in "abc"], [], 2)


def test_the_curves_equal_measuring_every_prefix() -> None:
    points = np.random.default_rng(0).random((60, 3))
    points[[3, 17]] = np.nan
    box = Box(np.zeros(3), np.ones(3))
    front = points[2:3] * 0.5
    volumes = hypervolume_curve(points, box)
    distances = table_of(points).along(lambda found: igd_plus(found, front, box), np.inf)
    for n in range(1, 61):
        known = points[:n][np.isfinite(points[:n]).all(axis=1)]
        known = known[non_dominated(known)]
        assert volumes[n - 1] == pytest.approx(hypervolume(known, box))
        assert distances[n - 1] == pytest.approx(igd_plus(known, front, box))


def test_a_long_curve_is_held_between_its_places_and_exact_at_the_end() -> None:
    points = np.random.default_rng(1).random((500, 2))
    sparse, dense = hypervolume_curve(points, UNIT, steps=20), hypervolume_curve(points, UNIT, steps=500)
    assert sparse[-1] == dense[-1]
    assert (sparse <= dense + 1e-12).all()
    assert len(np.unique(sparse)) <= 20


def test_the_box_reaches_from_the_best_that_can_be_to_a_tenth_of_its_size_beyond_the_worst_seen() -> None:
    objectives = [OBJECTIVES["accuracy"], OBJECTIVES["params"], Objective("speed", maximize=True)]
    points = np.array([[-90.0, 1000.0, -4.0], [-50.0, 3000.0, -8.0]])
    box = reference_box(objectives, points)
    assert box is not None
    np.testing.assert_allclose(box.ideal, [-100.0, 0.0, -8.0])
    np.testing.assert_allclose(box.reference, [-45.0, 3300.0, -3.6])


def test_a_stated_reference_is_used_unchanged() -> None:
    box = reference_box([Objective("error", best=0.0, reference=100.0)], np.array([[3.0], [9.0]]))
    assert box is not None
    np.testing.assert_allclose(box.reference, [100.0])
    assert reference_box([Objective("error")], np.empty((0, 1))) is None
