from __future__ import annotations

import pytest
import torch
from torch import nn

from nas.core.errors import ConfigError
from nas.training.tasks.dilation import dilated
from search_spaces.networks import create_features


def maps(network: nn.Module, image: torch.Tensor) -> list[torch.Tensor]:
    with torch.no_grad():
        return network.eval()(image)


@pytest.mark.parametrize(
    ("name", "stride"), [("mobilenet_v2", 8), ("muxnet_m", 8), ("muxnet_s", 16), ("resnet18", 8)]
)
def test_every_backbone_gives_maps_no_coarser_than_the_output_stride(name: str, stride: int) -> None:
    network = dilated(create_features(name), stride)
    found = maps(network, torch.zeros(1, 3, 64, 128))
    assert [m.shape[-1] for m in found] == [128 // min(s, stride) for s in (4, 8, 16, 32)]
    assert [m.shape[1] for m in found] == list(network.widths)


@pytest.mark.parametrize(("name", "stride"), [("mobilenet_v2", 8), ("resnet18", 16)])
def test_a_dilated_backbone_equals_the_original_where_both_look(name: str, stride: int) -> None:
    torch.manual_seed(0)
    original = create_features(name)
    image = torch.randn(1, 3, 64, 64)
    coarse, fine = maps(original, image)[-1], maps(dilated(original, stride), image)[-1]
    every = 32 // stride
    assert torch.allclose(fine[..., ::every, ::every], coarse, atol=1e-4)


@pytest.mark.parametrize("name", ["muxnet_xs", "mobilenet_v2", "resnet18"])
def test_the_rates_are_those_that_the_networks_own_dilation_has(name: str) -> None:
    ours, theirs = dilated(create_features(name), 8), create_features(name, output_stride=8)
    pairs = zip(ours.modules(), theirs.modules(), strict=True)
    for one, other in pairs:
        if isinstance(one, nn.Conv2d) and max(one.kernel_size) > 1:
            assert (one.stride, one.dilation, one.padding) == (other.stride, other.dilation, other.padding)


def test_the_backbone_and_its_weights_are_unchanged() -> None:
    original = create_features("resnet18")
    network = dilated(original, 8)
    assert all(m.dilation == (1, 1) for m in original.modules() if isinstance(m, nn.Conv2d))
    network.load_state_dict(original.state_dict())


def test_a_backbone_that_comes_dilated_keeps_its_rates() -> None:
    network = dilated(create_features("resnet18", output_stride=8), 8)
    rates = {m.dilation for m in network.modules() if isinstance(m, nn.Conv2d)}
    assert rates == {(1, 1), (2, 2), (4, 4)}


def test_what_cannot_be_dilated_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected 8, 16 or 32, got 4"):
        dilated(create_features("resnet18"), 4)
    with pytest.raises(ConfigError, match="expected a module with `strides`"):
        dilated(nn.Conv2d(3, 8, 3), 8)
    with pytest.raises(ConfigError, match="a layer other than a convolution shrinks"):
        dilated(create_features("vgg16"), 8)
