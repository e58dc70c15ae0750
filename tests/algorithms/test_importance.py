"""Permutation importance: known effects, inactive parameters, spaces with rules or without names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from space_zoo import forbidding, nested, resnets

import nas
from nas.algorithms.importance import FEWEST, Importance, importances
from nas.core.errors import ConfigError
from nas.core.objectives import OBJECTIVES, Objective
from nas.testing import ToySpace
from search_spaces.nasbench101 import NASBench101

PLAIN = Objective("value")  # no best value, so that the model's scale is linear


def results(space: Any, count: int, seed: int = 0) -> list[nas.Architecture]:
    rng = np.random.default_rng(seed)
    found = dict.fromkeys(space.canonical(space.sample(rng)) for _ in range(20 * count))
    return list(found)[:count]


def judged(
    space: Any, effect: Callable[[Any], float], count: int = 150, objective: Objective = PLAIN
) -> Mapping[str, Importance]:
    architectures = results(space, count)
    values = np.array([effect(space.choices(a)) for a in architectures])
    found = importances(space, architectures, values, objective)
    assert found.results == len(architectures)
    return {one.parameter: one for one in found.parameters}


def independent() -> nas.Space:
    return nas.Space("independent", {f"p{i}": nas.Integer(0, 4) for i in range(5)})


def test_the_shares_are_those_of_the_variance() -> None:
    found = judged(independent(), lambda c: -(3.0 * c.p0 + 2.0 * c.p1 + 1.0 * c.p2))
    total = 9.0 + 4.0 + 1.0
    for name, weight in (("p0", 9.0), ("p1", 4.0), ("p2", 1.0)):
        assert found[name].share == pytest.approx(weight / total, rel=0.35)
        assert found[name].low < found[name].share < found[name].high
    assert found["p3"].share == pytest.approx(0.0, abs=0.01)
    assert list(found)[:3] == ["p0", "p1", "p2"]


def test_an_interaction_counts_for_both_of_its_parameters() -> None:
    found = judged(independent(), lambda c: -float((c.p0 - 2) * (c.p1 - 2)))
    assert found["p0"].share > 0.4
    assert found["p1"].share > 0.4
    assert found["p2"].share < 0.1


def test_the_direction_of_an_objective_does_not_matter() -> None:
    def effect(c: Any) -> float:
        return 50.0 + 3.0 * c.p0 + c.p1

    error = judged(independent(), lambda c: 100.0 - effect(c), objective=OBJECTIVES["error"])
    accuracy = judged(independent(), effect, objective=OBJECTIVES["accuracy"])
    for name, one in error.items():
        assert accuracy[name].share == pytest.approx(one.share, abs=0.02)


def test_a_parameter_counts_only_where_it_is_active() -> None:
    found = judged(resnets(), lambda c: 4.0 * c.get("dropout", 0.0) + c.depth)
    assert found["dropout"].share > 0.05
    assert found["activation"].share < 0.02
    assert found["depth"].share > found["dropout"].share


def test_a_condition_counts_for_what_it_switches_on() -> None:
    """Parameters that become active get values of other results, so depth is not confused with its default values."""
    found = judged(nested(), lambda c: -sum(b.kernel for s in c.stages for b in s.blocks))
    assert found["stages.0.depth"].share > 0.2
    assert found["width"].share < 0.02


def test_a_space_that_forbids_combinations_is_never_left(monkeypatch: pytest.MonkeyPatch) -> None:
    space = forbidding()
    asked = []
    encode = space.encode
    monkeypatch.setattr(space, "encode", lambda every: (asked.extend(every), encode(every))[1])
    found = judged(space, lambda c: float(c.a * c.b), count=30)
    assert found["a"].share > 0.1
    assert asked
    assert all(space.is_valid(a) and space.canonical(a) == a for a in asked)


def test_genes_have_numbers_where_parameters_have_no_names() -> None:
    space = ToySpace()
    architectures = results(space, 60)
    values = np.array([float(a.genes[2]) for a in architectures])
    found = importances(space, architectures, values, PLAIN)
    assert found.parameters[0].parameter == "gene 2"
    assert found.explained > 0.9
    assert found.reliable
    assert found.model


def test_noise_is_explained_by_nothing() -> None:
    space = independent()
    architectures = results(space, 60)
    found = importances(space, architectures, np.random.default_rng(3).normal(size=60), PLAIN)
    assert found.explained < 0.3
    assert not found.reliable
    assert all(one.low < 0.1 for one in found.parameters)


def test_the_same_results_give_the_same_numbers() -> None:
    first, again = (judged(independent(), lambda c: float(c.p0), count=40) for _ in range(2))
    assert first == again


def test_a_parameter_with_one_value_among_the_results_has_no_importance() -> None:
    space = independent()
    architectures = [a for a in results(space, 400) if a.genes[4] == 2][:40]
    values = np.array([float(a.genes[0]) for a in architectures])
    last = next(p for p in importances(space, architectures, values, PLAIN).parameters if p.parameter == "p4")
    assert (last.share, last.low, last.high, last.values) == (0.0, 0.0, 0.0, 1)


def test_too_few_or_equal_results_are_an_error() -> None:
    space = independent()
    few = results(space, FEWEST - 1)
    with pytest.raises(ConfigError, match="19 results are too few; at least 20"):
        importances(space, few, np.arange(len(few), dtype=float), PLAIN)
    some = results(space, FEWEST)
    with pytest.raises(ConfigError, match="all results are equal"):
        importances(space, some, np.ones(len(some)), PLAIN)


def test_genes_that_the_network_does_not_use_stay_as_they_are() -> None:
    """In NASBench-101 a random value of an unused edge would make a vertex used, and every parameter important."""
    space = NASBench101()
    found = judged(space, lambda c: float(c.get("op1") == "conv3x3-bn-relu"), count=120)
    assert found["op1"].share > 0.5
    assert found["edge4-5"].share < 0.05
