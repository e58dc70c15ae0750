"""A declared space rebuilt from the values that identify it in a run's log."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from space_zoo import ZOO

from nas.core.errors import ConfigError
from nas.spaces.parameters import value_text
from nas.spaces.recorded import recorded_space, value_of


@pytest.mark.parametrize("name", ZOO)
def test_it_reads_and_encodes_the_same_architectures(name: str) -> None:
    space: Any = ZOO[name]()
    recorded = recorded_space(space.name, json.loads(json.dumps(space.declaration.as_json())))
    rng = np.random.default_rng(0)
    architectures = [space.canonical(space.sample(rng)) for _ in range(20)]
    for architecture in architectures:
        text = space.format(architecture)
        assert recorded.canonical(recorded.parse(text)) == architecture
        assert recorded.format(architecture) == text
        assert list(recorded.choices(architecture)) == list(space.choices(architecture))
    assert np.array_equal(recorded.encode(architectures), space.encode(architectures))
    assert recorded.parameters == space.parameters


@pytest.mark.parametrize(
    "value",
    [1, -2, 0.5, 1e-07, 1e300, "relu", "1", "1_0", "None", "", "a b/c=d;(e),'", "\u00fc", "\ud800", None, True, False, (), (1,), ((2, "x;y"), None, (("3",),))],
    ids=repr,
)  # fmt: skip
def test_values_are_read_from_their_texts(value: Any) -> None:
    found = value_of(value_text(value))
    assert (found, type(found)) == (value, type(value))


def test_it_has_neither_networks_nor_costs() -> None:
    recorded = recorded_space("resnets", ZOO["resnets"]().declaration.as_json())
    assert recorded.lacks >= {"build", "cost"}


@pytest.mark.parametrize(
    "damaged", [{"a": [["1"]]}, {"a": [["1", "2"], [["b", [0]]], True]}, {"a": 3}, ["a"]], ids=str
)
def test_damaged_values_are_an_error(damaged: Any) -> None:
    with pytest.raises(ConfigError, match="its recorded parameters are damaged"):
        recorded_space("damaged", damaged)
