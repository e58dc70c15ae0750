"""Check that a built network has the parameters and multiply-adds that the space's `cost` gives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from nas.core.errors import ConfigError, DataError
from nas.core.records import Architecture
from nas.core.space import HasBuild, HasForTask, SearchSpace, can_build, for_task, has_cost
from nas.core.task_spec import Size, TaskSpec, size_text
from nas.spaces.modules import parameters
from nas.spaces.tracing import trace, without_memory

SAMPLES = 3  # architectures built before a search
NEAR = 1e-3  # relative: multiply-adds of one size of image, counted with or without a bias


def check_counts(space: object, task: TaskSpec) -> None:
    """Build some architectures for this task and compare them with the space's `cost`, without training.

    Raises `ConfigError` where parameters differ, or where the multiply-adds belong to another image size.
    """
    if not (isinstance(space, SearchSpace) and can_build(space) and has_cost(space)):
        return
    rng = np.random.default_rng(0)
    for _ in range(SAMPLES):
        architecture = space.canonical(space.sample(rng))
        try:
            network = _built(space, architecture, task)
        except Exception:  # a failed candidate; the search continues
            continue
        check_params(space, architecture, network, task)
        if task.image_size is not None and not hasattr(space, "for_task"):
            _check_madds(space, architecture, network, task, task.image_size)


def check_classes(task: TaskSpec) -> None:
    """Raise `DataError` for data of one class, where every classifier has an error of 0%."""
    if task.num_classes < 2:
        raise DataError(
            "data: all images have one class, so the error of every network is 0%: a classifier needs two classes or more; of a "
            "folder of images, give the one that has a subfolder for each class"
        )


def check_outputs(space: object, task: TaskSpec) -> None:
    """Raise `ConfigError` where a classifier of the space returns another number of values than the data have classes.

    One network and one image; a network that fails is left to the search. Raises `DataError` as `check_classes`.
    """
    check_classes(task)
    if not (isinstance(space, SearchSpace) and can_build(space)) or task.image_size is None:
        return
    shape = (1, task.in_channels, *task.image_size)
    try:
        architecture = space.canonical(space.sample(np.random.default_rng(0)))
        network = _built(space, architecture, task)
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            output = network.eval()(torch.zeros(shape, device=next(network.parameters()).device))
    except Exception:  # a failed candidate; the search continues
        return
    if isinstance(output, torch.Tensor) and output.ndim == 2 and output.shape[1] != task.num_classes:
        name, text = _named(space, architecture)
        raise ConfigError(
            f"space {name!r}: the network of {text} returns {output.shape[1]:,} numbers for an image, but the data have "
            f"{task.num_classes:,} classes: let build take num_classes and return one number a class"
        )


def check_params(
    space: object, architecture: Architecture, network: nn.Module, task: TaskSpec | None = None
) -> None:
    """Raise `ConfigError` unless the built network has as many parameters as the space's `cost` gives."""
    if not has_cost(space):
        return
    counted, built = _said(space, architecture, "params"), parameters(network)
    if counted is None or built is None or math.isclose(counted, built, rel_tol=1e-9):
        return
    name, text = _named(space, architecture)
    data = "the data" if task is None else f"the data ({task})"
    raise ConfigError(
        f"space {name!r}: cost() gives {counted:,.0f} parameters for {text}, but its network for {data} has {built:,}. "
        f"Set the space's classes and channels to those of the data, or add a method for_task(task) that sets them"
    )


def check_counted(space: object, architecture: Architecture, network: nn.Module, task: TaskSpec) -> None:
    """Raise `ConfigError` unless the search's counted space (None: no check) matches this network on these data.

    The last check, before training: the search may not have seen these data when it began.
    """
    if space is None:
        return
    check_params(space, architecture, network, task)
    if not (isinstance(space, SearchSpace) and isinstance(space, HasForTask) and has_cost(space)):
        return
    counted, followed = dict(space.cost(architecture)), dict(for_task(space, task).cost(architecture))  # type: ignore[attr-defined]
    if counted != followed:
        raise ConfigError(
            f"space {space.name!r}: the search counts {counted} for {space.format(architecture)}, but the data ({task}) give "
            f"{followed}. Set the space's classes, channels and image size to those of the data, or give the evaluator "
            f"a method task_spec()"
        )


def check_data(expected: TaskSpec | None, found: TaskSpec) -> None:
    """Raise `DataError` when a worker's data differ from those at the start of the search."""
    if expected is None:
        return
    same = (expected.in_channels, expected.num_classes) == (found.in_channels, found.num_classes)
    if not same:
        raise DataError(
            f"data: {found} here, but {expected} at the start of the search; give every worker the same data"
        )


def multiply_adds(network: nn.Module, shape: tuple[int, int, int]) -> int | None:
    """Multiply-adds for one image (channels, height, width) as `nas.spaces.tracing` counts them; None if that fails."""
    try:
        return int(trace(lambda: network, shape)["madds"])
    except ConfigError:  # a custom network
        return None


def _check_madds(
    space: object, architecture: Architecture, network: nn.Module, task: TaskSpec, size: Size
) -> None:
    """Raise `ConfigError` when `cost` gives the multiply-adds of another image size.

    Only where that size is found, because conventions for multiply-adds differ.
    """
    counted = _said(space, architecture, "madds")
    built = multiply_adds(network, (task.in_channels, *size))
    if not counted or not built or abs(counted - built) <= 0.1 * built:
        return
    factor = math.sqrt(counted / built)
    near = {
        (max(1, round(size[0] * factor) + step), max(1, round(size[1] * factor) + step))
        for step in range(-2, 3)
    }
    for other in sorted(near - {size}):
        madds = multiply_adds(network, (task.in_channels, *other))
        if madds is not None and abs(madds - counted) <= NEAR * counted:
            name, text = _named(space, architecture)
            raise ConfigError(
                f"space {name!r}: cost() gives {counted:,.0f} multiply-adds for {text}, which is right for images of "
                f"{size_text(other)} pixels, but the data have {size_text(size)} ({built:,}): set the space's image "
                f"size to that of the data, or add a method for_task(task) that sets it"
            )


def _built(space: HasBuild, architecture: Architecture, task: TaskSpec) -> nn.Module:
    """The network, without storage where its code allows it, which takes no time."""
    sizes = {"num_classes": task.num_classes, "in_channels": task.in_channels}
    with torch.random.fork_rng(devices=[]):
        try:
            with without_memory():
                return space.build(architecture, **sizes)
        except Exception:  # its code reads values
            return space.build(architecture, **sizes)


def _said(space: Any, architecture: Architecture, name: str) -> float | None:
    """The value from `cost`; None if it is not a number."""
    try:
        costs: Mapping[str, Any] = space.cost(architecture)
        value = float(costs[name])
    except Exception:  # custom code; the search reports the exception
        return None
    return value if math.isfinite(value) else None


def _named(space: Any, architecture: Architecture) -> tuple[str, str]:
    text = space.format(architecture) if isinstance(space, SearchSpace) else str(architecture.genes)
    return str(getattr(space, "name", type(space).__name__)), text
