"""The named networks: counts to the unit, check values of single blocks, features, classifier, initialisation."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import cache, partial
from typing import Any

import pytest
import torch
from counted_networks import counted
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from nas.core.errors import ArchitectureError, ConfigError
from search_spaces.muxnet import LISTED_MODELS, MODELS, create_model, network_cost
from search_spaces.muxnet.blocks import ChannelMultiplexing
from search_spaces.muxnet.cost import block_cost
from search_spaces.muxnet.layers import DropConnect
from search_spaces.muxnet.network import MUXNet, MUXNetFeatures
from search_spaces.muxnet.spec import BlockKind, BlockSpec, NetworkSpec, placed
from search_spaces.muxnet.text import format_spec, parse_spec

COUNTS = {
    "muxnet_m": (3_354_276, 216_808_112),
    "muxnet_l": (4_041_178, 316_454_832),
    "muxnet_s": (2_397_060, 115_902_608),
    "muxnet_xs": (1_798_078, 65_680_040),
}


@pytest.mark.parametrize("name", COUNTS)
def test_the_built_network_has_the_parameters_and_madds_of_the_table(name: str) -> None:
    found, _ = counted(partial(create_model, name), 3, 224)
    assert (found["params"], found["madds"]) == COUNTS[name]


@pytest.mark.parametrize("name", COUNTS)
def test_the_closed_form_gives_the_table(name: str) -> None:
    assert network_cost(MODELS[name]) == COUNTS[name]


@pytest.mark.parametrize(
    ("name", "index", "expected"),
    [
        ("muxnet_m", 2, (3_153, 6_323_040)),
        ("muxnet_m", 5, (11_215, 5_460_240)),
        ("muxnet_m", 8, (46_910, 6_129_600)),
        ("muxnet_m", 11, (84_490, 10_696_896)),
        ("muxnet_m", 14, (161_020, 4_996_800)),
        ("muxnet_l", 2, (7_017, 16_709_904)),
        ("muxnet_l", 13, (95_565, 12_027_600)),
        ("muxnet_m", 4, (12_834, 12_321_664)),
        ("muxnet_m", 7, (36_350, 8_821_760)),
        ("muxnet_m", 10, (164_444, 20_472_960)),
        ("muxnet_m", 13, (225_156, 14_666_288)),
        ("muxnet_m", 17, (589_960, 17_588_160)),
    ],
)
def test_single_blocks_have_the_check_values(name: str, index: int, expected: tuple[int, int]) -> None:
    place = list(placed(MODELS[name]))[index]
    block = model(name).blocks[index].eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        block(torch.zeros(1, place.in_width, place.size, place.size))
    assert (sum(p.numel() for p in block.parameters()), counter.get_total_flops() / 2) == expected
    assert block_cost(place) == expected


@cache
def model(name: str) -> Any:
    """The named network, made once; no test changes it."""
    return create_model(name)


def run_order(network: nn.Module, x: Tensor) -> list[str]:
    """Names of the convolutions, batch norms and linear layers as they run."""
    seen: list[str] = []
    hooks = [
        m.register_forward_hook(lambda _m, _i, _o, name=name: seen.append(name))
        for name, m in network.named_modules()
        if isinstance(m, (nn.Conv2d, nn.BatchNorm2d, nn.Linear))
    ]
    with torch.no_grad():
        network(x)
    for hook in hooks:
        hook.remove()
    return seen


def test_every_layer_is_a_module_that_runs_once_in_the_order_of_registration() -> None:
    network = create_model("muxnet_m", resolution=64).eval()
    expected = [
        n for n, m in network.named_modules() if isinstance(m, (nn.Conv2d, nn.BatchNorm2d, nn.Linear))
    ]
    assert run_order(network, torch.zeros(1, 3, network.spec.resolution, network.spec.resolution)) == expected


def test_classes_and_input_channels_are_as_asked() -> None:
    network = create_model("muxnet_m", num_classes=7, in_channels=1, resolution=32).eval()
    assert network(torch.zeros(2, 1, 32, 32)).shape == (2, 7)
    assert network_cost(MODELS["muxnet_m"], 7, 1).params == sum(p.numel() for p in network.parameters())


def test_reset_classifier_replaces_only_the_linear_layer() -> None:
    network = create_model("muxnet_xs").eval()
    before = {k: v.clone() for k, v in network.state_dict().items() if not k.startswith("classifier")}
    network.reset_classifier(5)
    assert network.num_classes == 5
    assert network.classifier.weight.shape == (5, 1280)
    assert all(torch.equal(network.state_dict()[k], v) for k, v in before.items())


def test_features_only_gives_the_maps_at_strides_4_to_32_with_their_widths() -> None:
    body = create_model("muxnet_m", features_only=True, resolution=64).eval()
    with torch.no_grad():
        maps = body(torch.zeros(1, 3, 64, 64))
    assert body.strides == (4, 8, 16, 32)
    assert body.widths == (24, 40, 112, 200)
    assert [tuple(m.shape) for m in maps] == [
        (1, w, 64 // s, 64 // s) for s, w in zip(body.strides, body.widths, strict=True)
    ]


def test_the_classifier_weights_load_into_the_feature_extractor() -> None:
    network = create_model("muxnet_m", resolution=64).eval()
    body = create_model("muxnet_m", features_only=True, resolution=64).eval()
    missing, unexpected = body.load_state_dict(network.state_dict(), strict=False)
    x = torch.randn(1, 3, 64, 64)
    assert missing == []
    assert {n.split(".")[0] for n in unexpected} == {"conv_head", "bn2", "classifier"}
    with torch.no_grad():
        torch.testing.assert_close(
            body(x)[-1], network.blocks(network.act1(network.bn1(network.conv_stem(x))))
        )


def test_features_at_a_stride_that_is_not_there_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"\[64\]"):
        MUXNetFeatures(MODELS["muxnet_m"], strides=(8, 64))


def test_sp_adds_its_own_input_and_shuffles() -> None:
    spec = NetworkSpec(8, 8, (BlockSpec(BlockKind.SP, 8, expansion=2),), 8, 1)
    block = ChannelMultiplexing(next(placed(spec))).eval()
    nn.init.zeros_(block.conv_pwl.weight)
    x = torch.arange(8.0).reshape(1, 8, 1, 1).expand(1, 8, 8, 8)
    assert block(x)[0, :, 0, 0].tolist() == [0, 4, 1, 5, 2, 6, 3, 7]


def test_drop_connect_rises_with_the_index_and_stays_out_of_sp() -> None:
    network = create_model("muxnet_m", drop_connect=0.36)
    rates = {i: b.drop.rate for i, b in enumerate(network.blocks) if hasattr(b, "drop")}
    assert rates == {i: pytest.approx(0.36 * i / 18) for i in (0, 1, 4, 7, 10, 13, 17)}
    assert not any(isinstance(m, DropConnect) for m in network.blocks[2].modules())


def test_only_the_ds_of_m_and_l_has_a_plain_residual() -> None:
    for name in ("muxnet_m", "muxnet_l"):
        network = model(name)
        assert [i for i, b in enumerate(network.blocks) if getattr(b, "residual", False)] == [0]


def test_dropout_acts_in_training_only() -> None:
    network = MUXNet(one_sp(), dropout=0.5)
    nn.init.normal_(network.classifier.weight, std=10.0)
    x = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        assert not torch.equal(network(x), network(x))
        network.eval()
        assert torch.equal(network(x), network(x))


def test_convolutions_start_normal_with_the_fan_out_not_divided_by_groups() -> None:
    torch.manual_seed(0)
    network = create_model("muxnet_l", num_classes=100)
    weight = network.blocks[16].conv_pw.weight
    assert weight.std().item() == pytest.approx((2 / weight.shape[0]) ** 0.5, rel=0.03)
    grouped = network.blocks[17].conv_dw.convs[0].weight
    assert grouped.std().item() == pytest.approx((2 / (25 * grouped.shape[0])) ** 0.5, rel=0.03)
    assert network.classifier.weight.abs().max().item() == pytest.approx(0.1, rel=0.01)
    assert network.classifier.bias.abs().max() == 0


def test_the_first_stage_uses_relu_and_the_rest_swish() -> None:
    network = model("muxnet_m")
    kinds = [{type(m) for m in b.modules() if isinstance(m, (nn.ReLU, nn.SiLU))} for b in network.blocks]
    assert kinds[:4] == [{nn.ReLU}] * 4
    assert kinds[4:] == [{nn.SiLU}] * 14


def test_a_superpixel_branch_on_an_odd_map_is_refused_when_the_network_is_made() -> None:
    with pytest.raises(ConfigError, match=r"block 8 \(sp, width 40\).*even, got 13"):
        create_model("muxnet_xs", resolution=208)


def one_sp(**changes: object) -> NetworkSpec:
    block = replace(BlockSpec(BlockKind.SP, 16, expansion=3), **changes)  # type: ignore[arg-type]
    return NetworkSpec(16, 16, (block,), 16)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (one_sp(scales=(0,)), "at least two different signs"),
        (one_sp(expansion=2.5, scales=(0, 1)), "divisible by 4, got 10"),
        (one_sp(shuffle=3), "divisible by the 3 groups of the channel shuffle, got 16"),
        (one_sp(width=24), "that of its input, 16, got 24"),
        (one_sp(group=5), "divisible by the group factor 5, got 24"),
        (one_sp(kernels=(3, 5), scales=(0, 1)), "one, with scales"),
        (one_sp(split=0.01), "processed width"),
    ],
)
def test_wrong_combinations_are_refused_when_the_network_is_made(spec: NetworkSpec, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MUXNet(spec)


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'muxnet_z': expected one of muxnet_xs, muxnet_s"):
        create_model("muxnet_z")


@pytest.mark.parametrize("argument", ["num_classes", "in_channels"])
def test_numbers_out_of_range_are_refused_by_name(argument: str) -> None:
    with pytest.raises(ConfigError, match=argument):
        create_model("muxnet_m", **{argument: 0})


def test_xs_and_s_are_listed_as_reconstructions() -> None:
    assert [n for n, text in LISTED_MODELS.items() if "reconstruction" in text] == ["muxnet_xs", "muxnet_s"]
    assert "reconstructions" in (create_model.__doc__ or "")


@pytest.mark.parametrize("name", COUNTS)
def test_the_text_form_reads_back(name: str) -> None:
    assert parse_spec(format_spec(MODELS[name])) == MODELS[name]


def test_the_text_form_carries_every_field() -> None:
    text = "r12/stem8s1/se0.5/ds16:s2v0relu/ir24:k3.5s2e1.5swish/sp:k5e6v0p0.25h4g2/sp:k3e4m-0+x2/head32"
    spec = parse_spec(text.replace("relu", ""))
    assert parse_spec(format_spec(spec)) == spec
    assert spec.blocks[2] == replace(
        spec.blocks[2], kernels=(5,), expansion=6, se=0, split=0.25, shuffle=4, group=2
    )
    assert spec.blocks[4].scales == (-1, 0, 1)
    assert spec.stem_stride == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("muxnet", "r and the resolution"),
        ("r8/stem8/head8", "at least one"),
        ("r8/stem8/sp8/head8", "none after sp"),
        ("r8/stem8/ir8:q/head8", "no option begins at 'q'"),
        ("r8/stem8/ir8:k4/head8", "odd sizes"),
        ("r8/stem8/ir8:k3k5/head8", "comes twice"),
        ("r8/stem8/ir8:k3", "head and its width"),
    ],
)
def test_a_text_that_is_not_a_network_is_refused_with_the_token(text: str, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        parse_spec(text)


def test_importing_the_package_does_not_load_torch() -> None:
    code = "import sys, search_spaces.muxnet as m; m.MODELS; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
