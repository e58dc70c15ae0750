"""Rules of the operators that move elements: views, splits, concatenations, and those element by element."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nas.pruning.axes import Axes, Following, Rule, broadcast, reshaped
from nas.pruning.labels import zeros

aten = torch.ops.aten


def pointwise(trace: Following, args: tuple[Any, ...], out: Any) -> Axes:
    """An operation element by element, with broadcasting."""
    return broadcast(trace, [a for a in args if isinstance(a, Tensor)], out)


def _view(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes:
    x = args[0]
    axes = reshaped(trace, trace.axes(x), x.shape, out.shape)
    for vector in axes:
        trace.counted(vector)  # the code may name the number of channels
    return axes


def _permute(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes:
    axes = trace.axes(args[0])
    return [axes[d] for d in args[1]]


def _transpose(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes:
    axes = list(trace.axes(args[0]))
    first, second = (args[1], args[2]) if len(args) == 3 else (0, min(1, len(axes) - 1))
    axes[first], axes[second] = axes[second], axes[first]
    return axes


def same(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes:
    """The elements stay where they are."""
    return list(trace.axes(args[0]))


def _expand(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes:
    axes, found = trace.axes(args[0]), zeros(out.shape)
    for d, vector in enumerate(axes):
        place = d + out.dim() - len(axes)
        if len(vector) == len(found[place]):
            found[place] = vector
    return found


def _repeat(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes:
    axes, new = trace.axes(args[0]), out.dim() - args[0].dim()
    return [*zeros(out.shape[:new]), *(np.tile(v, n) for v, n in zip(axes, args[1][new:], strict=True))]


def _unsqueeze(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes:
    axes = list(trace.axes(args[0]))
    axes.insert(args[1] % out.dim(), np.zeros(1, dtype=np.int64))
    return axes


def _squeeze(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes:
    axes = trace.axes(args[0])
    given = args[1] if len(args) > 1 else range(len(axes))
    dims = {d % len(axes) for d in ([given] if isinstance(given, int) else given)}
    return [v for d, v in enumerate(axes) if not (d in dims and len(v) == 1)]


def _slice(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes:
    x = args[0]
    given: list[Any] = [*args[1:], *(0, None, None, 1)[len(args) - 1 :]]
    d, start, end, step = given
    axes, d = list(trace.axes(x)), d % x.dim()
    size = x.shape[d]
    taken = slice(start, end, step).indices(size)
    if taken == (0, size, 1):
        return axes
    if taken[2] == 1:
        trace.bounds(axes[d], taken[0], taken[1])
    axes[d] = axes[d][start:end:step]
    return axes


def _select(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes:
    axes, d = list(trace.axes(args[0])), args[1] % args[0].dim()
    trace.labels.fix(axes.pop(d))
    return axes


def _unbind(trace: Following, args: tuple[Any, ...], out: Sequence[Tensor]) -> list[Axes]:
    d = (args[1] if len(args) > 1 else 0) % args[0].dim()
    axes = list(trace.axes(args[0]))
    trace.labels.fix(axes.pop(d))
    return [list(axes) for _ in out]


def _split(trace: Following, args: tuple[Any, ...], out: Sequence[Tensor]) -> list[Axes]:
    x = args[0]
    d = (args[2] if len(args) > 2 else 0) % x.dim()
    axes, sizes = trace.axes(x), [part.shape[d] for part in out]
    parts = np.split(axes[d], np.cumsum(sizes)[:-1])
    trace.parts(args[1], parts)
    return [[*axes[:d], part, *axes[d + 1 :]] for part in parts]


def _cat(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes:
    tensors = [t for t in args[0] if t.dim() == out.dim()]
    d = (args[1] if len(args) > 1 else 0) % out.dim()
    every = [trace.axes(t) for t in tensors]
    found = list(every[0])
    for axes in every[1:]:
        for place, vector in enumerate(axes):
            if place != d:
                trace.labels.tie(found[place], vector)
    found[d] = np.concatenate([axes[d] for axes in every])
    return found


def _stack(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes:
    found = list(trace.axes(args[0][0]))
    for tensor in args[0][1:]:
        for a, b in zip(found, trace.axes(tensor), strict=True):
            trace.labels.tie(a, b)
    found.insert((args[1] if len(args) > 1 else 0) % out.dim(), np.zeros(len(args[0]), dtype=np.int64))
    return found


def _flip(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes:
    axes = list(trace.axes(args[0]))
    for d in args[1]:
        axes[d] = axes[d][::-1]
    return axes


def _roll(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes | None:
    axes = list(trace.axes(args[0]))
    if len(args) < 3 or not args[2]:
        return None
    for shift, d in zip(args[1], args[2], strict=True):
        axes[d] = np.roll(axes[d], shift)
    return axes


def _pixel_shuffle(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes:
    axes, found, times = trace.axes(args[0]), zeros(out.shape), args[1] ** 2
    blocks = axes[-3].reshape(-1, times)
    for column in range(1, times):
        trace.labels.tie(blocks[:, 0], blocks[:, column])
    found[-3] = blocks[:, 0]
    return found


def _pixel_unshuffle(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes:
    found = zeros(out.shape)
    found[-3] = np.repeat(trace.axes(args[0])[-3], args[1] ** 2)
    return found


def _index(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes | None:
    """One tensor of positions: its dimension is never cut."""
    axes, places = list(trace.axes(args[0])), [d for d, i in enumerate(args[1]) if i is not None]
    if len(places) != 1 or args[1][places[0]].dtype == torch.bool:
        return None
    d = places[0]
    trace.labels.fix(axes[d])
    return [*axes[:d], *zeros(args[1][d].shape), *axes[d + 1 :]]


def _like(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes:
    return list(trace.axes(args[0])) if out.shape == args[0].shape else zeros(out.shape)


def _restrided(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes | None:
    """Another order in memory of the same elements."""
    return list(trace.axes(args[0])) if list(args[1]) == [len(v) for v in trace.axes(args[0])] else None


def _fresh(trace: Following, args: tuple[Any, ...], out: Any) -> Axes:
    """A constant that depends on no tensor."""
    return zeros(out.shape)


def _copied(trace: Following, args: tuple[Any, ...], out: Tensor) -> Axes:
    return broadcast(trace, [args[0], args[1]], out)


MOVES: dict[Any, Rule] = {
    **dict.fromkeys((aten.view, aten._unsafe_view, aten._reshape_alias), _view),
    aten.permute: _permute,
    **dict.fromkeys((aten.transpose, aten.t), _transpose),
    **dict.fromkeys(
        (aten.clone, aten.detach, aten.alias, aten._to_copy, aten.contiguous, aten.lift_fresh, aten.dropout),
        same,
    ),
    aten.expand: _expand,
    aten.repeat: _repeat,
    aten.unsqueeze: _unsqueeze,
    aten.squeeze: _squeeze,
    aten.slice: _slice,
    aten.select: _select,
    aten.unbind: _unbind,
    **dict.fromkeys((aten.split, aten.split_with_sizes), _split),
    aten.cat: _cat,
    aten.stack: _stack,
    aten.flip: _flip,
    aten.roll: _roll,
    # element by element, without PyTorch's tag
    **dict.fromkeys((aten.hardswish, aten.hardswish_, aten.prelu, aten._prelu_kernel), pointwise),
    aten.pixel_shuffle: _pixel_shuffle,
    aten.pixel_unshuffle: _pixel_unshuffle,
    aten.index: _index,
    **dict.fromkeys(
        (aten.zeros_like, aten.ones_like, aten.empty_like, aten.full_like, aten.rand_like), _like
    ),
    **dict.fromkeys(
        (
            *(aten.zeros, aten.ones, aten.empty, aten.full, aten.arange, aten.linspace, aten.scalar_tensor),
            *(aten.new_zeros, aten.new_ones, aten.new_full, aten.new_empty),
        ),
        _fresh,
    ),
    **dict.fromkeys((aten.as_strided, aten.as_strided_), _restrided),
    aten.copy_: _copied,
}
