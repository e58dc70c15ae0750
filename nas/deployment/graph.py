"""Facts of an ONNX graph that need no run: its operators, the memory of its activations, the size of its weights."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nas.deployment.onnx_file import NotExportable

# Outputs that are a view of the first input.
VIEWS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout"})
# Operators that may write their output over an input of the same size, if nothing reads that input later.
IN_PLACE = frozenset(
    "Abs Add BatchNormalization Cast Clip Div Elu Erf Exp Gelu HardSigmoid HardSwish LeakyRelu Log Mish Mul Neg PRelu Pow Relu "
    "Selu Sigmoid Softmax Softplus Sqrt Sub Tanh".split()
)
_WEIGHTED = frozenset(
    {"Conv", "ConvTranspose", "Gemm", "MatMul"}
)  # whose weights quantisation stores in 8 bits
_BYTES = {"float32": 4, "int8": 1}  # of an activation, and of a weight


@dataclass(frozen=True)
class GraphFacts:
    """Facts of a network's ONNX graph for one image.

    `operators` counts operator types, `file_size` is that of the float file in bytes. `activations` are the largest number of values that
    are in memory at once, `weights` the number of values that quantisation stores in 8 bits, `channels` that of their output
    channels (a scale each), `other_weights` the number of all other constants, those of layers that stay in floating point included.
    `int8_activations` are the bytes in memory at once after quantisation (None: a byte for each value).
    """

    operators: Mapping[str, int]
    file_size: int
    activations: int
    weights: int
    channels: int
    other_weights: int
    opset: int
    int8_activations: int | None = None

    def peak_memory(self, precision: str = "float32") -> int:
        """Bytes of activations that are in memory at once, at this precision (float32 or int8), input and output included.

        Operators run in the order of the graph; a tensor lives from the operator that writes it to the last one that reads it; elementwise
        operators write over their input where nothing else reads it; reshaped tensors share memory. With int8 a value takes a byte where a quantised
        operator reads or writes it, else 4.
        """
        if precision == "int8" and self.int8_activations is not None:
            return self.int8_activations
        return self.activations * _BYTES[precision]

    def model_size(self, precision: str = "float32") -> int:
        """Bytes of the weights at this precision. With int8: a byte for each weight, a scale of 4 bytes for each of its output channels, 4 for any other value."""
        if precision == "float32":
            return 4 * (self.weights + self.other_weights)
        return self.weights + 4 * (self.channels + self.other_weights)


def facts_of(model: bytes, float_nodes: Collection[str] = ()) -> GraphFacts:
    """The facts of an ONNX file with fixed shapes, where quantisation leaves the nodes of these names in floating point.

    Raises `NotExportable` where a shape is not fixed.
    """
    import onnx

    loaded = onnx.load_from_string(model)
    graph = onnx.shape_inference.infer_shapes(loaded, data_prop=True).graph
    sizes = _sizes(graph)
    weights, channels, other = _weights(graph, float_nodes)
    quantised = _quantised_tensors(graph, float_nodes)
    in_bytes = {
        name: size * _BYTES["int8" if name in quantised else "float32"] for name, size in sizes.items()
    }
    return GraphFacts(
        dict(Counter(node.op_type for node in graph.node)),
        len(model),
        _most_alive(graph, sizes),
        weights,
        channels,
        other,
        next(int(entry.version) for entry in loaded.opset_import if entry.domain in ("", "ai.onnx")),
        _most_alive(graph, in_bytes),
    )


def _quantised_tensors(graph: Any, float_nodes: Collection[str]) -> set[str]:
    """The activations that onnxruntime's quantisation stores in 8 bits: those that a quantised operator reads or writes.

    Around operators that only move values the type is the same: they move bytes if anything beside them is quantised.
    """
    from onnxruntime.quantization.operators.direct_q8 import QDQDirect8BitOp
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    constants = {tensor.name for tensor in graph.initializer}
    found: set[str] = set()
    moving = []
    for node in graph.node:
        if node.name in float_nodes or node.op_type not in {*QDQRegistry, *QLinearOpsRegistry}:
            continue
        if QDQRegistry.get(node.op_type) is QDQDirect8BitOp or node.op_type in VIEWS:
            moving.append(node)
        else:
            found.update(name for name in (*node.input, *node.output) if name not in constants)
    for node in (*moving, *reversed(moving), *moving):
        ends = {node.input[0], *node.output}
        if ends & found:
            found |= ends
    return found


def _sizes(graph: Any) -> dict[str, int]:
    """Number of values of every tensor that is not a constant."""
    constants = {tensor.name for tensor in graph.initializer}
    sizes = {}
    for info in (*graph.input, *graph.value_info, *graph.output):
        if info.name in constants:
            continue
        shape = info.type.tensor_type.shape
        known = info.type.tensor_type.HasField("shape") and all(d.HasField("dim_value") for d in shape.dim)
        if known:
            sizes[info.name] = math.prod(int(d.dim_value) for d in shape.dim)
    return sizes


def _weights(graph: Any, float_nodes: Collection[str]) -> tuple[int, int, int]:
    """Values of weights of quantised convolutions and linear layers, their output channels, and values of other constants."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    weighted = {
        node.input[1]: node
        for node in graph.node
        if node.op_type in _WEIGHTED and node.input[1] in shapes and node.name not in float_nodes
    }
    weights = channels = 0
    for name, node in weighted.items():
        shape = shapes[name]
        weights += math.prod(shape)
        channels += _output_channels(node, shape)
    return weights, channels, sum(math.prod(s) for name, s in shapes.items() if name not in weighted)


