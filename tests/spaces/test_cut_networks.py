"""The declared space of a network's cut networks: names, costs, inherited weights, resolutions, refusals."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import cloudpickle
import numpy as np
import pytest
import torch
from torch import nn

import nas
from nas.core.errors import ConfigError
from nas.core.task_spec import TaskSpec
from nas.pruning.ranking import magnitudes, taylor
from nas.spaces import from_module
from nas.spaces.cut_networks import ModuleSpace
from search_spaces.networks.models import create_network


@pytest.fixture(scope="module")
def space() -> ModuleSpace:
    torch.manual_seed(0)
    return from_module(create_network("resnet18", num_classes=7, resolution=32), (3, 32, 32))


def plain() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 3, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 10),
    )  # fmt: skip


def test_a_space_says_what_can_be_cut() -> None:
    found = from_module(plain(), (1, 8, 8)).about()
    assert (
        found
        == "To cut: 2 groups of channels, images of 4 to 8 pixels. Left alone: 7 (its channels are the network's output)."
    )


def test_parameters_are_modules_in_their_order(space: ModuleSpace) -> None:
    assert space.parameters[:5] == ("resolution", "stem.0", "blocks.0", "blocks.0.conv1", "blocks.1")
    genes = {gene.name: gene for gene in space.declaration.genes}
    assert genes["blocks.0.conv1"].options == (0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)
    assert genes["blocks.0"].options == (False, True)
    assert genes["resolution"].options == (16, 20, 24, 28, 32)
    text = space.format(space.whole)
    assert text.startswith("resolution=32/stem.0=1.0/blocks.0=True/blocks.0.conv1=1.0/")
    assert space.parse(text) == space.whole
    without = space.architecture(
        {**space.choices(space.whole).as_dict(), "blocks.0": False} | {"blocks.0.conv1": None}
    )
    assert "blocks.0.conv1" not in space.choices(without)


def test_the_whole_architecture_is_the_original(space: ModuleSpace) -> None:
    x = torch.randn(2, 3, 32, 32)
    network = space.build(space.whole).eval()
    assert torch.equal(network(x), copy.deepcopy(space.original).eval()(x))
    assert network is not space.original
    assert "classifier" in space.left_alone


def test_costs_are_those_of_the_built_network(space: ModuleSpace) -> None:
    rng = np.random.default_rng(0)
    for _ in range(6):
        architecture = space.sample(rng)
        side = space.resolution(architecture)
        network, cost = space.build(architecture).eval(), space.cost(architecture)
        assert sum(p.numel() for p in network.parameters()) == cost["params"]
        assert network(torch.randn(1, 3, side, side)).shape == (1, 7)
        assert sum(block.params for block in space.blocks(architecture)) == cost["params"]
    assert space.cost(space.whole)["madds"] > 2 * space.cost(space.uniform(0.5))["madds"]


def test_the_smallest_and_every_uniform_network_run(space: ModuleSpace) -> None:
    for share in (0.25, 0.5, 0.75):
        assert space.build(space.uniform(share)).eval()(torch.randn(1, 3, 32, 32)).shape == (1, 7)
    least = {gene.name: gene.options[0] for gene in space.declaration.genes}
    smallest = space.architecture(
        {name: v for name, v in least.items() if ".conv1" not in name or name[:8] not in least}
    )
    assert space.build(smallest).eval()(torch.randn(1, 3, 16, 16)).shape == (1, 7)


def test_the_most_important_channels_stay() -> None:
    network = plain()
    layer: Any = network[0]
    with torch.no_grad():
        layer.weight[[1, 4]] *= 0.01
        network[3].weight[:, [1, 4]] *= 0.01  # type: ignore[index, operator]
    space = from_module(network, (1, 8, 8))
    made: Any = space.build(space.architecture({**space.choices(space.whole).as_dict(), "net.0": 0.75}))
    stays = [0, 2, 3, 5, 6, 7]
    assert torch.equal(made[0].weight, layer.weight[stays])
    assert torch.equal(made[1].running_mean, network[1].running_mean[stays])  # type: ignore[index]
    assert torch.equal(made[3].weight, network[3].weight[:, stays])  # type: ignore[index]


def test_scores_by_gradients_replace_magnitudes() -> None:
    network = plain()
    space = from_module(network, (1, 8, 8))
    structure = space.cutter.structure
    x, y = torch.randn(16, 1, 8, 8), torch.randint(10, (16,))
    with torch.no_grad():
        network[3].weight[:, 2] = 0  # type: ignore[index, operator]  # nothing follows from this channel
    losses = (nn.functional.cross_entropy(network.eval()(x), y) for _ in range(2))
    scores = taylor(network, structure, losses)
    assert {name: len(values) for name, values in scores.items()} == {"0": 8, "3": 3}
    assert scores["0"].argmin() == 2
    assert scores["0"][2] == 0
    assert network[0].weight.grad is None  # type: ignore[union-attr]
    ranked = from_module(network, (1, 8, 8), scores={"0": np.arange(8.0)})
    assert ranked.cutter.orders["0"] == list(range(7, -1, -1))
    assert set(magnitudes(network, structure)) == {"0", "3"}


def test_other_weights_need_no_new_analysis() -> None:
    first = plain()
    second = copy.deepcopy(first)
    with torch.no_grad():
        for tensor in second.state_dict().values():
            tensor.copy_(torch.rand_like(tensor.float()))
    quick, slow = from_module(first, (1, 8, 8)).with_weights(second), from_module(second, (1, 8, 8))
    assert quick.cutter.orders == slow.cutter.orders
    half = slow.uniform(0.5)
    wanted = slow.build(half).state_dict()
    assert all(torch.equal(t, wanted[name]) for name, t in quick.build(half).state_dict().items())
    assert torch.equal(quick.build(quick.whole)[0].weight, second[0].weight)  # type: ignore[arg-type, index]


def test_the_progress_of_the_analysis_is_reported() -> None:
    calls: list[tuple[int, int]] = []
    from_module(plain(), (1, 8, 8), progress=lambda done, total: calls.append((done, total)))
    assert calls == [(0, 2), (1, 2)]


def test_small_groups_have_the_shares_that_differ() -> None:
    space = from_module(plain(), (1, 8, 8))
    genes = {gene.name: gene.options for gene in space.declaration.genes}
    assert genes["net.3"] == (0.375, 0.75, 1.0)  # 1, 2 and 3 channels
    assert len({round(share * 8) for share in genes["net.0"]}) == len(genes["net.0"])


def test_a_space_goes_to_other_processes_and_is_the_same_each_time(space: ModuleSpace) -> None:
    sent = pickle.loads(cloudpickle.dumps(space))  # noqa: S301
    architecture = space.sample(np.random.default_rng(3))
    assert sent.parameters == space.parameters
    first, second = space.build(architecture).state_dict(), sent.build(architecture).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    again = from_module(space.original, (3, 32, 32))
    assert again.declaration.as_json() == space.declaration.as_json()


def test_other_data_are_refused(space: ModuleSpace) -> None:
    with pytest.raises(ConfigError, match="the network has 7 classes, but the data have 10"):
        space.for_task(TaskSpec(3, 10, (32, 32)))
    with pytest.raises(ConfigError, match="the network has 3 input channels, but the data have 1"):
        space.build(space.whole, num_classes=7, in_channels=1)
    assert space.for_task(TaskSpec(3, 7, (32, 32))).parameters == space.parameters


def test_refusals() -> None:
    with pytest.raises(ConfigError, match="nothing of the network can be cut"):
        from_module(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), (1, 8, 8))
    with pytest.raises(
        ConfigError, match=r"returns \(1, 3, 6, 6\) for one image: expected one number a class"
    ):
        from_module(plain()[:5], (1, 8, 8))
    with pytest.raises(ConfigError, match="no module 'layer9'"):
        from_module(plain(), (1, 8, 8), keep=["layer9"])


def test_it_is_an_ordinary_search_with_a_function() -> None:
    space = from_module(plain(), (1, 8, 8))
    found = nas.search(
        space,
        ["params", "madds"],
        evaluate=lambda a: {},
        budget=10,
        seed=0,
        initial=[dict(space.choices(space.whole))],
    )
    assert {"net.0", "net.3", "resolution"} <= set(found.front.columns)
    assert found.front["params"].min() < space.cost(space.whole)["params"]


def test_lazy_layers_get_their_shapes_in_a_copy() -> None:
    lazy = nn.Sequential(
        nn.LazyConv2d(8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(10)
    )
    space = from_module(lazy, (1, 8, 8))
    assert space.build(space.uniform(0.5))(torch.randn(1, 1, 8, 8)).shape == (1, 10)
    assert isinstance(lazy[0], nn.LazyConv2d)


@pytest.mark.filterwarnings("ignore")  # of torch.jit.trace
def test_compiled_and_computed_layers() -> None:
    network = plain()
    torch.nn.utils.parametrizations.weight_norm(network[0])  # type: ignore[arg-type]
    space = from_module(network, (1, 8, 8))
    assert space.parameters[1:] == ("net.3",)
    assert "computes its weights" in space.left_alone["0"]
    with pytest.raises(ConfigError, match="a TorchScript module cannot be cut"):
        from_module(torch.jit.trace(plain(), torch.zeros(1, 1, 8, 8)), (1, 8, 8))


def test_random_networks_have_shares_around_a_common_one(space: ModuleSpace) -> None:
    rng = np.random.default_rng(0)
    drawn = [space.sample(rng) for _ in range(300)]
    choices = [dict(zip(space.parameters, a.genes, strict=True)) for a in drawn]
    first, second = (np.array([c[name] for c in choices]) for name in ("stem.0", "blocks.2.conv1"))
    assert np.corrcoef(first, second)[0, 1] > 0.5
    for gene in space.declaration.genes:  # every option occurs
        assert {c[gene.name] for c in choices} == set(range(len(gene.options)))
    fixed = space.fix({"stem.0": 0.5, "resolution": 32})
    assert all(fixed.is_valid(fixed.sample(rng)) for _ in range(20))
    assert {fixed.choices(fixed.sample(rng))["stem.0"] for _ in range(20)} == {0.5}


@pytest.mark.parametrize("name", ["resnet18", pytest.param("muxnet_xs", marks=pytest.mark.slow)])
def test_quick_costs_are_those_of_the_traced_network(name: str) -> None:
    torch.manual_seed(0)
    space = from_module(create_network(name, num_classes=5, resolution=32), (3, 32, 32))
    assert space.cutter.counts is not None
    rng = np.random.default_rng(1)
    for _ in range(5):
        architecture = space.sample(rng)
        quick, exact = space.cost(architecture), space._traced(architecture)
        assert list(quick) == ["params", "madds", "activations"]
        assert dict(quick) == exact


def test_costs_are_traced_where_quick_ones_differ() -> None:
    class Repeated(nn.Module):
        """Runs its layer as often as it has channels, which no trace of the original can know."""

        def __init__(self) -> None:
            super().__init__()
            self.stem, self.layer, self.head = nn.Conv2d(1, 8, 1), nn.Conv2d(8, 8, 1), nn.Linear(8, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.stem(x)
            for _ in range(x.shape[1]):
                x = x + 0 * self.layer(x)
            return self.head(x.mean((2, 3)))

    space = from_module(Repeated(), (1, 8, 8))
    assert space.cutter.counts is None
    half = space.uniform(0.5)
    assert space.cost(half)["madds"] == 64 * (4 + 4 * 16) + 40
    assert space.build(half)(torch.zeros(1, 1, 8, 8)).shape == (1, 10)


def test_a_network_that_resizes_its_images_has_no_resolution() -> None:
    class Resizing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = plain()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(nn.functional.interpolate(x, (8, 8)))  # type: ignore[no-any-return]

    space = from_module(Resizing(), (1, 16, 16))
    assert "resolution" not in space.parameters
    assert space.resolution(space.whole) is None


@pytest.mark.parametrize("several", [False, True])
def test_layers_of_training_alone_are_refused_by_name(several: bool) -> None:
    class Auxiliary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.aux, self.head = nn.Conv2d(1, 8, 3), nn.Linear(8, 10), nn.Linear(8, 10)

        def forward(self, x: torch.Tensor) -> Any:
            x = self.stem(x).relu().mean((2, 3))
            if not self.training:
                return self.head(x)
            return (self.head(x), self.aux(x)) if several else self.head(x) + self.aux(x)

    expected = (
        "in training mode the network returns tuple"
        if several
        else r"fails in training mode.*cannot be cut: aux"
    )
    with pytest.raises(ConfigError, match=expected):
        from_module(Auxiliary(), (1, 8, 8))


def _madds_at(side: int) -> float:
    space = from_module(plain(), (1, side, side))
    return space.cost(space.whole)["madds"]


def test_given_resolutions_are_those_of_the_space() -> None:
    one = from_module(plain(), (1, 8, 8), resolutions=[6])
    assert one.resolution(one.whole) == 6
    assert one.cost(one.whole)["madds"] == _madds_at(6)
    larger = from_module(plain(), (1, 8, 8), resolutions=[8, 12])
    assert larger.cutter.counts is not None
    assert {larger.resolution(a) for a in (larger.whole, larger.sample(np.random.default_rng(0)))} <= {8, 12}
    assert larger.cost(larger.whole)["madds"] == larger._traced(larger.whole)["madds"]
