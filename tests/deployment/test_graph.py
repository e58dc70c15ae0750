"""Facts of a graph, against values that are counted by hand, and against the network itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("onnxruntime")

from nas.core.errors import ConfigError
from nas.deployment.graph import facts_of
from nas.deployment.onnx_file import NotExportable, deployed_model, session
from nas.deployment.target import Int8, Target
from nas.deployment.untrained import architecture_facts, network_facts
from nas.spaces.making import make_space


def facts(*layers: nn.Module, shape: tuple[int, int, int] = (3, 8, 8)):
    return facts_of(deployed_model(nn.Sequential(*layers), shape))


def test_a_chain_needs_its_largest_pair_of_input_and_output() -> None:
    found = facts(nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 4, 3, padding=1, stride=2))
    # 192 + 1024 values in the first convolution, 1024 + 64 in the second
    assert found.activations == 192 + 1024
    assert found.peak_memory() == 4 * 1216
    assert found.peak_memory("int8") == 1216


def test_an_elementwise_operator_writes_over_its_input_unless_it_is_the_callers() -> None:
    assert facts(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU()).activations == 192 + 1024
    assert facts(nn.ReLU()).activations == 2 * 192


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        return x + self.conv(x)


def test_a_skip_keeps_its_tensor_until_it_is_read() -> None:
    found = facts_of(deployed_model(Residual(), (3, 8, 8)))
    assert found.activations == 512 + 512  # the sum is written over one of both


def test_reshaped_tensors_share_memory() -> None:
    assert facts(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(256, 10)).activations == 192 + 256


def test_batch_norm_is_within_the_convolution_and_weights_are_counted() -> None:
    found = facts(nn.Conv2d(3, 16, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    assert found.operators == {"Conv": 1, "Relu": 1}
    assert (found.weights, found.channels, found.other_weights) == (432, 16, 16)
    assert found.model_size() == 4 * 448
    assert found.model_size("int8") == 432 + 4 * (16 + 16)


def test_layers_in_floating_point_take_four_bytes() -> None:
    layers = nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(256, 10), nn.Linear(10, 10)
    network = nn.Sequential(*layers)
    model = deployed_model(network, (3, 8, 8))
    plain = network_facts(network, model, Target())
    network.float_layers = ["2"]
    mixed = network_facts(network, model, Target())
    both = network_facts(
        network, model, Target(int8=Int8(float_layers=("3", "none")))
    )  # a layer of other networks
    assert mixed.model_size() == both.model_size() == plain.model_size()
    assert (
        mixed.model_size("int8") - plain.model_size("int8") == 3 * 2560 - 4 * 10
    )  # of each weight; no scales
    assert both.model_size("int8") - mixed.model_size("int8") == 3 * 100 - 4 * 10
    assert plain.peak_memory("int8") == 192 + 256
    del network.float_layers
    network.float_layers = ["0", "2", "3"]
    every = network_facts(network, model, Target())
    assert every.peak_memory("int8") == every.peak_memory() == 4 * (192 + 256)
    assert every.model_size("int8") == every.model_size()


def test_values_between_operators_that_are_not_quantised_take_four_bytes() -> None:
    class Middle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 16, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.exp(torch.sqrt(self.conv(x) ** 2 + 1))

    found = facts(Middle())
    assert found.activations == 192 + 1024
    assert found.peak_memory("int8") == 1024 + 4 * 1024  # the power reads bytes and writes floats


def test_the_file_gives_the_outputs_of_the_network() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.SiLU(), nn.Flatten(), nn.Linear(288, 5))
    network.train()
    for _ in range(3):
        network(torch.randn(4, 3, 8, 8))
    x = torch.randn(1, 3, 8, 8)
    (got,) = session(deployed_model(network, (3, 8, 8))).run(None, {"images": x.numpy()})
    assert network.training, "the network itself is unchanged"
    np.testing.assert_allclose(got, network.eval()(x).detach().numpy(), rtol=1e-4, atol=1e-5)


class Backwards(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.inv(x + torch.eye(4))  # which exists for equal pixels too


@pytest.mark.slow
def test_an_operator_without_an_onnx_form_is_named() -> None:
    with pytest.raises(NotExportable, match="torch cannot write this network for opset 17"):
        deployed_model(Backwards(), (1, 4, 4))


@pytest.mark.parametrize("name", ["muxnet-tiny", "nasbench101", "nasbench201"])
def test_every_space_that_builds_has_facts(name: str) -> None:
    space = make_space(name, {})
    rng = np.random.default_rng(1)
    architecture = space.canonical(space.sample(rng))
    small = Target(input_size=None if name == "muxnet-tiny" else 8)
    found = architecture_facts(space, architecture, small)
    params = space.cost(architecture)["params"]
    counted = found.weights + found.other_weights
    assert counted <= 1.1 * params
    if name != "nasbench201":  # whose cells compute tensors that nothing reads
        assert counted >= 0.9 * params  # folded batch norm has fewer
    assert found.file_size > 4 * found.weights
    assert architecture_facts(space, architecture, small) is found


def test_another_image_size_than_the_targets_is_refused() -> None:
    from nas.core.task_spec import TaskSpec
    from nas.deployment.untrained import GraphValue, peak_memory

    value = GraphValue(peak_memory, make_space("muxnet-tiny", {}), Target(input_size=96))
    with pytest.raises(ConfigError, match="input_size is 96, but the images have 8 x 8 pixels"):
        value.for_task(TaskSpec(1, 10, (8, 8)))
