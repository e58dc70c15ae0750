"""The archive and the filter against a slow oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.pareto.archive import ParetoArchive, non_dominated


def slow_front(points: np.ndarray) -> list[int]:
    """Indices of the rows that nothing dominates, by comparing all pairs; of equal rows the first."""
    kept = []
    for i, p in enumerate(points):
        dominated = any((q <= p).all() and (q < p).any() for q in points)
        if not dominated and not any((points[j] == p).all() for j in range(i)):
            kept.append(i)
    return kept


point_sets = st.integers(1, 4).flatmap(
    lambda m: st.lists(st.lists(st.integers(0, 5), min_size=m, max_size=m), min_size=1, max_size=40)
)


@settings(max_examples=150, deadline=None)
@given(point_sets)
def test_the_filter_agrees_with_comparing_all_pairs(rows: list[list[int]]) -> None:
    points = np.array(rows, dtype=np.float64)
    assert non_dominated(points).tolist() == slow_front(points)


@pytest.mark.parametrize("m", [1, 2, 3, 5])
def test_the_archive_holds_the_front_after_every_single_insertion(m: int) -> None:
    points = np.random.default_rng(m).integers(0, 8, (120, m)).astype(np.float64)
    archive: ParetoArchive[int] = ParetoArchive(m)
    for i, point in enumerate(points):
        went_in = archive.add(point, i)
        expected = slow_front(points[: i + 1])
        assert sorted(archive.items) == expected
        assert went_in == (i in expected)
        assert (archive.points == points[list(archive.items)]).all()


def test_a_front_larger_than_the_first_allocation_is_kept_whole() -> None:
    x = np.arange(500.0)
    points = np.stack([x, x[::-1]], axis=1)
    assert len(non_dominated(points)) == 500


def test_one_point_that_dominates_all_replaces_all() -> None:
    archive: ParetoArchive[str] = ParetoArchive(2)
    for i in range(100):
        archive.add(np.array([float(i), 100.0 - i]), "old")
    assert archive.add(np.array([-1.0, -1.0]), "new")
    assert list(archive.items) == ["new"]


def test_of_equal_points_the_first_stays() -> None:
    archive: ParetoArchive[str] = ParetoArchive(2)
    assert archive.add(np.array([1.0, 2.0]), "first")
    assert not archive.add(np.array([1.0, 2.0]), "second")
    assert list(archive.items) == ["first"]


def test_the_points_given_are_not_changed_and_not_held() -> None:
    archive: ParetoArchive[int] = ParetoArchive(2)
    point = np.array([1.0, 2.0])
    archive.add(point, 0)
    point[:] = 0.0
    assert archive.points.tolist() == [[1.0, 2.0]]
