from __future__ import annotations

import copy
import math
import time

import cloudpickle
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, relu

from nas.core.errors import ConfigError
from nas.core.evaluator import HasWeights
from nas.core.records import Architecture, Trial
from nas.core.space import SearchSpace
from nas.training import Recipe, TrainingEvaluator
from nas.training.proxies import Proxies, WithProxies
from nas.training.zero_cost import PROXIES, Batch, grad_norm, madds, naswot, params, synflow
from search_spaces.muxnet.space import MUXNetSpace
from search_spaces.nasbench101 import NASBench101
from surrogates.candidates import encode, encodings_of

QUICK = Recipe(epochs=1, subset=0.2)


def network(activation: nn.Module | None = None) -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, 2, 1, bias=False),
        nn.BatchNorm2d(4),
        activation or nn.ReLU(inplace=True),
        nn.Conv2d(4, 6, 3, 2, 1),
        nn.BatchNorm2d(6),
        activation or nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(6 * 2 * 2, 3),
    )


@pytest.fixture
def batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(torch.randn(6, 1, 8, 8, generator=generator), torch.tensor([0, 1, 2, 0, 1, 2]))


def pre_activations(net: nn.Sequential, images: torch.Tensor) -> list[torch.Tensor]:
    """What enters each activation, step by step, with batch statistics and no dropout."""
    x, found = images, []
    for layer in copy.deepcopy(net):
        if isinstance(layer, (nn.ReLU, nn.SiLU, nn.Hardswish)):
            found.append(x.clone())
        if not isinstance(layer, nn.Dropout):
            x = layer.train()(x)
    return found


def agreements(net: nn.Sequential, images: torch.Tensor) -> np.ndarray:
    """The Hamming kernel, counted one unit at a time."""
    n = len(images)
    kernel = np.zeros((n, n))
    for values in pre_activations(net, images):
        on = (values.detach().flatten(1) > 0).tolist()
        for i in range(n):
            for j in range(n):
                kernel[i, j] += sum(a == b for a, b in zip(on[i], on[j], strict=True))
    return kernel


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.SiLU(), nn.Hardswish()], ids=lambda a: type(a).__name__)
def test_naswot_is_the_log_determinant_of_the_agreements_counted_by_hand(activation, batch):
    net = network(activation)
    kernel = agreements(net, batch.images)
    assert np.linalg.eigvalsh(kernel)[0] > 1  # so that no eigenvalue is floored
    assert naswot(net, batch) == pytest.approx(np.linalg.slogdet(kernel)[1], rel=1e-9)


def test_naswot_sees_activations_that_are_called_as_functions(batch):
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = network(nn.Identity())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = relu(self.parts[1](self.parts[0](x)))
            return self.parts[5:](self.parts[4](self.parts[3](x)).relu_())

    assert naswot(Functional(), batch) == naswot(network(), batch)


def test_a_pre_activation_of_zero_is_off(batch):
    """A second ReLU sees zeros where the first was off: the same codes again, so the kernel doubles."""
    once, twice = nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU(), nn.ReLU())
    assert naswot(twice, batch) == pytest.approx(naswot(once, batch) + len(batch.labels) * math.log(2))


def test_activations_of_something_other_than_the_images_have_no_code(batch):
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate = nn.Parameter(torch.ones(1, 1, 8, 8))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return relu(x) * relu(self.gate)

    assert naswot(Gated(), batch) == naswot(nn.ReLU(), batch)


def test_naswot_of_images_that_look_alike_is_finite_and_lower(batch):
    twins = Batch(batch.images[[0, 0, 1, 2, 3, 4]], batch.labels)
    assert 0 <= naswot(network(), twins) < naswot(network(), batch)


def test_naswot_of_a_network_without_activation_is_zero(batch):
    assert naswot(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), batch) == 0


def test_synflow_of_a_chain_of_weights_is_their_product_once_a_layer(batch):
    """Without biases every layer of a chain carries the same flow, so the sum is layers times product."""
    torch.manual_seed(0)
    first, second = nn.Linear(64, 5, bias=False), nn.Linear(5, 3, bias=False)
    net = nn.Sequential(nn.Flatten(), first, nn.BatchNorm1d(5), nn.ReLU(), second)
    product = (second.weight.double().abs() @ first.weight.double().abs() @ torch.ones(64).double()).sum()
    assert synflow(net, batch) == pytest.approx(math.log(2 * float(product.detach())), rel=1e-12)


