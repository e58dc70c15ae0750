"""Zero-cost proxies: scores of an untrained network from one batch of images, each a pure function.

`PROXIES` lists them by name; a new one is a function here and a line there. Every value is finite. The network is never
changed: proxies that change modes, weights or statistics work on a copy, and restore the random state.
"""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode


class Batch(NamedTuple):
    """Normalised images, float32 (b, c, h, w), and their classes, int64 (b,), on the network's device."""

    images: Tensor
    labels: Tensor


Proxy = Callable[[nn.Module, Batch], float]

_BATCH_NORMS = nn.modules.batchnorm._BatchNorm
_NORMS = (_BATCH_NORMS, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.GroupNorm, nn.LayerNorm)
_WEIGHTED = (nn.modules.conv._ConvNd, nn.Linear)
_aten = torch.ops.aten
_ACTIVATIONS = frozenset(  # those that pass positive values and hold negative ones back; no gates
    getattr(_aten, name)
    for name in (
        "relu relu_ hardtanh hardtanh_ leaky_relu leaky_relu_ elu elu_ celu selu "
        "silu silu_ hardswish hardswish_ gelu mish mish_ _prelu_kernel threshold"
    ).split()
)


def naswot(network: nn.Module, batch: Batch) -> float:
    """Log-determinant of the kernel of activation codes; higher is better.

    Mellor et al., "Neural Architecture Search without Training", ICML 2021, section 3: entry (i, j) of the kernel counts
    the units that are on for both images or off for both. A unit is on where its pre-activation is above 0, which
    is the paper's code for ReLU and carries it over to ReLU6, SiLU, hard swish, GELU and the like, as modules or as
    functions; sigmoids and max-pooling have no code. Batch normalisation uses the batch, dropout is off.

    Images that the network cannot distinguish would give minus infinity: eigenvalues below 1 (two codes that
    differ in one unit have 1) count as 1, so the value is at least 0, and 0 without any activation.
    """
    with _copy(network) as copied, torch.no_grad(), _Codes(batch.images) as codes:
        copied(batch.images)
    return float(torch.linalg.eigvalsh(codes.kernel).clamp_(min=1.0).log_().sum())


def synflow(network: nn.Module, batch: Batch) -> float:
    """Natural logarithm of the synaptic flow; higher is better.

    Tanaka et al., "Pruning neural networks without any data by iteratively conserving synaptic flow", NeurIPS 2020,
    section 5, summed over a network as by Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS", ICLR 2021,
    section 3.3: with absolute parameters and one image of ones, the sum over the weights of convolutions and
    linear layers of |weight x gradient of the summed output|, in double precision. Normalisation layers are left out, as
    there. Uses the images' shape only. A flow outside the range of a double is clipped to that range.
    """
    with _copy(network) as copied, torch.enable_grad():
        _without_norms(copied)
        copied.double()
        weights = _weights(copied)
        with torch.no_grad():
            for parameter in copied.parameters():
                parameter.abs_()
        total = copied(torch.ones_like(batch.images[:1], dtype=torch.float64)).sum()
        flows = [
            (weight.detach() * gradient).abs().sum()
            for weight, gradient in zip(weights, _gradients(total, weights), strict=True)
        ]
        flow = float(torch.stack(flows).sum()) if flows else 0.0
    return math.log(max(_bounded(flow, sys.float_info.max), sys.float_info.min))


def grad_norm(network: nn.Module, batch: Batch) -> float:
    """Sum over convolutions and linear layers of the norm of the loss's gradient in the layer's weight.

    Abdelfattah et al., ICLR 2021, section 3.2: cross-entropy of one batch at initialisation, Euclidean norms. Batch
    normalisation uses the batch, dropout is off. A gradient that is not a number or too large counts as float32's largest.
    """
    with _copy(network) as copied, torch.enable_grad():
        weights = _weights(copied)
        loss = cross_entropy(copied(batch.images), batch.labels)
        norms = [gradient.norm() for gradient in _gradients(loss, weights)]
        total = float(torch.stack(norms).sum()) if norms else 0.0
    return _bounded(total, torch.finfo(torch.float32).max)


def params(network: nn.Module, batch: Batch) -> float:
    """Number of parameters."""
    return float(sum(parameter.numel() for parameter in network.parameters()))


def madds(network: nn.Module, batch: Batch) -> float:
    """Multiply-adds of convolutions and linear layers for one image of the batch's size."""
    with _copy(network) as copied, torch.no_grad(), FlopCounterMode(display=False) as counter:
        copied.eval()(batch.images[:1])
    return float(counter.get_total_flops()) / 2


PROXIES: dict[str, Proxy] = {
    "naswot": naswot,
    "synflow": synflow,
    "grad_norm": grad_norm,
    "params": params,
    "madds": madds,
}


@contextmanager
def _copy(network: nn.Module) -> Iterator[nn.Module]:
    """A copy to work on: batch normalisation uses the batch, all else is as in evaluation.

    The random state is fixed inside and restored afterwards, for layers that draw in evaluation too.
    """
    copied = copy.deepcopy(network).eval().requires_grad_(True)
    for module in copied.modules():
        if isinstance(module, _BATCH_NORMS):
            module.train()
    first = next(copied.parameters(), None)
    cuda = [first.device] if first is not None and first.device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(0)
        yield copied


def _without_norms(network: nn.Module) -> None:
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, _NORMS):
                setattr(parent, name, nn.Identity())


def _weights(network: nn.Module) -> list[Tensor]:
    return [module.weight for module in network.modules() if isinstance(module, _WEIGHTED)]


def _gradients(value: Tensor, weights: Sequence[Tensor]) -> list[Tensor]:
    """Of each weight; zeros for one that `value` does not depend on."""
    if not weights:
        return []
    found = torch.autograd.grad(value, list(weights), allow_unused=True)
    return [torch.zeros_like(w) if g is None else g for w, g in zip(weights, found, strict=True)]


def _bounded(value: float, most: float) -> float:
    return min(value, most) if math.isfinite(value) else most


class _Codes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the kernel (b, b) of every activation that runs, however it is called."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kernel = torch.zeros((len(images), len(images)), dtype=torch.float64)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func.overloadpacket in _ACTIVATIONS and len(args[0]) == len(self.kernel):
            self._add(args[0])
        return func(*args, **(kwargs or {}))

    def _add(self, before: Tensor) -> None:
        """With codes of +1 and -1 the agreements are (units + product) / 2: whole numbers, exact in float32."""
        codes = (before.flatten(1) > 0).float().mul_(2).sub_(1)
        self.kernel += ((codes @ codes.T).double() + codes.shape[1]).cpu() / 2
