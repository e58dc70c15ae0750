"""Variation, encodings, drawings and the interface of the NASBench-101 space."""

from __future__ import annotations

import pickle
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.core.space import HasBuild, HasCost, HasEnumeration, HasVariation
from search_spaces.nasbench101 import NASBench101

SPACE = NASBench101()
seeds = st.integers(0, 2**32 - 1)
FEW = settings(max_examples=150, deadline=None)


@FEW
@given(seeds)
def test_a_mutant_is_valid_and_new(seed: int) -> None:
    rng = np.random.default_rng(seed)
    parent = SPACE.sample(rng)
    child = SPACE.mutate(parent, rng)
    assert SPACE.is_valid(child)
    assert SPACE.canonical(child) != SPACE.canonical(parent)


@FEW
@given(seeds)
def test_a_child_of_two_parents_is_valid_and_new(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = SPACE.sample(rng), SPACE.sample(rng)
    child = SPACE.crossover(first, second, rng)
    assert SPACE.is_valid(child)
    assert SPACE.canonical(child) != SPACE.canonical(first)


def test_crossover_takes_genes_from_both_parents() -> None:
    rng = np.random.default_rng(0)
    first = SPACE.parse("100110100001001010101-00000")
    second = SPACE.parse("100110100001001010101-22222")
    operations = {g for _ in range(20) for g in SPACE.crossover(first, second, rng).genes[21:]}
    assert operations == {0, 2}


def test_equal_parents_have_a_new_child() -> None:
    rng = np.random.default_rng(0)
    parent = SPACE.parse("1-")
    assert SPACE.canonical(SPACE.crossover(parent, parent, rng)) != parent


def test_mutation_flips_edges_and_operations_at_the_published_rates() -> None:
    rng = np.random.default_rng(0)
    parent = SPACE.parse("110101-02")
    children = np.array([SPACE.mutate(parent, rng).genes for _ in range(2000)])
    changed = (children != np.array(parent.genes)).mean(axis=0)
    # Resampling of invalid and isomorphic children moves the rates a little.
    assert changed[:21].mean() == pytest.approx(1 / 7, abs=0.03)
    assert changed[21:].mean() == pytest.approx(1 / 5, abs=0.03)


def test_the_same_generator_gives_the_same_draws() -> None:
    def draws() -> list[object]:
        rng = np.random.default_rng(5)
        parents = [SPACE.sample(rng) for _ in range(5)]
        return [*parents, *(SPACE.mutate(p, rng) for p in parents), SPACE.crossover(*parents[:2], rng)]

    assert draws() == draws()


def test_the_space_offers_every_ability() -> None:
    for ability in (HasVariation, HasCost, HasBuild, HasEnumeration):
        assert isinstance(SPACE, ability)


def test_a_space_compares_by_its_settings_and_can_be_sent_to_workers() -> None:
    digits = NASBench101.digits()
    assert pickle.loads(pickle.dumps(digits)) == digits  # noqa: S301 (our own bytes)
    assert digits != NASBench101()


def test_the_default_encoding_marks_edges_and_operations() -> None:
    encoded = SPACE.encode([SPACE.parse("101-2")])
    assert encoded.shape == (1, 36)
    # input -> vertex 1 and vertex 1 -> output at vertex 6; vertex 1 is a pooling, nothing else is there.
    assert np.flatnonzero(encoded[0]).tolist() == [0, 10, 23]


def test_paths_are_counted_from_the_shortest() -> None:
    # input -> output; input -> pool -> output; input -> pool -> conv3x3 -> output
    encoded = SPACE.encodings["paths"]([SPACE.parse("111111-20")])
    assert encoded.shape == (1, 364)
    assert np.flatnonzero(encoded[0]).tolist() == [0, 1 + 0, 1 + 2, 4 + 2 * 3 + 0]


@pytest.mark.parametrize("name", sorted(SPACE.encodings))
def test_isomorphic_cells_are_encoded_alike_and_others_apart(name: str) -> None:
    encode = SPACE.encodings[name]
    one, same, other = encode([SPACE.parse(t) for t in ("110011-02", "110011-20", "110011-00")])
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("name", sorted(SPACE.encodings))
def test_no_architectures_give_an_empty_table(name: str) -> None:
    assert SPACE.encodings[name]([]).shape[0] == 0


@pytest.mark.parametrize("text", ["1-", "111-0", "100110100001001010101-02001"])
def test_the_image_is_well_formed_and_shows_every_vertex_and_edge(text: str) -> None:
    cell = SPACE.cell(SPACE.parse(text))
    root = ElementTree.fromstring(SPACE.to_svg(SPACE.parse(text)))
    tags = [element.tag.rpartition("}")[2] for element in root]
    assert tags.count("rect") == tags.count("text") == cell.num_vertices
    assert tags.count("path") == cell.num_edges


def test_the_description_names_operations_channels_and_costs() -> None:
    text = SPACE.describe(SPACE.parse("100110100001001010101-02001"))
    assert "8,555,530 parameters" in text
    assert "2 maxpool3x3      64/128/256 channels -> 3, 6" in text
