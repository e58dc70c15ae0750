"""Parameters and multiply-adds of an ONNX file, from its initialisers and by shape inference."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path

from torch import Tensor

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def counted_onnx(path: Path, state: Mapping[str, Tensor]) -> dict[str, int]:
    """Both by name, for one image; the weights tell which biases of zeros the exporter left out."""
    import onnx

    model = onnx.load(str(path))
    graph = model.graph
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    del graph.value_info[:]  # inferred again, for a batch of one
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    tensors = {i.name: i for i in graph.initializer}
    shapes = {name: tuple(i.dims) for name, i in tensors.items()}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shapes[value.name] = tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
    weights = [
        i
        for name, i in tensors.items()
        if i.data_type == onnx.TensorProto.FLOAT and "." in name and not name.endswith(_STATISTICS)
    ]
    madds = 0
    for node in graph.node:
        if node.op_type == "Conv":
            kernel = shapes[node.input[1]]
            madds += prod(shapes[node.output[0]]) * prod(kernel[1:])
        elif node.op_type in ("Gemm", "MatMul"):
            first = shapes[node.input[0]]
            transposed = any(a.name == "transA" and a.i for a in node.attribute)
            madds += prod(shapes[node.output[0]]) * first[-2 if transposed else -1]
    # A normalisation that the exporter folded into the convolution before it left a bias in place of scale and shift.
    params = sum(prod(i.dims) * (2 if i.name.endswith(".weight_bias") else 1) for i in weights)
    for name, tensor in state.items():
        normalisation = name.removesuffix("bias") + "running_mean" in state
        if name.endswith(".bias") and name not in tensors and not normalisation:
            assert not tensor.any(), name
            params += tensor.numel()
    return {"params": params, "madds": madds}