def test_synflow_is_the_gradient_by_differences_on_a_network_of_absolute_weights(batch):
    """Output is linear in each single weight here (all inputs positive), so one difference is exact."""
    net = network()
    plain = copy.deepcopy(net).double().eval()
    plain[1], plain[4] = nn.Identity(), nn.Identity()
    for parameter in plain.parameters():
        parameter.data.abs_()
    ones = torch.ones(1, 1, 8, 8, dtype=torch.float64)
    total = 0.0
    with torch.no_grad():
        start = float(plain(ones).sum())
        for layer in (plain[0], plain[3], plain[8]):
            for weight in layer.weight.view(-1):
                kept = float(weight)
                weight.zero_()
                total += abs(start - float(plain(ones).sum()))
                weight.fill_(kept)
    assert synflow(net, batch) == pytest.approx(math.log(total), rel=1e-9)


def test_grad_norm_is_the_sum_of_the_layers_norms_by_differences(batch):
    net = network(nn.SiLU()).double()
    wide = Batch(batch.images.double(), batch.labels)

    def loss() -> float:
        x = wide.images
        for layer in net:
            if not isinstance(layer, nn.Dropout):
                x = layer(x)
        return float(cross_entropy(x, wide.labels))

    value = grad_norm(net, wide)
    total, step = 0.0, 1e-5
    with torch.no_grad():
        for layer in (net[0], net[3], net[8]):
            squares = 0.0
            for weight in layer.weight.view(-1):
                kept = float(weight)
                weight.fill_(kept + step)
                up = loss()
                weight.fill_(kept - step)
                squares += ((up - loss()) / (2 * step)) ** 2
                weight.fill_(kept)
            total += math.sqrt(squares)
    assert value == pytest.approx(total, rel=1e-6)


@pytest.mark.parametrize("name", ["synflow", "grad_norm"])
def test_a_layer_that_nothing_passes_through_adds_nothing(name, batch):
    net = network()
    value = PROXIES[name](net, batch)
    net[0].register_module("aside", nn.Linear(2, 2))
    assert PROXIES[name](net, batch) == value


def test_gradients_and_flows_out_of_range_are_finite(batch):
    net = nn.Sequential(nn.Flatten(), *(nn.Linear(64, 64) for _ in range(6)))
    for parameter in net.parameters():
        nn.init.constant_(parameter, 1e30)
    assert grad_norm(net, batch) == torch.finfo(torch.float32).max
    for parameter in net.parameters():
        nn.init.zeros_(parameter)
    assert math.isfinite(synflow(net, batch))
    for layer in net[1:]:
        layer.double().weight.data.fill_(1e80)
    assert synflow(net, batch) == pytest.approx(709.78, abs=0.01)


@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_leaves_no_trace_in_the_network_or_the_random_state(name, batch):
    net = network()
    net(batch.images).sum().backward()
    net[3].weight.requires_grad_(False)
    net[4].eval()
    state = {k: v.clone() for k, v in net.state_dict().items()}
    grads = [None if p.grad is None else p.grad.clone() for p in net.parameters()]
    modes = [m.training for m in net.modules()]
    wanted = [p.requires_grad for p in net.parameters()]
    random, kept = torch.get_rng_state(), batch.images.clone()
    PROXIES[name](net, batch)
    assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())
    assert all(
        (p.grad is None and g is None) or torch.equal(p.grad, g)
        for p, g in zip(net.parameters(), grads, strict=True)
    )
    assert [m.training for m in net.modules()] == modes
    assert [p.requires_grad for p in net.parameters()] == wanted
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.equal(batch.images, kept)


@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_gives_the_same_value_twice_whatever_the_modes_and_under_no_grad(name, batch):
    net = network()
    first = PROXIES[name](net, batch)
    with torch.no_grad():
        assert PROXIES[name](net.eval(), batch) == first


@pytest.mark.parametrize(
    "chosen", [MUXNetSpace("tiny"), NASBench101.digits()], ids=["muxnet-tiny", "nasbench101"]
)
def test_counted_costs_are_those_of_the_space_and_all_five_take_a_moment(chosen):
    architecture = chosen.canonical(chosen.sample(np.random.default_rng(1)))
    proxies = Proxies(chosen, names=tuple(PROXIES))
    proxies(chosen.sample(np.random.default_rng(2)))  # the first reads the images
    start = time.perf_counter()
    values = proxies(architecture)
    print(f"{chosen.name}: {time.perf_counter() - start:.3f} s, {values}")
    assert {k: values[k] for k in ("params", "madds")} == dict(chosen.cost(architecture))
    assert all(math.isfinite(v) for v in values.values())


def test_layers_that_draw_in_evaluation_are_repeatable(batch):
    class Noisy(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return relu(x + torch.randn(x.shape))

    torch.manual_seed(1)
    first = naswot(Noisy(), batch)
    torch.manual_seed(2)
    assert naswot(Noisy(), batch) == first


def test_costs_are_counted_for_one_image(batch):
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(128, 3))
    assert params(net, batch) == 20 + 387
    assert madds(net, batch) == 9 * 2 * 64 + 384


