"""Run a network once while its labels are followed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

from nas.core.errors import ConfigError
from nas.core.tracebacks import summarize_exception
from nas.pruning.axes import Axes
from nas.pruning.labels import FIXED, Vector
from nas.pruning.tracing import Call, Trace, tensors_in

aten = torch.ops.aten


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operator below autograd."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """False: torch then does not import its compiler, which takes a second."""
        return False


class _Follow(_Operators):  # type: ignore[no-untyped-call]
    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self._trace = trace

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        self._trace.operator(func, args, kwargs or {}, out)
        return out


def traced(network: nn.Module, example: Tensor, choices: Mapping[int, int] | None = None) -> Trace:
    """Run a network in evaluation mode on `example` (1, c, h, w), and follow its channels; its outputs are never cut.

    `choices`: see `Trace.chosen`. Raises `ConfigError` if the network fails, or its code reads values of tensors that depend on the images.
    """
    trace = Trace(network, choices=choices or {})
    try:
        with ExitStack() as stack:
            stack.enter_context(evaluating(network))
            stack.enter_context(plain_operators())
            for name, module in trace.modules.items():
                for handle in _watched(trace, name, module):
                    stack.callback(handle.remove)
            trace.begin(example)
            with _Follow(trace):
                out = network(example)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"the network fails for an image of shape {tuple(example.shape)}: {summarize_exception(error)}"
        ) from error
    ends = [
        axes for t in tensors_in(out if isinstance(out, (tuple, list)) else [out]) for axes in trace.axes(t)
    ]
    trace.outputs = {name for name, axes in trace.tensors.items() if _meet(trace, axes, ends)}
    for vector in ends:
        trace.labels.fix(vector)
    return trace


def _meet(trace: Trace, axes: Axes, ends: Sequence[Vector]) -> bool:
    """Whether a tensor has labels of the network's outputs."""
    at_end = {int(label) for vector in ends for label in trace.labels.roots(vector)} - {FIXED}
    return any(at_end & set(trace.labels.roots(vector).tolist()) for vector in axes)


def _watched(trace: Trace, name: str, module: nn.Module) -> list[Any]:
    """Hooks that record the calls of a module."""

    def begin(_: nn.Module, args: tuple[Any, ...]) -> None:
        trace.enter(name)

    def end(_: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        trace.leave()
        if len(args) == 1 and isinstance(args[0], Tensor) and isinstance(out, Tensor):
            axes = list(trace.axes(args[0])), list(trace.axes(out))
            trace.calls.append(Call(name, module, args[0], out, *axes))

    return [module.register_forward_pre_hook(begin), module.register_forward_hook(end)]


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """The network is in evaluation mode meanwhile."""
    modes = [(module, module.training) for module in network.modules()]
    try:
        network.eval()
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def plain_operators() -> Iterator[None]:
    """Run attention as matrix products, without gradients."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


class WithoutStatistics(_Operators):  # type: ignore[no-untyped-call]
    """Norms only scale and shift, and means are sums: channels at zero then add nothing to the results of others."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs, packet = kwargs or {}, func._overloadpacket
        if packet is aten.native_layer_norm:
            return _scaled(args[0], args[2], args[3], 0), args[0], args[0]
        if packet is aten.native_group_norm:
            return _scaled(args[0], args[1], args[2], args[0].dim() - 2), args[0], args[0]
        if func is aten.mean.dim:
            return aten.sum.dim_IntList(*args, **kwargs)
        if func is aten.mean.default:
            return aten.sum.default(*args, **kwargs)
        return func(*args, **kwargs)


def _scaled(x: Tensor, weight: Tensor | None, bias: Tensor | None, behind: int) -> Tensor:
    """`x` scaled and shifted along the dimensions before the last `behind`."""
    ones = (1,) * behind
    if weight is not None:
        x = x * weight.reshape(*weight.shape, *ones)
    return x.clone() if bias is None else x + bias.reshape(*bias.shape, *ones)
