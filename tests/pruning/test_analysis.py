"""What can be cut in networks of every listed family and in plain modules, and that a cut network computes what remains."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.core.errors import ConfigError
from nas.pruning.analysis import analyse, silenced
from nas.pruning.attention import with_heads
from nas.pruning.cutting import cut
from nas.pruning.running import WithoutStatistics, evaluating, plain_operators
from nas.pruning.structure import Structure
from search_spaces.networks.models import create_network

IMAGE = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def analysed(
    network: nn.Module, image: Tensor = IMAGE, keep: tuple[str, ...] = ()
) -> tuple[nn.Module, Structure]:
    made = with_heads(network, image)
    return made, analyse(made, image, keep)


def check_random_cuts(
    network: nn.Module, structure: Structure, image: Tensor = IMAGE, tries: int = 3
) -> None:
    """Cut several groups at once: the results are those of the original with these channels at zero."""
    rng = np.random.default_rng(0)
    for _ in range(tries):
        gone: list[int] = []
        for group in structure.groups:
            count = len(group.units)
            kept = group.kept(rng.permutation(count), int(rng.integers(1, count + 1)))
            gone += np.setdiff1d(group.units, kept).tolist()
        made = cut(network, structure, gone)
        with plain_operators(), WithoutStatistics(), evaluating(network):
            with silenced(network, structure, gone):
                wanted = network(image)
            assert torch.allclose(
                made.eval()(image), wanted, rtol=1e-3, atol=1e-4 + 1e-3 * float(wanted.abs().max())
            )


@pytest.mark.parametrize(
    ("name", "groups", "blocks"),
    [
        ("resnet18", 12, 5),
        ("mobilenet_v3_small", 27, 6),
        pytest.param("mobilenet_v2_050", 25, 10, marks=pytest.mark.slow),
        pytest.param("shufflenet_v2", 19, 0, marks=pytest.mark.slow),
        pytest.param("muxnet_xs", 41, 1, marks=pytest.mark.slow),
        pytest.param("muxnet_m", 43, 1, marks=pytest.mark.slow),
        pytest.param("efficientnet_b0", 40, 9, marks=pytest.mark.slow),
        pytest.param("mnasnet_a1", 32, 9, marks=pytest.mark.slow),
        pytest.param("mixnet_m", 41, 14, marks=pytest.mark.slow),
        pytest.param("fbnet_c", 29, 15, marks=pytest.mark.slow),
        pytest.param("mobilenet_v1", 14, 0, marks=pytest.mark.slow),
        pytest.param("vgg16", 15, 0, marks=pytest.mark.slow),
    ],
)
def test_listed_networks(name: str, groups: int, blocks: int) -> None:
    torch.manual_seed(0)
    network, structure = analysed(create_network(name, num_classes=10, resolution=64))
    assert (len(structure.groups), len(structure.blocks)) == (groups, blocks)
    assert "classifier" in structure.left_alone
    check_random_cuts(network, structure)


TORCHVISION = {
    "resnet18": (12, 5),
    "mobilenet_v2": (25, 10),
    "efficientnet_b0": (40, 9),
    "vgg11_bn": (10, 0),
    "shufflenet_v2_x0_5": (20, 0),
    "squeezenet1_1": (25, 0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TORCHVISION)
def test_networks_of_torchvision(torchvision: ModuleType, name: str) -> None:
    from torchvision import models

    torch.manual_seed(0)
    network, structure = analysed(getattr(models, name)(num_classes=10))
    assert (len(structure.groups), len(structure.blocks)) == TORCHVISION[name]
    check_random_cuts(network, structure)


TIMM = {
    "resnet18": (12, 5),
    "mobilenetv2_100": (25, 10),
    "efficientnet_b0": (40, 9),
    "vgg11": (10, 0),
    "mixnet_s": (40, 11),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TIMM)
def test_networks_of_timm(torchvision: ModuleType, name: str) -> None:
    timm = pytest.importorskip("timm", reason="timm is not installed; it comes with the extra 'dev'")
    torch.manual_seed(0)
    network, structure = analysed(timm.create_model(name, num_classes=10))
    assert (len(structure.groups), len(structure.blocks)) == TIMM[name]
    check_random_cuts(network, structure)


def test_a_transformer_of_torchvision_loses_heads_hidden_units_and_blocks(torchvision: ModuleType) -> None:
    from torchvision.models import VisionTransformer

    torch.manual_seed(0)
    network, structure = analysed(
        VisionTransformer(
            image_size=64, patch_size=16, num_layers=2, num_heads=4, hidden_dim=32, mlp_dim=48, num_classes=10
        )
    )
    layers = [f"encoder.layers.encoder_layer_{i}" for i in range(2)]
    assert list(structure.blocks) == layers
    assert [len(structure.group(f"{layer}.self_attention").units) for layer in layers] == [4, 4]
    assert [len(structure.group(f"{layer}.mlp.0").units) for layer in layers] == [48, 48]
    check_random_cuts(network, structure)
    half = structure.group("conv_proj").units[::2].tolist()
    assert cut(network, structure, half, [layers[0]])(IMAGE).shape == (1, 10)


def test_a_transformer_of_timm_loses_heads(torchvision: ModuleType) -> None:
    timm = pytest.importorskip("timm", reason="timm is not installed; it comes with the extra 'dev'")
    torch.manual_seed(0)
    network, structure = analysed(
        timm.create_model("vit_tiny_patch16_224", num_classes=10, img_size=64, depth=2)
    )
    assert [len(structure.group(f"blocks.{i}.attn.qkv").units) for i in range(2)] == [3, 3]
    assert list(structure.blocks) == ["blocks.0", "blocks.1"]
    check_random_cuts(network, structure)


# -- plain modules


class Net(nn.Module):
    """A stem, a middle that a test gives, and a head, for images of 16 pixels."""

    def __init__(self, middle: nn.Module, forward: Callable[[Any, Tensor], Tensor], width: int = 16) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.middle = middle
        self.head = nn.Linear(width, 5)
        self.run = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.run(self.middle, self.stem(x).relu()).mean((2, 3)))


SMALL = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(2))


def small(
    middle: nn.Module, forward: Callable[[Any, Tensor], Tensor], width: int = 16
) -> tuple[nn.Module, Structure]:
    torch.manual_seed(0)
    network, structure = analysed(Net(middle, forward, width), SMALL)
    check_random_cuts(network, structure, SMALL)
    return network, structure


def names(structure: Structure) -> dict[str, int]:
    return {group.name: len(group.units) for group in structure.groups}


def test_a_concatenation_is_cut_by_its_parts() -> None:
    middle = nn.ModuleList([nn.Conv2d(16, 6, 1), nn.Conv2d(16, 4, 3, padding=1)])
    _, structure = small(middle, lambda m, x: torch.cat([m[0](x), m[1](x)], 1), 10)
    assert names(structure) == {"stem": 16, "middle.0": 6, "middle.1": 4}


def test_a_sum_ties_its_parts() -> None:
    middle = nn.ModuleList([nn.Conv2d(16, 16, 1), nn.Conv2d(16, 16, 1)])
    _, structure = small(middle, lambda m, x: x + m[1](m[0](x)))
    assert names(structure) == {"stem": 16, "middle.0": 16}
    assert structure.group("stem").layers == ("stem", "middle.1")


def test_grouped_convolutions_lose_whole_groups_or_the_same_channels_of_each() -> None:
    _, many = small(nn.Conv2d(16, 16, 3, padding=1, groups=8), lambda m, x: m(x))
    assert names(many) == {"stem": 8}
    _, few = small(nn.Conv2d(16, 24, 3, padding=1, groups=2), lambda m, x: m(x), 24)
    assert names(few) == {"stem": 8, "middle": 12}
    _, depthwise = small(nn.Conv2d(16, 32, 3, padding=1, groups=16), lambda m, x: m(x), 32)
    assert names(depthwise) == {"stem": 16}


def test_transposed_convolutions() -> None:
    middle = nn.Sequential(nn.ConvTranspose2d(16, 12, 2, stride=2), nn.ConvTranspose2d(12, 12, 2, groups=12))
    _, structure = small(middle, lambda m, x: m(x), 12)
    assert names(structure) == {"stem": 16, "middle.0": 12}


def test_a_flattened_map_loses_the_inputs_of_its_channels() -> None:
    middle = nn.Linear(16 * 16 * 16, 7)
    network, structure = small(middle, lambda m, x: m(x.flatten(1))[:, :, None, None], 7)
    assert names(structure) == {"stem": 16, "middle": 7}
    made: Any = cut(network, structure, structure.group("stem").units[:4].tolist())
    assert made.middle.in_features == 12 * 256


def test_channels_that_a_shuffle_moves() -> None:
    def shuffled(m: Any, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        return m(x.reshape(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w))

    _, structure = small(nn.Conv2d(16, 16, 1), shuffled)
    assert names(structure) == {"stem": 8, "middle": 16}


def test_norms_and_gates() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.wide, self.act = nn.BatchNorm2d(16), nn.Conv2d(16, 24, 1), nn.PReLU(12)
            self.scale = nn.Parameter(torch.ones(12, 1, 1))

        def forward(self, x: Tensor) -> Tensor:
            a, b = self.wide(self.norm(x)).chunk(2, 1)
            return self.act(a * b.sigmoid()) * self.scale

    _, structure = small(Gated(), lambda m, x: m(x), 12)
    assert names(structure) == {"stem": 16, "middle.wide": 12}


def test_group_norm_keeps_its_groups() -> None:
    network, structure = small(nn.GroupNorm(4, 16), lambda m, x: m(x))
    assert names(structure) == {"stem": 4}
    assert cut(network, structure, structure.group("stem").units[:1].tolist())(SMALL).shape == (1, 5)


def test_sizes_in_attributes_follow() -> None:
    class Split(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.sizes, self.first, self.second = [4, 12], nn.Conv2d(4, 6, 1), nn.Conv2d(12, 10, 1)

        def forward(self, x: Tensor) -> Tensor:
            a, b = torch.split(x, self.sizes, dim=1)
            return torch.cat([self.first(a), self.second(b)], 1)

    network, structure = small(Split(), lambda m, x: m(x))
    assert names(structure) == {"stem": 16, "middle.first": 6, "middle.second": 10}
    made: Any = cut(network, structure, structure.group("stem").units[:3].tolist())
    assert made.middle.sizes == [1, 12]
    original: Any = network
    assert original.middle.sizes == [4, 12]


def test_no_part_of_a_split_loses_all_channels() -> None:
    class Split(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.sizes, self.first, self.second = [2, 14], nn.Conv2d(2, 6, 1), nn.Conv2d(14, 10, 1)

        def forward(self, x: Tensor) -> Tensor:
            a, b = torch.split(x, self.sizes, dim=1)
            return torch.cat([self.first(a), self.second(b)], 1)

    _, structure = small(Split(), lambda m, x: m(x))
    group = structure.group("stem")
    order = [*range(2, 16), 0, 1]
    assert group.kept(order, 3).tolist() == sorted(group.units[[0, 2, 3, 4]].tolist())


def test_a_fixed_number_of_channels_is_left_alone_with_the_reason() -> None:
    _, structure = small(nn.Conv2d(16, 16, 1), lambda m, x: m(x).reshape(1, 16, 16, 16))
    assert names(structure) == {"stem": 16}
    assert "the cut network fails" in structure.left_alone["middle"]


def test_an_operator_without_a_rule_is_named() -> None:
    _, structure = small(nn.Conv2d(16, 16, 1), lambda m, x: torch.sort(m(x), dim=1).values)
    assert names(structure) == {"stem": 16}
    assert structure.left_alone["middle"] == "its channels must keep their number (for sort in the network)"


def test_kept_modules_stay() -> None:
    torch.manual_seed(0)
    network = create_network("resnet18", num_classes=10, resolution=64)
    _, structure = analysed(network, keep=("blocks.0.conv1", "blocks.3"))
    assert "blocks.0.conv1" in structure.left_alone
    assert "blocks.0" not in structure.blocks
    assert "blocks.3" not in structure.blocks
    assert "blocks.3.conv1" not in names(structure)
    assert "blocks.2.conv2" not in names(structure)  # blocks.3.conv2 is cut with it
    with pytest.raises(ConfigError, match=r"keep: the network has no module 'blocks.33'.*did you mean"):
        analyse(network, IMAGE, ["blocks.33"])


class Twice(nn.Module):
    """A block that is a residual only by what its module does."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(16, 8, 1), nn.Conv2d(8, 16, 1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.two(self.one(x).relu()))


