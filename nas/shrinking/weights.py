"""Weights of a network from a checkpoint, read without running code of the file."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from nas.core.errors import DataError
from nas.core.tracebacks import why_not_loaded
from nas.training.judging import put_state

# keys that hold the tensors; a moving average is preferred
_CONTAINERS = (
    *("average", "network", "state_dict_ema", "model_ema"),
    *("state_dict", "model_state_dict", "model", "net", "weights"),
)
_PREFIXES = ("module.", "_orig_mod.")  # of distributed and of compiled networks


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name, on the CPU: a state dict, or one under a usual key such as `state_dict` or `model`.

    The prefix that distributed and compiled networks add to every name is removed. Raises `DataError` when the file is
    missing, damaged, or holds more than tensors and plain values.
    """
    if Path(path).suffix == ".safetensors":
        raise DataError(f"weights {path}: safetensors files are not read; save a PyTorch file: {_SAVE}")
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):  # arguments of a training script
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DataError(f"weights {path}: not found") from None
    except Exception as error:  # torch raises many kinds on damaged files
        raise DataError(
            f"weights {path}: cannot be read as a file of tensors ({why_not_loaded(error)}); save the weights alone: {_SAVE}"
        ) from None
    state = _tensors(content)
    if not state:
        raise DataError(
            f"weights {path}: expected tensors by name, or a dictionary with them under one of {', '.join(_CONTAINERS)}"
        )
    state.pop("n_averaged", None)  # of torch.optim.swa_utils.AveragedModel
    while prefix := next((p for p in _PREFIXES if all(name.startswith(p) for name in state)), ""):
        state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


_SAVE = "torch.save(model.state_dict(), FILE)"


def _tensors(content: object) -> dict[str, Tensor]:
    if not isinstance(content, Mapping):
        return {}
    inner = next((content[key] for key in _CONTAINERS if isinstance(content.get(key), Mapping)), None)
    found = content if inner is None else inner
    return {str(name): value for name, value in found.items() if isinstance(value, Tensor)}


def load_weights(network: nn.Module, path: str | Path) -> None:
    """Load a checkpoint into `network`; a first part that all names have, such as `model.`, may be additional.

    Raises `DataError` that names the first tensor that does not fit, with both shapes, or that has NaN or infinite values.
    """
    state = read_weights(path)
    first = next(iter(state)).partition(".")[0] + "."
    if not set(state) & set(network.state_dict()) and all(name.startswith(first) for name in state):
        state = {name.removeprefix(first): tensor for name, tensor in state.items()}
    bad = next((n for n, t in state.items() if t.is_floating_point() and not t.isfinite().all()), None)
    if bad is not None:
        raise DataError(
            f"weights {path}: tensor {bad} has values that are NaN or infinite: the training diverged; use an earlier checkpoint"
        )
    put_state(network, state, path)