def _output_channels(node: Any, shape: Sequence[int]) -> int:
    if node.op_type == "Conv":
        return int(shape[0])
    if node.op_type == "ConvTranspose":
        return int(shape[1])
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    return int(shape[0] if transposed else shape[-1])


def _most_alive(graph: Any, sizes: Mapping[str, int]) -> int:
    """The largest number of values in memory while the nodes run in order."""
    last = {name: i for i, node in enumerate(graph.node) for name in node.input}
    last |= {out.name: len(graph.node) for out in graph.output}
    owner = {
        item.name: item.name for item in graph.input if item.name in sizes
    }  # tensor to the buffer that holds it
    given = set(owner)  # the caller's, which nothing may overwrite
    ends = {name: last.get(name, -1) for name in owner}  # buffer to its last reader
    alive = {name: sizes[name] for name in owner}
    most = sum(alive.values())
    for i, node in enumerate(graph.node):
        for place, name in enumerate(node.output):
            if not name:
                continue
            if name not in sizes:
                raise NotExportable(
                    f"ONNX: the shape of {name} ({node.op_type}) depends on the input's values; memory is unknown"
                )
            held = _reused(node, place, name, i, sizes, owner, ends, alive, given)
            owner[name] = held
            ends[held] = max(ends.get(held, -1), last.get(name, i))
            alive.setdefault(held, sizes[name])
        most = max(most, sum(alive.values()))
        alive = {name: size for name, size in alive.items() if ends[name] > i}
    return most


def _reused(
    node: Any,
    place: int,
    name: str,
    now: int,
    sizes: Mapping[str, int],
    owner: Mapping[str, str],
    ends: Mapping[str, int],
    alive: Mapping[str, int],
    given: set[str],
) -> str:
    """The buffer of an output: that of an input that it may use, else its own."""
    if place == 0 and node.op_type in VIEWS and node.input[0] in owner:
        return owner[node.input[0]]
    if place == 0 and node.op_type in IN_PLACE:
        for source in node.input:
            held = owner.get(source, "")
            if held in alive and held not in given and ends[held] <= now and alive[held] == sizes[name]:
                return held
    return name
