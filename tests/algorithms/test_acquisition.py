"""Expected hypervolume improvement against slow oracles."""

from __future__ import annotations

import moocore
import numpy as np
import pytest
from scipy.stats import kendalltau

from nas.algorithms.acquisition import (
    COARSE,
    FINE,
    Levels,
    expected_improvement,
    improvement_over,
    outcomes,
    undominated,
)


def a_front(rng: np.random.Generator, n: int, m: int) -> np.ndarray:
    points = rng.random((n, m))
    return points[moocore.is_nondominated(points)]


def improvement(front: np.ndarray, point: np.ndarray, reference: np.ndarray) -> float:
    with_point = moocore.hypervolume(np.vstack([front, point]), ref=reference)
    return with_point - (moocore.hypervolume(front, ref=reference) if len(front) else 0.0)


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_the_boxes_are_the_undominated_part_of_the_reference_box(m):
    rng = np.random.default_rng(m)
    front, reference = a_front(rng, 20, m), np.full(m, 1.1)
    boxes = undominated(front, reference)
    lower = np.maximum(boxes.lower, 0.0)  # the part above the origin, whose volume is finite
    volume = np.prod(np.maximum(boxes.upper - lower, 0.0), axis=1).sum()
    assert volume == pytest.approx(1.1**m - moocore.hypervolume(front, ref=reference))


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_for_exact_objectives_it_is_the_hypervolume_that_a_point_adds(m):
    rng = np.random.default_rng(10 + m)
    front, reference = a_front(rng, 15, m), np.full(m, 1.2)
    points = rng.random((30, m)) * 1.3
    found = expected_improvement(list(points.T), undominated(front, reference))
    assert found == pytest.approx([improvement(front, p, reference) for p in points], abs=1e-12)


def test_for_uncertain_objectives_it_is_the_mean_over_many_draws():
    rng = np.random.default_rng(0)
    front, reference = a_front(rng, 12, 3), np.full(3, 1.1)
    mean, std = np.array([0.4, 0.9]), np.array([0.2, 0.3])
    second, third = np.array([0.5, 0.2]), np.array([0.3, 0.6])
    uncertain = outcomes(mean, std, np.exp)  # the logarithm is normal
    found = expected_improvement([uncertain - 0.8, second, third], undominated(front, reference))
    for i in range(2):
        drawn = np.exp(mean[i] + std[i] * rng.standard_normal(4000)) - 0.8
        values = [improvement(front, np.array([d, second[i], third[i]]), reference) for d in drawn]
        assert found[i] == pytest.approx(
            np.mean(values), abs=4 * np.std(values) / np.sqrt(len(values)) + 1e-4
        )


def test_the_levels_of_an_uncertain_objective_have_its_mean_and_spread():
    (values,) = outcomes(np.array([3.0]), np.array([2.0]), lambda z: z)
    mean = FINE.weights @ values
    assert mean == pytest.approx(3.0)
    assert np.sqrt(FINE.weights @ (values - mean) ** 2) == pytest.approx(2.0, rel=0.01)


def test_without_a_front_everything_below_the_reference_counts():
    boxes = undominated(np.empty((0, 2)), np.array([1.0, 2.0]))
    assert expected_improvement([np.array([0.5]), np.array([1.0])], boxes) == pytest.approx([0.5])


def test_a_surely_dominated_candidate_has_no_expected_improvement():
    boxes = undominated(np.array([[0.2, 0.2]]), np.ones(2))
    assert expected_improvement([np.full((1, 31), 0.5), np.array([0.5])], boxes) == pytest.approx([0.0])


def test_batches_of_candidates_do_not_change_their_value(monkeypatch):
    rng = np.random.default_rng(1)
    boxes = undominated(a_front(rng, 10, 3), np.ones(3))
    objectives = [rng.random((50, 31)), rng.random(50), rng.random(50)]
    whole = expected_improvement(objectives, boxes)
    monkeypatch.setattr("nas.algorithms.acquisition._CELLS", 7)
    assert expected_improvement(objectives, boxes) == pytest.approx(whole)


def test_parameters_and_multiply_adds_that_go_together_give_few_boxes():
    rng = np.random.default_rng(2)
    cost = np.sort(rng.random(100))
    front = np.column_stack([np.sort(rng.random(100))[::-1], cost, cost + 0.001 * rng.random(100)])
    assert len(undominated(front, np.full(3, 2.0)).lower) < 400


def test_a_candidate_that_improves_only_if_all_its_predictions_err_alike_has_some_value():
    # the volume added if all eight are at their predictions minus a deviation or more: 1 - 0.5 instead of 0.4 in each
    drawn = [outcomes(np.array([0.7]), np.array([0.2]), lambda x: x) for _ in range(8)]
    front = np.full((1, 8), 0.6)
    assert improvement_over(drawn, front, np.ones(8))[0] > 0.1 * (0.5**8 - 0.4**8)


def test_coarse_levels_order_candidates_as_the_fine_ones_do():
    rng = np.random.default_rng(0)
    front, reference = np.array([[0.2, 0.8], [0.5, 0.4], [0.8, 0.2]]), np.ones(2)
    mean, std = rng.random((200, 2)), np.full((200, 2), 0.1)

    def values(levels: Levels) -> np.ndarray:
        drawn = [outcomes(mean[:, j], std[:, j], lambda x: x, levels) for j in range(2)]
        return improvement_over(drawn, front, reference, levels)

    assert kendalltau(values(COARSE), values(FINE)).statistic > 0.98