def test_residual_blocks_can_be_removed() -> None:
    network, structure = small(nn.Sequential(Twice(), Twice()), lambda m, x: m(x))
    assert structure.blocks == ("middle.0", "middle.1")
    made = cut(network, structure, (), structure.blocks)
    assert torch.equal(made.eval()(SMALL), network.eval().head(network.stem(SMALL).relu().mean((2, 3))))
    assert sum(p.numel() for p in network.parameters()) > sum(p.numel() for p in made.parameters())


def test_a_module_that_is_used_twice_is_cut_once() -> None:
    _, structure = small(nn.Conv2d(16, 16, 1), lambda m, x: m(m(x).relu()))
    assert names(structure) == {"stem": 16}
    assert structure.group("stem").layers == ("stem", "middle")


class Manual(nn.Module):
    """Attention as written by hand; `named` says whether its views name the width of a head."""

    def __init__(self, heads: int, width: int, named: bool, joined: bool) -> None:
        super().__init__()
        self.num_heads, self.head_dim, self.named, self.joined = heads, width, named, joined
        inside = heads * width
        self.q, self.k, self.v = (nn.Linear(16, inside) for _ in range(3))
        self.qkv = nn.Linear(16, 3 * inside)
        self.out = nn.Linear(inside, 16)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(2).transpose(1, 2)
        b, n, _ = x.shape
        last = self.head_dim if self.named else -1
        if self.joined:
            q, k, v = self.qkv(x).reshape(b, n, 3, self.num_heads, last).permute(2, 0, 3, 1, 4)
        else:
            q, k, v = (
                f(x).view(b, n, self.num_heads, last).transpose(1, 2) for f in (self.q, self.k, self.v)
            )
        weights = (4 * q @ k.transpose(-2, -1)).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(b, n, -1)).transpose(1, 2)[..., None]


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(("heads", "width"), [(4, 4), (3, 3), (2, 8)])
def test_heads_of_attention_by_hand_are_cut_even_if_they_are_as_many_as_wide(
    heads: int, width: int, named: bool, joined: bool
) -> None:
    middle = Manual(heads, width, named, joined)
    _, structure = small(middle, lambda m, x: m(x))
    assert names(structure) == {"stem": 16, "middle.qkv" if joined else "middle.q": heads, "middle.out": 16}


