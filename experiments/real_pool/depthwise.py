"""A faster weight gradient for depthwise convolutions on a CPU with AVX-512.

PyTorch's takes 3 to 8 times as long as ours for kernels of 5 and more in channels_last, and then half of a training step. `speed_up`
exchanges it in a network; the numbers differ by rounding alone. Without a compiler or AVX-512 the network stays as it is.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

SOURCE = Path(__file__).with_name("depthwise.cpp")
KERNELS = (5, 7, 9, 11)  # below 5, PyTorch is faster


@cache
def kernel() -> Any:
    """The compiled function, or None where it cannot be compiled or run."""
    if "avx512" not in torch.backends.cpu.get_cpu_capability().lower():
        return None
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "depthwise.so"
        compiler = os.environ.get("CXX", "g++")
        command = [compiler, "-O3", "-march=native", "-ffast-math", "-shared", "-fPIC", "-o", library, SOURCE]
        try:
            subprocess.run(command, check=True, capture_output=True)
            return ctypes.CDLL(str(library)).depthwise_weight_gradient
        except (OSError, subprocess.CalledProcessError):
            return None


def weight_gradient(x: Tensor, grad: Tensor, size: int, stride: int) -> Tensor:
    """Gradient (c, 1, size, size) for the input (b, c, h, w) and the output's gradient, with padding size // 2."""
    channels_last = torch.channels_last
    padded = pad(x, (size // 2,) * 4).contiguous(memory_format=channels_last)
    grad = grad.contiguous(memory_format=channels_last)
    b, c, h, w = grad.shape
    out = torch.empty(size, size, c)
    pointers = (ctypes.c_void_p(t.data_ptr()) for t in (padded, grad, out))
    sizes = (ctypes.c_long(n) for n in (b, *padded.shape[2:], h, w, c, stride, size))
    if kernel()(*pointers, *sizes):
        raise ValueError(f"kernel size must be one of 3, 5, 7, 9, 11, not {size}")
    return out.permute(2, 0, 1).unsqueeze(1)


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return conv2d(x, weight, None, stride, weight.shape[2] // 2, 1, x.shape[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # type: ignore[override]
        x, weight = ctx.saved_tensors
        size, stride = weight.shape[2], ctx.stride
        over_x = None
        if ctx.needs_input_grad[0]:
            half = [size // 2] * 2
            arguments = (None, [stride] * 2, half, [1, 1], False, [0, 0], x.shape[1], [True, False, False])
            over_x = torch.ops.aten.convolution_backward(grad, x, weight, *arguments)[0]
        return over_x, weight_gradient(x, grad, size, stride), None


class FastDepthwise(nn.Conv2d):
    """A depthwise convolution without bias, trained with our weight gradient."""

    def forward(self, x: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return super().forward(x)
        out: Tensor = _Depthwise.apply(x, self.weight, self.stride[0])
        return out


def speed_up(network: nn.Module) -> nn.Module:
    """Give the network's large depthwise convolutions the faster gradient, in place; return the network."""
    if kernel() is None:
        return network
    for module in network.modules():
        if type(module) is nn.Conv2d and _suits(module):
            module.__class__ = FastDepthwise
    return network


def _suits(conv: nn.Conv2d) -> bool:
    size = conv.kernel_size[0]
    depthwise = conv.groups == conv.in_channels == conv.out_channels
    plain = conv.bias is None and conv.dilation == (1, 1) and conv.padding == (size // 2, size // 2)
    return depthwise and plain and size in KERNELS and conv.kernel_size == (size, size)
