"""Costs of NASBench-101 networks against the benchmark's records and against built networks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from counted_networks import counted

from nas.core.errors import ArchitectureError, ConfigError
from nas.core.records import Architecture
from search_spaces.nasbench101 import NASBench101, UniformSampler
from search_spaces.nasbench101.cell import columns, parse_cell
from search_spaces.nasbench101.cost import vertex_channels
from search_spaces.nasbench101.evoxbench import flops
from search_spaces.nasbench101.network import CellModule, build_network

SETTINGS = [
    {},
    {"stem_channels": 5, "stacks": 2, "cells_per_stack": 2, "image_size": 9, "in_channels": 1},
    {"stem_channels": 4, "stacks": 4, "cells_per_stack": 1, "image_size": 3, "num_classes": 2},
    {"stem_channels": 17, "stacks": 1, "cells_per_stack": 3, "image_size": 5, "num_classes": 100},
    {"stem_channels": 16, "stacks": 3, "cells_per_stack": 1, "image_size": 8, "in_channels": 1},
]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks on a shared machine are slower with more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def random_architectures(space: NASBench101, count: int) -> list[Architecture]:
    """Half as sampled (vertices in any order), half uniform (large cells)."""
    rng = np.random.default_rng(7)
    uniform = space.uniform_sampler()
    return [space.sample(rng) if i % 2 else uniform(rng) for i in range(count)]


@pytest.mark.parametrize(
    "file",
    [
        "nasbench101_5v/cells_108epochs.parquet",
        "nasbench101_5v/records.parquet",
        "nasbench101_cec/cells.parquet",
    ],
)
def test_parameters_equal_the_records(shared_data: Path, file: str) -> None:
    table = pd.read_parquet(shared_data / file, columns=["adjacency", "ops", "params"]).drop_duplicates()[::7]
    space = NASBench101()
    found = [
        space.cost(space.parse(f"{a}-{o}"))["params"] for a, o in zip(table.adjacency, table.ops, strict=True)
    ]
    assert found == table.params.tolist()


@pytest.mark.parametrize("file", ["nasbench101_5v/cells_108epochs.parquet", "nasbench101_cec/cells.parquet"])
def test_operations_equal_the_records(shared_data: Path, file: str) -> None:
    table = pd.read_parquet(shared_data / file, columns=["adjacency", "ops", "flops"])[::7]
    space = NASBench101()
    found = [flops(space.parse(f"{a}-{o}")) for a, o in zip(table.adjacency, table.ops, strict=True)]
    assert found == table.flops.tolist()


@pytest.mark.parametrize("chosen", SETTINGS, ids=str)
def test_cost_equals_the_built_network(chosen: dict[str, int]) -> None:
    space = NASBench101(**chosen)
    for architecture in random_architectures(space, 8 if chosen else 4):
        built, shape = counted(partial(space.build, architecture), space.in_channels, space.image_size)
        assert space.cost(architecture) == built, space.format(architecture)
        assert shape == (1, space.num_classes)


def test_costs_are_whole_numbers() -> None:
    space = NASBench101()
    assert {type(v) for v in space.cost(space.parse("110101-22")).values()} == {int}


def test_order_of_vertices_matters_where_channels_do_not_divide_evenly() -> None:
    # Two vertices share 5 channels: the first gets 3, be it the convolution or the pooling.
    space = NASBench101(stem_channels=5)
    assert space.cost(space.parse("110011-02"))["params"] != space.cost(space.parse("110011-20"))["params"]


@pytest.mark.parametrize(
    ("text", "width", "channels"),
    [
        ("1110001011-012", 128, [0, 43, 43, 42, 128]),  # 1, 2 and 3 feed the output
        ("1000110011-012", 5, [0, 3, 3, 2, 5]),  # 1 feeds 2 and 3, and is as wide as the wider
        ("1-", 64, [0, 64]),
    ],
)
def test_channels_follow_the_published_rule(text: str, width: int, channels: list[int]) -> None:
    assert vertex_channels(parse_cell(text), width) == channels


def test_a_built_network_takes_other_classes_channels_and_sizes() -> None:
    space = NASBench101.digits()
    network = space.build(space.parse("110101-02"), num_classes=3, in_channels=2).eval()
    assert network(torch.zeros(2, 2, 13, 7)).shape == (2, 3)


def test_a_cell_computes_the_function_of_its_graph() -> None:
    """The fused projections and the cut channels against a plain evaluation of the graph."""
    torch.manual_seed(0)
    cell = NASBench101().cell(NASBench101().parse("111010011001001-0210"))
    module = CellModule(cell, 6, 7).eval()
    x = torch.randn(2, 6, 5, 5)
    channels, cols = vertex_channels(cell, 7), columns(*cell[:2])
    projected, start = {}, 0
    everything = module.project(x)
    for v, column in enumerate(cols):
        if column & 1:
            projected[v] = everything[:, start : start + channels[v]]
            start += channels[v]
    values: dict[int, torch.Tensor] = {}
    for v in range(1, cell.num_vertices - 1):
        total = projected.get(v, torch.zeros(2, channels[v], 5, 5))
        for u in range(1, v):
            if cols[v] >> u & 1:
                total = total + values[u][:, : channels[v]]
        values[v] = module.operations[v - 1](total)
    last = cell.num_vertices - 1
    expected = torch.cat([values[u] for u in range(1, last) if cols[last] >> u & 1], dim=1)
    expected = expected + projected.get(last, 0)
    torch.testing.assert_close(module(x), expected)


def test_a_small_network_learns_a_simple_task_in_a_few_steps() -> None:
    torch.manual_seed(0)
    space = NASBench101.digits()
    network = space.build(space.parse("111011-02"), num_classes=2)
    labels = torch.arange(64) % 2
    images = torch.randn(64, 1, 8, 8) + labels[:, None, None, None]
    optimiser = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    for _ in range(25):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(images), labels).backward()
        optimiser.step()
    network.eval()
    assert (network(images).argmax(1) == labels).float().mean() > 0.95


def test_gradients_reach_every_parameter() -> None:
    space = NASBench101.digits()
    for architecture in random_architectures(space, 4):
        network = space.build(architecture)
        network(torch.randn(4, 1, 8, 8)).sum().backward()
        assert all(p.grad is not None for p in network.parameters()), space.format(architecture)


def test_the_same_seed_builds_the_same_weights() -> None:
    space, cell = NASBench101.digits(), UniformSampler()[1000]
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(build_network(cell, space.skeleton).state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"stem_channels": 3}, "stem_channels: expected a whole number of at least 4"),
        ({"stacks": 0}, "stacks"),
        ({"image_size": 8.0}, "image_size"),
        ({"num_classes": True}, "num_classes"),
        ({"in_channels": "3"}, "in_channels"),
    ],
)
def test_settings_that_cannot_be_built_are_refused(chosen: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        NASBench101(**chosen)  # type: ignore[arg-type]


def test_cost_of_an_invalid_architecture_is_an_error() -> None:
    with pytest.raises(ArchitectureError, match="no path"):
        NASBench101().cost(Architecture("nasbench101", (0,) * 26))
