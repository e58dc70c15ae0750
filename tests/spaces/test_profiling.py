"""Random architectures in numbers: quartiles, shares with intervals, the table of parameters."""

from __future__ import annotations

import numpy as np
import pytest
from space_zoo import resnets, three_deep, wide

import nas
from nas.core.objectives import Limit
from nas.spaces.profiling import QUARTILES, Share, draw, parameter_rows
from nas.testing import ToySpace


def test_a_small_space_is_walked_as_a_whole() -> None:
    space = nas.Space("small", a=nas.Integer(0, 4), b=nas.Integer(0, 3))
    drawn = draw(space, lambda x: {"params": sum(x.genes)}, 50, 0)
    assert drawn.whole
    assert len(drawn.architectures) == 20
    assert drawn.quartiles("params")["max"] == 7
    share = drawn.within([Limit.parse("params <= 0")])
    assert (share.count, share.interval) == (1, (0.05, 0.05))


def test_quartiles_are_values_of_drawn_architectures() -> None:
    space = wide()
    drawn = draw(space, lambda a: {"params": sum(a.genes), "madds": a.genes[0]}, 101, 3)
    assert not drawn.whole
    assert len(drawn.architectures) == 101
    found = drawn.quartiles("params")
    assert tuple(found) == QUARTILES
    assert [sum(a.genes) for a in drawn.at_quartiles("params")] == list(found.values())
    again = draw(space, lambda a: {"params": sum(a.genes), "madds": a.genes[0]}, 101, 3)
    assert again.architectures == drawn.architectures


def test_each_architecture_is_counted_once() -> None:
    asked = []
    draw(ToySpace((2, 2, 2, 2, 2, 2)), lambda a: (asked.append(a), {"params": 1.0})[1], 300, 0)
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize(
    ("count", "total", "low", "high"), [(0, 200, 0.0, 0.0188), (20, 200, 0.0657, 0.1494)]
)
def test_the_interval_is_that_of_wilson(count: int, total: int, low: float, high: float) -> None:
    assert Share(count, total, False).interval == pytest.approx((low, high), abs=1e-3)


def test_the_interval_holds_the_true_share() -> None:
    rng = np.random.default_rng(0)
    for share in (0.01, 0.3, 0.9):
        counts = rng.binomial(100, share, 2000)
        ends = [Share(int(c), 100, False).interval for c in counts]
        assert np.mean([low <= share <= high for low, high in ends]) > 0.92


def test_parameters_have_kind_options_and_condition() -> None:
    rows = {row.name: row for row in parameter_rows(resnets())}
    assert rows["width"].kind == "ordered"
    assert rows["width"].options == "16, 24, 32, 48"
    assert rows["activation"].kind == "category"
    assert rows["dropout"].condition == "width = 32 or 48"
    assert rows["stages.0.kernel"].condition == ""
    assert rows["stages.1.kernel"].condition == "depth = 2 or 3"
    rows = {row.name: row for row in parameter_rows(resnets().fix(width=32))}
    assert (rows["width"].kind, rows["width"].options) == ("fixed", "32")
    deep = {row.name: row for row in parameter_rows(three_deep())}
    assert deep["last"].condition == "third = x or y"
    assert parameter_rows(ToySpace()) == []


def test_conditions_that_the_others_imply_are_not_shown() -> None:
    stage = nas.Repeat("depth", convs=nas.Integer(1, 2), blocks=nas.Repeat("convs", kernel=nas.Choice(3, 5)))
    space = nas.Space("s", depth=nas.Integer(1, 2), stages=stage)
    conditions = {row.name: row.condition for row in parameter_rows(space)}
    assert conditions["stages.0.blocks.0.kernel"] == ""
    assert conditions["stages.0.blocks.1.kernel"] == "stages.0.convs = 2"
    assert conditions["stages.1.blocks.0.kernel"] == "depth = 2"
    fixed = {row.name: row.condition for row in parameter_rows(space.fix(depth=1))}
    assert fixed["stages.0.convs"] == ""
    assert fixed["stages.1.convs"] == "depth = never"
