"""Shapes of the results of common operations, where torch's own rules take a millisecond each.

torch computes shapes on the meta device by decomposing such operations in Python: half of a trace's time would be
batch normalisation, the other half ReLU6. Importing this module imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

_aten = torch.ops.aten

# Element by element: the result is like the first tensor, if that has floating-point numbers.
_ALIKE = (
    *(_aten.hardtanh, _aten.hardswish, _aten.hardsigmoid, _aten.clamp, _aten.relu, _aten.elu, _aten.mish),
    *(_aten.gelu, _aten.softplus, _aten.leaky_relu, _aten.silu, _aten.sigmoid, _aten.tanh, _aten.add),
    *(_aten.sub, _aten.mul, _aten.div, _aten.exp, _aten._log_softmax, _aten._softmax, _aten._safe_softmax),
)
_IN_PLACE = (
    _aten.hardtanh_,
    _aten.hardswish_,
    _aten.hardsigmoid_,
    _aten.clamp_,
    _aten.elu_,
    _aten.leaky_relu_,
)


def result(packet: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """The result of an operation on the meta device; `NotImplemented` where this module has no rule for it."""
    rule = _RULES.get(packet)
    return NotImplemented if rule is None or kwargs else rule(args)


def _alike(args: Sequence[Any]) -> Any:
    first = args[0]
    if not isinstance(first, torch.Tensor) or not first.is_floating_point():
        return NotImplemented
    for other in args[1:]:
        if isinstance(other, complex):
            return NotImplemented
        if isinstance(other, torch.Tensor) and (other.shape != first.shape or other.dtype != first.dtype):
            return NotImplemented  # broadcast
    return torch.empty_like(first)


def _in_place(args: Sequence[Any]) -> Any:
    return args[0] if sum(isinstance(a, torch.Tensor) for a in args) == 1 else NotImplemented


def _batch_norm(args: Sequence[Any]) -> Any:
    x, training = args[0], args[5]
    if training:
        return NotImplemented
    nothing = x.new_empty(0)
    return torch.empty_like(x), nothing, nothing


def _layer_norm(args: Sequence[Any]) -> Any:
    x, normalized = args[0], args[1]
    if list(x.shape[x.dim() - len(normalized) :]) != list(normalized):
        return NotImplemented  # torch names the error
    rows = (*x.shape[: x.dim() - len(normalized)], *(1 for _ in normalized))
    return torch.empty_like(x), x.new_empty(rows), x.new_empty(rows)


_RULES: dict[Any, Callable[[Sequence[Any]], Any]] = {
    **dict.fromkeys(_ALIKE, _alike),
    **dict.fromkeys(_IN_PLACE, _in_place),
    _aten.native_batch_norm: _batch_norm,
    _aten.native_layer_norm: _layer_norm,
}
