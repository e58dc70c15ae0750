"""Trainings of a task that begin with weights: of an earlier training of it, or of a classifier's body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from nas.core.errors import DataError

_BACKBONE = "backbone."


def starting_from(
    build: Callable[..., nn.Module], state: Mapping[str, Tensor], where: str, tell: Callable[[str], None]
) -> Callable[..., nn.Module]:
    """The same builder, with networks that start from these weights; reports heads that start from random weights.

    Networks have a part `backbone`; the rest is their heads, which are skipped where they do not fit. `where` names the
    weights in errors.
    """

    def begun(**sizes: Any) -> nn.Module:
        network = build(**sizes)
        whole = any(name.startswith(_BACKBONE) for name in state)
        body = {
            n.removeprefix(_BACKBONE): t for n, t in state.items() if n.startswith(_BACKBONE) or not whole
        }
        put_backbone(network, body, where)
        ours = network.state_dict()
        heads = {n: t for n, t in ours.items() if not n.startswith(_BACKBONE)}
        if whole and all(n in state and state[n].shape == t.shape for n, t in heads.items()):
            network.load_state_dict({n: state[n] for n in ours})
        else:
            tell(f"the heads start from random weights: {where} has none for these classes")
        return network

    return begun


def put_backbone(network: nn.Module, state: Mapping[str, Tensor], where: str) -> None:
    """Load the backbone's tensors from those of a classifier or a feature extractor; others are left out.

    Raises `DataError` naming the first tensor that is missing or of another shape.
    """
    backbone = network.get_submodule(_BACKBONE.rstrip("."))
    ours = backbone.state_dict()
    for name, tensor in ours.items():
        if name not in state or state[name].shape != tensor.shape:
            got = tuple(state[name].shape) if name in state else "nothing"
            raise DataError(
                f"weights {where}: tensor {name}: expected shape {tuple(tensor.shape)}, got {got}: the "
                f"weights belong to another backbone"
            )
    with torch.no_grad():
        backbone.load_state_dict({name: state[name] for name in ours})