def test_values_depend_on_the_seed_and_not_on_the_trial_or_earlier_draws(space, architecture):
    first = Proxies(space, seed=1)(Trial(0, architecture, seed=5))
    torch.rand(7)
    assert Proxies(space, seed=1)(Trial(9, architecture, seed=6)) == first
    assert Proxies(space, seed=2)(architecture) != first


def test_the_seed_draws_the_images(space, architecture):
    class Fixed(type(space)):  # type: ignore[misc]
        def build(self, architecture: Architecture, **sizes: int) -> nn.Module:
            torch.manual_seed(0)
            return super().build(architecture, **sizes)

    one, other = (Proxies(Fixed(), seed=seed, names=("naswot", "synflow"))(architecture) for seed in (1, 2))
    assert one["synflow"] == other["synflow"]  # the same weights
    assert one["naswot"] != other["naswot"]


def test_threads_and_the_random_state_are_put_back(space, architecture):
    threads, random = torch.get_num_threads(), torch.get_rng_state()
    Proxies(space, threads=2)(architecture)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), random)


def test_each_architecture_is_built_once_and_isomorphs_share_it(space):
    built = []

    class Mirror(type(space)):  # type: ignore[misc]
        def canonical(self, architecture: Architecture) -> Architecture:
            return Architecture(architecture.space, (0, architecture.genes[1]))

        def build(self, architecture: Architecture, **sizes: int) -> nn.Module:
            built.append(architecture)
            return super().build(architecture, **sizes)

    proxies = Proxies(Mirror())
    rows = proxies.encode([Architecture("tiny-test", (g, 1)) for g in (0, 1, 2, 0)])
    assert built == [Architecture("tiny-test", (0, 1))]
    assert np.ptp(rows, axis=0).max() == 0


def test_features_are_logarithms_in_the_order_of_the_names(space, architecture):
    proxies = Proxies(space, names=["params", "naswot", "grad_norm"])  # type: ignore[arg-type]
    values = proxies(architecture)
    wanted = [math.log(values["params"]), values["naswot"], math.log(values["grad_norm"])]
    features = proxies.encode([architecture])
    assert features.dtype == np.float64
    assert features[0].tolist() == pytest.approx(wanted)
    assert proxies.encode([]).shape == (0, 3)


def test_they_join_other_encodings_of_a_surrogate(space):
    encodings = {**encodings_of(space), "proxies": Proxies(space, names=("naswot",)).encode}
    both = [Architecture("tiny-test", genes) for genes in ((0, 0), (2, 1))]
    assert encode(encodings, "genes+proxies", both).shape == (2, 3)


def test_a_training_reports_them_beside_its_own_values(space, architecture):
    evaluator, trial = TrainingEvaluator(space, recipe=QUICK), Trial(0, architecture, seed=4)
    values = WithProxies(evaluator, ("naswot", "params"), seed=1, pictures=8)(trial)
    wanted = Proxies(space, names=("naswot", "params"), seed=1, pictures=8, recipe=QUICK)(architecture)
    assert {name: values[name] for name in wanted} == wanted
    assert values["error"] == evaluator(trial)["error"]


def test_weights_are_kept_where_the_evaluator_keeps_them(space, architecture, tmp_path):
    trial = Trial(0, architecture, seed=4)
    measured = WithProxies(TrainingEvaluator(space, recipe=QUICK), ("synflow",)).keeping(str(tmp_path), None)
    measured(trial)
    assert isinstance(measured, HasWeights)
    assert measured.weights_file(trial).is_file()
    assert measured.proxies.names == ("synflow",)


def test_they_travel_to_a_worker():
    digits = NASBench101.digits()
    proxies, small = Proxies(digits), digits.parse("1-")
    assert cloudpickle.loads(cloudpickle.dumps(proxies))(small) == proxies(small)


def test_images_follow_the_recipe(space, architecture):
    sizes = [Proxies(space, recipe=Recipe(resolution=r), names=("madds",))(architecture) for r in (8, 16)]
    assert sizes[1]["madds"] > 3 * sizes[0]["madds"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"names": ("naswott",)}, r"naswott.*did you mean"),
        ({"names": ()}, "at least one name"),
        ({"names": ("naswot", "naswot")}, "each once"),
        ({"pictures": 1}, "at least 2 images"),
        ({"threads": 0}, "1 thread"),
        ({"space": SearchSpace()}, "cannot build networks"),
    ],
    ids=["unknown name", "no name", "a name twice", "one image", "no thread", "space without networks"],
)
def test_what_cannot_be_computed_is_refused_at_once(space, changes, said):
    with pytest.raises(ConfigError, match=said):
        Proxies(**{"space": space, **changes})