def test_attention_whose_last_dimension_are_as_many_heads_is_left_alone() -> None:
    class HeadsLast(Manual):
        def forward(self, x: Tensor) -> Tensor:
            x = x.flatten(2).transpose(1, 2)
            b, n, _ = x.shape
            q, k, v = (
                f(x).view(b, n, self.head_dim, self.num_heads).permute(0, 3, 1, 2)
                for f in (self.q, self.k, self.v)
            )
            weights = (4 * q @ k.transpose(-2, -1)).softmax(-1)
            return self.out((weights @ v).permute(0, 2, 3, 1).reshape(b, n, -1)).transpose(1, 2)[..., None]

    _, structure = small(HeadsLast(4, 4, True, False), lambda m, x: m(x))
    assert names(structure) == {"stem": 16, "middle.out": 16}
    assert structure.left_alone["middle.q"].startswith("the cut network ")


def test_layers_that_can_be_cut_alone_but_not_together_are_not_offered_together() -> None:
    def joint(m: Any, x: Tensor) -> Tensor:
        a, b = m[0](x), m[1](x)
        both = a.shape[1] < 6 and b.shape[1] < 4
        return torch.cat([a, b], 1) * (2 if both else 1)

    torch.manual_seed(0)
    network, structure = analysed(
        Net(nn.ModuleList([nn.Conv2d(16, 6, 1), nn.Conv2d(16, 4, 1)]), joint, 10), SMALL
    )
    assert names(structure) == {"stem": 16, "middle.0": 6}
    assert (
        structure.left_alone["middle.1"]
        == "cut together with other layers: the cut network computes something else"
    )
    check_random_cuts(network, structure, SMALL)


