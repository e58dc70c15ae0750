"""Networks of timm by name."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
import torch

from nas.cli.named_networks import named_network
from nas.cli.networks import PlainNetwork
from nas.core.errors import ConfigError
from nas.core.task_spec import TaskSpec
from nas.training.tasks.segmentation.network import SegmentationNetwork
from nas.training.tasks.segmentation.settings import HeadSettings
from search_spaces.networks import create_network, network_named, timm_models


@pytest.mark.parametrize(("ours", "theirs"), [("resnet18", "resnet18"), ("mobilenet_v2", "mobilenetv2_100")])
def test_a_network_of_timm_costs_what_ours_of_the_same_design_does(
    ours: str, theirs: str, timm: ModuleType
) -> None:
    task = TaskSpec(3, 10, (64, 64))
    first, second = named_network(ours), named_network(f"timm/{theirs}")
    assert first.cost() == second.cost()
    assert first.for_task(task).cost() == second.for_task(task).cost()


def test_a_network_is_built_for_the_channels_and_classes_without_pretrained_weights(timm: ModuleType) -> None:
    torch.manual_seed(0)
    first = named_network("timm/mobilenetv3_small_050").builder(0.1, 0.0, 32)(num_classes=7, in_channels=1)
    torch.manual_seed(1)
    second = create_network("timm/mobilenetv3_small_050", 7, 1, resolution=32)
    assert first.eval()(torch.zeros(2, 1, 32, 32)).shape == (2, 7)
    weights = zip(first.parameters(), second.parameters(), strict=True)
    assert not all(torch.equal(one, other) for one, other in weights)


def test_a_transformer_is_built_for_the_size_of_the_images(timm: ModuleType) -> None:
    network = named_network("timm/vit_tiny_patch16_224")
    assert isinstance(network, PlainNetwork)
    assert network.fixed_size
    small = network.builder(0.0, 0.0, 64)(num_classes=3, in_channels=3).eval()
    assert small(torch.zeros(1, 3, 64, 64)).shape == (1, 3)
    network.check_size(TaskSpec(3, 3, (224, 224)))
    with pytest.raises(
        ConfigError, match=r"built for images of 224 pixels, and the data have 8; .*recipe\.resolution"
    ):
        network.check_size(TaskSpec(3, 3, (8, 8)))


@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "regnetx_002"])
def test_a_convolutional_network_is_a_backbone_of_segmentation(name: str, timm: ModuleType) -> None:
    body = named_network(f"timm/{name}").features(3, 0.0)
    assert body.strides == (4, 8, 16, 32)
    network = SegmentationNetwork(body, HeadSettings(output_stride=8), num_classes=5).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 50, 70)).shape == (1, 5, 50, 70)


def test_weights_of_a_classifier_load_into_the_body(timm: ModuleType) -> None:
    classifier = create_network("timm/resnet18", 5)
    body = named_network("timm/resnet18").features(3, 0.0)
    found = body.load_state_dict(classifier.state_dict(), strict=False)
    assert not found.missing_keys
    assert set(found.unexpected_keys) == {"fc.weight", "fc.bias"}


def test_a_network_without_maps_at_strides_is_no_backbone(timm: ModuleType) -> None:
    with pytest.raises(ConfigError, match="timm/vit_tiny_patch16_224: cannot serve as a backbone"):
        named_network("timm/vit_tiny_patch16_224").features(3, 0.0)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("resnet1", r"has no model 'resnet1' \(did you mean"),
        ("resnet18.a1_in1k", "pretrained weights are not loaded: write timm/resnet18"),
        ("hf-hub:someone/model", "has no model 'hf-hub:someone/model'"),
        ("local-dir:folder", "has no model 'local-dir:folder'"),
        ("", "has no model ''"),
    ],
)
def test_names_that_timm_would_download_or_does_not_have_are_refused(
    name: str, said: str, timm: ModuleType
) -> None:
    with pytest.raises(ConfigError, match=said):
        network_named(f"timm/{name}")


def test_a_missing_timm_is_an_error_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ConfigError, match=r"timm/resnet18: needs .*pip install 'multiobjective-nas\[timm\]'"):
        named_network("timm/resnet18")


def test_a_timm_that_cannot_be_imported_is_an_error_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> ModuleType:
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(timm_models, "import_module", broken)
    with pytest.raises(
        ConfigError, match=r"cannot be imported \(RuntimeError: operator torchvision::nms does not exist\)"
    ):
        named_network("timm/resnet18")
