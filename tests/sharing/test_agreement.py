"""Agreement of inherited and own values, also given the costs."""

from __future__ import annotations

import numpy as np
import pytest

from nas.core.records import FloatArray
from nas.sharing.agreement import LEAST, agreement, partial_tau


def made(seed: int, n: int, shared: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Inherited and own errors that follow the costs, and beside them have a common part of this size."""
    rng = np.random.default_rng(seed)
    logs = rng.normal(size=(n, 1)) + 0.3 * rng.normal(size=(n, 2))
    common = shared * rng.normal(size=n)
    inherited, own = (50 - 3 * logs[:, 0] + common + rng.normal(size=n) for _ in range(2))
    return inherited + 20, own, np.exp(logs + 10)


def test_values_that_only_follow_the_costs_have_no_partial_agreement() -> None:
    found = [agreement(*made(seed, 40, 0.0)) for seed in range(60)]
    assert np.mean([a.tau.value for a in found]) > 0.6
    assert abs(np.mean([a.partial.value for a in found])) < 0.04
    assert np.mean([a.partial.low <= 0 <= a.partial.high for a in found]) > 0.75


@pytest.mark.parametrize("n", [10, 20])
def test_errors_that_follow_a_power_of_the_costs_have_no_partial_agreement(n: int) -> None:
    rng, found = np.random.default_rng(0), []
    madds = np.geomspace(1e4, 1e6, n)
    for _ in range(60):
        costs = np.column_stack([madds / 30 * np.exp(rng.normal(0, 0.3, n)), madds])
        errors = 10 * (1e6 / madds) ** 0.3
        found.append(partial_tau(1.3 * errors + rng.normal(size=n), errors + rng.normal(size=n), costs))
    assert abs(np.mean(found)) < 0.12  # .6 with lines alone


def test_what_both_know_beyond_the_costs_is_found() -> None:
    found = [agreement(*made(seed, 40, 2.0)) for seed in range(20)]
    assert np.mean([a.partial.low > 0 for a in found]) > 0.9
    assert all(a.bias.low < a.bias.value < a.bias.high for a in found)
    assert np.mean([a.bias.low <= 20 <= a.bias.high for a in found]) > 0.6


def test_few_networks_give_no_estimate_and_equal_values_no_agreement() -> None:
    inherited, own, costs = made(0, LEAST, 1.0)
    assert np.isnan(agreement(inherited[1:], own[1:], costs[1:]).tau.value)
    few = agreement(inherited, own, costs)
    assert -1 <= few.tau.low < few.tau.value < few.tau.high <= 1
    assert agreement(np.full(LEAST, 90.0), own, costs).tau.value == 0.0
    assert partial_tau(inherited, own, np.empty((LEAST, 0))) == pytest.approx(few.tau.value)
