"""Costs by tracing are exact: those of the built-in spaces, of torch's counter, and of examples worked out by hand."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from counted_networks import counted
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.errors import ConfigError
from nas.core.task_spec import TaskSpec
from nas.spaces.tracing import trace
from search_spaces.muxnet import MUXNetSpace
from search_spaces.nasbench101 import NASBench101
from search_spaces.nasbench201 import NASBench201
from search_spaces.networks import LISTED_NETWORKS, create_network, network_named, rows_of

TASKS = (TaskSpec(3, 10, (32, 32)), TaskSpec(1, 7, (24, 24)), TaskSpec(4, 100, (17, 40)))
PUBLISHED = [name for name in LISTED_NETWORKS if not name.startswith("muxnet")]


class Net(nn.Module):
    """A forward function with the modules that it uses."""

    def __init__(self, forward: Callable[..., Any], **modules: nn.Module) -> None:
        super().__init__()
        self.f, self.names = forward, tuple(modules)
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x: Tensor) -> Any:
        return self.f(x, *(getattr(self, name) for name in self.names))


def without_memory(costs: dict[str, float]) -> dict[str, float]:
    return {name: costs[name] for name in ("params", "madds")}


def peak(forward: Callable[[Tensor], Any], *shape: int) -> float:
    """Peak bytes, in units of the input."""
    return trace(lambda: Net(forward), shape)["activations"] / (4 * int(np.prod(shape)))


def on_cpu(network: nn.Module, *shape: int) -> float:
    """Peak bytes of the same pass with real numbers: code that reads a value cannot run without."""

    def forward(x: Tensor, network: nn.Module) -> Any:
        assert x.reshape(-1)[0].item() == 0
        return network(x)

    return trace(lambda: Net(forward, network=network), shape)["activations"]


@pytest.mark.parametrize("task", TASKS, ids=str)
@pytest.mark.parametrize("space", [MUXNetSpace("tiny"), MUXNetSpace("cifar"), NASBench101(), NASBench201()])
def test_traced_costs_are_those_of_the_built_in_spaces(space: Any, task: TaskSpec) -> None:
    assert task.image_size is not None
    if isinstance(space, MUXNetSpace):
        task = TaskSpec(task.in_channels, task.num_classes, (32, 32))
    space = space.for_task(task)
    rng = np.random.default_rng(7)
    for _ in range(2):
        architecture = space.canonical(space.sample(rng))
        found = trace(
            lambda a=architecture: space.build(a, num_classes=task.num_classes, in_channels=task.in_channels),
            (task.in_channels, *(task.image_size or ())),
        )
        assert without_memory(found) == dict(space.cost(architecture))


@pytest.mark.parametrize("name", PUBLISHED)
def test_traced_costs_are_those_of_the_published_networks(name: str) -> None:
    rows = rows_of(network_named(name))
    expected = {"params": sum(row.params for row in rows), "madds": sum(row.madds for row in rows)}
    assert without_memory(trace(lambda: create_network(name), (3, 224, 224))) == expected


def test_there_are_thirteen_published_networks() -> None:
    assert len(PUBLISHED) == 13


class Patches(nn.Module):
    """A vision transformer in small, with torch's own layers."""

    def __init__(self) -> None:
        super().__init__()
        self.cut = nn.Conv2d(3, 32, 4, 4)
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, activation="gelu")
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.last = nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(self.cut(x).flatten(2).transpose(1, 2))
        return self.last(x.mean(1))  # type: ignore[no-any-return]


def attend(x: Tensor) -> Tensor:
    q = x.flatten(2).unsqueeze(1)
    return F.scaled_dot_product_attention(q, q, q)


COUNTED: dict[str, Callable[[], nn.Module]] = {
    "grouped": lambda: nn.Conv2d(3, 12, 3, groups=3),
    "dilated": lambda: nn.Conv2d(3, 5, 3, dilation=2, padding=1, stride=2),
    "transposed": lambda: nn.ConvTranspose2d(3, 6, 4, 2, groups=3, output_padding=1),
    "linear": lambda: nn.Sequential(nn.Linear(16, 7), nn.Hardswish(), nn.Linear(7, 3, bias=False)),
    "attention": lambda: Net(attend),
    "patches": Patches,
    "products": lambda: Net(lambda x: torch.einsum("bchw,bdhw->bcd", x, x) @ x.flatten(2)),
    "rows": lambda: Net(lambda x, m: m(x[:, 0])[0], m=nn.LSTM(16, 8, bidirectional=True)),
    "norms": lambda: nn.Sequential(nn.BatchNorm2d(3), nn.InstanceNorm2d(3), nn.LayerNorm(16), nn.ReLU6()),
}


@pytest.mark.parametrize("name", COUNTED)
def test_multiply_adds_are_half_of_the_flops_of_torch(name: str) -> None:
    expected, _ = counted(COUNTED[name], 3, 16)
    assert without_memory(trace(COUNTED[name], (3, 16, 16))) == expected


