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
    elif groups >= inside and transposed:  # whole groups; the weights of all have the same results
        blocks = channels.reshape(groups, inside)
        for column in blocks.T[1:]:
            trace.labels.tie(blocks[:, 0], column)
        trace.labels.tie(channels, second)
        trace.labels.fix(first)
        results = np.repeat(blocks[:, 0], len(first))
        trace.resized_groups()
    elif groups >= inside:  # whole groups
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


def _reduction(trace: Following, args: tuple[Any, ...], out: Any) -> Axes | list[Axes]:
    """A mean, sum, maximum or deviation over some dimensions, all without arguments; one or several results."""
    axes = trace.axes(args[0])
    given = args[1] if len(args) > 1 and args[1] not in ([], None) else range(len(axes))
    dims = {d % len(axes) for d in ([given] if isinstance(given, int) else given)}
    results = [out] if isinstance(out, Tensor) else out
    found = []
    for result in results:
        if result.dim() == len(axes):
            found.append([np.zeros(1, dtype=np.int64) if d in dims else v for d, v in enumerate(axes)])
        else:
            found.append([v for d, v in enumerate(axes) if d not in dims])
    return found[0] if isinstance(out, Tensor) else found


def _vector_norm(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes | list[Axes]:
    """Its second argument is the order of the norm."""
    return _reduction(trace, (args[0], *args[2:]), out)


def _extreme(trace: Following, args: tuple[Any, ...], out: Any) -> Axes | list[Axes]:
    """Extremes along one dimension, and their places in it (places among channels would change); or one of all elements."""
    axes = trace.axes(args[0])
    if len(args) > 1:
        trace.stays(axes[args[1] % len(axes)])
    return _reduction(trace, args, out)


def _glu(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes:
    """The first half of a dimension, gated by the second one."""
    axes = list(trace.axes(args[0]))
    d = (args[1] if len(args) > 1 else -1) % len(axes)
    half, gate = np.split(axes[d], 2)
    trace.labels.tie(half, gate)
    axes[d] = half
    return axes


def _channel_shuffle(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes:
    """The channels of all groups in turn; of each group the same ones are cut."""
    axes = list(trace.axes(args[0]))
    blocks = axes[1].reshape(args[1], -1)
    for row in blocks[1:]:
        trace.labels.tie(blocks[0], row)
    axes[1] = blocks.T.reshape(-1)
    return axes


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
                trace.stays(vector)
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
    **dict.fromkeys(
        (aten.mean, aten.sum, aten.amax, aten.amin, aten.var, aten.std, aten.var_mean), _reduction
    ),
    aten.linalg_vector_norm: _vector_norm,
    **dict.fromkeys((aten.max, aten.min, aten.median), _extreme),
    aten.glu: _glu,
    aten.channel_shuffle: _channel_shuffle,
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
