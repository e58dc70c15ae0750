"""Exact costs of a network: parameters, multiply-adds and memory, from one pass without weights.

The network is built on torch's meta device, where tensors have shapes and no storage, so a network of any size takes no
memory and some milliseconds. Importing this module imports torch.

| operation | `madds` |
|---|---|
| convolution, transposed too (any groups, stride, dilation) | weights of one output x outputs; transposed: x inputs |
| linear layer, `@`, `matmul`, `bmm`, `einsum`, LSTM and GRU | rows x inner x columns of each matrix product |
| attention (`scaled_dot_product_attention`, `nn.MultiheadAttention`) | both products, with or without a mask; projections |
| bias, normalisation, activation, pooling, resizing, sums and products element by element, softmax, embedding | 0 |

These are the operations of `torch.utils.flop_counter` (whose FLOPs are twice the multiply-adds), and the rule by which the
built-in spaces count. On the CPU that counter misses attention and LSTM, which run there as one fused operation.
"""

from __future__ import annotations

import copy
import random
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from nas.core.errors import ConfigError
from nas.core.tracebacks import summarize_exception
from nas.spaces import shape_rules
from nas.spaces.modules import parameters

Make = Callable[[], nn.Module]
Watch = Callable[[nn.Module, Callable[[], int]], AbstractContextManager[object]]


def trace(
    make: Make, shape: tuple[int, ...], dtype: torch.dtype | None = None, watch: Watch | None = None
) -> dict[str, float]:
    """Count the network of `make()` for one input of `shape`, such as (channels, height, width), in evaluation mode.

    - `params`: parameters in use, shared ones once, without the children named in its `training_only`.
    - `madds`: multiply-adds; the module's table lists the operations that count.
    - `activations`: bytes, the largest sum of tensors that exist at one time in the forward pass, without gradients:
      the input, and every tensor made since and not yet freed. Parameters, buffers and constants do not count; views and
      in-place operations share memory. Attention counts its matrix of scores, which fused kernels avoid.

    `dtype` is that of the input, the default floating-point type if None; an embedding takes `torch.long`. The input is
    zeros. Where the code of the network needs values, it is built, and if necessary run, on the CPU; `make` is then
    called up to three times. A network that `make` has built before keeps its weights, device and mode. Random
    generators, default type and gradient mode are as before afterwards. Raises `ConfigError` if the network cannot be
    built or run. `watch` receives the network and a function of the multiply-adds so far; its context is entered for
    the counted pass.
    """
    with _state_kept():
        for build in (_built_on_meta, _weights_on_meta):
            try:
                return _count(build(make), shape, dtype, watch)
            except Exception:  # its code reads values, or it fails on the CPU too
                continue
        try:
            with torch.device("cpu"):
                network = _module(make())
        except Exception as error:
            raise _failure("the network cannot be built", error) from error
        try:
            return _count(meta_copy(network), shape, dtype, watch)
        except Exception:  # its forward pass reads values
            pass
        try:
            with _unfused(network):
                return _count(network, shape, dtype, watch, "cpu")
        except Exception as error:
            raise _failure(
                f"the network fails for one input of shape {(1, *shape)}, batch first", error
            ) from error


def _failure(text: str, error: Exception) -> ConfigError:
    return error if isinstance(error, ConfigError) else ConfigError(f"{text}: {summarize_exception(error)}")


def _built_on_meta(make: Make) -> nn.Module:
    with _OnMeta(_CONSTRUCTORS):
        return meta_copy(_module(make()))


def without_memory() -> AbstractContextManager[object]:
    """A context in which new tensors are on the meta device where no device is named, and initial values are skipped."""
    return _OnMeta(_CONSTRUCTORS)


def _weights_on_meta(make: Make) -> nn.Module:
    """For code that reads `linspace`, `arange` or `tensor` while it builds, such as rates by depth."""
    with torch.device("cpu"), _OnMeta(_FILLED):
        return meta_copy(_module(make()))


_FILLED = (torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn)
_CONSTRUCTORS = (
    *_FILLED,
    *(
        torch.empty_strided,
        torch.randint,
        torch.randperm,
        torch.normal,
        torch.eye,
        torch.arange,
        torch.linspace,
    ),
    *(
        torch.logspace,
        torch.tensor,
        torch.as_tensor,
        torch.scalar_tensor,
        torch.tril_indices,
        torch.triu_indices,
    ),
)
_FILLERS = frozenset(
    (
        *(nn.init.uniform_, nn.init.normal_, nn.init.constant_, nn.init.kaiming_uniform_),
        *(Tensor.uniform_, Tensor.normal_, Tensor.fill_, Tensor.zero_, Tensor.erfinv_, Tensor.clamp_),
    )
)


