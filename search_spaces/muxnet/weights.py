"""Weights on disk: our own files, and the authors' checkpoints converted to them.

The authors' names differ from ours inside the blocks, so tensors are matched by shape and order: both sides list
their layers in the order in which they run, block by block. Files are always read with `weights_only=True`.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nas.core.errors import DataError
from nas.core.files import write_stream
from nas.core.tracebacks import why_not_loaded
from search_spaces.muxnet.models import create_model, model_spec

SCHEMA = 1
_CONTAINERS = ("state_dict_ema", "model_ema", "state_dict", "model")  # in the order of preference
_COUNTER = "num_batches_tracked"
_TOP = ("conv_stem", "bn1", "conv_head", "bn2", "classifier")

State = dict[str, Tensor]
Layers = dict[str, State]  # layer name -> its tensors by the last part of their names


@dataclass(frozen=True)
class ConversionReport:
    """The outcome of converting a checkpoint.

    `container` is the key of the weights ("" for none; an EMA dictionary is preferred), `prefix` the text
    removed from every name. `mapped` has (their name, our name, shape) of every tensor, in our order.
    """

    model: str
    num_classes: int
    in_channels: int
    container: str
    prefix: str
    mapped: tuple[tuple[str, str, tuple[int, ...]], ...]
    state_dict: State = field(repr=False)

    def __str__(self) -> str:
        source = self.container or "the file itself"
        lines = [
            f"{self.model}: {len(self.mapped)} tensors from {source}, {self.num_classes} classes, "
            f"{self.in_channels} input channels"
        ]
        lines += [f"  {theirs} -> {ours} {shape}" for theirs, ours, shape in self.mapped]
        return "\n".join(lines)


def convert_checkpoint(path: str | Path, model_name: str, out: str | Path | None = None) -> ConversionReport:
    """Map the authors' checkpoint to the network `model_name`; write ours to `out` when given.

    The number of classes and of input channels is the checkpoint's own. Raises `DataError` when the file cannot be
    read, or naming the first tensor that is missing, left over or of another shape; `ConfigError` for
    an unknown model. Nothing is written then.
    """
    model_spec(model_name)  # an unknown name is refused before the file is read
    container, prefix, theirs = _tensors(path)
    for name in ("conv_stem.weight", "classifier.weight"):
        if name not in theirs:
            raise DataError(
                f"{path}: expected a tensor {name}, as in the authors' checkpoints; it is missing"
            )
    num_classes = int(theirs["classifier.weight"].shape[0])
    in_channels = int(theirs["conv_stem.weight"].shape[1])
    with torch.device("meta"):
        network = create_model(model_name, num_classes, in_channels)
    ours = network.state_dict()
    names = _matched(path, theirs, ours)
    state = {our: theirs[their].reshape(ours[our].shape).clone() for our, their in names.items() if their}
    for our in ours:
        state.setdefault(our, torch.zeros((), dtype=torch.long))  # a counter that older files lack
    mapped = tuple((their, our, tuple(ours[our].shape)) for our, their in names.items() if their)
    report = ConversionReport(
        model_name, num_classes, in_channels, container, prefix, mapped, {k: state[k] for k in ours}
    )
    if out is not None:
        save_checkpoint(out, report.state_dict, model_name, num_classes, in_channels)
    return report


def save_checkpoint(
    path: str | Path, state_dict: Mapping[str, Tensor], model: str, num_classes: int, in_channels: int
) -> None:
    """Write our own format: the tensors, and the settings that rebuild their network."""
    content = {
        "schema": SCHEMA,
        "model": model,
        "num_classes": num_classes,
        "in_channels": in_channels,
        "state_dict": dict(state_dict),
    }
    write_stream(Path(path), lambda file: torch.save(content, file), sync=True)


def load_checkpoint(path: str | Path) -> State:
    """Tensors by our names, from a file that `convert_checkpoint` or a training wrote (on the CPU).

    Raises `DataError` for a file that is missing, not a checkpoint, or of a later schema.
    """
    content = _read(path)
    schema = content.get("schema", SCHEMA)
    if not isinstance(schema, int) or schema > SCHEMA:
        raise DataError(f"{path}: expected schema {SCHEMA} or lower, got {schema}; update the package")
    return _tensors(path)[2]


def _read(path: str | Path) -> Mapping[str, Any]:
    """The file's content, read without running its code."""
    if not Path(path).is_file():
        raise DataError(f"{path}: no such file")
    try:
        # timm's training script keeps its arguments beside the weights; a namespace of plain values is harmless
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds on damaged files
        raise DataError(f"{path}: cannot be read as a PyTorch checkpoint: {why_not_loaded(error)}") from None
    if not isinstance(content, Mapping):
        raise DataError(f"{path}: expected a dictionary of tensors, got {type(content).__name__}")
    return content


