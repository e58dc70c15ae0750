"""The named networks of others: counts, bodies at several strides, dilation in place of stride, text form."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from counted_networks import counted
from torch import nn

from nas.core.errors import ConfigError
from search_spaces.muxnet import MODELS, NetworkSpec, format_spec, network_cost, parse_spec
from search_spaces.networks import (
    LISTED_NETWORKS,
    NETWORKS,
    FeatureExtractor,
    create_features,
    create_network,
    fuse_network,
    network_named,
)

OTHERS = [name for name in NETWORKS if name not in MODELS]
# one of each kind of layers
KINDS = ["resnet18", "vgg16", "mobilenet_v2", "mixnet_m", "muxnet_m", "shufflenet_v2"]
WITHOUT_SE = ["mobilenet_v2", "shufflenet_v2", "resnet18"]


def cost_of(name: str) -> tuple[int, int]:
    """Parameters and MAdds in closed form."""
    spec = network_named(name)
    if isinstance(spec, NetworkSpec):
        return tuple(network_cost(spec))  # type: ignore[return-value]
    rows = spec.rows()
    return sum(row.params for row in rows), sum(row.madds for row in rows)


def counts(build: Callable[[], nn.Module]) -> tuple[int, int]:
    """Parameters, and MAdds of convolutions and linear layers as torch counts them at 224 pixels."""
    found, _ = counted(build, 3, 224)
    return found["params"], found["madds"]


def body(name: str, **settings: Any) -> Any:
    """A body in evaluation, with norms that do something."""
    torch.manual_seed(0)
    network: Any = create_features(name, **settings)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.bias, -0.5, 0.5)
    return network.eval()


@pytest.mark.parametrize("name", OTHERS)
def test_the_closed_form_counts_what_torch_counts(name: str) -> None:
    assert counts(partial(create_network, name)) == cost_of(name)


@pytest.mark.parametrize("name", OTHERS)
def test_the_list_of_models_states_the_counts(name: str) -> None:
    params, madds = cost_of(name)
    assert LISTED_NETWORKS[name].startswith(
        f"{params / 1e6:.1f}M parameters, {madds / 1e6:,.0f}M MAdds at 224"
    )


def test_every_network_is_listed() -> None:
    assert list(LISTED_NETWORKS) == list(NETWORKS)


@pytest.mark.parametrize("name", [n for n in OTHERS if isinstance(NETWORKS[n], NetworkSpec)])
def test_a_mobile_network_is_a_point_of_the_block_language(name: str) -> None:
    spec = network_named(name)
    assert isinstance(spec, NetworkSpec)
    assert parse_spec(format_spec(spec)) == spec


@pytest.mark.parametrize("name", [name for name in KINDS if name != "vgg16"])
def test_a_network_gives_logits_and_a_gradient_to_every_parameter(name: str) -> None:
    network = create_network(name, 5, in_channels=1)
    logits = network(torch.randn(2, 1, 33, 33))
    assert logits.shape == (2, 5)
    logits.square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in ("vgg16", "mobilenet_v2_050")])
def test_a_body_gives_maps_of_the_widths_and_strides_that_it_states(name: str) -> None:
    network = body(name, resolution=64)
    assert isinstance(network, FeatureExtractor)
    with torch.no_grad():
        maps = network(torch.randn(1, 3, 64, 64))
    assert network.strides == (4, 8, 16, 32)
    assert [tuple(m.shape[1:]) for m in maps] == [
        (width, 64 // stride, 64 // stride)
        for width, stride in zip(network.widths, network.strides, strict=True)
    ]


@pytest.mark.parametrize("name", KINDS)
def test_weights_of_the_classifier_load_into_the_body(name: str) -> None:
    with torch.device("meta"):
        features: Any = create_features(name)
        found = features.load_state_dict(create_network(name).state_dict(), strict=False, assign=True)
    assert found.missing_keys == []


@pytest.mark.parametrize("output_stride", [8, 16])
@pytest.mark.parametrize("name", [name for name in KINDS if name != "mixnet_m"])
def test_a_dilated_body_keeps_the_size_of_its_maps(name: str, output_stride: int) -> None:
    network = body(name, resolution=64, output_stride=output_stride)
    with torch.no_grad():
        maps = network(torch.randn(1, 3, 64, 64))
    assert network.strides == tuple(min(s, output_stride) for s in (4, 8, 16, 32))
    assert [m.shape[-1] for m in maps] == [64 // s for s in network.strides]


@pytest.mark.parametrize("name", WITHOUT_SE)
def test_a_dilated_body_computes_the_same_at_every_place_of_the_coarse_map(name: str) -> None:
    x = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        coarse = body(name).double()(x)[-1]
        assert coarse.std() > 0
        for output_stride in (8, 16):
            fine = body(name, output_stride=output_stride).double()(x)[-1]  # the same weights, by the seed
            step = 32 // output_stride
            torch.testing.assert_close(fine[..., ::step, ::step], coarse)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "shufflenet_v2", "mixnet_m"])
def test_a_network_gives_the_same_logits_fused(name: str) -> None:
    torch.manual_seed(0)
    network = create_network(name, 10)
    for layer in network.modules():  # as of a trained network: at initialisation all logits are nearly 0
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.normal_(layer.weight, 0.0, layer.weight[0].numel() ** -0.5)
        elif isinstance(layer, nn.BatchNorm2d):
            assert layer.running_var is not None
            nn.init.uniform_(layer.running_var, 0.5, 1.5)
            nn.init.normal_(layer.bias, 0.0, 0.3)
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected, got = network.eval()(x), fuse_network(network)(x)
    assert expected.std() > 0.01
    assert (expected - got).abs().max() < 1e-5 * expected.abs().max()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: create_network("resnet81"), "did you mean 'resnet18'"),
        (lambda: create_network("resnet18", 0), "num_classes"),
        (lambda: create_network("vgg16", in_channels=0), "in_channels"),
        (lambda: create_network("vgg16", resolution=16), "resolution: expected at least 32, got 16"),
        (lambda: create_features("resnet18", strides=(2, 4)), r"strides: expected some of \[4, 8, 16, 32\]"),
        (lambda: create_features("resnet18", output_stride=4), "output_stride: expected one of"),
    ],
    ids=["name", "classes", "channels", "resolution", "strides", "output stride"],
)
def test_what_cannot_be_made_is_refused_by_name(call: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()


def test_importing_the_package_does_not_load_torch() -> None:
    code = "import sys, search_spaces.networks as n; n.NETWORKS; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
