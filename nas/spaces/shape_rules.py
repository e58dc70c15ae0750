"""Shapes of the results of common operations, for which torch itself takes up to a millisecond each.

torch computes many shapes on the meta device by decomposing the operation in Python. The rules here give tensors of the same
shape and type; each returns `NotImplemented` for arguments that it does not cover, and for wrong ones, so that torch
raises the error. Importing this module imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

_aten = torch.ops.aten

# Element by element: the result is like the first tensor, or wider, if that has floating-point numbers.
_POINTWISE = (
    *(_aten.hardtanh, _aten.hardswish, _aten.hardsigmoid, _aten.clamp, _aten.relu, _aten.elu, _aten.mish),
    *(_aten.gelu, _aten.softplus, _aten.leaky_relu, _aten.silu, _aten.sigmoid, _aten.tanh, _aten.exp),
    *(_aten.add, _aten.sub, _aten.mul, _aten.div, _aten._log_softmax, _aten._softmax, _aten._safe_softmax),
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
    """The result of an operation on the meta device; `NotImplemented` where no rule here covers it."""
    rule = _RULES.get(packet)
    return NotImplemented if rule is None or kwargs else rule(*args)


def _new(x: Tensor, shape: Sequence[int]) -> Tensor:
    """A tensor of the type of `x`; `x.new_empty` takes eight times as long on the meta device."""
    return torch.empty(shape, dtype=x.dtype, device="meta")


def _like(x: Tensor) -> Tensor:
    return _new(x, x.shape) if x.is_contiguous() else torch.empty_like(x)  # which keeps the order in memory


def _pointwise(x: Any, *others: Any) -> Any:
    if not isinstance(x, Tensor) or not x.is_floating_point() or any(isinstance(o, complex) for o in others):
        return NotImplemented
    tensors = [o for o in others if isinstance(o, Tensor)]
    if any(o.dtype != x.dtype or not o.is_meta for o in tensors):
        return NotImplemented
    if all(o.shape == x.shape for o in tensors):
        return _like(x)
    return _new(x, torch.broadcast_shapes(x.shape, *(o.shape for o in tensors)))  # type: ignore[no-untyped-call]


def _in_place(*args: Any) -> Any:
    return args[0] if sum(isinstance(a, Tensor) for a in args) == 1 else NotImplemented


def _batch_norm(x: Tensor, weight: Any, bias: Any, mean: Any, var: Any, training: bool, *rest: float) -> Any:
    if training:
        return NotImplemented
    nothing = _new(x, (0,))
    return _like(x), nothing, nothing


def _layer_norm(x: Tensor, normalized: Sequence[int], *rest: Any) -> Any:
    kept = x.dim() - len(normalized)
    if tuple(x.shape[kept:]) != tuple(normalized):
        return NotImplemented
    rows = (*x.shape[:kept], *(1 for _ in normalized))
    return _like(x), _new(x, rows), _new(x, rows)


def _convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Any:
    filters, width, *kernel = weight.shape
    sizes = len(kernel)
    plain = x.is_contiguous() and weight.is_contiguous() and x.dtype == weight.dtype and weight.is_meta
    fits = x.dim() == weight.dim() and x.shape[1] == width * groups and filters % groups == 0
    if transposed or not plain or not fits or {len(stride), len(padding), len(dilation)} != {sizes}:
        return NotImplemented
    area = [
        (side + 2 * pad - gap * (k - 1) - 1) // step + 1
        for side, k, step, pad, gap in zip(x.shape[2:], kernel, stride, padding, dilation, strict=True)
    ]
    return _new(x, (x.shape[0], filters, *area)) if min(area) > 0 else NotImplemented


def _addmm(bias: Tensor, a: Tensor, b: Tensor) -> Any:
    fits = a.dim() == b.dim() == 2 and a.shape[1] == b.shape[0] and bias.shape == b.shape[1:]
    same = a.dtype == b.dtype == bias.dtype and a.is_meta and b.is_meta
    return _new(a, (a.shape[0], b.shape[1])) if fits and same else NotImplemented


def _mean(x: Tensor, over: Sequence[int] | None = None, keepdim: bool = False) -> Any:
    if not over or not x.is_floating_point() or any(not -x.dim() <= d < x.dim() for d in over):
        return NotImplemented
    gone = {d % x.dim() for d in over}
    kept = [1 if d in gone else side for d, side in enumerate(x.shape) if keepdim or d not in gone]
    return _new(x, kept)


_RULES: dict[Any, Callable[..., Any]] = {
    **dict.fromkeys(_POINTWISE, _pointwise),
    **dict.fromkeys(_IN_PLACE, _in_place),
    _aten.native_batch_norm: _batch_norm,
    _aten.native_layer_norm: _layer_norm,
    _aten.convolution: _convolution,
    _aten.addmm: _addmm,
    _aten.mean: _mean,
}
