"""Write a network as an ONNX file that takes decoded images, and compare onnxruntime with PyTorch."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from nas.core.errors import ConfigError, DataError
from nas.deployment.onnx_file import INPUT, OUTPUT, session, silence
from nas.export.pixels import Pixels, normalised
from nas.export.standalone import ImageSpec, outputs

TOLERANCE = 1e-4  # of the largest output, between onnxruntime and PyTorch
OPSETS = 9, 25  # the versions of ONNX's operator set that torch writes
PREPROCESSING = ("Cast", "Sub", "Div", "Transpose")  # operators from pixels to the network's input
_OLDEST_BY_DYNAMO = 18  # older versions take torch's earlier exporter


def onnx_model(network: nn.Module, images: ImageSpec, opset: int | None = None) -> bytes:
    """The ONNX file of a network in evaluation mode for pixels (b, h, w, c), any b; see `with_preprocessing`.

    `opset` is the version of ONNX's operator set; None takes torch's default. Raises `ConfigError` where torch cannot
    export the network, or not for that opset.
    """
    with tempfile.TemporaryDirectory(prefix="nas-onnx-") as folder:
        path = Path(folder) / "network.onnx"
        try:
            with silence():
                torch.onnx.export(
                    network,
                    (torch.zeros(2, *images.shape),),
                    str(path),
                    verbose=False,
                    input_names=[INPUT],
                    output_names=[OUTPUT],
                    opset_version=opset,
                    **_any_batch(opset),
                )
        except Exception as error:  # torch raises many kinds
            reason = str(error).strip().splitlines()[0] if str(error).strip() else ""
            raise ConfigError(
                f"ONNX: torch cannot export this network ({type(error).__name__}: {reason}); use --no-onnx to skip it"
            ) from error
        model = path.read_bytes()
    if opset is not None and opset_of(model) != opset:  # torch silently writes another
        raise ConfigError(
            f"--opset {opset}: torch cannot write it for this network; try --opset {opset_of(model)}"
        )
    return with_preprocessing(model, images)


def _any_batch(opset: int | None) -> dict[str, Any]:
    """Arguments of torch's exporter for this opset, for any number of images."""
    if opset is not None and opset < _OLDEST_BY_DYNAMO:
        return {"dynamo": False, "dynamic_axes": {INPUT: {0: "batch"}, OUTPUT: {0: "batch"}}}
    batch = torch.export.Dim("batch", min=1)
    return {"dynamo": True, "dynamic_shapes": ({0: batch},), "external_data": False}


def with_preprocessing(model: bytes, images: ImageSpec) -> bytes:
    """An ONNX file for normalised images (b, c, h, w) as one whose input `images` is decoded images: uint8 (b, h, w, c).

    Uint8 with the channels last, since that is what image decoders give: `numpy.asarray(image)` of a Pillow image.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    loaded = onnx.load_from_string(model)
    graph = loaded.graph
    (given,) = graph.input
    inner = "images/normalised"
    for node in graph.node:
        node.input[:] = [inner if name == given.name else name for name in node.input]
    mean, std = (np.array(values, np.float32) for values in (images.mean, images.std))
    graph.initializer.extend(
        [numpy_helper.from_array(mean, "images/mean"), numpy_helper.from_array(std, "images/std")]
    )
    nodes = [
        helper.make_node("Cast", [INPUT], ["images/pixels"], "images/Cast", to=TensorProto.FLOAT),
        helper.make_node("Sub", ["images/pixels", "images/mean"], ["images/centred"], "images/Sub"),
        helper.make_node("Div", ["images/centred", "images/std"], ["images/scaled"], "images/Div"),
        helper.make_node("Transpose", ["images/scaled"], [inner], "images/Transpose", perm=[0, 3, 1, 2]),
    ]
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *rest])
    batch = given.type.tensor_type.shape.dim[0]
    channels, height, width = images.shape
    sizes = [batch.dim_param or batch.dim_value or "batch", height, width, channels]
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info(INPUT, TensorProto.UINT8, sizes))
    return bytes(loaded.SerializeToString())


def with_notes(model: bytes, values: Mapping[str, str]) -> bytes:
    """The file with values in its metadata, where onnxruntime and viewers show them."""
    import onnx

    loaded = onnx.load_from_string(model)
    onnx.helper.set_model_props(loaded, dict(values))
    return bytes(loaded.SerializeToString())


def opset_of(model: bytes) -> int:
    """The version of ONNX's operator set of a file."""
    import onnx

    loaded = onnx.load_from_string(model)
    return next(int(entry.version) for entry in loaded.opset_import if entry.domain in ("", "ai.onnx"))


def compare_onnx(
    model: bytes, network: nn.Module, images: ImageSpec, batches: Sequence[Pixels], name: str
) -> float:
    """The largest difference between the outputs of onnxruntime on pixels (b, h, w, c) and of PyTorch on the same images, normalised.

    It is relative to the largest output. `name` is that of the file in messages. Raises `DataError` above `TOLERANCE`.
    """
    runner = session(model)
    worst = 0.0
    for batch in batches:
        expected = outputs(network, normalised(batch, images)).numpy()
        try:
            (got,) = runner.run([OUTPUT], {INPUT: batch})
        except Exception as error:  # onnxruntime raises many kinds
            reason = str(error).splitlines()[0] if str(error) else ""
            raise DataError(
                f"{name}: onnxruntime cannot run it on {len(batch)} images ({type(error).__name__}: {reason}); "
                f"use --no-onnx to skip it"
            ) from error
        worst = max(worst, float(np.abs(got - expected).max() / max(1e-12, np.abs(expected).max())))
    if not worst <= TOLERANCE:
        raise DataError(
            f"{name}: the outputs of onnxruntime and PyTorch differ by {worst:.2g} of the largest; the file was not "
            f"written; use --no-onnx to skip it"
        )
    return worst
