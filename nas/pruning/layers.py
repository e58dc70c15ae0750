"""Rules of the operators that compute: convolutions, products of matrices, norms, reductions, pooling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nas.pruning.axes import Axes, Following, Rule
from nas.pruning.labels import zeros
from nas.pruning.moving import same

aten = torch.ops.aten


def _mm(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes:
    a, b = trace.axes(args[0]), trace.axes(args[1])
    trace.labels.tie(a[-1], b[-2])
    for first, second in zip(a[:-2], b[:-2], strict=True):
        trace.labels.tie(first, second)
    trace.worked(1, [*a, b[-1]])
    return [*a[:-1], b[-1]]


def _addmm(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes:
    product = _mm(trace, args[1:], out)
    for vector, other in zip(reversed(product), reversed(trace.axes(args[0])), strict=False):
        if len(other) == len(vector) > 1 or len(vector) == len(other):
            trace.labels.tie(vector, other)
    return product


def _convolution(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes:
    x, weight, bias, transposed, groups = args[0], args[1], args[2], args[6], args[8]
    channels, axes = trace.axes(x)[1], trace.axes(weight)
    first, second = (axes[0], axes[1]) if not transposed else (axes[1], axes[0])  # results, arguments
    inside = len(channels) // groups
    if groups == 1:
        trace.labels.tie(channels, second)
        results = first
    elif inside == 1 and not transposed:  # depthwise
        results = np.repeat(channels, len(first) // len(channels))
        trace.labels.tie(results, first)
        trace.resized_groups()
    elif inside == 1 and len(first) == 1:
        trace.labels.tie(channels, second)
        results = channels
        trace.resized_groups()
    elif groups >= inside and not transposed:  # whole groups
        blocks, parts = channels.reshape(groups, inside), first.reshape(groups, -1)
        for column in (*blocks.T[1:], *parts.T):
            trace.labels.tie(blocks[:, 0], column)
        trace.resized_groups()
        results = first
    else:  # the same channels of every group
        blocks, parts = channels.reshape(groups, inside), first.reshape(1 if transposed else groups, -1)
        for row in blocks[1:]:
            trace.labels.tie(blocks[0], row)
        for row in parts[1:]:
            trace.labels.tie(parts[0], row)
        trace.labels.tie(channels if transposed else blocks[0], second)
        results = np.tile(first, groups) if transposed else first
    if bias is not None:
        trace.labels.tie(results, trace.axes(bias)[0])
    places = (x if transposed else out).shape
    trace.worked(places[0] * math.prod(places[2:]), axes)
    found = zeros(out.shape)
    found[1] = results
    return found


def _channelwise(trace: Following, x: Tensor, tensors: Sequence[Any]) -> Axes:
    axes = list(trace.axes(x))
    for tensor in tensors:
        if isinstance(tensor, Tensor):
            trace.labels.tie(axes[1], trace.axes(tensor)[0])
    return axes


def _batch_norm(trace: Following, args: tuple[Any, ...], out: Any) -> list[Axes]:
    axes = _channelwise(trace, args[0], args[1:5])
    return [axes] + [zeros(t.shape) for t in out[1:]]


def _layer_norm(trace: Following, args: tuple[Any, ...], out: Any) -> list[Axes]:
    axes, count = list(trace.axes(args[0])), len(args[1])
    for tensor in args[2:4]:
        if isinstance(tensor, Tensor):
            for vector, other in zip(axes[-count:], trace.axes(tensor), strict=True):
                trace.labels.tie(vector, other)
    return [axes] + [zeros(t.shape) for t in out[1:]]


def _group_norm(trace: Following, args: tuple[Any, ...], out: Any) -> list[Axes]:
    axes, groups = _channelwise(trace, args[0], args[1:3]), args[6]
    blocks = axes[1].reshape(groups, -1)
    for row in blocks[1:]:
        trace.labels.tie(blocks[0], row)
    return [axes] + [zeros(t.shape) for t in out[1:]]


def _reduction(trace: Following, args: tuple[Any, ...], out: Any) -> Axes:
    """A mean, sum or maximum over some dimensions, all without arguments."""
    first = out if isinstance(out, Tensor) else out[0]
    axes = trace.axes(args[0])
    given = args[1] if len(args) > 1 and args[1] not in ([], None) else range(len(axes))
    dims = {d % len(axes) for d in ([given] if isinstance(given, int) else given)}
    if first.dim() == len(axes):
        return [np.zeros(1, dtype=np.int64) if d in dims else v for d, v in enumerate(axes)]
    return [v for d, v in enumerate(axes) if d not in dims]


def _spatial(trace: Following, args: tuple[Any, ...], out: Any) -> list[Axes]:
    """Pooling, resizing and padding: the dimensions whose size changes have nothing to cut."""
    results = [out] if isinstance(out, Tensor) else [t for t in out if isinstance(t, Tensor)]
    axes = trace.axes(args[0])
    found = []
    for tensor in results:
        kept = zeros(tensor.shape)
        for d, vector in enumerate(axes):
            if len(vector) == len(kept[d]):
                kept[d] = vector
            else:
                trace.labels.fix(vector)
        found.append(kept)
    return found


LAYERS: dict[Any, Rule] = {
    **dict.fromkeys((aten.mm, aten.bmm), _mm),
    **dict.fromkeys((aten.addmm, aten.baddbmm), _addmm),
    aten.convolution: _convolution,
    **dict.fromkeys(
        (
            *(aten.native_batch_norm, aten.cudnn_batch_norm, aten._native_batch_norm_legit_no_training),
            aten._native_batch_norm_legit,
        ),
        _batch_norm,
    ),
    aten.native_layer_norm: _layer_norm,
    aten.native_group_norm: _group_norm,
    **dict.fromkeys((aten._softmax, aten._log_softmax, aten._safe_softmax), same),
    **dict.fromkeys((aten.mean, aten.sum, aten.amax, aten.amin, aten.linalg_vector_norm), _reduction),
    **dict.fromkeys(
        (
            *(aten.max_pool2d_with_indices, aten.avg_pool2d, aten._adaptive_avg_pool2d),
            *(aten.adaptive_max_pool2d, aten.upsample_nearest2d, aten.upsample_bilinear2d),
            *(aten.upsample_bicubic2d, aten.constant_pad_nd, aten.reflection_pad2d, aten.replication_pad2d),
            *(aten._upsample_bilinear2d_aa, aten.avg_pool1d, aten.max_pool2d, aten.upsample_nearest1d),
        ),
        _spatial,
    ),
}
