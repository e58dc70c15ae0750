"""Static quantisation of an ONNX file to 8 bits, and its error on images."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nas.core.errors import ConfigError, EvaluationError
from nas.deployment.onnx_file import INPUT, session, silence
from nas.deployment.target import FEWEST_IMAGES, Target
from nas.training.feed import Feed

OLDEST_OPSET = 13  # of a file in 8 bits
_BATCH = 256  # images of a feed at a time


class QuantisationFailed(EvaluationError):
    """onnxruntime cannot quantise the network."""


def quantised(
    model: bytes, images: NDArray[np.float32], float_layers: Sequence[str] = (), modules: Collection[str] = ()
) -> bytes:
    """The ONNX file in 8 bits: weights signed and per output channel, activations unsigned, with ranges from `images` (n, c, h, w).

    `float_layers` are paths of modules (``features.0``) or names of nodes that stay in floating point, with everything within them. `modules` are all
    paths of the network: one without nodes, such as a batch norm within its convolution, needs no floating point. Raises `ConfigError` for fewer than `FEWEST_IMAGES` images, a layer that the
    network lacks or an operator set below `OLDEST_OPSET`, `QuantisationFailed` where onnxruntime fails.
    """
    if len(images) < FEWEST_IMAGES:
        raise ConfigError(
            f"int8: {len(images)} calibration image{'s' * (len(images) != 1)}: expected at least {FEWEST_IMAGES} training images; "
            "with fewer the ranges of the activations are unknown"
        )
    excluded = float_nodes(model, float_layers, modules)
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    with tempfile.TemporaryDirectory(prefix="nas-int8-") as folder, silence():
        path = Path(folder) / "int8.onnx"
        try:
            quantize_static(
                onnx.load_from_string(model),
                str(path),
                _reader(images),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=excluded,
                calibration_providers=["CPUExecutionProvider"],
            )
        except Exception as error:  # onnxruntime raises many kinds
            reason = f"{type(error).__name__}: {str(error).strip()[:300]}"
            raise QuantisationFailed(
                f"int8: onnxruntime cannot quantise this network ({reason}); layers that it cannot quantise may stay in floating point (float_layers)"
            ) from error
        return _short(path.read_bytes())


def _short(model: bytes) -> bytes:
    """The same network with short names: those of its many scales take more space than small weights."""
    import onnx

    loaded = onnx.load_from_string(model)
    graph = loaded.graph
    short: dict[str, str] = {item.name: item.name for item in (*graph.input, *graph.output)} | {"": ""}

    def renamed(name: str) -> str:
        return short.setdefault(name, f"{len(short):x}")

    for tensor in graph.initializer:
        tensor.name = renamed(tensor.name)
    for node in graph.node:
        node.name = ""
        for names in (node.input, node.output):
            names[:] = [renamed(name) for name in names]
    del graph.value_info[:]
    shortened: bytes = loaded.SerializeToString()
    return shortened


def _reader(images: NDArray[np.float32]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Images(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = iter(images)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            image = next(self._left, None)
            return None if image is None else {INPUT: image[None]}

    return Images()


def float_nodes(model: bytes, layers: Sequence[str], modules: Collection[str] = ()) -> list[str]:
    """Names of the nodes that stay in floating point: those of these layers, and layer norms over several dimensions, which onnxruntime cannot quantise.

    Raises `ConfigError` for a layer without nodes that is not one of the `modules`.
    """
    import onnx

    graph = onnx.load_from_string(model).graph
    ranks = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    wide = [
        node.name
        for node in graph.node
        if node.op_type == "LayerNormalization" and ranks.get(node.input[1], 1) > 1
    ]
    names = [node.name for node in graph.node]
    paths = {name: module_path(name) for name in names}
    found = dict.fromkeys(wide)
    for layer in layers:
        own = [n for n in names if n == layer or paths[n] == layer or paths[n].startswith(f"{layer}.")]
        if not own and layer not in modules:
            known = sorted({path for path in paths.values() if path})
            raise ConfigError(
                f"float_layers: the network has no layer {layer!r}; it has: {', '.join(known[:12])}{', ...' if len(known) > 12 else ''}"
            )
        found |= dict.fromkeys(own)
    return list(found)


def check_opset(target: Target) -> None:
    """Raises `ConfigError` for a target whose operator set has no scales by channel."""
    if target.opset < OLDEST_OPSET:
        raise ConfigError(
            f"target {target.name}: opset {target.opset}: networks in 8 bits need operator set {OLDEST_OPSET} or later (scales by channel); raise opset, "
            "or leave out what is measured in 8 bits"
        )


def module_path(node: str) -> str:
    """The path of the module that a node belongs to, from the node's name: `/features/features.0/conv/Conv` is of `features.0.conv`."""
    parts: list[str] = []
    for part in node.strip("/").split("/")[:-1]:
        if parts and part.startswith(f"{parts[-1]}."):
            parts.pop()
        parts.append(part)
    return ".".join(parts)


def wrong(model: bytes, feed: Feed, positions: torch.Tensor, threads: int = 1) -> int:
    """Number of images at `positions` of a feed that the ONNX file classifies wrongly. Raises `NotExportable`."""
    runner = session(model, threads)
    count = 0
    for images, labels in feed.batches(list(torch.split(positions, _BATCH)), None):
        for image, label in zip(_one_by_one(images), labels.tolist(), strict=True):
            (scores,) = runner.run(None, {INPUT: image})
            count += int(np.argmax(scores[0])) != label
    return count


def float_wrong(network: torch.nn.Module, feed: Feed, positions: torch.Tensor) -> int:
    """As `wrong`, of the PyTorch network in evaluation mode, on the CPU."""
    count = 0
    with torch.inference_mode():
        for images, labels in feed.batches(list(torch.split(positions, _BATCH)), None):
            count += int((network(images).argmax(1) != labels).sum())
    return count


def calibration_images(feed: Feed, count: int) -> NDArray[np.float32]:
    """The first images of a random order of a feed, normalised, not augmented, (count or fewer, c, h, w)."""
    order = torch.randperm(len(feed), generator=torch.Generator().manual_seed(0))[:count]
    parts = (
        [images for images, _ in feed.batches(list(torch.split(order, _BATCH)), None)] if len(order) else []
    )
    if not parts:
        return np.zeros((0, 1, 1, 1), dtype=np.float32)
    found: NDArray[np.float32] = torch.cat(parts).float().contiguous().cpu().numpy()
    return found


def _one_by_one(images: torch.Tensor) -> Iterator[NDArray[np.float32]]:
    plain = images.float().contiguous().cpu().numpy()
    yield from (plain[i : i + 1] for i in range(len(plain)))
