"""The reference network: timed beside every network, so that a change of the device's speed shows."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from nas.core.errors import ConfigError

# Channels, pixels. A smaller one slows down more than most networks do on a busy machine, and beside large ones.
WIDTH, SIDE = 64, 64


@cache
def reference_network() -> bytes:
    """A small ONNX network of the usual kinds of convolution, 54 million multiply-adds, in float32; always the same bytes.

    Raises `ConfigError` where the package onnx is missing.
    """
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise ConfigError(
            "measuring on a device needs the package onnx; run pip install 'multiobjective-nas[onnx]'"
        ) from error
    nodes: list[Any] = []
    weights = []
    last = "images"
    # output channels, input channels of a group, side of the kernel, stride, groups
    layers = (
        (WIDTH, 3, 3, 1, 1),
        (WIDTH, WIDTH, 3, 2, 1),
        (WIDTH, 1, 3, 1, WIDTH),
        (2 * WIDTH, WIDTH, 1, 1, 1),
    )
    for i, (out, into, side, stride, group) in enumerate(layers):
        shape = (out, into, side, side)
        values = (np.arange(np.prod(shape)) * 37 % 101 - 50) / (30 * np.sqrt(into * side * side))
        weights.append(numpy_helper.from_array(values.astype(np.float32).reshape(shape), f"weight{i}"))
        pads, strides = [side // 2] * 4, [stride] * 2
        nodes.append(
            helper.make_node(
                "Conv", [last, f"weight{i}"], [f"conv{i}"], pads=pads, strides=strides, group=group
            )
        )
        nodes.append(helper.make_node("Relu", [f"conv{i}"], [f"relu{i}"]))
        last = f"relu{i}"
    nodes.append(helper.make_node("GlobalAveragePool", [last], ["outputs"]))
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, SIDE, SIDE))
    outputs = helper.make_tensor_value_info("outputs", TensorProto.FLOAT, (1, 2 * WIDTH, 1, 1))
    graph = helper.make_graph(nodes, "reference", [images], [outputs], weights)
    # Versions of 2020, which the onnxruntime of an old device reads.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7)
    return bytes(model.SerializeToString(deterministic=True))