def test_multiply_adds_by_hand() -> None:
    conv = trace(lambda: nn.Conv2d(4, 6, 3, padding=1, groups=2), (4, 5, 7))
    assert without_memory(conv) == {"params": 6 * 2 * 9 + 6, "madds": 6 * 2 * 9 * 5 * 7}
    linear = trace(lambda: nn.Linear(8, 3), (8,))
    assert without_memory(linear) == {"params": 27, "madds": 24}
    attention = trace(lambda: Net(attend), (8, 5, 6))  # 8 tokens of width 30: scores, and their sums
    assert without_memory(attention) == {"params": 0, "madds": 2 * 8 * 8 * 30}


@pytest.mark.parametrize("name", sorted({*COUNTED} - {"rows"}))  # the CPU's LSTM frees its parts later
def test_the_shapes_of_the_meta_device_give_the_memory_of_a_real_pass(name: str) -> None:
    torch.manual_seed(0)
    assert trace(COUNTED[name], (3, 16, 16))["activations"] == on_cpu(COUNTED[name](), 3, 16, 16)


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "shufflenet_v2", "resnet18", "muxnet_s"])
def test_the_memory_of_whole_networks_is_that_of_a_real_pass(name: str) -> None:
    traced = trace(lambda: create_network(name, resolution=64), (3, 64, 64))
    assert traced["activations"] == on_cpu(create_network(name, resolution=64), 3, 64, 64)


def double(x: Tensor) -> Tensor:
    return torch.cat([x, x], 1)


def test_a_sequence_frees_used_tensors_except_its_input() -> None:
    """Input 1 stays; sizes 2, then 4 while 2 exists, then 8 while 4 exists."""
    assert peak(lambda x: double(double(double(x))), 2, 4, 4) == 1 + 4 + 8
    sequence = trace(lambda: nn.Sequential(nn.Linear(4, 40), nn.Linear(40, 20), nn.Linear(20, 2)), (4,))
    assert sequence["activations"] == 4 * (4 + 40 + 20)


def test_a_residual_connection_keeps_its_start() -> None:
    def forward(x: Tensor) -> Tensor:
        start = x * 2
        y = double(start)[:, :2].exp()  # 1 + 1 + 2 + 1: the slice is a view of the concatenation
        return start + y

    assert peak(forward, 2, 4, 4) == 5


def test_operations_in_place_and_views_take_no_memory() -> None:
    assert peak(lambda x: F.relu6(F.hardswish(x.mul(2), True), True).add_(1).view(-1), 2, 4, 4) == 2
    assert peak(lambda x: F.relu6(F.hardswish(x.mul(2))).add(1).view(-1), 2, 4, 4) == 3
    assert peak(lambda x: x.transpose(1, 2)[:, :1].unsqueeze(0).detach(), 2, 4, 4) == 1


def test_a_concatenation_holds_its_parts_and_the_whole() -> None:
    assert peak(lambda x: torch.cat([x.exp(), x.sin(), x.cos()], 1), 2, 4, 4) == 1 + 3 + 3


def test_a_small_view_keeps_the_whole_tensor() -> None:
    assert peak(lambda x: (lambda corner: double(corner))(double(x)[:, :1, :1, :1]), 2, 4, 4) == 3 + 2 / 32


def test_memory_counts_bytes_of_each_type() -> None:
    assert trace(lambda: Net(lambda x: x.double()), (8,))["activations"] == 8 * (4 + 8)
    tokens = trace(lambda: nn.Embedding(50, 6), (9,), dtype=torch.long)
    assert tokens == {"params": 300, "madds": 0, "activations": 8 * 9 + 4 * 9 * 6}


def test_parameters_and_buffers_and_their_views_are_not_activations() -> None:
    weight = trace(lambda: Net(lambda x, m: m.weight.t()[0].detach(), m=nn.Linear(3, 5)), (2,))
    assert weight["activations"] == 8
    norm = trace(lambda: Net(lambda x, m: m.running_mean.view(3, 1), m=nn.BatchNorm1d(3)), (2,))
    assert norm["activations"] == 8


def test_shared_parameters_count_once_and_their_work_twice() -> None:
    def make() -> nn.Module:
        first, second = nn.Linear(6, 6), nn.Linear(6, 6)
        second.weight = first.weight
        return nn.Sequential(first, second)

    assert without_memory(trace(make, (6,))) == {"params": 36 + 12, "madds": 72}


def test_what_serves_in_training_alone_does_not_count() -> None:
    class Headed(nn.Module):
        training_only = ("spare",)

        def __init__(self) -> None:
            super().__init__()
            self.first, self.spare = nn.Linear(3, 4), nn.Linear(4, 50)

        def forward(self, x: Tensor) -> Any:
            y = self.first(x)
            return (y, self.spare(y)) if self.training else y

    assert trace(Headed, (3,)) == {"params": 16, "madds": 12, "activations": 4 * (3 + 4)}


def test_lazy_modules_get_their_shapes_and_are_not_activations() -> None:
    lazy = trace(lambda: nn.Sequential(nn.LazyLinear(40), nn.LazyBatchNorm1d(), nn.LazyLinear(2)), (6,))
    plain = trace(lambda: nn.Sequential(nn.Linear(6, 40), nn.BatchNorm1d(40), nn.Linear(40, 2)), (6,))
    assert lazy == plain
    with pytest.raises(ConfigError, match="a lazy module of the network gets no input"):
        trace(lambda: Net(lambda x, m: x, m=nn.LazyLinear(3)), (6,))


