"""Every network of a space is a view of one set of tensors."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import nas
from nas.core.errors import ConfigError
from nas.core.records import Architecture
from nas.core.space import SearchSpace
from nas.sharing.extremes import sampler
from nas.sharing.layout import Places
from nas.sharing.statistics import recalibrate
from nas.sharing.supernet import Supernet, make_supernet
from nas.sharing.weights import NotCovered
from search_spaces.muxnet import MUXNetSpace
from search_spaces.muxnet.layers import channel_shuffle
from search_spaces.nasbench101 import NASBench101
from search_spaces.nasbench201 import NASBench201
from tests.shared.sharing_parts import DIGITS, built, declared, small_muxnet

SPACES: dict[str, Callable[[], SearchSpace]] = {
    "muxnet": small_muxnet,
    "nasbench101": NASBench101.digits,
    "nasbench201": NASBench201.digits,
    "declared": declared,
}
every_space = pytest.mark.parametrize("name", SPACES)


@cache
def supernet(name: str) -> Supernet:
    return make_supernet(SPACES[name](), DIGITS, seed=0, networks=160 if name == "muxnet" else 40)


def drawn(name: str, count: int, seed: int = 1) -> list[Architecture]:
    rng, draw = np.random.default_rng(seed), sampler(supernet(name).space)
    return [draw(rng) for _ in range(count)]


def images(count: int = 4) -> torch.Tensor:
    return torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.slow
@every_space
def test_random_networks_get_views_of_their_shapes(name: str) -> None:
    owned = {t.untyped_storage().data_ptr() for t in supernet(name).shared.parameters()}
    for architecture in drawn(name, 10):
        inherited = supernet(name).network(architecture)
        own = dict(inherited.network.named_parameters())
        assert {n: v.shape for n, v in inherited.views.items()} == {n: p.shape for n, p in own.items()}
        places = Places(supernet(name).space)
        views = [
            v for n, v in inherited.views.items() if not places.entries(architecture, n)
        ]  # others may be copies
        assert {v.untyped_storage().data_ptr() for v in views} <= owned
        assert tuple(inherited.eval()(images()).shape) == (4, 10)


@every_space
def test_a_network_gives_the_outputs_of_a_plain_one_with_its_slices(name: str) -> None:
    for architecture in drawn(name, 5, seed=2):
        inherited, plain = supernet(name).network(architecture), supernet(name).copy(architecture)
        for network in (inherited, plain):
            recalibrate(network, [images(8), images(16)])
        with torch.no_grad():
            assert torch.equal(inherited(images()), plain(images()))


@every_space
def test_a_step_changes_the_slices_of_its_network_alone(name: str) -> None:
    made = supernet(name)
    smallest = made.extremes.smallest
    before = [t.detach().clone() for t in made.shared.parameters()]
    mask = [torch.zeros(t.shape, dtype=torch.bool) for t in before]
    inherited = made.network(smallest)
    for own, view in inherited.views.items():  # the same slices of the masks
        place = next(i for i, t in enumerate(made.shared.tensors) if same_storage(t, view))
        at = torch.as_strided(mask[place], view.shape, view.stride(), view.storage_offset())
        at.fill_(True)
        assert own in dict(inherited.network.named_parameters())
    inherited.train()
    loss = nn.functional.cross_entropy(inherited(images()), torch.arange(4))
    loss.backward()
    with torch.no_grad():
        for tensor in made.shared.parameters():
            if tensor.grad is not None:
                tensor -= 0.1 * tensor.grad
    changed = [t.detach() != b for t, b in zip(made.shared.parameters(), before, strict=True)]
    try:
        assert any(c.any() for c in changed)
        assert not any((c & ~m).any() for c, m in zip(changed, mask, strict=True))
    finally:
        with torch.no_grad():
            for tensor, value in zip(made.shared.parameters(), before, strict=True):
                tensor.copy_(value)
                tensor.grad = None


def same_storage(first: torch.Tensor, second: torch.Tensor) -> bool:
    return first.untyped_storage().data_ptr() == second.untyped_storage().data_ptr()


@pytest.mark.parametrize("name", ["declared", "nasbench201"])
def test_tensors_of_the_largest_network_are_shared_whole(name: str) -> None:
    """Its slices are the whole tensors: no other network needs more of them."""
    made = supernet(name)
    for view in made.network(made.extremes.largest).views.values():
        whole = next(t for t in made.shared.tensors if same_storage(t, view))
        assert view.shape == whole.shape


def test_kernels_share_their_centre_and_channels_their_beginning() -> None:
    made = supernet("declared")

    def weight(**values: Any) -> torch.Tensor:
        space = made.space
        assert isinstance(space, nas.Space)
        given = {"depth": 1, **values, "stages": [{"kernel": values.pop("kernel"), "operation": "conv"}]}
        given.pop("kernel")
        return made.network(space.architecture(given)).views["stages.0.conv.weight"]

    large, small = weight(width=8, kernel=5), weight(width=4, kernel=3)
    assert torch.equal(small, large[:4, :, 1:4, 1:4])


def test_a_space_of_texts_names_the_tensors_of_each_operation() -> None:
    names = set(supernet("declared").shared.layers)
    assert {f"stages.1.conv.weight[stages.1.operation={o}]" for o in ("conv", "depthwise")} <= names
    assert "classifier.weight" in names


@pytest.mark.parametrize("name", ["declared", "nasbench201"])
def test_the_same_seed_gives_the_same_tensors(name: str) -> None:
    one, again = (make_supernet(SPACES[name](), DIGITS, seed=0, networks=8).shared for _ in range(2))
    assert one.layers == again.layers
    assert all(torch.equal(a, b) for a, b in zip(one.tensors, again.tensors, strict=True))


def test_a_block_of_muxnet_is_named_by_its_stage() -> None:
    space = MUXNetSpace("tiny")
    text = "r16/stem24s1/ds24/ir32:k5s2e4/ir64:k3.5s2e4/sp:k5e4p1m-0x2/head128"
    architecture = space.parse(text)
    assert space.shared_name(architecture, "blocks.0.conv_dw.weight") == "ds.conv_dw.weight"
    shared = {
        "blocks.1.conv_dw.convs.0.weight": "stage1.ir.conv_dw.convs.0.weight",
        "blocks.1.conv_pw.weight": "stage1.ir.conv_pw-after-ds.weight",
        "blocks.2.conv_dw.convs.1.weight": "stage3.ir.conv_dw.convs.0.weight",
        "blocks.2.conv_pw.weight": "stage3.ir.conv_pw-after-stage1.weight",
        "blocks.4.conv_dw.convs.1.weight": "stage3.sp2.conv_dw-scales-1_0.convs.1.weight",
        "blocks.4.bn1.bias": "stage3.sp2.bn1.bias",
        "conv_head.weight": "conv_head-after-stage3.weight",
    }
    assert {name: space.shared_name(architecture, name) for name in shared} == shared


def test_muxnets_share_the_weights_of_the_same_channels() -> None:
    space = MUXNetSpace("tiny")
    architecture = space.parse("r16/stem24s1/ds24/ir32:k5s2e4/ir64:k3.5s2e4/sp:k5e4p0.5m-0x2/head128")
    channels = torch.arange(64).reshape(1, 64, 1, 1)  # as the ir block of stage 3 made them
    for block in (3, 4):
        processed = channels.flatten()[:32].numpy()
        found = {
            name: space.shared_entries(architecture, f"blocks.{block}.{name}")
            for name in ("conv_pw.weight", "conv_pwl.weight", "bn3.bias", "bn1.bias")
        }
        if block == 3:
            assert not any(found.values())  # the leading entries
        else:
            assert np.array_equal(found["conv_pw.weight"][1], processed)
            assert np.array_equal(found["conv_pwl.weight"][0], processed)
            assert np.array_equal(found["bn3.bias"][0], processed)
            assert not found["bn1.bias"]
        channels = channel_shuffle(channels, 2)
    _, columns = space.shared_entries(architecture, "conv_head.weight")
    assert np.array_equal(columns, channels.flatten().numpy())
    mixed = [space.shared_entries(architecture, f"blocks.2.conv_dw.convs.{i}.weight") for i in (0, 1)]
    assert mixed == [(slice(0, 64),), (slice(64, 128),)]  # of 4 x 32 channels
    single = space.parse("r16/stem24s1/ds24/ir32:k5s2e4/ir64:k3s2e4/head128")
    assert space.shared_entries(single, "blocks.2.conv_dw.convs.0.weight") == ()


def moved(*entries: Any) -> nas.Space:
    """Two networks with 4 and 6 channels, which have these entries of the tensor of their convolution."""
    space = built(
        lambda c: nn.Sequential(
            nn.Conv2d(1, c.width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c.width, 10)
        ),
        width=nas.Choice(4, 6),
    )

    def shared_entries(architecture: Architecture, name: str) -> Any:
        return entries[architecture.genes[0]] if name == "0.weight" else ()

    space.shared_entries = shared_entries  # type: ignore[attr-defined]
    return space


def test_a_space_names_the_entries_of_a_tensor() -> None:
    space = moved((np.array([6, 0, 3, 1]),), (slice(2, 8),))
    made = make_supernet(space, DIGITS, seed=0, networks=8)
    whole = made.shared.tensors[made.shared.places["0.weight"]]
    assert whole.shape[0] == 8
    small, large = (made.network(space.architecture({"width": width})) for width in (4, 6))
    assert torch.equal(small.views["0.weight"], whole[[6, 0, 3, 1]])
    assert torch.equal(large.views["0.weight"], whole[2:8])
    small(images(2)).square().sum().backward()
    assert whole.grad is not None
    assert whole.grad.abs().sum((1, 2, 3)).gt(0).tolist() == [i in (0, 1, 3, 6) for i in range(8)]


def test_entries_that_do_not_fit_are_refused() -> None:
    reason = r"dimension 0 of a parameter of shape \(6, 1, 3, 3\): expected 6 entries, got 5"
    with pytest.raises(ConfigError, match=reason):
        make_supernet(moved((), (slice(2, 7),)), DIGITS, seed=0, networks=8)


def test_statistics_are_those_of_the_network_alone() -> None:
    made = supernet("declared")
    inherited = made.network(made.extremes.largest).train()
    recalibrate(inherited, [images(16)])
    norm = next(m for m in inherited.network.modules() if isinstance(m, nn.BatchNorm2d))
    with torch.no_grad():
        maps = nn.functional.conv2d(images(16), inherited.views["stages.0.conv.weight"], padding=2)
    assert torch.allclose(norm.running_mean, maps.mean((0, 2, 3)), atol=1e-6)
    assert norm.momentum == 0.1
    assert not inherited.training


class Twice(nn.Module):
    """Runs its layer twice."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem, self.mix = nn.Conv2d(1, width, 1), nn.Conv2d(width, width, 1)
        self.end = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.end(self.mix(self.mix(self.stem(x))))


