"""Scalarising functions against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from nas.pareto.decomposition import DECOMPOSITIONS, augmented_chebyshev, pbi
from nas.pareto.directions import das_dennis, riesz


def slow_pbi(point: np.ndarray, direction: np.ndarray, theta: float) -> float:
    """Zhang and Li 2007, equations of section III.C, term by term."""
    d1 = float(np.linalg.norm(point * direction) if point.size == 1 else abs(point @ direction))
    d2 = float(np.linalg.norm(point - d1 * direction))
    return d1 + theta * d2


@pytest.mark.parametrize("m", [1, 2, 3, 5])
def test_pbi_agrees_with_the_paper(m: int) -> None:
    rng = np.random.default_rng(m)
    points = rng.random((30, m))
    directions = rng.random((30, m))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    expected = [slow_pbi(p, d, 5.0) for p, d in zip(points, directions, strict=True)]
    assert np.allclose(pbi(points, directions, 5.0), expected, atol=1e-6)


def test_pbi_of_one_point_is_that_of_the_point_repeated() -> None:
    rng = np.random.default_rng(0)
    directions = rng.random((7, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    point = rng.random(3)
    assert np.allclose(pbi(point, directions, 2.0), pbi(np.tile(point, (7, 1)), directions, 2.0))


def test_on_its_direction_a_point_costs_its_distance_and_off_it_theta_more() -> None:
    direction = np.array([[0.6, 0.8]])
    on = pbi(2.0 * direction, direction, 5.0)
    off = pbi(2.0 * direction + np.array([[-0.08, 0.06]]), direction, 5.0)
    assert on == pytest.approx([2.0])
    assert off == pytest.approx([2.0 + 5.0 * 0.1])


def test_pbi_changes_none_of_its_arguments() -> None:
    points, directions = np.ones((2, 2)), np.eye(2)
    pbi(points, directions, 1.0)
    assert (points == 1.0).all()
    assert (directions == np.eye(2)).all()


def test_augmented_chebyshev_is_the_largest_weighted_objective_and_a_little_of_the_sum() -> None:
    points = np.array([[0.5, 0.1], [0.2, 0.3]])
    values = augmented_chebyshev(points, np.array([0.5, 0.5]), rho=0.1)
    assert values == pytest.approx([0.25 + 0.1 * 0.3, 0.15 + 0.1 * 0.25])


def test_augmented_chebyshev_prefers_the_dominating_of_two_with_equal_maximum() -> None:
    weak, strong = augmented_chebyshev(np.array([[1.0, 0.9], [1.0, 0.1]]), np.array([0.5, 0.5]))
    assert strong < weak


@pytest.mark.parametrize("m", [2, 3, 4])
def test_das_dennis_is_the_largest_grid_of_at_most_the_requested_size(m: int) -> None:
    for wanted in (m, 20, 91):
        grid = das_dennis(m, wanted)
        assert m <= len(grid) <= wanted
        assert np.allclose(grid.sum(axis=1), 1.0)
        assert (grid >= 0).all()
        assert all((np.abs(grid - corner).sum(axis=1) < 1e-9).any() for corner in np.eye(m))


@pytest.mark.slow
def test_riesz_gives_exactly_the_requested_number_evenly_spread() -> None:
    directions = riesz(3, 7)
    assert directions.shape == (7, 3)
    assert np.allclose(directions.sum(axis=1), 1.0)
    distances = np.linalg.norm(directions[:, None] - directions[None], axis=2) + np.eye(7)
    assert distances.min() > 0.4


def test_a_caller_that_changes_directions_does_not_change_the_next_callers() -> None:
    riesz(3, 7)[:] = 0.0
    assert np.allclose(riesz(3, 7).sum(axis=1), 1.0)


def test_pbi_without_a_penalty_is_the_weighted_sum_of_the_direction() -> None:
    rng = np.random.default_rng(1)
    points, directions = rng.random((9, 3)), rng.random((9, 3))
    assert np.allclose(pbi(points, directions, 0.0), (points * directions).sum(axis=1))


def test_chebyshev_takes_a_point_for_all_directions_or_one_for_each() -> None:
    rng = np.random.default_rng(1)
    points, directions = rng.random((9, 3)), rng.random((9, 3))
    found = DECOMPOSITIONS["chebyshev"](points, directions, 5.0)
    expected = [float(augmented_chebyshev(p[None], d)[0]) for p, d in zip(points, directions, strict=True)]
    assert np.allclose(found, expected)
    assert np.allclose(
        DECOMPOSITIONS["chebyshev"](points[0], directions, 5.0),
        DECOMPOSITIONS["chebyshev"](np.tile(points[0], (9, 1)), directions, 0.0),
    )