# -- refused


def test_shared_parameters_are_refused_by_name() -> None:
    middle = nn.Sequential(nn.Conv2d(16, 16, 1), nn.Conv2d(16, 16, 1))
    middle[1].weight = middle[0].weight
    with pytest.raises(ConfigError, match=r"'middle.0.weight' and 'middle.1.weight' are one tensor"):
        analysed(Net(middle, lambda m, x: m(x)), SMALL)


def test_code_that_depends_on_the_data_is_refused() -> None:
    def branching(m: Any, x: Tensor) -> Tensor:
        return m(x) if x.mean() > 0 else x

    with pytest.raises(ConfigError, match=r"its code reads values of tensors .*depends on the data"):
        analysed(Net(nn.Conv2d(16, 16, 1), branching), SMALL)


def test_a_network_that_fails_is_refused_with_its_error() -> None:
    with pytest.raises(ConfigError, match=r"the network fails for an image of shape \(1, 4, 16, 16\)"):
        analyse(Net(nn.Identity(), lambda m, x: x), torch.zeros(1, 4, 16, 16))


def test_the_original_is_unchanged() -> None:
    torch.manual_seed(0)
    network = Net(nn.Sequential(Twice(), nn.BatchNorm2d(16)), lambda m, x: m(x))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    _, structure = analysed(network, SMALL)
    cut(network, structure, structure.groups[0].units[:2].tolist(), structure.blocks[:1])
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_the_reasons_of_layers_that_are_left_alone() -> None:
    middle = nn.ModuleList([nn.Conv2d(16, 16, 1), nn.Conv2d(16, 16, 1)])
    buffered = torch.randn(16, 1, 1)
    _, structure = small(middle, lambda m, x: m[1](m[0](x) + buffered))
    assert structure.left_alone == {
        "middle.0": "its channels must keep their number",
        "head": "its channels are the network's output",
    }


