"""A forward and a backward pass of an untrained network on random images, and the time of a training step."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.core.errors import ConfigError
from nas.core.records import Architecture
from nas.core.space import HasBuild
from nas.core.task_spec import TaskSpec
from nas.core.tracebacks import summarize_exception
from nas.spaces.modules import parameters
from nas.training.evaluator import reproducible
from nas.training.fresh import check_trainable, with_shapes

BATCH = 2  # images of `check_passes`
_WARM, _ROUNDS, _MOST_S = 2, 7, 2.0  # steps before timing, timed steps, seconds after which the timing ends


def check_passes(
    space: HasBuild, architecture: Architecture, task: TaskSpec, seed: int
) -> tuple[int | None, list[str]]:
    """Build the network; run one forward and one backward pass in training mode on `BATCH` random images of the task.

    Returns its number of parameters, and the names of those that get no gradient. Raises
    `ConfigError` if it has nothing to train, if a pass fails, if values or gradients are not finite, or if the output is a matrix of another number of
    rows or classes.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = space.build(architecture, num_classes=task.num_classes, in_channels=task.in_channels)
        with_shapes(network, lambda: _batch(task, 1)[0].shape)
        check_trainable(network)
        bare = _passed(network, task)
    return parameters(network), bare


def _passed(network: nn.Module, task: TaskSpec) -> list[str]:
    """Both passes; returns the names of parameters without a gradient."""
    images, labels = _batch(task, BATCH)
    shape = tuple(images.shape)
    network.train()
    try:
        output = network(images)
    except Exception as error:
        raise ConfigError(
            f"the network fails for images of shape {shape} (batch, channels, height, width): {summarize_exception(error)}. "
            "If it takes other images, set --data, or --in-channels, --classes and --image-size; if its input is not an image, "
            "declare @space.cost and skip the passes with --no-passes"
        ) from error
    tensors = list(_tensors(output))
    if not tensors:
        raise ConfigError(
            f"the network returns {type(output).__name__} without a tensor of floating-point numbers"
        )
    if isinstance(output, Tensor) and output.ndim == 2 and tuple(output.shape) != (BATCH, task.num_classes):
        raise ConfigError(
            f"the network returns shape {tuple(output.shape)} for {BATCH} images; expected {(BATCH, task.num_classes)}, one "
            "number a class"
        )
    if not all(bool(t.isfinite().all()) for t in tensors):
        raise ConfigError("the network returns infinite values or NaN")
    try:
        _loss(output, labels).backward()  # type: ignore[no-untyped-call]
    except Exception as error:
        raise ConfigError(f"the backward pass fails: {summarize_exception(error)}") from error
    gradients = {name: p.grad for name, p in network.named_parameters() if p.requires_grad}
    if not all(g is None or bool(g.isfinite().all()) for g in gradients.values()):
        raise ConfigError("the backward pass gives infinite gradients or NaN")
    return [name for name, g in gradients.items() if g is None]


def step_seconds(
    space: HasBuild, architecture: Architecture, task: TaskSpec, batch: int, threads: int, device: str
) -> float:
    """Seconds of a training step (forward, backward, SGD) on random images: the median of some steps after two others.

    Raises `ConfigError` if the network cannot be trained on such images.
    """
    with reproducible(threads, torch.device(device)):
        try:
            network = space.build(architecture, num_classes=task.num_classes, in_channels=task.in_channels)
            check_trainable(with_shapes(network, lambda: _batch(task, 1)[0].shape))
            network = network.to(device).train()
            images, labels = (t.to(device) for t in _batch(task, batch))
            optimiser = torch.optim.SGD(network.parameters(), lr=1e-3)
            times = list(_timed(network, images, labels, optimiser))
        except Exception as error:
            raise ConfigError(
                f"a training step on {batch} images of {task} fails: {summarize_exception(error)}"
            ) from error
    return float(torch.tensor(times).median())


def _timed(
    network: nn.Module, images: Tensor, labels: Tensor, optimiser: torch.optim.Optimizer
) -> Iterator[float]:
    begun = time.perf_counter()
    for number in range(_WARM + _ROUNDS):
        start = time.perf_counter()
        optimiser.zero_grad()
        _loss(network(images), labels).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if images.is_cuda:
            torch.cuda.synchronize()
        now = time.perf_counter()
        last = now - begun > _MOST_S
        if number >= _WARM or last:
            yield now - start
        if last:
            return


def _batch(task: TaskSpec, count: int) -> tuple[Tensor, Tensor]:
    height, width = task.image_size or (32, 32)
    images = torch.randn(count, task.in_channels, height, width)
    return images, torch.arange(count) % task.num_classes


def _loss(output: object, labels: Tensor) -> Tensor:
    """Cross-entropy of a matrix of scores; of anything else the mean square."""
    if isinstance(output, Tensor) and output.ndim == 2:
        return functional.cross_entropy(output.float(), labels)
    squares: list[Tensor] = [t.float().square().mean() for t in _tensors(output)]
    return torch.stack(squares).sum()


def _tensors(output: object) -> Iterator[Tensor]:
    """The tensors of floating-point numbers in an output: itself, or those in its lists and mappings."""
    if isinstance(output, Tensor):
        if output.is_floating_point():
            yield output
    elif isinstance(output, Mapping):
        for value in output.values():
            yield from _tensors(value)
    elif isinstance(output, (list, tuple)):
        for value in output:
            yield from _tensors(value)
