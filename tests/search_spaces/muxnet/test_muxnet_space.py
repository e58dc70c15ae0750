"""The search space: every vector is a network, costs are exact, equal networks are one architecture."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from counted_networks import counted

from nas.core.errors import ArchitectureError, ConfigError
from nas.core.records import Architecture
from nas.core.space import HasBuild, HasCost, HasVariation
from search_spaces import SEARCH_SPACES
from search_spaces.muxnet import MODELS, PRESETS, MUXNetSpace, SpaceOptions, StageOptions
from search_spaces.muxnet.spec import check_network

SPACES = {name: MUXNetSpace(name) for name in PRESETS}


def drawn(space: MUXNetSpace, n: int, seed: int = 0) -> list[Architecture]:
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(n)]


def built(space: MUXNetSpace, architecture: Architecture) -> dict[str, int]:
    """Parameters and MAdds of the network as it is built."""
    side = space.spec(architecture).resolution
    return counted(partial(space.build, architecture), space.in_channels, side)[0]


@pytest.mark.parametrize("preset", PRESETS)
def test_cost_equals_the_built_network(preset: str) -> None:
    space = SPACES[preset]
    for architecture in drawn(space, 2):
        assert space.cost(architecture) == built(space, architecture), space.format(architecture)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_cost_equals_the_built_network_at_hundreds_of_random_points() -> None:
    for preset, n in (("imagenet", 100), ("cifar", 100), ("tiny", 200)):
        space = SPACES[preset]
        for architecture in drawn(space, n, seed=1):
            assert space.cost(architecture) == built(space, architecture), space.format(architecture)


@pytest.mark.parametrize("preset", PRESETS)
def test_costs_are_whole_numbers(preset: str) -> None:
    cost = SPACES[preset].cost(drawn(SPACES[preset], 1)[0])
    assert all(type(value) is int for value in cost.values())


@pytest.mark.parametrize("preset", PRESETS)
def test_every_gene_vector_is_a_network_that_can_be_made(preset: str) -> None:
    space = SPACES[preset]
    rng = np.random.default_rng(2)
    for _ in range(100):
        genes = tuple(int(g) for g in rng.integers(0, space.cardinalities))
        check_network(space.spec(Architecture(space.name, genes)))


@pytest.mark.parametrize("preset", PRESETS)
def test_samples_and_variations_are_valid_and_canonical(preset: str) -> None:
    space = SPACES[preset]
    rng = np.random.default_rng(3)
    parents = drawn(space, 40)
    for first, second in pairwise(parents):
        for child in (first, space.mutate(first, rng), space.crossover(first, second, rng)):
            assert space.is_valid(child)
            assert space.canonical(child) == child
            check_network(space.spec(child))


@pytest.mark.parametrize("preset", PRESETS)
def test_a_mutant_is_another_network(preset: str) -> None:
    space = SPACES[preset]
    rng = np.random.default_rng(4)
    for parent in drawn(space, 40):
        assert space.spec(space.mutate(parent, rng)) != space.spec(parent)


def test_crossover_takes_each_stage_whole_from_a_parent() -> None:
    options = replace(
        PRESETS["cifar"], stages=tuple(StageOptions(s, (16, 24)) for s in (1, 2, 2)), resolutions=(32,)
    )
    space = MUXNetSpace("even", options=options)
    rng = np.random.default_rng(5)
    spans = [
        [i for i, name in enumerate(space.parameters) if name.startswith(f"stage{stage}")]
        for stage in (1, 2, 3)
    ]
    for first, second in zip(drawn(space, 50), drawn(space, 50, seed=9), strict=True):
        child = space.crossover(first, second, rng)
        for span in spans:
            got, one, two = ([a.genes[i] for i in span] for a in (child, first, second))
            assert got in (one, two)


def test_same_generator_state_gives_the_same_draws() -> None:
    space = SPACES["tiny"]
    assert drawn(space, 20) == drawn(space, 20)
    parent = drawn(space, 1)[0]
    mutants = [space.mutate(parent, np.random.default_rng(6)) for _ in range(2)]
    assert mutants[0] == mutants[1]


@pytest.mark.parametrize("preset", PRESETS)
def test_canonical_architectures_and_networks_are_one_to_one(preset: str) -> None:
    space = SPACES[preset]
    for architecture in drawn(space, 100, seed=7):
        assert space.from_spec(space.spec(architecture)) == architecture


def test_genes_that_do_not_act_do_not_make_another_architecture() -> None:
    space = SPACES["tiny"]
    at = {name: i for i, name in enumerate(space.parameters)}
    genes = [0] * len(space.cardinalities)
    other = list(genes)
    other[at["stage1.sp_kernel"]] = 1  # stage 1 has no sp block
    other[at["stage3.depth"]] = 2  # stage 3 is left out
    assert space.canonical(Architecture(space.name, tuple(other))).genes == tuple(genes)


def test_scales_that_do_not_fit_the_map_fall_back_to_none() -> None:
    space = SPACES["tiny"]
    at = {name: i for i, name in enumerate(space.parameters)}
    genes = [0] * len(space.cardinalities)
    genes[at["resolution"]] = 1  # 12 pixels: maps of 12, 6 and 3
    genes[at["stage3.width"]], genes[at["stage3.depth"]], genes[at["stage3.scales"]] = 1, 1, 1
    settled = space.canonical(Architecture(space.name, tuple(genes)))
    assert settled.genes[at["stage3.scales"]] == 0
    genes[at["resolution"]] = 0  # 8, 4 and 2
    assert space.canonical(Architecture(space.name, tuple(genes))).genes[at["stage3.scales"]] == 1


@pytest.mark.slow
def test_the_size_equals_an_enumeration_of_a_small_space() -> None:
    stages = (
        StageOptions(2, (8,), ((3,),), (2, 3), (0, 1), (3,), (2, 3), (0.5, 1.0), groups=(1, 4)),
        StageOptions(2, (0, 16), ((3,), (3, 5)), (2,), (0, 2), (3,), (2,), (0.25,), ((), (-1, 1))),
    )
    options = SpaceOptions((8, 10), (8,), 1, stages, (16,), 10, 1, (0.25,), (0.0, 0.5))
    space = MUXNetSpace("small", options=options)
    everything = product(*(range(c) for c in space.cardinalities))
    networks = {space.spec(Architecture(space.name, genes)) for genes in everything}
    assert space.size == len(networks)


def test_the_sizes_of_the_presets_are_as_stated() -> None:
    assert {name: f"{space.size:.1e}" for name, space in SPACES.items()} == {
        "imagenet": "7.3e+28",
        "cifar": "8.1e+25",
        "tiny": "7.4e+13",
    }


@pytest.mark.parametrize("name", MODELS)
def test_the_named_networks_are_points_of_the_imagenet_space(name: str) -> None:
    space = SPACES["imagenet"]
    architecture = space.from_spec(MODELS[name])
    assert space.spec(architecture) == MODELS[name]
    assert space.canonical(architecture) == architecture
    assert space.parse(name) == architecture


@pytest.mark.parametrize("preset", PRESETS)
def test_the_text_form_reads_back(preset: str) -> None:
    space = SPACES[preset]
    for architecture in drawn(space, 40, seed=8):
        text = space.format(architecture)
        assert space.parse(text) == architecture
        assert not set(text) & set(" ,;\"'|")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("r9/stem8s1/ds8/ir8:k3s2e2/head32", "resolution: expected one of 8, 12, 16, got 9"),
        ("r8/stem8s1/ds8/ir8:k7s2e2/head32", "stage 1: kernels of the ir block"),
        ("r12/stem8s1/ds8/ir8:k3s2e2/ir24:k3s2e2/sp:k3e2m-0/head32", "nearest network"),
        ("r8/stem8s1/ds16/ir8:k3s2e2/head32", "nearest network"),
        ("r8/stem8s1/ds8/sp:k3e2/head32", "stage 1: expected an ir block"),
        ("muxnet_m", "resolution"),
        ("0-1-2", "expected r and the resolution"),
    ],
)
def test_a_text_that_is_not_a_point_of_the_space_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        SPACES["tiny"].parse(text)


def test_genes_out_of_range_are_refused() -> None:
    space = SPACES["tiny"]
    with pytest.raises(ArchitectureError, match="genes"):
        space.cost(Architecture(space.name, (99,) * len(space.cardinalities)))


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="expected one of imagenet, cifar, tiny"):
        MUXNetSpace("huge")


def test_options_that_would_make_one_network_two_architectures_are_refused() -> None:
    stages = (StageOptions(1, (8,)), StageOptions(2, (0, 8)), StageOptions(2, (0, 8)))
    with pytest.raises(ConfigError, match="of different stride"):
        SpaceOptions((8,), (8,), 1, stages, (16,), 10, 1)


@pytest.mark.parametrize("preset", PRESETS)
def test_encodings_have_one_row_per_architecture_and_distinguish_networks(preset: str) -> None:
    space = SPACES[preset]
    architectures = drawn(space, 60)
    assert set(space.encodings) == {"default", "ordinal", "cost", "mixed", "summary"}
    for encode in space.encodings.values():
        X = encode(architectures)
        assert X.shape[0] == len(architectures)
        assert np.isfinite(X).all()
        assert len(np.unique(X, axis=0)) == len(set(architectures))


@pytest.mark.parametrize("preset", PRESETS)
def test_the_mixed_encoding_orders_numbers_by_size_and_shows_which_genes_act(preset: str) -> None:
    space = SPACES[preset]
    architectures = drawn(space, 60)
    specs = [space.spec(a) for a in architectures]
    encoded = space.encodings["mixed"](architectures)
    assert space.first_numeric is not None
    numbers = encoded[:, space.first_numeric :]
    sides = sorted({spec.resolution for spec in specs})
    assert numbers[:, 0].tolist() == [sides.index(spec.resolution) / (len(sides) - 1) for spec in specs]
    for architecture in architectures:
        full, active = space._settled(architecture)
        ordered = space._ordered
        assert ordered.declaration.active(ordered.ranks(full)) == active, space.format(architecture)


def test_encodings_do_not_depend_on_genes_that_do_not_act() -> None:
    space = SPACES["cifar"]
    rng = np.random.default_rng(10)
    raw = [
        Architecture(space.name, tuple(int(g) for g in rng.integers(0, space.cardinalities)))
        for _ in range(20)
    ]
    settled = [space.canonical(a) for a in raw]
    for encode in space.encodings.values():
        assert np.array_equal(encode(raw), encode(settled))


def test_the_space_has_variation_cost_and_build() -> None:
    space = SPACES["tiny"]
    assert isinstance(space, HasVariation)
    assert isinstance(space, HasCost)
    assert isinstance(space, HasBuild)


def test_a_built_network_takes_images_of_any_size_and_runs_at_its_own() -> None:
    space = SPACES["tiny"]
    architecture = space.parse("r12/stem8s1/ds8/ir8:k3s2e2/sp:k3e4m-0/head32")
    network = space.build(architecture).eval()
    seen: list[tuple[int, ...]] = []
    network.conv_stem.register_forward_hook(lambda _m, x, _y: seen.append(tuple(x[0].shape)))
    for size in (8, 12, 9):
        assert network(torch.zeros(2, 1, size, size)).shape == (2, 10)
    assert seen == [(2, 1, 12, 12)] * 3


@pytest.mark.slow
def test_build_takes_classes_and_channels_and_cost_those_of_the_space() -> None:
    space = MUXNetSpace("tiny", num_classes=5, in_channels=3)
    architecture = drawn(space, 1)[0]
    assert space.build(architecture).classifier.out_features == 5
    assert space.build(architecture, num_classes=7).classifier.out_features == 7
    assert space.cost(architecture) == built(space, architecture)


def test_the_tiny_space_reaches_from_under_2000_to_over_20000_parameters() -> None:
    space = SPACES["tiny"]
    smallest = space.parse("r8/stem8s1/se0/ds8:v0/ir8:k3s2e2/head16")
    assert space.cost(smallest)["params"] < 2000
    assert np.median([space.cost(a)["params"] for a in drawn(space, 200)]) > 20_000


def test_tiny_networks_have_no_dropout_unless_it_is_asked_for() -> None:
    space = SPACES["tiny"]
    architecture = drawn(space, 1)[0]
    assert space.build(architecture).dropout.p == 0.0
    assert space.build(architecture, dropout=0.3).dropout.p == 0.3
    assert SPACES["cifar"].build(drawn(SPACES["cifar"], 1)[0]).dropout.p == 0.2


def test_a_space_by_name_can_be_kept_to_some_resolutions() -> None:
    space = SEARCH_SPACES["muxnet-tiny"](resolutions=[8])
    assert isinstance(space, MUXNetSpace)
    assert {space.spec(a).resolution for a in drawn(space, 50)} == {8}
    text = "r8/stem8s1/se0/ds8:v0/ir8:k3s2e2/head16"
    assert space.cost(space.parse(text)) == SPACES["tiny"].cost(SPACES["tiny"].parse(text))
    with pytest.raises(ConfigError, match="resolutions: expected some of 8, 12, 16, each once"):
        SEARCH_SPACES["muxnet-tiny"](resolutions=[8, 10])
