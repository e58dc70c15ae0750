"""What must hold at every point of every space that comes with the framework, tried at random points."""

from __future__ import annotations

from functools import cache, partial
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from fuzzing import fuzzed, fuzzed_a_little
from hypothesis import assume, given
from hypothesis import strategies as st

from nas.core.records import Architecture
from nas.core.space import HasBuild, HasCost, HasVariation, SearchSpace
from nas.training.latency import input_size
from search_spaces import SEARCH_SPACES
from search_spaces.nasbench101 import NASBench101
from search_spaces.nasbench101.cell import Cell, edge_weight

SETTINGS: dict[str, dict[str, Any]] = {
    "nasbench101": {"stem_channels": 16, "cells_per_stack": 1, "image_size": 8}
}
NAMES = [
    name for name in SEARCH_SPACES if not name.endswith("-table")
]  # those are cut out of the others by a file

seeds = st.integers(0, 2**63 - 1)
every_space = pytest.mark.parametrize("name", NAMES)


@cache
def made(name: str) -> SearchSpace:
    space = SEARCH_SPACES[name](**SETTINGS.get(name, {}))
    assert isinstance(space, SearchSpace)
    return space


def drawn(name: str, seed: int) -> Architecture:
    return made(name).sample(np.random.default_rng(seed))


@every_space
@fuzzed
@given(seed=seeds)
def test_a_sample_is_valid_and_the_same_for_the_same_seed(name: str, seed: int) -> None:
    assert made(name).is_valid(drawn(name, seed))
    assert drawn(name, seed) == drawn(name, seed)


@every_space
@fuzzed
@given(seed=seeds, steps=st.integers(1, 30))
def test_a_chain_of_mutations_and_crossovers_stays_valid(name: str, seed: int, steps: int) -> None:
    space, rng = made(name), np.random.default_rng(seed)
    if not isinstance(space, HasVariation):
        pytest.skip(f"{name} has no own variation; the generic operators have tests in tests/engine")
    architecture = space.sample(rng)
    for _ in range(steps):
        mutant = space.mutate(architecture, rng)
        assert space.is_valid(mutant)
        architecture = space.crossover(mutant, space.sample(rng), rng)
        assert space.is_valid(architecture)


@every_space
@fuzzed
@given(seed=seeds)
def test_the_canonical_form_is_valid_and_its_own_canonical_form(name: str, seed: int) -> None:
    space = made(name)
    canonical = space.canonical(drawn(name, seed))
    assert space.is_valid(canonical)
    assert space.canonical(canonical) == canonical


@every_space
@fuzzed
@given(seed=seeds)
def test_the_text_form_reads_back(name: str, seed: int) -> None:
    space = made(name)
    canonical = space.canonical(drawn(name, seed))
    assert space.canonical(space.parse(space.format(canonical))) == canonical


@every_space
@fuzzed
@given(first=seeds, second=seeds)
def test_architectures_are_encoded_alike_only_when_they_are_one_network(
    name: str, first: int, second: int
) -> None:
    """The default encoding distinguishes networks, and is the same for every form of an architecture."""
    space = made(name)
    a, b = drawn(name, first), drawn(name, second)
    row_a, row_b = space.encode([a, b])
    assert np.isfinite(row_a).all()
    assert np.array_equal(row_a, space.encode([space.canonical(a)])[0])
    assert np.array_equal(row_a, row_b) == (space.canonical(a) == space.canonical(b))


@every_space
@fuzzed_a_little
@given(seed=seeds)
def test_the_cost_is_that_of_the_built_network(name: str, seed: int) -> None:
    from counted_networks import counted

    space = made(name)
    if not (isinstance(space, HasBuild) and isinstance(space, HasCost)):
        pytest.skip(f"{name} builds no networks")
    architecture = space.canonical(drawn(name, seed))
    channels = getattr(space, "in_channels", 3)
    size = input_size(space, architecture)
    assert size is not None
    build = partial(
        space.build, architecture, num_classes=getattr(space, "num_classes", 10), in_channels=channels
    )
    built, _ = counted(build, channels, size[0])
    cost = space.cost(architecture)
    assert {key: cost[key] for key in built} == built


@fuzzed
@given(seed=seeds, pick=st.integers(0, 10**6))
def test_a_nasbench101_cell_with_its_vertices_renumbered_has_the_same_canonical_form(
    seed: int, pick: int
) -> None:
    space = made("nasbench101")
    assert isinstance(space, NASBench101)
    cell = space.cell(drawn("nasbench101", seed))
    orders = [
        order
        for order in permutations(range(1, cell.num_vertices - 1))
        if all(_place(order, x, cell) < _place(order, y, cell) for x, y in cell.edges)
    ]
    order = orders[pick % len(orders)]
    edges = [(_place(order, x, cell), _place(order, y, cell)) for x, y in cell.edges]
    ops = [0] * len(order)
    for vertex, place in enumerate(order, start=1):
        ops[place - 1] = cell.ops[vertex - 1]
    other = Cell(cell.num_vertices, sum(edge_weight(x, y) for x, y in edges), tuple(ops))
    assert space.canonical(space.from_cell(other)) == space.canonical(space.from_cell(cell))


def _place(order: tuple[int, ...], vertex: int, cell: Cell) -> int:
    """Where a renumbering puts a vertex; input and output stay."""
    return vertex if vertex in (0, cell.num_vertices - 1) else order[vertex - 1]


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("muxnet")])
@fuzzed
@given(seed=seeds, gene=st.integers(0, 10**6), shift=st.integers(1, 20))
def test_a_gene_of_a_muxnet_that_does_not_act_changes_nothing(
    name: str, seed: int, gene: int, shift: int
) -> None:
    """Two gene vectors with one canonical form are one network: same text, cost and encoding."""
    space = made(name)
    architecture = drawn(name, seed)
    genes, position = list(architecture.genes), gene % len(architecture.genes)
    genes[position] = (genes[position] + shift) % space.cardinalities[position]
    other = Architecture(space.name, tuple(genes))
    assume(other != architecture and space.canonical(other) == space.canonical(architecture))
    assert space.format(space.canonical(other)) == space.format(space.canonical(architecture))
    assert isinstance(space, HasCost)
    assert space.cost(other) == space.cost(architecture)
