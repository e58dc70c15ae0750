"""The named networks have the parameters and MAdds of timm's and torchvision's, to the unit."""

from __future__ import annotations

from functools import partial
from types import ModuleType

import pytest
from test_reference_networks import cost_of, counts

IN_TIMM = {
    "mobilenet_v1": "mobilenetv1_100",
    "mobilenet_v2_050": "mobilenetv2_050",
    "mobilenet_v2": "mobilenetv2_100",
    "mobilenet_v3_small": "mobilenetv3_small_100",
    "mobilenet_v3_large": "mobilenetv3_large_100",
    "mnasnet_a1": "semnasnet_100",
    "fbnet_c": "fbnetc_100",
    "efficientnet_b0": "efficientnet_b0",
    "mixnet_m": "mixnet_m",
    "resnet18": "resnet18",
    "vgg16": "vgg16",
}
IN_TORCHVISION = {"shufflenet_v2": "shufflenet_v2_x1_0", "shufflenet_v2_200": "shufflenet_v2_x2_0"}


@pytest.mark.parametrize("name", IN_TIMM)
def test_a_network_counts_what_that_of_timm_counts(name: str, timm: ModuleType) -> None:
    assert counts(partial(timm.create_model, IN_TIMM[name])) == cost_of(name)


@pytest.mark.parametrize("name", IN_TORCHVISION)
def test_a_shufflenet_counts_what_that_of_torchvision_counts(name: str, torchvision: ModuleType) -> None:
    assert counts(getattr(torchvision.models, IN_TORCHVISION[name])) == cost_of(name)
