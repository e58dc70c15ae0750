"""Networks as a user may write them, for the tests of `nas.export.standalone`."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.1
SIZES = {"small": 3, "large": 5}


@dataclass(frozen=True)
class Inner:
    factor: float


@dataclass(frozen=True)
class Settings:
    width: int
    inner: Inner


class Wrong(ValueError):
    """The image cannot be used."""


def squashed(x: Tensor, slope: float = SLOPE) -> Tensor:
    if x.ndim != 4:
        raise Wrong(f"expected four dimensions, got {x.ndim}")
    return F.leaky_relu(x, slope) / math.sqrt(2)


class Scaled(nn.Module):
    """A parameter, a buffer and a number of its own."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.rand(width, 1, 1))
        self.register_buffer("shift", torch.rand(width, 1, 1))
        self.register_buffer("steps", torch.tensor(3))
        self.power = 2.0

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale**self.power + self.shift * self.steps


class Residual(nn.Sequential):
    """A container with a forward pass of its own."""

    def forward(self, x: Tensor) -> Tensor:
        return x + self.factor * super().forward(x)

    factor = 0.5


class Standardised(nn.Conv2d):
    """A layer of torch's whose weights are standardised."""

    def __init__(self, *sizes: int, gain: float) -> None:
        super().__init__(*sizes, padding=1)
        self.gain = gain

    def forward(self, x: Tensor) -> Tensor:
        weight = self.gain * self.weight / (self.weight.std() + 1e-3)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


class Body(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.layers(x))

    def end(self, x: Tensor) -> Tensor:
        return x


class Network(Body):
    """Everything at once."""

    def __init__(self) -> None:
        super().__init__()
        activation = nn.GELU()
        self.settings = Settings(8, Inner(0.25))
        self.activation = F.silu
        self.layers = nn.Sequential(
            OrderedDict(
                first=Standardised(1, 8, 3, gain=1.5),
                again=activation,
                scaled=Scaled(8),
                inside=Residual(nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect"), activation),
                norm=nn.GroupNorm(2, 8),
            )
        )
        self.paths = nn.ModuleDict(
            {"3x3": nn.Conv2d(8, 8, 3, padding=1), "1x1": nn.Conv2d(8, 8, 1, bias=False)}
        )
        self.skip: nn.Module | None = None
        self.head = nn.Linear(8, 10)

    @property
    def factor(self) -> float:
        return self.settings.inner.factor

    def end(self, x: Tensor) -> Tensor:
        y = squashed(sum(path(x) for path in self.paths.values()) * self.factor)
        y = self.activation(super().end(y)) + self.steps()
        return self.head(y.mean((2, 3)))

    @staticmethod
    def steps() -> int:
        return SIZES["small"]


class UsesNumpy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * float(np.sqrt(2.0))


class TwoOutputs(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


class KeepsAnObject(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.made = partial(torch.mul, 2.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.made(x)


class Forgetful(nn.Module):
    """A buffer that is in no state dict."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("hidden", torch.rand(1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.hidden


class Remembers(nn.Module):
    """Depends on what was there before it was written."""

    counts: list[int] = []  # noqa: RUF012

    def forward(self, x: Tensor) -> Tensor:
        return x * len(UNSTEADY)


UNSTEADY: list[int] = [1, 2]


def within_a_function() -> nn.Module:
    factor = 3.0

    class Local(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * factor

    return Local()


def tied() -> nn.Module:
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    network[1].weight = network[0].weight
    return network


def hooked() -> nn.Module:
    network = nn.Sequential(nn.Conv2d(1, 2, 1))
    network[0].register_forward_hook(lambda module, inputs, output: output + 1)
    return network


REFUSED = {
    "a package that is not torch": (UsesNumpy, "uses the package numpy"),
    "two outputs": (TwoOutputs, "returns a tuple; expected one tensor"),
    "an object": (KeepsAnObject, "KeepsAnObject.made has type partial"),
    "a hidden buffer": (Forgetful, "its buffer 'hidden' is not in the state dict"),
    "variables around it": (within_a_function, "uses variables of an enclosing function"),
    "a shared weight": (tied, "two layers share one weight"),
    "a hook": (hooked, "Conv2d has hooks"),
    "an LSTM": (lambda: nn.Sequential(nn.LSTM(4, 4)), "LSTM does not store its constructor arguments"),
}