def _tensors(path: str | Path) -> tuple[str, str, State]:
    """Container, prefix and tensors of a checkpoint."""
    content = _read(path)
    container = next((k for k in _CONTAINERS if isinstance(content.get(k), Mapping)), "")
    inside = content[container] if container else content
    state = {str(k): v for k, v in inside.items() if isinstance(v, Tensor)}
    if not state:
        raise DataError(
            f"{path}: expected tensors at the top or under one of {', '.join(_CONTAINERS)}; got none"
        )
    prefix = ""
    while state and all(k.startswith("module.") for k in state):
        prefix += "module."
        state = {k.removeprefix("module."): v for k, v in state.items()}
    return container, prefix, state


def _layers(state: Mapping[str, Tensor]) -> Layers:
    """Tensors by layer, layers in the order of the file."""
    layers: Layers = {}
    for name, tensor in state.items():
        layer, _, leaf = name.rpartition(".")
        layers.setdefault(layer, {})[leaf] = tensor
    return layers


def _matched(path: str | Path, theirs: State, ours: Mapping[str, Tensor]) -> dict[str, str]:
    """Their name for each of ours; "" for a counter that they lack."""
    their_layers, our_layers = _layers(theirs), _layers(dict(ours))
    pairs: dict[str, str] = {}
    for name in _TOP:
        pairs[name] = name
    stages: dict[str, list[str]] = {}
    for name in our_layers:
        if name.startswith("blocks."):
            stages.setdefault(name.split(".")[1], []).append(name)
    left = [name for name in their_layers if name.startswith("blocks.")]
    for names in stages.values():
        pairs |= _matched_block(path, names, left[: len(names)], our_layers, their_layers)
        left = left[len(names) :]
    extra = [*left, *(n for n in their_layers if not n.startswith("blocks.") and n not in _TOP)]
    if extra:
        layer = their_layers[extra[0]]
        raise DataError(f"{path}: tensor {_shown(extra[0], layer)} has no place in the network")
    matched: dict[str, str] = {}
    for layer_name, our_layer in our_layers.items():
        their_name = pairs[layer_name]
        matched |= _matched_layer(path, layer_name, our_layer, their_name, their_layers.get(their_name, {}))
    return matched


def _matched_block(
    path: str | Path, names: list[str], candidates: list[str], our_layers: Layers, their_layers: Layers
) -> dict[str, str]:
    """Pair the layers of one block: in order, each of ours with the first of theirs that has its shapes."""
    pairs: dict[str, str] = {}
    free = list(candidates)
    for name in names:
        found = next((c for c in free if _same_shapes(our_layers[name], their_layers[c])), None)
        if found is None:
            got = ", ".join(_shown(c, their_layers[c]) for c in free[:3]) or "no more tensors"
            raise DataError(f"{path}: expected a layer for {_shown(name, our_layers[name])}, got {got}")
        free.remove(found)
        pairs[name] = found
    return pairs


def _same_shapes(ours: State, theirs: State) -> bool:
    return {k: _squeezed(v) for k, v in ours.items() if k != _COUNTER} == {
        k: _squeezed(v) for k, v in theirs.items() if k != _COUNTER
    }


def _squeezed(tensor: Tensor) -> tuple[int, ...]:
    """Shape without ones at its end: a 1x1 convolution may be a linear layer on the other side."""
    shape = list(tensor.shape)
    while shape and shape[-1] == 1:
        shape.pop()
    return tuple(shape)


def _matched_layer(
    path: str | Path, our_name: str, ours: State, their_name: str, theirs: State
) -> dict[str, str]:
    matched: dict[str, str] = {}
    for leaf, tensor in ours.items():
        shape = tuple(tensor.shape)
        if leaf not in theirs and leaf == _COUNTER:
            matched[f"{our_name}.{leaf}"] = ""
        elif leaf not in theirs:
            raise DataError(f"{path}: expected a tensor {their_name}.{leaf} of shape {shape}; it is missing")
        elif _squeezed(theirs[leaf]) != _squeezed(tensor):
            got = tuple(theirs[leaf].shape)
            raise DataError(f"{path}: tensor {their_name}.{leaf}: expected shape {shape}, got {got}")
        else:
            matched[f"{our_name}.{leaf}"] = f"{their_name}.{leaf}"
    over = sorted(set(theirs) - set(ours))
    if over:
        raise DataError(f"{path}: tensor {their_name}.{over[0]} has no place in layer {our_name}")
    return matched


def _shown(name: str, layer: State) -> str:
    leaf = "weight" if "weight" in layer else next(iter(layer))
    return f"{name}.{leaf} {tuple(layer[leaf].shape)}"
