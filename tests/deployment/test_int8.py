"""Quantisation to 8 bits with onnxruntime."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

pytest.importorskip("onnxruntime")

from nas.core.errors import ConfigError
from nas.deployment import onnx_file
from nas.deployment.int8 import (
    calibration_images,
    check_opset,
    float_nodes,
    float_wrong,
    module_path,
    quantised,
    wrong,
)
from nas.deployment.measure import Deployed
from nas.deployment.onnx_file import deployed_model, session
from nas.deployment.target import Int8, Target
from nas.training.data import Digits
from nas.training.feed import prepare
from nas.training.recipe import Recipe

CPU = torch.device("cpu")
SHAPE = (1, 8, 8)


@pytest.fixture(scope="module")
def trained():
    """A small network trained for two epochs of the digits, and its data."""
    data = prepare(Digits(), Recipe(), CPU, None)
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU()), nn.Conv2d(16, 16, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10)
    )  # fmt: skip
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for epoch in range(2):
        order = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(epoch))
        for images, labels in data.train.batches(list(torch.split(order, 64)), None):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(images), labels).backward()
            optimiser.step()
    return network.eval(), data


def test_a_quantised_network_is_smaller_and_answers_alike(trained) -> None:
    network, data = trained
    images = calibration_images(data.train, 64)
    deployed = Deployed.of(network, images, Target())
    assert len(deployed.int8) < 0.6 * len(deployed.model)
    weights = {t.name: t.data_type for t in onnx.load_from_string(deployed.int8).graph.initializer}
    assert onnx.TensorProto.INT8 in weights.values()
    everything = torch.arange(len(data.validation))
    error = 100 * float_wrong(network, data.validation, everything) / len(everything)
    assert error < 20, "the network has learned"
    assert abs(deployed.int8_error(data.validation) - error) < 2
    assert wrong(deployed.model, data.validation, everything) == float_wrong(
        network, data.validation, everything
    )


def test_with_fewer_images_the_float_network_counts_for_the_others(trained) -> None:
    network, data = trained
    images = calibration_images(data.train, 64)
    some = Deployed.of(network, images, Target(int8={"images": 100}))  # type: ignore[arg-type]
    every = Deployed.of(network, images, Target())
    assert abs(some.int8_error(data.validation) - every.int8_error(data.validation)) < 4


def test_layers_stay_in_floating_point(trained) -> None:
    network, data = trained
    images = calibration_images(data.train, 32)
    model = deployed_model(network, SHAPE)
    assert float_nodes(model, ["0"]) == ["/0/0.0/Conv", "/0/0.1/Relu"]
    whole, mixed = quantised(model, images), quantised(model, images, ["0", "4"])
    count = [sum(t.data_type == onnx.TensorProto.INT8 for t in onnx.load_from_string(m).graph.initializer) for m in (whole, mixed)]  # fmt: skip
    assert count[1] < count[0]
    network.float_layers = ["0", "1", "4"]  # as a space's build may set
    try:
        own = Deployed.of(network, images, Target())
        assert len(own.int8) > len(mixed)
    finally:
        del network.float_layers
    with pytest.raises(ConfigError, match=r"no layer 'stem'; it has: .*1"):
        quantised(model, images, ["stem"])


def test_a_layer_within_another_needs_no_floating_point() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)
    ).eval()
    images = np.random.default_rng(0).standard_normal((16, 1, 8, 8), dtype=np.float32)
    assert float_nodes(deployed_model(network, (1, 8, 8)), ["1"], ["0", "1"]) == []
    plain = Deployed.of(network, images, Target()).int8
    assert Deployed.of(network, images, Target(int8=Int8(float_layers=("1",)))).int8 == plain


def test_paths_of_a_network_that_the_newer_exporter_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Flatten(),
        nn.ReLU(),
        nn.Sequential(OrderedDict(linear1=nn.Linear(64, 16), act=nn.ReLU(), linear2=nn.Linear(16, 16))),
        nn.ReLU(),
        nn.Linear(16, 4),
    )
    written = onnx_file._written

    def newer(*arguments: Any, dynamo: bool) -> bytes:
        if not dynamo:
            raise RuntimeError("an operator is missing")
        return written(*arguments, dynamo=True)

    monkeypatch.setattr(onnx_file, "_written", newer)
    model = deployed_model(network, (1, 8, 8), 18)
    assert all(module_path(name).startswith("2.linear1") for name in float_nodes(model, ["2.linear1"]))
    assert len(float_nodes(model, ["2"])) > len(float_nodes(model, ["2.linear1"])) > 0
    assert float_nodes(model, ["4"])


def test_an_old_operator_set_is_refused_before_anything_is_trained() -> None:
    with pytest.raises(
        ConfigError, match="target old: opset 12: networks in 8 bits need operator set 13 or later"
    ):
        check_opset(Target("old", opset=12))
    check_opset(Target("new", opset=13))


def test_layer_norms_over_several_dimensions_stay_in_floating_point() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.LayerNorm([4, 6, 6]), nn.Flatten(), nn.Linear(144, 3))
    images = np.random.default_rng(0).standard_normal((16, 1, 8, 8), dtype=np.float32)
    model = deployed_model(network, (1, 8, 8))
    found = quantised(model, images)
    assert [module_path(name) for name in float_nodes(model, [])] == ["1"]
    (out,) = session(found).run(None, {"images": images[:1]})
    wanted = network.eval()(torch.from_numpy(images[:1])).detach().numpy()
    assert np.abs(out - wanted).max() < 0.2


def test_paths_of_modules_from_names_of_nodes() -> None:
    assert module_path("/features/features.0/conv/Conv") == "features.0.conv"
    assert module_path("/classifier/Gemm") == "classifier"
    assert module_path("/Flatten") == ""


def test_one_calibration_image_is_refused(trained) -> None:
    network, data = trained
    with pytest.raises(ConfigError, match="1 calibration image: expected at least 8"):
        quantised(deployed_model(network, SHAPE), calibration_images(data.train, 1))


def test_calibration_images_are_the_same_each_time_and_not_augmented(trained) -> None:
    _, data = trained
    first = calibration_images(data.train, 20)
    np.testing.assert_array_equal(first, calibration_images(data.train, 20))
    assert first.shape == (20, *SHAPE)


def test_the_quantised_file_runs_with_short_names(trained) -> None:
    network, data = trained
    model = quantised(deployed_model(network, SHAPE), calibration_images(data.train, 32))
    loaded = onnx.load_from_string(model)
    onnx.checker.check_model(loaded)
    assert max(len(node.name) for node in loaded.graph.node) == 0
    (scores,) = session(model).run(["outputs"], {"images": calibration_images(data.train, 8)[:1]})
    assert scores.shape == (1, 10)
