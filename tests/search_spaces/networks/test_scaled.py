"""Named networks at other widths, and for small images."""

from __future__ import annotations

from functools import partial
from types import ModuleType

import pytest
from test_reference_networks import counts

from nas.core.errors import ConfigError
from nas.spaces.tracing import trace
from search_spaces.muxnet import NetworkSpec, network_cost
from search_spaces.muxnet.description import sum_of
from search_spaces.muxnet.spec import placed
from search_spaces.networks import (
    NETWORKS,
    ResNetSpec,
    build_of,
    for_images,
    network_at,
    network_named,
    rows_of,
)
from search_spaces.networks.scaled import WITH_WIDTHS, at_width, rounded

# parameters and multiply-adds in millions, from the tables of the papers
PUBLISHED = {
    "mobilenet_v1@0.25": (0.5, 41),
    "mobilenet_v1@0.5": (1.3, 149),
    "mobilenet_v1@0.75": (2.6, 325),
    "mobilenet_v2@1.4": (6.1, 582),
    "mobilenet_v3_large@0.75": (4.0, 155),
}
IN_TIMM = {"mobilenet_v2@0.35": "mobilenetv2_035", "mobilenet_v3_small@0.75": "mobilenetv3_small_075"}


def test_widths_are_multiples_of_eight_and_never_below_nine_tenths() -> None:
    assert [rounded(w) for w in (1, 11, 12, 18, 24, 25.3)] == [8, 16, 16, 24, 24, 24]
    for width in range(1, 600):
        assert rounded(width) % 8 == 0
        assert rounded(width) >= 0.9 * width


def test_the_published_half_width_is_the_same() -> None:
    assert network_at("mobilenet_v2@0.5") == NETWORKS["mobilenet_v2_050"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_width_has_the_counts_of_its_paper(name: str) -> None:
    spec = network_at(name)
    assert isinstance(spec, NetworkSpec)
    params, madds = network_cost(spec)
    assert (round(params / 1e6, 1), round(madds / 1e6)) == PUBLISHED[name]


@pytest.mark.parametrize("name", IN_TIMM)
def test_a_width_counts_what_that_of_timm_counts(name: str, timm: ModuleType) -> None:
    if not timm.is_model(IN_TIMM[name]):
        pytest.skip(f"this version of timm has no {IN_TIMM[name]}")
    spec = network_at(name)
    assert isinstance(spec, NetworkSpec)
    assert counts(partial(timm.create_model, IN_TIMM[name])) == tuple(network_cost(spec))


@pytest.mark.parametrize("name", WITH_WIDTHS)
def test_width_one_is_the_network_itself(name: str) -> None:
    spec = network_named(name)
    assert isinstance(spec, NetworkSpec)
    assert network_at(f"{name}@1") == spec
    nearly = at_width(spec, 1.0 + 1e-9)  # by the rule
    assert [b.hidden(p.in_width) for b, p in zip(nearly.blocks, placed(nearly), strict=True)] == [
        p.block.hidden(p.in_width) for p in placed(spec)
    ]
    assert [(b.width, b.squeeze) for b in nearly.blocks] == [(b.width, b.squeeze) for b in spec.blocks]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mobilenet_v4", "unknown 'mobilenet_v4'"),
        ("efficientnet_b0@0.5", "efficientnet_b0 has no widths; those that do: mobilenet_v1"),
        ("mobilenet_v2@nan", "expected a width from 0.05 to 4 after @, such as mobilenet_v2@0.5, got 'nan'"),
        ("mobilenet_v2@", "got ''"),
        ("mobilenet_v2@9", "got '9'"),
    ],
)
def test_other_names_and_widths_are_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        network_at(text)


@pytest.mark.parametrize(
    ("side", "last"), [(4, 2), (8, 2), (16, 4), (17, 3), (28, 4), (32, 4), (48, 6), (64, 2), (224, 7)]
)
def test_small_images_keep_a_map_of_at_least_two_by_two(side: int, last: int) -> None:
    spec = for_images(network_named("mobilenet_v2"), side)
    assert isinstance(spec, NetworkSpec)
    assert list(placed(spec))[-1].out_size == last


def test_first_strides_are_dropped_and_widths_stay() -> None:
    spec, small = network_named("mobilenet_v2"), for_images(network_named("mobilenet_v2"), 32)
    assert isinstance(spec, NetworkSpec)
    assert isinstance(small, NetworkSpec)
    assert (small.stem_stride, [b.stride for b in small.blocks if b.stride == 2]) == (1, [2, 2, 2])
    assert small.blocks[1].stride == 1  # halved the map at 224 pixels
    assert [b.width for b in small.blocks] == [b.width for b in spec.blocks]


@pytest.mark.parametrize(
    ("name", "side"),
    [("mobilenet_v2@0.25", 8), ("mobilenet_v3_small@0.25", 32), ("shufflenet_v2", 16), ("resnet18", 32)],
)
def test_the_counts_are_those_of_the_built_network(name: str, side: int) -> None:
    spec = for_images(network_at(name), side)
    found = trace(lambda: build_of(spec, num_classes=10, in_channels=1), (1, side, side))
    counted = sum_of(rows_of(spec, 10, 1))
    assert (found["params"], found["madds"]) == (counted.params, counted.madds)


def test_resnet_has_a_small_stem_below_64_pixels() -> None:
    assert for_images(ResNetSpec(), 32) == ResNetSpec(32, small=True)
    assert for_images(ResNetSpec(), 64) == ResNetSpec(64)
