"""The built-in spaces name their parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import nas
from nas.core.errors import ArchitectureError
from nas.testing import check_space
from search_spaces.muxnet import MUXNetSpace
from search_spaces.nasbench101 import NASBench101
from search_spaces.nasbench201 import NASBench201

SPACES = {
    "tiny": MUXNetSpace("tiny"),
    "cifar": MUXNetSpace("cifar"),
    "101": NASBench101(),
    "201": NASBench201(),
}


@pytest.mark.parametrize("name", SPACES)
def test_the_values_of_an_architecture_lead_back_to_it(name: str) -> None:
    space: Any = SPACES[name]
    rng = np.random.default_rng(1)
    assert len(space.parameters) == len(space.cardinalities)
    for _ in range(60):
        architecture = space.canonical(space.sample(rng))
        choices = space.choices(architecture)
        assert list(choices) == [parameter for parameter in space.parameters if parameter in choices]
        assert space.canonical(space.architecture(choices)) == architecture
        blanks = {**dict.fromkeys(space.parameters, float("nan")), **choices}
        assert space.canonical(space.architecture(blanks)) == architecture


def test_muxnet_s_inactive_genes_have_no_value() -> None:
    space = SPACES["cifar"]
    rng = np.random.default_rng(0)
    for _ in range(40):
        choices = space.choices(space.canonical(space.sample(rng)))
        for stage in range(1, 6):
            inside = [name for name in choices if name.startswith(f"stage{stage}.")]
            if choices[f"stage{stage}.width"] == 0:
                assert inside == [f"stage{stage}.width"]
            elif choices[f"stage{stage}.depth"] == 0:
                assert f"stage{stage}.sp_kernel" not in choices
            elif choices[f"stage{stage}.scales"]:
                assert f"stage{stage}.group" not in choices


def test_cells_are_named_by_edges_and_vertices() -> None:
    assert SPACES["201"].choices(nas.Architecture("nasbench201", (3, 0, 1, 2, 4, 3))) == {
        "edge0-1": "nor_conv_3x3", "edge0-2": "none", "edge1-2": "skip_connect",
        "edge0-3": "nor_conv_1x1", "edge1-3": "avg_pool_3x3", "edge2-3": "nor_conv_3x3",
    }  # fmt: skip
    space = SPACES["101"]
    assert space.choices(space.parse("1-")) == {"edge0-6": 1}
    assert space.choices(space.parse("101-1")) == {
        "edge0-1": 1, "edge0-6": 0, "edge1-6": 1, "op1": "conv1x1-bn-relu",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("201", {"edge0-1": "conv"}, "edge0-1: 'conv' is not an option; expected one of none, skip_connect"),
        ("201", {"edge0-1": "none"}, "parameter 'edge0-2' is missing"),
        ("201", {"edge0-7": "none"}, "unknown parameter 'edge0-7'"),
        (
            "101",
            {"edge0-6": 1, "op1": "maxpool3x3"},
            "parameter 'op1' is inactive with these values; remove it",
        ),
        ("101", {"edge0-1": 1}, "no path leads from the input"),
        ("tiny", {"resolution": 9}, "resolution: 9 is not an option; expected one of 8, 12, 16"),
    ],
)
def test_errors_name_the_parameter_and_the_value(name: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        SPACES[name].architecture(values)


def test_a_value_that_does_not_fit_the_others_is_an_error() -> None:
    space = SPACES["tiny"]
    rng = np.random.default_rng(3)
    while True:
        architecture = space.sample(rng)
        choices = space.choices(architecture)
        if choices.get("stage1.scales") == () and choices["resolution"] == 12:
            break
    changed = {
        **choices,
        "stage1.width": 8,
        "stage1.split": 0.25,
        "stage1.sp_expansion": 2,
        "stage1.group": 1,
    }
    changed = {**changed, "stage1.scales": (-1, 0, 1)}
    changed.pop("stage1.group")
    with pytest.raises(
        ArchitectureError, match=r"parameter 'stage1.scales': .* does not fit the other values"
    ):
        space.architecture(changed)


class Named(nas.SearchSpace):
    name, cardinalities, parameters = "named", (4, 5), ("a", "b")

    def choices(self, architecture: nas.Architecture) -> dict[str, Any]:
        return dict(zip(("a", "b"), architecture.genes, strict=True))

    def architecture(self, values: Mapping[str, Any]) -> nas.Architecture:
        return nas.Architecture(self.name, (values["a"], values["b"]))


def test_the_contract_of_a_space_checks_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    check_space(Named())
    for attribute, wrong, message in (
        ("parameters", ("a", "a"), "parameters must be different names"),
        ("parameters", ("a", "b", "seed"), "columns of every run's table"),
        ("parameters", ("a",), r"has \['b'\], which parameters lacks"),
        ("choices", lambda self, architecture: {"a": object()}, r"a: option .* expected a number"),
        (
            "architecture",
            lambda self, values: nas.Architecture("named", (0, 0)),
            "architecture does not invert choices",
        ),
    ):
        with monkeypatch.context() as changed:
            changed.setattr(Named, attribute, wrong)
            with pytest.raises(AssertionError, match=message):
                check_space(Named())
