"""Spaces with fixed parameters."""

from __future__ import annotations

import numpy as np
import pytest
from space_zoo import mapped, resnets

import nas
from nas.core.errors import ConfigError
from nas.testing import check_space


def test_fixing_leaves_the_space_unchanged() -> None:
    space = resnets()
    small = space.fix(width=16)
    assert space.size == 2352
    assert small.size == 2 * (4 + 16 + 64)
    assert "width=16" in small.format(small.sample(np.random.default_rng(0)))
    assert small.parse(
        space.format(space.architecture(small.choices(small.sample(np.random.default_rng(0)))))
    )


def test_an_architecture_means_the_same_in_a_fixed_space() -> None:
    space = nas.Space(
        "s",
        w=nas.Choice(16, 32, 48),
        k=nas.Choice(1, 2, when={"w": (32, 48)}),
        m=nas.Choice(3, 4, when={"w": 16}),
    )
    fixed = space.fix(w=48)
    assert fixed.size == 2
    assert fixed.cardinalities == space.cardinalities
    for architecture in space.enumerate():
        assert fixed.is_valid(architecture) == (space.choices(architecture)["w"] == 48)
        assert fixed.format(architecture) == space.format(architecture)
    for architecture in fixed.enumerate():
        assert fixed.parse(space.format(architecture)) == architecture
    assert fixed.architecture({"k": 2}) == space.architecture({"w": 48, "k": 2})
    assert fixed.fix(w=48, k=1).size == 1
    for refused in (
        lambda: fixed.parse("w=16/m=3"),
        lambda: fixed.architecture({"w": 16, "m": 3}),
        lambda: fixed.fix(w=16),
    ):
        with pytest.raises(ConfigError, match="parameter 'w' is fixed to 48 in this space, got 16"):
            refused()


def test_search_stays_in_a_fixed_space() -> None:
    space = nas.Space("s", {f"p{i}": nas.Integer(0, 9) for i in range(30)})
    fixed = space.fix({f"p{i}": i % 10 for i in range(28)})
    assert fixed.size == 100
    seen: set[nas.Architecture] = set()

    def error(c: nas.Choices) -> float:
        seen.add(nas.Architecture(c.space, c.genes))
        return float(c.p28 + c.p29)

    for algorithm in ("random", "local-search", "nsga2", "sa-moead"):
        found = nas.search(fixed, [error], algorithm=algorithm, budget=30)
        assert found.summary["evaluations"] == 30
    assert all(map(fixed.is_valid, seen))
    first = next(iter(seen))
    assert all(map(fixed.is_valid, fixed.neighbours(first, np.random.default_rng(0))))


def test_the_fixed_value_may_be_one_that_same_changes() -> None:
    space = nas.Space("s", a=nas.Choice(1, 2, 3), b=nas.Choice(1, 2, 3))
    space.same(lambda c: {"a": 1} if c.b == 1 else {})
    assert space.size == 7
    assert space.fix(a=2).size == 3
    three = nas.Space("s", a=nas.Integer(0, 3), b=nas.Integer(0, 3), c=nas.Integer(0, 3))
    three.same(lambda c: dict(zip("abc", sorted((c.a, c.b, c.c)), strict=True)))
    fixed = three.fix(b=2)
    check_space(fixed)
    assert fixed.size == len({tuple(sorted(a.genes)) for a in three.enumerate() if 2 in a.genes}) == 10
    large = mapped().fix(p1=7)
    check_space(large)
    genes = (0, 7, *[3] * 10)
    assert large.canonical(nas.Architecture("mapped", genes)).genes == genes