class Mixed(nn.Module):
    """A convolution, maybe a norm, and code that is right for all channels alone."""

    def __init__(self, mix: Callable[[Tensor], Tensor], norm: bool, width: int) -> None:
        super().__init__()
        self.conv1, self.norm = nn.Conv2d(16, width, 1), nn.GroupNorm(1, width) if norm else nn.Identity()
        self.mix, self.conv2 = mix, nn.Conv2d(width, 16, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.mix(self.norm(self.conv1(x))))


def halves(x: Tensor) -> Tensor:
    half = x.shape[1] // 2
    return torch.cat([x[:, :half], 3 * x[:, half:]], 1)


@pytest.mark.parametrize("width", [4, 8, 16])
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize(
    "mix",
    [halves, lambda x: torch.roll(x, 1, 1), lambda x: torch.cat([x[:, ::2], 3 * x[:, 1::2]], 1)],
    ids=["halves", "roll", "stride"],
)
def test_channels_with_places_are_left_alone(mix: Callable[[Tensor], Tensor], norm: bool, width: int) -> None:
    torch.manual_seed(0)
    _, structure = analysed(Net(Mixed(mix, norm, width), lambda m, x: m(x)), SMALL)
    assert "middle.conv1" not in names(structure)
    assert structure.left_alone["middle.conv1"] == "the cut network computes something else"