def registered_twice(width: int) -> nn.Module:
    layer = nn.Conv2d(width, width, 1)
    return nn.Sequential(nn.Conv2d(1, width, 1), layer, layer, nn.Flatten(), nn.Linear(64 * width, 10))


def other_kinds(operation: int) -> nn.Module:
    layer: nn.Module = nn.Conv2d(1, 4, 3) if operation else nn.ConvTranspose2d(1, 4, 3)
    return nn.Sequential(layer, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))


class Scaled(nn.Module):
    """A classifier whose scale has as many dimensions as asked."""

    def __init__(self, rank: int) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 10)
        self.scale = nn.Parameter(torch.ones((1,) * rank))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x.flatten(1)) * self.scale


def normalised(layer: Callable[[], nn.Module]) -> Callable[[Any], nn.Module]:
    return lambda c: nn.Sequential(nn.Conv2d(1, c.width, 1), layer(), nn.Flatten(), nn.LazyLinear(10))


def spectral(c: Any) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.utils.parametrizations.spectral_norm(nn.Linear(64, 10)))


class Double(nn.Module):
    """A classifier in double precision."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear, self.end = nn.Linear(64, width).double(), nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.end(self.linear(x.flatten(1).double()).float())


class Projected(nn.Module):
    """Its inputs pass a fixed matrix, random or of ones."""

    def __init__(self, width: int, matrix: Callable[[int, int], torch.Tensor]) -> None:
        super().__init__()
        self.register_buffer("matrix", matrix(64, width))
        self.end = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.end(x.flatten(1) @ self.matrix)


class Pair(nn.Linear):
    """A layer that gives two outputs."""

    def forward(self, x: torch.Tensor) -> Any:
        found = super().forward(x.flatten(1))
        return found, found


@cache
def reused(width: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.Linear(width, 10))


REFUSED = {
    "used twice": (built(lambda c: Twice(c.width), width=nas.Choice(4, 8)), r"runs its module 'mix' \(Conv2d\) 2 times"),
    "held twice": (built(lambda c: registered_twice(c.width), width=nas.Choice(4, 8)), "uses the parameter '1.weight' a second time as '2.weight'"),
    "kinds": (built(lambda c: other_kinds(c.operation), operation=nas.Choice(0, 1)), r"'operation=[01]' and 'operation=[01]' cannot share .*ConvTranspose2d.*shared_name"),
    "rank": (built(lambda c: Scaled(c.rank), rank=nas.Choice(1, 2)), r"the networks 'rank=[12]' and 'rank=[12]' cannot share the parameter 'scale': .*differ in rank"),
    "centre": (built(lambda c: nn.Sequential(nn.Conv2d(1, 4, c.kernel), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10)), kernel=nas.Choice(2, 3)), "one side is even, the other odd"),
    "groups": (built(lambda c: nn.Sequential(nn.Conv2d(1, 4, 1), nn.Conv2d(4, 4, 1, groups=c.groups), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10)), groups=nas.Choice(1, 2, 4)), "channels a group"),
    "transposed groups": (built(lambda c: nn.Sequential(nn.Conv2d(1, c.width, 1), nn.ConvTranspose2d(c.width, 2 * c.width, 3, groups=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(10)), width=nas.Choice(4, 8)), r"\(8, 8, 3, 3\) and \(4, 4, 3, 3\) of convolutions, at least one of them grouped, have 8 and 4 channels a group"),
    "float64": (built(lambda c: Double(c.width), width=nas.Choice(4, 8)), r"the parameter 'linear.weight' of type torch\.float64: weight sharing needs torch\.float32"),
    "reused": (built(lambda c: reused(c.width), width=nas.Choice(4, 8)), r"has a module of an earlier network, '1' \(Linear\): let build make new modules"),
    "instance norm": (built(normalised(lambda: nn.InstanceNorm2d(4, track_running_stats=True)), width=nas.Choice(4)), r"a layer with a state, '1' \(InstanceNorm2d\)"),
    "random buffer": (built(lambda c: Projected(c.width, torch.randn), width=nas.Choice(4, 8)), r"random values in its buffer 'matrix' \(Projected\), other ones each time"),
    "seven outputs": (built(lambda c: nn.Sequential(nn.Flatten(), nn.Linear(64, c.width), nn.Linear(c.width, 7)), width=nas.Choice(4, 8)), r"gives \(2, 7\) for 2 images of 10 classes: expected a tensor of shape \(2, 10\)"),
    "two outputs": (built(lambda c: Pair(64, 10), width=nas.Choice(4)), "gives a tuple for 2 images of 10 classes"),
    "spectral norm": (built(spectral, width=nas.Choice(4)), "a layer with a state"),
}  # fmt: skip


@pytest.mark.parametrize("reason", REFUSED)
def test_networks_that_cannot_share_are_refused_by_name(reason: str) -> None:
    space, message = REFUSED[reason]
    with pytest.raises(ConfigError, match=message):
        make_supernet(space, DIGITS, seed=0, networks=8)


def test_a_buffer_with_the_same_values_in_each_build_is_shareable() -> None:
    space = built(lambda c: Projected(c.width, torch.ones), width=nas.Choice(4, 8))
    assert set(make_supernet(space, DIGITS, seed=0, networks=8).shared.layers) == {"end.weight", "end.bias"}


def test_the_user_names_the_tensors_of_layers_that_differ() -> None:
    space = built(lambda c: other_kinds(c.operation), operation=nas.Choice(0, 1))

    @space.shared_name
    def shared_name(c: Any, name: str) -> str:
        return f"{name}-{c.operation}" if name.startswith("0.") else name

    layers = make_supernet(space, DIGITS, seed=0, networks=8).shared.layers
    assert {"0.weight-0", "0.weight-1", "3.weight"} <= set(layers)


def test_a_shared_name_for_two_parameters_of_one_network_is_refused() -> None:
    space = declared()

    @space.shared_name
    def shared_name(c: Any, name: str) -> str:
        return name.rpartition(".")[2]

    with pytest.raises(ConfigError, match="have one shared name, 'weight'"):
        make_supernet(space, DIGITS, seed=0, networks=8)


def test_a_network_outside_the_tensors_is_refused_with_its_parameter() -> None:
    small = make_supernet(declared().fix(width=4, depth=1), DIGITS, seed=0, networks=8)
    larger = Supernet(declared().for_task(DIGITS), DIGITS, small.shared, small.extremes)
    with pytest.raises(NotCovered, match=r"network .depth=.*the shared tensor has shape.*seed: 1"):
        larger.network(supernet("declared").extremes.largest)


def test_lazy_layers_and_drawing_without_images_of_one_size_work() -> None:
    space = built(
        lambda c: nn.Sequential(
            nn.LazyConv2d(c.width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(10)
        ),
        width=nas.Choice(4, 8),
    )
    made = make_supernet(space, nas.TaskSpec(1, 10), seed=0, networks=4)
    assert made.shared.layers["0.weight"].shape == (8, 1, 3, 3)


def test_a_space_without_networks_is_refused() -> None:
    with pytest.raises(ConfigError, match="no build"):
        make_supernet(nas.Space("none", width=nas.Choice(1, 2)), DIGITS, seed=0)


class Sequence(nn.Module):
    """A classifier of the rows of an image."""

    def __init__(self, layer: Callable[[int], nn.Module], width: int) -> None:
        super().__init__()
        self.enter, self.layer, self.end = nn.Linear(8, width), layer(width), nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.layer(self.enter(x.squeeze(1)))
        return self.end((y[0] if isinstance(y, tuple) else y).mean(1))


def grouped(width: int) -> nn.Module:
    layers = nn.Conv2d(1, 8, 1), nn.Conv2d(8, width, 1, groups=2)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


CUT: dict[str, tuple[Callable[[int], nn.Module], str | None]] = {
    "attention": (lambda w: Sequence(lambda w: nn.TransformerEncoderLayer(w, 2, 8, batch_first=True), w), "layer.self_attn.in_proj_weight"),
    "lstm": (lambda w: Sequence(lambda w: nn.LSTM(w, w, batch_first=True), w), "layer.weight_hh_l0"),
    "gru": (lambda w: Sequence(lambda w: nn.GRU(w, w, batch_first=True), w), "layer.weight_hh_l0"),
    "groups": (grouped, "1.weight"),
    "one gate": (lambda w: Sequence(lambda w: nn.RNN(w, w, batch_first=True), w), None),
}  # fmt: skip


@pytest.mark.parametrize("kind", CUT)
def test_parts_of_a_parameter_that_slices_mix_are_named_once(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    make, name = CUT[kind]
    make_supernet(built(lambda c: make(c.width), width=nas.Choice(4, 8)), DIGITS, seed=0, networks=4)
    said = [record.getMessage() for record in caplog.records if "leading rows" in record.getMessage()]
    assert len(said) == (name is not None)
    if name is not None:
        assert repr(name) in said[0]
        assert "shared_name" in said[0]


def test_parts_of_one_size_are_shared_whole(caplog: pytest.LogCaptureFixture) -> None:
    make, _ = CUT["attention"]
    space = built(lambda c: make(8), width=nas.Choice(4, 8))
    make_supernet(space, DIGITS, seed=0, networks=4)
    assert not caplog.records
