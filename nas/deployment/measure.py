"""Measure a trained network as it is deployed: latency of its ONNX file, in floating point and in 8 bits, and the error of the latter."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nas.core.checks import did_you_mean
from nas.core.errors import ConfigError
from nas.core.records import Architecture
from nas.core.space import SearchSpace
from nas.core.task_spec import TaskSpec
from nas.deployment.device import Device
from nas.deployment.int8 import calibration_images, check_opset, float_wrong, quantised, wrong
from nas.deployment.onnx_file import check_packages, deployed_model
from nas.deployment.target import FEWEST_IMAGES, GIVE_SIZE, Target
from nas.deployment.untrained import check_buildable, float_layers
from nas.training.feed import Feed, Prepared
from nas.training.recipe import Recipe

CPU = torch.device("cpu")
_SAMPLED = 32  # networks in which the float layers of a target are looked for


@dataclass(frozen=True)
class DeployedValues:
    """Values of a trained network's ONNX file by name; measured after the training (`nas.training.evaluator.Also`).

    `names` are among ort_latency and int8_latency (ms), int8_size (bytes) and int8_error (percent). Where a latency is unsteady or the device's speed
    has changed, its bounds, unsteadiness, raw value and drift are beside it (`LATENCY_low` and so on). Layers in the network's attribute `float_layers`, a list of
    paths of modules that `build` may set, stay in floating point, and those of the target.
    """

    names: tuple[str, ...]
    target: Target
    recipe: Recipe
    task: Any

    @property
    def reports(self) -> tuple[str, ...]:
        """Names of the values that are always there."""
        return self.names

    def check(self, prepared: Prepared, space: Any) -> None:
        """Raises `ConfigError`, before the search, for too few calibration images, an unknown float layer, or a device that cannot be used."""
        check_packages(f"objective {self.names[0]!r}")
        if _needs_int8(self.names) and len(prepared.train) < FEWEST_IMAGES:
            raise ConfigError(
                f"int8: the data have {len(prepared.train)} training images: calibration needs at least {FEWEST_IMAGES}"
            )
        if _needs_int8(self.names):
            check_opset(self.target)
            sizes = {"num_classes": prepared.num_classes, "in_channels": prepared.in_channels}
            check_float_layers(self.target, space, sizes)
        if _needs_device(self.names):
            self.target.made_device().check()

    def __call__(
        self, network: nn.Module, data: Any, resolution: int | None, device: torch.device
    ) -> Mapping[str, float]:
        """Raises `NotExportable`, `QuantisationFailed`, `DeviceError`, `ModelRefused`, and `ConfigError` for layers that the network lacks."""
        prepared = self.task.prepare(data, self.recipe, CPU, resolution)
        count = self.target.int8.calibration if _needs_int8(self.names) else 1
        deployed = Deployed.of(network, calibration_images(prepared.train, count), self.target)
        values = deployed.values([name for name in self.names if name != "int8_error"])
        if "int8_error" in self.names:
            values["int8_error"] = deployed.int8_error(prepared.validation)
        return values

    def again(
        self, network: nn.Module, data: Any, resolution: int | None, device: torch.device
    ) -> Mapping[str, float]:
        """The latencies, measured once more; raises as a call."""
        names = tuple(name for name in self.names if name.endswith("_latency"))
        return replace(self, names=names)(network, data, resolution, device) if names else {}


@dataclass(frozen=True)
class Deployed:
    """A network in evaluation mode on the CPU, images (n, c, h, w) like those that it gets, and its target."""

    network: nn.Module
    images: NDArray[np.float32]
    target: Target

    @classmethod
    def of(cls, network: nn.Module, images: NDArray[np.float32], target: Target) -> Deployed:
        """A copy of the network, for images of the target's size if it has one."""
        side = target.input_size
        if side is not None and images.shape[2:] != (side, side):
            raise ConfigError(
                f"target {target.name}: input_size is {side}, but the images have {images.shape[2]} x {images.shape[3]} pixels: set the recipe's "
                f"resolution to {side}, or remove input_size"
            )
        return cls(copy.deepcopy(network).to(CPU).eval(), images, target)

    @cached_property
    def model(self) -> bytes:
        """The float ONNX file."""
        channels, height, width = self.images.shape[1:]
        return deployed_model(self.network, (channels, height, width), self.target.opset)

    @cached_property
    def int8(self) -> bytes:
        """The ONNX file in 8 bits."""
        check_opset(self.target)
        layers, modules = float_layers(self.network, self.target)
        return quantised(self.model, self.images, layers, modules)

    def values(self, names: Sequence[str]) -> dict[str, float]:
        """The named ones of ort_latency, int8_latency and int8_size, and what is to be said about them."""
        found: dict[str, float] = {}
        for name in names:
            if name == "int8_size":
                found[name] = float(len(self.int8))
            else:
                found |= self._latency(name, self.model if name == "ort_latency" else self.int8)
        return found

    def _latency(self, name: str, model: bytes) -> dict[str, float]:
        settings = self.target.timing_settings()
        measured = self.device.patient_measure(model, settings)
        found = {name: measured.milliseconds}
        if measured.unsteadiness > settings.tolerance:
            found |= {
                f"{name}_low": measured.low,
                f"{name}_high": measured.high,
                f"{name}_unsteady": measured.unsteadiness,
            }
        if measured.drifted:
            found |= {f"{name}_raw": measured.raw, f"{name}_drift": measured.drift}
        if name == "ort_latency" and measured.peak_memory is not None:
            found["measured_memory"] = float(measured.peak_memory)
        return found

    @cached_property
    def device(self) -> Device:
        return self.target.made_device()

    def int8_error(self, feed: Feed) -> float:
        """The error in percent on the images of a feed.

        The quantised network runs on the target's number of images. Where the feed has more, it is the float network's error on all of them plus the difference
        between both networks on those.
        """
        everything = torch.arange(len(feed))
        some = everything[:: -(-len(feed) // self.target.int8.images)]
        error = 100.0 * wrong(self.int8, feed, some, self.target.threads) / len(some)
        if len(some) == len(feed):
            return error
        of_float = [100.0 * float_wrong(self.network, feed, part) / len(part) for part in (everything, some)]
        return min(100.0, max(0.0, of_float[0] + error - of_float[1]))


@dataclass(frozen=True)
class UntrainedValue:
    """A latency or size of an architecture's ONNX file, with weights like trained ones: an objective's function where the evaluator trains no network."""

    name: str
    space: Any
    target: Target
    task: TaskSpec | None = None

    def for_task(self, task: TaskSpec) -> UntrainedValue:
        """The same for networks and images of the data. Raises `ConfigError` for an unknown float layer."""
        if _needs_int8((self.name,)):
            check_opset(self.target)
            sizes = {"num_classes": task.num_classes, "in_channels": task.in_channels}
            check_float_layers(self.target, self.space, sizes)
        return replace(self, task=task)

    def __call__(self, architecture: Architecture) -> float:
        """Milliseconds or bytes."""
        return self.with_spread(self.name, architecture)[self.name]

    def with_spread(self, name: str, architecture: Architecture) -> dict[str, float]:
        """See `nas.core.measure.HasSpread`."""
        from nas.training.latency import untrained

        network, shape = untrained(
            self.space, architecture, self.target.input_size, self.task, name, GIVE_SIZE
        )
        count = self.target.int8.calibration if _needs_int8((name,)) else 1
        images = np.random.default_rng(0).standard_normal((count, *shape), dtype=np.float32)
        return Deployed.of(network, images, self.target).values([name])


@dataclass(frozen=True)
class MakeUntrainedValue:
    """Makes an `UntrainedValue` for a space; an objective's `for_space`."""

    name: str
    target: Target

    def __call__(self, space: SearchSpace) -> UntrainedValue:
        check_buildable(space, self.name)
        check_packages(f"objective {self.name!r}")
        made, task = UntrainedValue(self.name, space, self.target), getattr(space, "task", None)
        return made.for_task(task) if isinstance(task, TaskSpec) else made


def check_float_layers(target: Target, space: Any, sizes: Mapping[str, int]) -> None:
    """Raises `ConfigError` for a float layer of the target that none of some random networks has.

    `sizes` are the arguments of `build` beside the architecture. Names of ONNX nodes, which have a slash, are not checked.
    """
    missing = [name for name in target.int8.float_layers if "/" not in name]
    rng, known = np.random.default_rng(0), dict[str, None]()
    for _ in range(_SAMPLED if missing else 0):
        network = space.build(space.sample(rng), **sizes)
        known |= {name: None for name, _ in network.named_modules() if name}
        missing = [name for name in missing if name not in known]
        if not missing:
            return
    if missing:
        raise ConfigError(
            f"target {target.name}: int8: float_layers: no network of space {space.name!r} has a layer "
            f"{missing[0]!r}{did_you_mean(missing[0], known)}; layers are {', '.join(list(known)[:12])}{', ...' if len(known) > 12 else ''}"
        )


def _needs_int8(names: Sequence[str]) -> bool:
    return any(name.startswith("int8_") for name in names)


def _needs_device(names: Sequence[str]) -> bool:
    return any(name.endswith("_latency") for name in names)
