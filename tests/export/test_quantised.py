"""The 8-bit file of an export, and its values beside those of the float file."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nas.core.errors import ConfigError, DataError, EvaluationError
from nas.deployment.device import Device
from nas.deployment.target import Int8, Target
from nas.export.int8_card import remarks, section, summary
from nas.export.making import KEPT, Made
from nas.export.onnx_file import onnx_model
from nas.export.pixels import Reading, spec_and_examples
from nas.export.quantised import (
    FileValues,
    Int8Export,
    check_int8,
    classifies,
    int8_file,
    measured,
    prepared_images,
)
from nas.training import Recipe
from nas.training.data import Digits
from nas.training.task import Classification
from nas.training.tasks.segmentation.task import segmentation

for package in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(package, reason=f"{package} is not installed; it comes with the extra 'onnx'")

LOCAL = Target()


def images_of(recipe: Recipe) -> Any:
    prepared = prepared_images(Classification(), Digits(), recipe)
    assert prepared is not None
    return prepared


@pytest.fixture(scope="module")
def prepared() -> Any:
    return images_of(Recipe())


class Linear(nn.Module):
    """A linear classifier; its first layer copies the pixels, and one of `outlier`."""

    def __init__(self, weights: torch.Tensor, outlier: float) -> None:
        super().__init__()
        self.copy = nn.Linear(64, 65)
        self.head = nn.Linear(65, 10)
        with torch.no_grad():
            self.copy.weight.copy_(torch.eye(65, 64))
            self.copy.bias.zero_()[-1] = outlier
            self.head.weight.zero_()[:, :64] = weights[:, :-1]
            self.head.bias.copy_(weights[:, -1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.copy(x.flatten(1)))


def linear(prepared: Any, outlier: float = 0.0) -> Made:
    """A linear classifier of digits by least squares."""
    ((x, y),) = prepared.train.batches([torch.arange(len(prepared.train))], None)
    inputs = torch.cat([x.flatten(1), torch.ones(len(x), 1)], 1)
    wanted = nn.functional.one_hot(y, 10).float()
    eye = torch.eye(65) * 10.0
    weights = torch.linalg.solve(inputs.T @ inputs + eye, inputs.T @ wanted).T
    return made(Linear(weights, outlier).eval(), prepared)


def made(network: nn.Module, prepared: Any) -> Made:
    spec, real = spec_and_examples(prepared)
    reading = Reading((8, 8), largest=16)
    return Made(
        network, spec, real, KEPT, "A test.", None, None, {}, None, None, reading=reading, prepared=prepared
    )


def both(given: Made, target: Target = LOCAL) -> Int8Export:
    float32 = onnx_model(given.network, given.images, target.opset)
    return measured(given, float32, int8_file(given, target), target)


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Latencies are not measured: these tests are about other values."""

    def measure(*_: Any) -> None:
        raise EvaluationError("device d: is off")

    monkeypatch.setattr(Device, "measure", measure)


def test_both_files_are_evaluated_on_every_image(prepared: Any, unmeasured: None) -> None:
    given = linear(prepared)
    found = both(given)
    for split, feed in (("validation", prepared.validation), ("test", prepared.test)):
        ((x, y),) = feed.batches([torch.arange(len(feed))], None)
        with torch.no_grad():
            assert found.float32.wrong[split] == int((given.network(x).argmax(1) != y).sum())
        assert found.images[split] == len(feed)
        assert abs(found.error(found.int8, split) - found.error(found.float32, split)) < 2.0
    assert not found.collapsed
    assert (found.float32.memory, found.int8.memory) == (4 * found.int8.memory, found.int8.memory)
    assert found.int8.weights < found.float32.weights / 2