def test_a_number_that_is_no_number_of_channels_is_not_changed() -> None:
    class Tempered(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm, self.temperature = nn.Conv2d(16, 16, 1), nn.GroupNorm(1, 16), 16

        def forward(self, x: Tensor) -> Tensor:
            b, c, h, w = x.shape
            x = self.norm(self.conv(x)).reshape(b, c, h * w).reshape(b, c, h, w)
            return x / self.temperature

    torch.manual_seed(0)
    _, structure = analysed(Net(Tempered(), lambda m, x: m(x)), SMALL)
    assert "middle.conv" not in names(structure)


@pytest.mark.parametrize(
    "after",
    [lambda y: y * 0.5, lambda y: functional.relu(y - 1), torch.tanh],
    ids=["scaled", "shifted", "tanh"],
)
def test_a_block_that_changes_its_argument_without_its_branch_stays(
    after: Callable[[Tensor], Tensor],
) -> None:
    class Changing(Twice):
        def forward(self, x: Tensor) -> Tensor:
            return after(x + self.two(self.one(x).relu()))

    _, structure = small(Changing(), lambda m, x: m(x))
    assert structure.blocks == ()
    assert "changes its argument" in structure.left_alone["middle"]


class Inverted(nn.Module):
    """An inverted residual: expansion, depthwise convolution, projection."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_pw, self.bn1 = nn.Conv2d(16, 24, 1, bias=False), nn.BatchNorm2d(24)
        self.conv_dw, self.bn2 = nn.Conv2d(24, 24, 3, padding=1, groups=24, bias=False), nn.BatchNorm2d(24)
        self.conv_pwl, self.bn3 = nn.Conv2d(24, 16, 1, bias=False), nn.BatchNorm2d(16)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn1(self.conv_pw(x)).relu()
        return x + self.bn3(self.conv_pwl(self.bn2(self.conv_dw(y)).relu()))


@pytest.mark.parametrize("path", ["middle.conv_dw", "middle.bn1", "middle.conv_pwl", "head"])
def test_kept_modules_keep_all_their_tensors(path: str) -> None:
    torch.manual_seed(0)
    network, structure = analysed(Net(Inverted(), lambda m, x: m(x)), SMALL, keep=(path,))
    every = [unit for group in structure.groups for unit in group.units.tolist()]
    made = cut(network, structure, every[::2])
    kept = network.get_submodule(path).state_dict()
    assert {n: t.shape for n, t in made.get_submodule(path).state_dict().items()} == {
        n: t.shape for n, t in kept.items()
    }
    assert any(why == f"{path} is kept" for why in structure.left_alone.values())


class Attention(nn.Module):
    """As written in timm, with something more."""

    def __init__(self, own: bool, drop: bool) -> None:
        super().__init__()
        self.num_heads, self.qkv, self.proj = 4, nn.Linear(16, 48), nn.Linear(16, 16)
        self.bias = nn.Parameter(torch.zeros(4, 256, 256)) if own else None
        if drop:
            self.drop = nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, 4, 4).permute(2, 0, 3, 1, 4).unbind(0)
        weights = q @ k.transpose(-2, -1) * 4**-0.5
        weights = weights if self.bias is None else weights + self.bias
        return self.proj((weights.softmax(-1) @ v).transpose(1, 2).reshape(b, n, c))


@pytest.mark.parametrize(
    ("own", "drop", "replaced"), [(False, False, True), (True, False, False), (False, True, False)]
)
def test_attention_with_more_than_the_known_parts_is_not_replaced(
    own: bool, drop: bool, replaced: bool
) -> None:
    torch.manual_seed(0)
    network = Net(
        Attention(own, drop), lambda m, x: m(x.flatten(2).transpose(1, 2)).transpose(1, 2)[..., None] * 1e-6
    )
    made = with_heads(network, SMALL)
    assert isinstance(made.middle, Attention) is not replaced
    assert set(made.state_dict()) == set(network.state_dict())


def test_attention_with_dropout_keeps_it() -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 4, 24, batch_first=True)  # a dropout of 0.1
    network = Net(layer, lambda m, x: m(x.flatten(2).transpose(1, 2)).transpose(1, 2)[..., None])
    made, structure = analysed(network, SMALL)
    assert made.middle.self_attn.training
    assert made.middle.self_attn.dropout == 0.1
    assert names(structure) == {"stem": 16, "middle.self_attn": 4, "middle.linear1": 24}


def test_a_block_that_runs_twice_is_one_block() -> None:
    _, structure = small(Twice(), lambda m, x: m(m(x)))
    assert structure.blocks == ("middle",)
