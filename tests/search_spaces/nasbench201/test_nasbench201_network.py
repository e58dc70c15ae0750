"""NAS-Bench-201 networks: their costs are those of the space, and they compute their cell's function."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
import torch
from counted_networks import counted
from torch import nn

from nas.core.errors import ConfigError
from nas.core.space import HasBuild
from nas.testing import check_space
from search_spaces.nasbench201 import NASBench201
from search_spaces.nasbench201.network import CellModule

SETTINGS = [
    {},
    {"channels": 5, "cells_per_stage": 2, "image_size": 9, "in_channels": 1, "num_classes": 7},
    {"channels": 1, "cells_per_stage": 1, "image_size": 1, "num_classes": 1},
    {"channels": 8, "cells_per_stage": 1, "image_size": 8, "in_channels": 1},
]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks on a shared machine are slower with more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("chosen", SETTINGS, ids=str)
def test_cost_equals_the_built_network(chosen: dict[str, int]) -> None:
    space = NASBench201(**chosen)
    rng = np.random.default_rng(3)
    texts = ["000000", "300000", "444444"]  # nothing, a convolution that leads nowhere, no weights
    for architecture in [*map(space.parse, texts), *(space.sample(rng) for _ in range(2))]:
        built, shape = counted(partial(space.build, architecture), space.in_channels, space.image_size)
        assert space.cost(architecture) == built, space.format(architecture)
        assert shape == (1, space.num_classes)


def test_the_space_keeps_its_contract_with_other_settings() -> None:
    check_space(NASBench201.digits(), range(5))
    assert isinstance(NASBench201(), HasBuild)


def test_a_built_network_takes_other_classes_channels_and_sizes() -> None:
    space = NASBench201.digits()
    network = space.build(space.parse("333132"), num_classes=3, in_channels=2).eval()
    assert network(torch.zeros(2, 2, 13, 7)).shape == (2, 3)


def test_a_cell_without_weights_computes_the_function_of_its_graph() -> None:
    # 1 = x, 2 = pool(x) + 1, output = x + pool(1) + 2
    cell, pool = CellModule((1, 4, 1, 1, 4, 1), 2), nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    x = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(cell(x), x + pool(x) + (pool(x) + x))


@pytest.mark.parametrize("text", ["000000", "330000", "000003"], ids=["nothing", "dead end", "no source"])
def test_a_cell_that_nothing_passes_gives_the_same_for_every_image(text: str) -> None:
    space = NASBench201.digits()
    torch.manual_seed(0)
    cell = CellModule(space.parse(text).genes, 2).eval()
    first, second = cell(torch.randn(1, 2, 4, 4)), cell(torch.randn(1, 2, 4, 4))
    assert first.shape == (1, 2, 4, 4)
    assert torch.equal(first, second)


def test_every_weight_of_a_connected_cell_learns() -> None:
    space = NASBench201.digits()
    network = space.build(space.parse("333232"))
    network(torch.randn(4, 1, 8, 8)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize("chosen", [{"channels": 0}, {"cells_per_stage": 1.5}, {"in_channels": True}])
def test_settings_that_cannot_be_built_are_refused(chosen: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(chosen))}: expected a whole number of at least 1"):
        NASBench201(**chosen)  # type: ignore[arg-type]


def test_the_description_has_the_costs_the_edges_and_the_benchmarks_own_text() -> None:
    space = NASBench201()
    text = space.describe(space.parse("333142"))
    cost = space.cost(space.parse("333142"))
    assert f"{cost['params']:,} parameters, {cost['madds']:,} multiply-adds" in text
    assert (
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_1x1~2|"
        in text
    )
    assert "2 -> output: conv 1x1" in text


def test_the_drawing_shows_every_operation_but_none() -> None:
    space = NASBench201()
    svg = space.to_svg(space.parse("310204"))
    assert svg.startswith("<svg")
    assert svg.count("<path d=") == 4 + 1  # and the head of the arrows
    labels = ("conv 3x3", "skip", "conv 1x1", "average pool 3x3", "none")
    assert [label for label in labels if f">{label}<" in svg] == list(labels[:-1])
