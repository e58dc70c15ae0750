"""A greedy subset by hypervolume."""

from __future__ import annotations

import numpy as np
import pytest

from nas.pareto.indicators import Box, hypervolume
from nas.pareto.subset import spread_subset


def test_a_dense_part_of_a_front_does_not_leave_gaps_elsewhere() -> None:
    x = np.concatenate([np.linspace(0, 0.1, 40), np.linspace(0.2, 1, 6)])
    points = np.column_stack([x, (1 - x) ** 4])
    found = x[spread_subset(points, 6)]
    assert (found < 0.1).any()
    assert (found > 0.15).any()
    box = Box(np.zeros(2), np.array([1.1, 1.1]))
    chosen, random = hypervolume(points[spread_subset(points, 6)], box), np.random.default_rng(0)
    others = [hypervolume(points[random.permutation(46)[:6]], box) for _ in range(50)]
    assert chosen > max(others)


def test_points_that_are_taken_count_and_are_not_chosen_again() -> None:
    points = np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0], [0.45, 0.56], [2.0, 2.0]])
    assert spread_subset(points, 2, taken=[1]) == spread_subset(points, 2, taken=[1])
    assert 1 not in spread_subset(points, 4, taken=[1])
    assert spread_subset(points, 4, taken=[1])[-1] == 4  # dominated
    assert len(spread_subset(points, 9)) == 5


@pytest.mark.parametrize("points", [np.empty((0, 2)), np.ones((1, 2)), np.ones((3, 1))])
def test_few_or_equal_points(points: np.ndarray) -> None:
    assert len(spread_subset(points, 2)) == min(2, len(points))
