"""Networks that cannot be cut are refused before anything runs, with the module and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from nas.core.errors import ConfigError
from nas.pruning.checks import check_network, frozen
from nas.spaces import from_module


def plain() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 6, 3), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(6, 10),
    )  # fmt: skip


class Scaled(nn.Module):
    """Multiplies by what a test gives, and never runs where the check refuses it."""

    def __init__(self, scale: Any) -> None:
        super().__init__()
        self.scale = scale
        self.inner = plain()

    def forward(self, x: Tensor) -> Tensor:
        raise AssertionError("the network runs before its check")


@pytest.mark.parametrize("kind", ["float64", "float16", "bfloat16"])
def test_other_types_than_float32_are_refused(kind: str) -> None:
    with pytest.raises(ConfigError, match=rf"parameter '0.weight' is of type {kind}.*by \.float\(\)"):
        from_module(plain().to(getattr(torch, kind)), (1, 8, 8))
    check_network(plain().to(getattr(torch, kind)).float())


@pytest.mark.parametrize(
    "scale", [torch.ones(6, 1, 1), [torch.ones(6)], {"a": torch.ones(6)}, torch.ones(6, requires_grad=True)]
)
def test_tensors_that_are_no_buffers_are_named_with_their_module(scale: Any) -> None:
    with pytest.raises(
        ConfigError,
        match=r"the network \(Scaled\) keeps a tensor in its attribute 'scale'.*self\.register_buffer\('scale'",
    ):
        from_module(Scaled(scale), (1, 8, 8))
    outer = nn.Sequential(Scaled(scale))
    with pytest.raises(ConfigError, match=r"module '0' \(Scaled\) keeps a tensor"):
        from_module(outer, (1, 8, 8))


def test_numbers_and_references_to_parameters_are_no_such_tensors() -> None:
    check_network(Scaled(torch.tensor(2.0)))
    network = Scaled(None)
    network.scale = [network.inner[0].weight]
    check_network(network)
    check_network(nn.LSTM(4, 4))  # keeps a list of its parameters


@pytest.mark.filterwarnings("ignore::FutureWarning")  # old weight_norm
@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (torch.nn.utils.weight_norm, torch.nn.utils.remove_weight_norm),
        (torch.nn.utils.spectral_norm, torch.nn.utils.remove_spectral_norm),
        (
            lambda layer: prune.l1_unstructured(layer, "weight", 0.3),
            lambda layer: prune.remove(layer, "weight"),
        ),
    ],
    ids=["weight_norm", "spectral_norm", "prune"],
)
def test_weights_that_a_hook_computes_are_refused_with_the_call_that_keeps_them(
    begin: Callable[[nn.Module], object], end: Callable[[nn.Module], object]
) -> None:
    network = plain()
    begin(network[2])
    with pytest.raises(
        ConfigError, match=r"module '2' \(Conv2d\).*remove\w*\(network\.get_submodule\('2'\), 'weight'\)"
    ):
        from_module(network, (1, 8, 8))
    x = torch.randn(1, 1, 8, 8)
    network.eval()
    wanted = network(x)
    end(network[2])
    space = from_module(network, (1, 8, 8))
    assert torch.allclose(space.build(space.whole).eval()(x), wanted, atol=1e-6)
    assert "net.2" in space.parameters


def test_a_network_without_values_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'0.weight' is on the meta device"):
        from_module(plain().to("meta"), (1, 8, 8))


def test_a_frozen_network_is_refused_and_a_frozen_part_stays_frozen() -> None:
    with pytest.raises(ConfigError, match=r"the whole network is frozen.*requires_grad_\(True\)"):
        from_module(plain().requires_grad_(False), (1, 8, 8))
    network = plain()
    network[0].requires_grad_(False)
    space = from_module(network, (1, 8, 8))
    assert space.about().endswith("Frozen: 0.")
    made = space.build(space.uniform(0.5))
    assert {name for name, p in made.named_parameters() if not p.requires_grad} == {"0.weight", "0.bias"}


def test_the_outermost_frozen_modules_are_named() -> None:
    network = nn.Sequential(plain(), plain())
    network[0].requires_grad_(False)
    network[1][2].requires_grad_(False)  # type: ignore[index]
    assert frozen(network) == ["0", "1.2"]
    assert frozen(plain()) == []
