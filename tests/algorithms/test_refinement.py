"""The second inner search: it climbs to larger improvement than its start, and proposes nothing that is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.algorithms._refinement import Refinement
from nas.core.objectives import Objective
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray
from nas.core.space import SearchSpace


class Wide(SearchSpace):
    name = "wide"
    cardinalities = (5,) * 20


PROBLEM = Problem(Wide(), [Objective("error", function=lambda a: sum(a.genes))])


def gain(architectures: Sequence[Architecture]) -> FloatArray:
    return np.array([float(sum(a.genes)) for a in architectures])


def drawn(n: int) -> list[Architecture]:
    rng = np.random.default_rng(1)
    return [PROBLEM.space.sample(rng) for _ in range(n)]


def test_rounds_of_variation_increase_the_improvement() -> None:
    start = drawn(100)
    few, many = (Refinement(rounds)(PROBLEM, gain, start, (), np.random.default_rng(0)) for rounds in (1, 6))
    assert gain(start).max() < gain(few).max() < gain(many).max()
    assert len(many) == len(set(many)) == 900


def test_known_architectures_are_not_proposed_again() -> None:
    start = drawn(20)
    known = set(Refinement(1)(PROBLEM, gain, start, (), np.random.default_rng(0)))
    found = Refinement(1)(PROBLEM, gain, start, known, np.random.default_rng(0))
    assert found
    assert not known.intersection(found)
    assert not set(start).intersection(found)


def test_a_small_space_ends_the_refinement() -> None:
    class Small(SearchSpace):
        name = "small"
        cardinalities = (2, 2)

    problem = Problem(Small(), [Objective("error", function=lambda a: sum(a.genes))])
    every = [Architecture("small", (i, j)) for i in range(2) for j in range(2)]
    assert Refinement()(problem, gain, every[:1], every, np.random.default_rng(0)) == []