@pytest.mark.parametrize("output", [lambda x: [x], lambda x: {"a": (x, None)}, lambda x: None])
def test_any_output_will_do(output: Callable[[Tensor], Any]) -> None:
    assert trace(lambda: Net(output), (6,))["activations"] == 24


def reads_rates() -> nn.Module:
    rates = [r.item() for r in torch.linspace(0, 0.2, 3)]
    return nn.Sequential(nn.Linear(6, 4), *(nn.Dropout(r) for r in rates))


def reads_weights() -> nn.Module:
    network = nn.Linear(6, 4)
    assert network.weight.detach().numpy().std() > 0
    return network


def reads_inputs() -> nn.Module:
    return Net(lambda x, m: m(x) if x.sum().item() == 0 and x.numpy().size else x, m=nn.Linear(6, 4))


@pytest.mark.parametrize("make", [reads_rates, reads_weights, reads_inputs])
def test_code_that_reads_values_is_counted_too(make: Callable[[], nn.Module]) -> None:
    assert without_memory(trace(make, (6,))) == {"params": 28, "madds": 24}


def test_attention_and_recurrence_count_on_the_cpu_as_without_values() -> None:
    for name in ("attention", "patches", "rows"):

        def reading(name: str = name) -> nn.Module:
            return Net(lambda x, m: (x.reshape(-1)[0].item(), m(x))[1], m=COUNTED[name]())

        assert trace(reading, (3, 16, 16))["madds"] == trace(COUNTED[name], (3, 16, 16))["madds"], name
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_forward_pass_in_inference_mode_is_counted() -> None:
    network = Net(torch.inference_mode()(lambda x, m: m(x)), m=nn.Linear(6, 4))
    assert trace(lambda: network, (6,)) == trace(lambda: nn.Linear(6, 4), (6,))
    with torch.inference_mode():
        assert trace(lambda: nn.Linear(6, 4), (6,))["madds"] == 24


def test_a_network_that_exists_keeps_its_weights_and_its_mode() -> None:
    network = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 2).eval())
    network[2].weight.data[:2, :2] = 1
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert trace(lambda: network, (6,))["madds"] == 32
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert [module.training for module in network] == [True, True, False]


def state() -> list[Any]:
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    device = torch.zeros(1).device
    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    return [python, numpy[1].tolist(), torch.get_rng_state().tolist(), device, dtype, grad]  # type: ignore[union-attr, index, call-overload]


@pytest.mark.parametrize("fails", [False, True])
def test_the_state_of_the_caller_does_not_change(fails: bool) -> None:
    def forward(x: Tensor, m: nn.Module) -> Tensor:
        random.random()
        np.random.rand()  # noqa: NPY002
        torch.rand(2)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(True)
        if fails:
            raise ValueError
        return m(x)  # type: ignore[no-any-return]

    before = state()
    try:
        trace(lambda: Net(forward, m=nn.Linear(6, 4)), (6,))
    except ConfigError:
        assert fails
    assert state() == before


def test_errors_name_the_stage_and_the_reason() -> None:
    with pytest.raises(ConfigError, match=r"fails for one input of shape \(1, 5\).*shapes cannot be multi.*"):
        trace(lambda: nn.Linear(6, 4), (5,))
    with pytest.raises(ConfigError, match=r"cannot be built: ZeroDivisionError: .*test_tracing.py, line \d+"):
        trace(lambda: nn.Linear(6 // 0, 4), (5,))
    with pytest.raises(ConfigError, match=r"must return a torch.nn.Module, got int"):
        trace(lambda: 3, (5,))  # type: ignore[arg-type, return-value]


WRONG: dict[str, Callable[[], nn.Module]] = {
    "channels": lambda: nn.Conv2d(4, 8, 3),
    "kernel": lambda: nn.Conv2d(3, 8, 9),
    "batch norm": lambda: nn.BatchNorm2d(4),
    "layer norm": lambda: nn.LayerNorm(9),
    "rows": lambda: nn.Linear(9, 2),
    "sum": lambda: Net(lambda x: x + torch.zeros(1, 3, 8, 7)),
    "mean": lambda: Net(lambda x: x.mean((4,))),
}


@pytest.mark.parametrize("name", WRONG)
def test_shapes_that_do_not_fit_are_errors(name: str) -> None:
    with pytest.raises(ConfigError, match=r"fails for one input of shape \(1, 3, 8, 8\)"):
        trace(WRONG[name], (3, 8, 8))


def test_a_network_of_a_hundred_thousand_million_parameters_takes_no_memory() -> None:
    """400 GB of weights, more than a machine that runs tests has."""
    side = 10**5
    costs = trace(lambda: nn.Sequential(*(nn.Linear(side, side, bias=False) for _ in range(10))), (side,))
    assert costs == {"params": 10**11, "madds": 10**11, "activations": 3 * 4 * side}
