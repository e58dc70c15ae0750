"""The estimate of slow costs on networks that it has not seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nas
from nas.algorithms.cost_estimate import CostEstimate
from nas.algorithms.sa_moead import SAMOEADSettings
from nas.spaces.making import make_space

pytest.importorskip("torch")
EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"


@pytest.mark.parametrize(
    ("name", "learned"), [("resnets", 80), pytest.param("vits", 240, marks=pytest.mark.slow)]
)
def test_nine_of_ten_unseen_networks_are_estimated_within_two_percent(name: str, learned: int) -> None:
    problem = nas.Problem(make_space(f"{name}.py:space", {}, EXAMPLES), ["params", "madds"])
    space, rng = problem.space, np.random.default_rng(0)
    drawn = list(dict.fromkeys(space.canonical(space.sample(rng)) for _ in range(2 * learned)))[
        : learned + 60
    ]
    estimate = CostEstimate(problem, drawn[:learned])
    exact = np.array([problem.cheap_objectives(a) for a in drawn[learned:]])
    wrong = np.abs(estimate(drawn[learned:]) / exact - 1.0)
    assert (np.quantile(wrong, 0.9, axis=0) < 0.02).all()


def test_a_search_by_exact_objectives_alone() -> None:
    space = nas.Space("exact", {f"n{i}": nas.Integer(1, 60) for i in range(4)})
    space.cost(lambda c: {"params": sum(c.values()), "madds": 1 / sum(c.values())})
    assert len(nas.search(space, ["params", "madds"], budget=15).history) == 15


def test_a_search_keeps_a_limit_on_traced_costs() -> None:
    space = make_space("resnets.py:space", {}, EXAMPLES)
    found = nas.search(
        space,
        [nas.Objective("depth_error", function=lambda c: 1.0 / len(str(c))), "params"],
        limits=["params <= 120e3"],
        algorithm_settings=SAMOEADSettings(initial=6, surrogate="rbf"),
        budget=15,
    )
    assert len(found.history) == 15
    assert (found.history["params"] <= 120e3).all()