def test_the_8_bit_file_takes_decoded_images_and_computes_in_8_bits(prepared: Any) -> None:
    import onnx
    import onnxruntime

    file = int8_file(linear(prepared), LOCAL)
    session = onnxruntime.InferenceSession(file.model, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    assert (given.name, given.type, given.shape) == ("images", "tensor(uint8)", [1, 8, 8, 1])
    loaded = onnx.load_from_string(file.model)
    weights = [w for w in loaded.graph.initializer if np.prod(w.dims) == 65 * 10]
    assert [w.data_type for w in weights] == [onnx.TensorProto.INT8]
    assert (file.calibration, file.float_layers) == (128, ())


@pytest.mark.parametrize("by_network", [True, False])
def test_layers_named_by_the_network_or_the_target_stay_float(prepared: Any, by_network: bool) -> None:
    import onnx

    given, target = linear(prepared), LOCAL
    if by_network:
        given.network.float_layers = ["head"]
    else:
        target = Target(int8=Int8(float_layers=("head",)))
    file = int8_file(given, target)
    graph = onnx.load_from_string(file.model).graph
    (head,) = [w for w in graph.initializer if np.prod(w.dims) == 65 * 10]
    assert head.data_type == onnx.TensorProto.FLOAT
    assert file.float_layers == ("head",)


def test_a_collapse_of_accuracy_is_said_with_its_remedy(prepared: Any, unmeasured: None) -> None:
    found = both(linear(prepared, outlier=1e5))
    assert found.error(found.int8, "test") > found.error(found.float32, "test") + 30
    assert found.collapsed
    said = "\n".join(remarks(found))
    assert "ACCURACY COLLAPSE: quantisation adds" in said
    assert "float_layers" in said
    assert "calibrate with more images than 128" in said
    assert "ACCURACY COLLAPSE" in section(found)
    kept = both(linear(prepared, outlier=1e5), Target(int8=Int8(float_layers=("copy", "head"))))
    assert not kept.collapsed


@pytest.mark.parametrize(
    ("float_wrong", "int8_wrong", "images", "collapsed"),
    [
        ((50, 50), (50, 50), 1000, False),
        ((50, 50), (140, 140), 1000, False),  # 9 points
        ((50, 50), (160, 160), 1000, True),
        ((1, 1), (4, 3), 20, False),  # 12 points, by chance
    ],
)
def test_a_collapse_is_more_than_ten_points_and_than_chance(
    float_wrong: tuple[int, int], int8_wrong: tuple[int, int], images: int, collapsed: bool
) -> None:
    values = [
        FileValues(dict(zip(("validation", "test"), wrong, strict=True)), 1, 1, 1, "", ())
        for wrong in (float_wrong, int8_wrong)
    ]
    sizes = {"validation": images, "test": images}
    assert Int8Export(LOCAL, "", sizes, 8, (), *values).collapsed is collapsed


def test_limits_of_the_target_that_do_not_hold_are_named(prepared: Any, unmeasured: None) -> None:
    small = Target(name="tiny", ram=500, flash=2000, operators=("Gemm", "Cast", "Sub", "Transpose"))
    found = both(linear(prepared), small)
    assert any("flash has 1.953 KiB" in fault for fault in found.int8.faults)
    assert any("RAM has 500 B" in fault for fault in found.float32.faults)
    said = "\n".join(remarks(found))
    assert "Target tiny: network.int8.onnx does not fit: weights need" in said
    assert "The preprocessing in the files uses Div, which the target does not list." in said
    assert (
        "network.int8.onnx has DequantizeLinear and QuantizeLinear around its operators, which the target does not list"
        in said
    )
    roomy = dataclasses.replace(small, ram=None, flash=None, operators=None)
    kept = remarks(both(linear(prepared), roomy))
    assert "Target tiny: network.int8.onnx fits." in kept
    assert not any("QuantizeLinear" in line for line in kept)


def test_a_latency_that_could_not_be_measured_is_said(prepared: Any, unmeasured: None) -> None:
    found = both(linear(prepared))
    assert found.unmeasured
    assert "latency not measured (float not measured)" in summary(found)
    assert "Latency of network.onnx not measured: device d: is off." in remarks(found)


def test_few_calibration_images_other_tasks_and_no_images_are_refused() -> None:
    few = images_of(Recipe(max_pictures=7))
    with pytest.raises(ConfigError, match="the data have 7 training images: calibration needs at least 8"):
        check_int8(Classification(), few, LOCAL)
    enough = images_of(Recipe(max_pictures=8))
    with pytest.raises(ConfigError, match="int8: calibration: expected a whole number of at least 8, got 7"):
        Target(int8=Int8(calibration=7))
    with pytest.raises(ConfigError, match="classifiers alone, and this network is for segmentation"):
        check_int8(segmentation(), None, LOCAL)
    with pytest.raises(DataError, match="calibration needs images; name them with --data and --path"):
        check_int8(Classification(), None, LOCAL)
    with pytest.raises(EvaluationError, match="python: PATH"):
        check_int8(Classification(), enough, Target(device={"python": "/does/not/exist"}))


def test_images_of_another_size_than_the_targets_are_refused(prepared: Any) -> None:
    with pytest.raises(ConfigError, match="input_size is 32, but this network takes images of 8 x 8 pixels"):
        int8_file(linear(prepared), Target(input_size=32))


def test_only_one_score_for_each_class_is_a_classification(prepared: Any) -> None:
    assert classifies(linear(prepared))
    assert not classifies(made(nn.Conv2d(1, 10, 1).eval(), prepared))
    assert not classifies(dataclasses.replace(linear(prepared), boxes=True))
