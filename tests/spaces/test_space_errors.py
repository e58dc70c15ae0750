"""Errors of declared spaces name the parameter and the value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from space_zoo import resnets
from torch import nn

import nas
from nas.core.errors import ArchitectureError, ConfigError
from nas.spaces.making import make_space


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: nas.Space("s"), "expected at least one"),
        (lambda: nas.Space("s", a=nas.Choice()), "at least one option"),
        (lambda: nas.Choice([1, 2]), r"write Choice\(\*options\)"),
        (lambda: nas.Choice(1, 1.0), "1.0 is given twice"),
        (lambda: nas.Choice(object()), "expected a number, a string"),
        (lambda: nas.Choice(float("nan")), "finite"),
        (lambda: nas.Integer(3, 1), "low <= high"),
        (lambda: nas.Float(0, 1, log=True), "0 < low < high"),
        (lambda: nas.Space("s", seed=nas.Choice(1, 2)), "'seed': is a column of every run's table"),
        (lambda: nas.Space("s", {"a b": nas.Choice(1, 2)}), "'a b': expected letters"),
        (lambda: nas.Space("s", genes=nas.Choice(1, 2)), "choose another name"),
        (lambda: nas.Space("s", a=[1, 2]), r"parameter 'a': expected nas.Choice"),
        (lambda: nas.Space("s", a=1, b=nas.Choice(1, 2, when={"aa": 1})), "'b': its condition names 'aa'.*mean 'a'"),
        (lambda: nas.Space("s", a=nas.Choice(1, 2), b=nas.Choice(1, 2, when={"a": 3})), "'b'.*'a' names 3, which is not an option"),
        (lambda: nas.Space("s", a=nas.Choice(1, 2, when={"b": 1}), b=nas.Choice(1, 2, when={"a": 1})), "a, b refer to each other"),
        (lambda: nas.Space("s", r=nas.Repeat("depht", k=1), depth=nas.Integer(1, 2)), "'depht'.*did you mean 'depth'"),
        (lambda: nas.Space("s", d=nas.Choice(1.5, 2), r=nas.Repeat("d", k=1)), "whole number of at least 0"),
        (lambda: nas.Space("s", {"a": 1}, a=2), "'a' is given twice"),
        (lambda: nas.Space("s", {1: nas.Choice(1, 2)}), "parameter 1: expected a name, got int"),
        (lambda: nas.Space("s", [("a", 1)]), "expected a mapping of parameters, got"),
        (lambda: resnets().fix([("depth", 1)]), "fix: expected a mapping of parameters, got"),
        (lambda: resnets().fix({"depth": 1}, depth=2), "fix: parameter 'depth' is given twice"),
        (lambda: resnets().fix(stages=1), "'stages' is a repeat; fix one of its parameters, such as 'stages.kernel'"),
        (lambda: nas.Float(0, 10**400), "expected a number below"),
        (lambda: nas.Float(0, 10**5000), "expected a number below"),
        (lambda: nas.Float(0, 1, log="false"), "log: expected True or False, got 'false'"),
        (lambda: nas.Float(1.0, 1.0 + 1e-12), "6 levels from 1.0 to 1.000000000001 are equal to 10 digits"),
        (lambda: nas.Choice(10**5000, 1), "expected a number below"),
        (lambda: nas.Choice(1, 2, ordered="no"), "ordered: expected True or False, got 'no'"),
        (lambda: nas.Integer(0, 10**5000), "expected a number below"),
        (lambda: nas.Integer(0, 10**50), "at most 100,000 options"),
        (lambda: nas.Space("s", a=nas.Choice(1, 2), b=nas.Choice(1, 2, when={"a": len})), "'b': its condition on 'a': option <built-in"),
        (lambda: nas.Space("s", a=nas.Choice(1, 2), b=nas.Choice(1, 2, when={"a": {1: 2}})), "'b': its condition on 'a': option {1: 2}"),
        (lambda: resnets().parse(3), "architecture 3: expected its text form, got int"),
        (lambda: resnets().architecture({"depth": object()}), "depth: option <object"),
        (lambda: resnets().architecture({"depth": 1, "width": 16, "stages": [3]}), "stages.0: expected a mapping of the item's parameters"),
        (lambda: resnets().architecture({"depth": 1, "width": 16, "stages": [{"kernel": 3}]}), "'stages.0.se' is missing .write None"),
        (lambda: nas.Space("s", z=0, r=nas.Repeat(10**6, i=nas.Repeat("z", x=1))), "'r': a space has at most 10,000 items"),
        (lambda: nas.Space("no spaces", a=1), "space name"),
        (lambda: resnets().fix(width=17), "width: 17 is not an option; expected one of 16, 24, 32, 48"),
        (lambda: resnets().fix(widht=16), "unknown parameter 'widht'"),
        (lambda: resnets().architecture({"depth": 1}), "'width' is missing"),
        (lambda: resnets().parse("depth=9"), "depth: '9' is not an option; expected one of 1, 2, 3"),
        (lambda: nas.Problem(resnets(), [nas.Objective("width", cheap=True, function=lambda c: c.width)]), "'width' is also a parameter"),
    ],
)  # fmt: skip
def test_errors_name_the_parameter_and_the_value(declare: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        declare()


def test_names_that_are_no_parameter_are_errors() -> None:
    space = resnets()
    c = space.choices(space.fix(depth=2, width=16).sample(np.random.default_rng(0)))
    assert c.get("dropout", 0.5) == 0.5
    assert c.get("stages.2.kernel") is None
    assert c.stages[1].get("kernel") == c.get("stages.1.kernel")
    assert c.get("stages") == c.stages
    with pytest.raises(KeyError, match=r"unknown parameter 'dropuot' .did you mean 'dropout'"):
        c.get("dropuot", 0.0)
    with pytest.raises(
        KeyError, match=r"unknown parameter 'stages.1.kernal' .did you mean 'stages.1.kernel'"
    ):
        c.stages[1].get("kernal")
    with pytest.raises(AttributeError, match=r"unknown parameter 'stage' .did you mean 'stages'"):
        c.stage  # noqa: B018
    with pytest.raises(IndexError, match="repeat 'stages' has 2 active items here, no item 5"):
        c.stages[5]
    assert c.stages[-1] == c.stages[1:][0]


def test_architectures_of_another_space_are_refused() -> None:
    space, other = resnets(), nas.Architecture("resnet", (0,) * len(resnets().cardinalities))
    for use in (space.choices, space.format, space.cost, space.build):
        with pytest.raises(ArchitectureError, match="belongs to space 'resnet', expected one of 'resnets'"):
            use(other)
    again = resnets()
    choices = space.choices(space.sample(np.random.default_rng(0)))
    assert again.choices(choices) == choices


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda s: s.forbid(lambda c: np.array([True, False])), r"forbid: expected True or False for \{'a': 1\}, got array"),
        (lambda s: s.forbid(lambda c: "no"), r"forbid: expected True or False for \{'a': 1\}, got 'no'"),
        (lambda s: s.forbid(lambda c: None), r"forbid: expected True or False for \{'a': 1\}, got None"),
        (lambda s: s.same(lambda c: None), r"same: expected a key or a dict .* for \{'a': 1\}, got None"),
        (lambda s: s.same(lambda c: {"a": 7}), r"same: failed for \{'a': 1\}: a: 7 is not an option"),
    ],
)  # fmt: skip
def test_results_of_rules_are_checked(declare: Any, message: str) -> None:
    space = nas.Space("s", a=nas.Choice(1, 2))
    declare(space)
    with pytest.raises(ConfigError, match=message):
        space.size  # noqa: B018
    assert nas.Space("s", a=nas.Choice(1, 2)).forbid(lambda c: np.bool_(c.a == 1)).size == 1


def test_a_space_without_a_valid_network_is_an_error() -> None:
    space = nas.Space("none", a=nas.Integer(0, 9)).forbid(lambda c: True)
    with pytest.raises(ConfigError, match="'none' has no valid network: forbid excludes all 10 combinations"):
        space.sample(np.random.default_rng(0))


def test_errors_of_rules_and_costs_name_the_choices() -> None:
    space = nas.Space("s", a=nas.Choice(1, 2), b=nas.Choice(3, 4, when={"a": 2})).forbid(lambda c: c.b == 3)
    with pytest.raises(ConfigError, match=r"forbid: failed for \{'a': 1\}.*'b' is inactive with a=1"):
        space.is_valid(nas.Architecture("s", (0, 0)))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"a": [[16, 32]]},
            r"parameter 'a': expected a list of options, got a list within a list, .*; write \[16, 32\]",
        ),
        (
            {"a": {"float": [0, 1], "log": "false"}},
            "parameter 'a': Float: log: expected True or False, got 'false'",
        ),
        (
            {"r": {"repeat": 2, "when": [3, 5]}},
            "parameter 'r': when is the condition of the repeat.*another name",
        ),
    ],
)
def test_errors_of_a_config_name_the_parameter(parameters: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_space("s", {"parameters": parameters})


def test_a_network_that_fails_for_the_assumed_image_size_is_reported_with_the_remedy() -> None:
    space = nas.Space("fixed", width=nas.Choice(4, 8))

    @space.build
    def build(c: nas.Choices, *, num_classes: int, in_channels: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(in_channels * 16 * 16, num_classes))

    one = space.parse("width=4")
    with pytest.raises(ConfigError, match=r"32 x 32 pixels are assumed .*for_task\(nas\.TaskSpec\("):
        space.cost(one)
    with pytest.raises(ConfigError, match="the network fails") as found:
        space.for_task(nas.TaskSpec(3, 10, (8, 8))).cost(one)
    assert "assumed" not in str(found.value)
    assert space.for_task(nas.TaskSpec(3, 10, (16, 16))).cost(one)["params"] == 7690
