"""The fused network: the same logits, on networks whose weights and statistics are random so that they differ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from nas.core.errors import ConfigError
from search_spaces.muxnet import MUXNetSpace, create_model, parse_spec
from search_spaces.muxnet.fusion import FusedMUXNet, fuse, fuse_multiplexing
from search_spaces.muxnet.layers import SpatialMultiplexing
from search_spaces.muxnet.network import MUXNet

SMALL = (
    "r32/stem16/ds16/ir16:k3s2e3/sp:k5e3m-0+x2/ir16:k3.5e4/sp:k3e4g2x3/sp:k5e4p0.75/ir24:k3.5.7s2e4"
    "/sp:k3e4p0.25g4/sp:k3e3p1h4/ir24:k5e3/ds24/ds32:s2v0/head64"
)

OTHERS = (
    "r32/stem16prelu6/ir16:k3e3hswish/sp:k3e4x3/sn16/sn24:s2/sp:k3e4x3/ir24:k3e4w2.2/sp:k3e3/ir24:k3e4q8w1.2"
    "/dsa24:hswish/dsa32:s2/sp:k3e2/head0n24"
)

TINY = "r16/stem8s1/ds8/ir16:k3.5e3/sp:k3e4g2x3/sp:k3e3m-0+/ir24:k3s2e3/head32"


@torch.no_grad()
def randomise(network: nn.Module, seed: int = 0) -> nn.Module:
    """Weights and statistics as of a trained network: at initialisation all logits are nearly 0."""
    generator = torch.Generator().manual_seed(seed)
    for m in network.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.normal_(0, 0.3, generator=generator)
            m.running_var.uniform_(0.5, 1.5, generator=generator)
            m.weight.uniform_(0.5, 1.5, generator=generator)
            m.bias.normal_(0, 0.3, generator=generator)
        elif isinstance(m, nn.Conv2d):
            m.weight.normal_(0, m.weight[0].numel() ** -0.5, generator=generator)
            if m.bias is not None:
                m.bias.normal_(0, 0.1, generator=generator)
        elif isinstance(m, nn.Linear):
            m.weight.normal_(0, 0.1, generator=generator)
    return network.eval()


def small(text: str = SMALL) -> MUXNet:
    network = randomise(MUXNet(parse_spec(text), num_classes=10))
    assert isinstance(network, MUXNet)
    return network


def difference(network: nn.Module, fused: nn.Module, x: torch.Tensor) -> float:
    """Largest difference of logits, relative to the largest logit; fails when logits are nearly 0."""
    with torch.no_grad():
        expected, got = network(x), fused(x)
    assert expected.std() > 0.01
    return float((expected - got).abs().max() / expected.abs().max())


@pytest.mark.parametrize("name", ["muxnet_xs", "muxnet_l"])
def test_the_named_networks_give_the_same_logits_fused(name: str) -> None:
    network = randomise(create_model(name, num_classes=50))
    assert isinstance(network, MUXNet)
    fused = fuse(network)  # as for its own 224 pixels
    assert difference(network, fused, torch.randn(2, 3, 64, 64)) < 1e-5


def test_every_kind_of_block_and_order_gives_the_same_logits_fused() -> None:
    network = small()
    assert difference(network, fuse(network), torch.randn(3, 3, 32, 32)) < 1e-5


def test_the_blocks_of_other_networks_give_the_same_logits_fused() -> None:
    network = small(OTHERS)
    assert difference(network, fuse(network), torch.randn(3, 3, 32, 32)) < 1e-5


def test_random_networks_of_the_space_give_the_same_logits_fused() -> None:
    space = MUXNetSpace("tiny")
    rng = np.random.default_rng(0)
    for seed in range(4):
        architecture = space.sample(rng)
        network = randomise(space.build(architecture), seed)
        assert isinstance(network, MUXNet)
        size = network.spec.resolution
        got = difference(network, fuse(network), torch.randn(2, 1, size, size))
        assert got < 1e-5, space.format(architecture)


def test_a_fused_network_runs_at_other_sizes_and_in_any_memory_format() -> None:
    network = small()
    fused = fuse(network)
    x = torch.randn(2, 3, 64, 48)
    assert difference(network, fused, x) < 1e-5
    assert difference(network, fused, x.to(memory_format=torch.channels_last)) < 1e-5


def test_a_batch_run_a_few_images_at_a_time_gives_what_single_images_give() -> None:
    network = small(SMALL.replace("r32", "r256"))
    fused = fuse(network)
    assert fused.body[0].images < 7
    assert difference(network, fused, torch.randn(7, 3, 32, 32)) < 1e-5


def test_fusing_changes_neither_the_network_nor_the_images() -> None:
    network = small()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    x = torch.randn(2, 3, 32, 32).to(memory_format=torch.channels_last)
    kept = x.clone()
    fused = fuse(network)
    first = fused(x)
    assert torch.equal(x, kept)
    assert torch.equal(fused(x), first)
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_a_fused_network_has_no_batch_norm_and_no_shuffle() -> None:
    fused = fuse(small())
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fused.modules())
    assert not any(p.requires_grad for p in fused.parameters())


def test_only_a_plain_network_can_be_fused() -> None:
    with pytest.raises(ConfigError, match="expected a plain MUXNet, got FusedMUXNet"):
        fuse(fuse(small()))  # type: ignore[arg-type]


@pytest.mark.parametrize("scales", [(-1, 0, 1), (1, 0), (-1, 1)])
def test_the_fast_spatial_multiplexing_layer_equals_the_plain_one(scales: tuple[int, ...]) -> None:
    layer = SpatialMultiplexing(48, 3, scales)
    x = torch.randn(2, 48, 12, 8)
    fast = fuse_multiplexing(layer)
    with torch.no_grad():
        torch.testing.assert_close(fast(x.to(memory_format=torch.channels_last)), layer(x))


@pytest.mark.slow
def test_the_fused_network_can_be_exported_with_any_batch_size() -> None:
    network = small(TINY)
    fused = fuse(network)
    program = torch.export.export(
        fused, (torch.randn(2, 3, 16, 16),), dynamic_shapes=({0: torch.export.Dim("batch", max=64)},)
    )
    assert difference(network, program.module(), torch.randn(5, 3, 16, 16)) < 1e-5


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason=f"{package} is not installed; it comes with the extra 'onnx'")
    path = tmp_path_factory.mktemp("onnx") / "fused.onnx"
    fused: FusedMUXNet = fuse(small(TINY))
    torch.onnx.export(
        fused,
        (torch.randn(2, 3, 16, 16),),
        path,
        dynamo=True,
        verbose=False,
        dynamic_shapes=({0: torch.export.Dim("batch", max=64)},),
    )
    return path


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("batch", [1, 3])
def test_the_exported_onnx_file_gives_the_same_logits_in_onnxruntime(onnx_file: Path, batch: int) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
    x = torch.randn(batch, 3, 16, 16)
    (got,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    with torch.no_grad():
        expected = small(TINY)(x).numpy()
    assert np.abs(got - expected).max() < 1e-5 * np.abs(expected).max()
