from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from nas.core.errors import ConfigError, DataError
from nas.testing import check_space
from nas.training.from_config import segmentation_space
from nas.training.tasks.segmentation.network import SegmentationNetwork
from nas.training.tasks.segmentation.settings import HeadSettings
from nas.training.tasks.starting import starting_from
from search_spaces.networks import create_features, create_network

COUNTS = Path(__file__).resolve().parents[3] / "experiments" / "segmentation" / "counts_by_convention.csv"


def network(head: HeadSettings, name: str = "muxnet_xs", classes: int = 5) -> SegmentationNetwork:
    torch.manual_seed(0)
    return SegmentationNetwork(create_features(name), head, num_classes=classes)


@pytest.mark.parametrize(("name", "stride"), [("c1", 8), ("ppm", 32)])
def test_an_image_of_any_size_gets_logits_of_the_same_size(name: str, stride: int) -> None:
    whole = network(HeadSettings(name, stride, width=8)).eval()
    with torch.no_grad():
        assert whole(torch.zeros(1, 3, 45, 70)).shape == (1, 5, 45, 70)


def test_the_auxiliary_head_answers_in_training_alone() -> None:
    whole = network(HeadSettings("c1", 16, auxiliary=True))
    main, auxiliary = whole.train()(torch.zeros(2, 3, 32, 32))
    assert main.shape == auxiliary.shape == (2, 5, 32, 32)
    assert isinstance(whole.eval()(torch.zeros(2, 3, 32, 32)), torch.Tensor)


@pytest.mark.parametrize(
    ("backbone", "head"),
    [
        ("muxnet-imagenet", {"name": "c1", "output_stride": 8}),
        ("muxnet-cifar", {"name": "ppm", "output_stride": 16, "width": 32}),
    ],
    ids=["imagenet-c1", "cifar-ppm"],
)
def test_the_costs_of_a_space_are_those_of_the_built_network(backbone: str, head: dict[str, object]) -> None:
    space = segmentation_space(backbone=backbone, head=head, picture=[40, 50], num_classes=7)
    architecture = space.sample(np.random.default_rng(3))
    built = space.build(architecture).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        built(torch.zeros(1, 3, 40, 50))
    assert space.cost(architecture) == {
        "params": sum(p.numel() for p in built.parameters()),
        "madds": counter.get_total_flops() / 2,
    }


def test_a_space_of_segmentations_is_a_search_space() -> None:
    space = segmentation_space(backbone="muxnet-cifar", picture=[24, 32], num_classes=11)
    check_space(space, range(10))


def test_architectures_that_differ_in_their_classifiers_alone_are_one() -> None:
    space = segmentation_space(backbone="muxnet-cifar", picture=[24, 32], num_classes=11)
    text = space.format(space.sample(np.random.default_rng(0)))
    body = text.rpartition("/head")[0]
    assert space.parse(f"{body}/head512") == space.parse(f"{body}/head1280")


def test_a_space_without_bodies_is_not_a_backbone() -> None:
    with pytest.raises(ConfigError, match="expected a space with build_features"):
        segmentation_space(backbone="nasbench101", picture=[24, 32], num_classes=11)


def test_a_classifiers_weights_begin_a_segmentation() -> None:
    classifier, told = create_network("muxnet_xs"), []
    make = starting_from(lambda **_: network(HeadSettings()), classifier.state_dict(), "w.pt", told.append)
    begun = make(num_classes=5, in_channels=3)
    theirs = classifier.state_dict()
    assert all(torch.equal(t, theirs[name]) for name, t in begun.backbone.state_dict().items())
    assert told == ["the heads start from random weights: w.pt has none for these classes"]


def test_a_segmentations_own_weights_begin_it_whole() -> None:
    trained, told = network(HeadSettings()), []
    with torch.no_grad():
        trained.head[1].bias.fill_(3.0)
    make = starting_from(lambda **_: network(HeadSettings()), trained.state_dict(), "w.pt", told.append)
    assert torch.equal(make(num_classes=5, in_channels=3).head[1].bias, trained.head[1].bias)
    assert told == []


def test_weights_of_another_backbone_are_refused_by_the_first_tensor() -> None:
    state = create_network("resnet18").state_dict()
    make = starting_from(lambda **_: network(HeadSettings()), state, "w.pt", print)
    with pytest.raises(DataError, match=r"w\.pt: tensor conv_stem\.weight"):
        make(num_classes=5, in_channels=3)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"name": "c2"}, "did you mean 'c1'"),
        ({"output_stride": 4}, "expected 8, 16 or 32, got 4"),
        ({"width": 0}, "head: width: expected a number above 0"),
    ],
    ids=["name", "stride", "width"],
)
def test_a_head_that_cannot_be_made_is_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        HeadSettings(**settings)  # type: ignore[arg-type]


def test_the_published_counts_are_those_of_the_classifiers_without_a_head() -> None:
    with COUNTS.open(encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r["convention"].startswith("classifier")]
    assert len(rows) == 6
    for row in rows:
        assert round(int(row["params"]) / 1e6, 1) == float(row["params_published_m"])
        assert round(int(row["madds"]) / 1e9, 1) == float(row["madds_published_b"])
