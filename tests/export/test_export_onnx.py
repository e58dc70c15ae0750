"""ONNX files that take decoded images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nas.core.errors import DataError
from nas.export.onnx_file import compare_onnx, onnx_model
from nas.export.pixels import normalised, random_pixels
from nas.export.standalone import ImageSpec

for package in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(package, reason=f"{package} is not installed; it comes with the extra 'onnx'")

COLOUR = ImageSpec((3, 6, 5), (120.0, 110.0, 100.0), (60.0, 55.0, 50.0), ("a", "b"))
OPSET = 17  # by torch's earlier exporter, which is ten times faster


def batches(*sizes: int) -> list[Any]:
    return [random_pixels(n, COLOUR, torch.Generator().manual_seed(n)) for n in sizes]


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(48, 2)).eval()


@pytest.fixture(scope="module")
def model(network: nn.Module) -> bytes:
    return onnx_model(network, COLOUR, OPSET)


def test_the_input_is_decoded_images_in_any_number(model: bytes, network: nn.Module) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    assert (given.name, given.type, given.shape[1:]) == ("images", "tensor(uint8)", [6, 5, 3])
    pixels = np.full((7, 6, 5, 3), 255, np.uint8)
    (got,) = session.run(["outputs"], {"images": pixels})
    with torch.no_grad():
        expected = network(normalised(pixels, COLOUR))
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_the_comparison_with_pytorch_covers_the_normalisation(model: bytes, network: nn.Module) -> None:
    assert compare_onnx(model, network, COLOUR, batches(1, 3), "network.onnx") < 1e-5
    other = ImageSpec(COLOUR.shape, (121.0, 110.0, 100.0), COLOUR.std, COLOUR.class_names)
    with pytest.raises(DataError, match=r"^network\.onnx: the outputs of onnxruntime and PyTorch differ"):
        compare_onnx(model, network, other, batches(1, 3), "network.onnx")


@pytest.mark.slow
def test_torchs_newer_exporter_gives_the_same(network: nn.Module) -> None:
    model = onnx_model(network, COLOUR)
    assert compare_onnx(model, network, COLOUR, batches(1, 3), "network.onnx") < 1e-5