class _OnMeta(TorchFunctionMode):
    """Constructors make meta tensors where no device is named; filling these, such as to initialise weights, is skipped."""

    def __init__(self, constructors: Sequence[Any]) -> None:
        super().__init__()
        self._constructors = frozenset(constructors)

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _FILLERS:
            filled = args[0] if args else kwargs.get("tensor")
            if isinstance(filled, Tensor) and filled.is_meta:
                return filled
        elif func in self._constructors and kwargs.get("device") is None:
            kwargs = {**kwargs, "device": "meta"}
        return func(*args, **kwargs)


def _module(made: object) -> nn.Module:
    if not isinstance(made, nn.Module):
        raise ConfigError(f"build must return a torch.nn.Module, got {type(made).__name__}")
    return made


def meta_copy(network: nn.Module) -> nn.Module:
    """The network with its parameters and buffers on the meta device; itself where they are."""
    tensors = [*network.parameters(), *network.buffers()]
    if all(t.device.type == "meta" for t in tensors):
        return network
    if any(map(is_lazy, tensors)):
        raise ValueError("a lazy module gets its shapes where it was built")
    memo: dict[int, Any] = {}
    for tensor in tensors:
        bare = torch.empty_like(tensor, device="meta")
        memo[id(tensor)] = (
            nn.Parameter(bare, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else bare
        )
    return copy.deepcopy(network, memo)  # no weight is copied


def _count(
    network: nn.Module,
    shape: tuple[int, ...],
    dtype: torch.dtype | None,
    watch: Watch | None,
    device: str = "meta",
) -> dict[str, float]:
    modes = [(module, module.training) for module in network.modules()]
    try:
        network.eval()
        here = _OnMeta(_CONSTRUCTORS) if device == "meta" else torch.device(device)
        with here, torch.inference_mode(False), torch.no_grad():
            x = torch.zeros(1, *shape, dtype=dtype)
            if parameters(network) is None:
                network(x)  # gives lazy modules their shapes
            params = parameters(network)
            if params is None:
                raise ConfigError(
                    "a lazy module of the network gets no input, so its parameters have no shape"
                )
            tracer = _Tracer()
            tracer.add(x)
            watched = nullcontext() if watch is None else watch(network, lambda: tracer.flops // 2)
            with watched, tracer:
                network(x)
    finally:
        for module, training in modes:
            module.training = training
    return {"params": params, "madds": tracer.flops // 2, "activations": tracer.peak}


class _Tracer(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """FLOPs of the operations that run, and bytes of the storages that they make, now and at most."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = self.now = self.peak = 0
        self._alive: dict[int, weakref.ref[Any]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """False: torch then does not import its compiler, which takes a second."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs, packet = kwargs or {}, func._overloadpacket
        formula = flop_registry.get(packet)
        if formula is None and torch.is_inference_mode_enabled():  # composite operations arrive whole
            with self:
                whole = func.decompose(*args, **kwargs)
            if whole is not NotImplemented:
                return whole
        on_meta = bool(args) and isinstance(args[0], Tensor) and args[0].is_meta
        out = shape_rules.result(packet, args, kwargs) if on_meta else NotImplemented
        if out is NotImplemented:
            out = func(*args, **kwargs)
        if formula is not None:
            self.flops += formula(*args, **kwargs, out_val=out)
        for tensor in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(tensor, Tensor) and tensor.layout is torch.strided:
                self.add(tensor, args)
        return out

    def add(self, tensor: Tensor, args: Sequence[Any] = ()) -> None:
        """Count the storage of a tensor until it is freed, unless it is known or that of an argument."""
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._alive or not size or any(_storage(a) == key for a in args):
            return
        self._alive[key] = weakref.ref(storage, partial(self._free, key, size))
        self.now += size
        self.peak = max(self.peak, self.now)

    def _free(self, key: int, size: int, _: object) -> None:
        del self._alive[key]
        self.now -= size


def _storage(value: Any) -> int | None:
    strided = isinstance(value, Tensor) and value.layout is torch.strided
    return int(value.untyped_storage()._cdata) if strided else None


@contextmanager
def _state_kept() -> Iterator[None]:
    """Give back the random generators (Python, NumPy, torch on the CPU), the default type and the gradient mode."""
    python, numpy, dtype = random.getstate(), np.random.get_state(), torch.get_default_dtype()  # noqa: NPY002
    grad = torch.is_grad_enabled()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)


@contextmanager
def _unfused(network: nn.Module) -> Iterator[None]:
    """Run attention and recurrent layers as matrix products, which the formulas count, as on the meta device."""
    fast = torch.backends.mha.get_fastpath_enabled()
    with ExitStack() as stack:
        stack.callback(torch.backends.mha.set_fastpath_enabled, fast)
        torch.backends.mha.set_fastpath_enabled(False)
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        if any(isinstance(module, nn.RNNBase) for module in network.modules()):
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")  # about GPUs that oneDNN does not know
            stack.enter_context(torch.backends.mkldnn.flags(enabled=False))
        yield
