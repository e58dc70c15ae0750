"""One training of one network, and the time of a step, on a CPU or a GPU."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Any

import torch
from decoded import Decoded
from equal_cost import Variant
from torch import Tensor

from nas.training import Recipe
from nas.training.evaluator import reproducible
from nas.training.feed import prepare
from nas.training.loop import Training, judge, stream

MEETING_SECONDS = 90.0  # until a process that waits for the others gives up
WARM_UP, LOOK = 5, 5  # steps before timing begins, and between two looks at the clock


@dataclass(frozen=True)
class Mode:
    """How a network runs: with its forward and backward pass recorded as CUDA graphs, and in which memory format."""

    graphs: bool = False
    channels_last: bool = True


@dataclass(frozen=True)
class Task:
    """One training: network, seed, length, data and device; the trained weights go to the file `weights`."""

    variant: Variant
    seed: int
    epochs: int
    batch: int
    lr: float
    folder: str
    device: str
    mode: Mode
    weights: str | None = None

    @property
    def recipe(self) -> Recipe:
        """SGD with Nesterov momentum, a cosine after one epoch of warm-up; the same for every network."""
        return Recipe(
            epochs=self.epochs,
            batch_size=self.batch,
            lr=self.lr,
            warmup_epochs=1.0,
            weight_decay=5e-4,
            label_smoothing=0.1,
            augment=("crop", "flip"),
            channels_last=self.mode.channels_last,
        )


def begin(task: Task) -> tuple[Training, Any]:
    """The training of a task, and its images."""
    device = torch.device(task.device)
    recipe = task.recipe
    data = Decoded(task.folder, task.variant.spec.resolution)
    prepared = prepare(data, recipe, device, None)
    torch.manual_seed(stream(task.seed, 0))
    memory = torch.channels_last if recipe.channels_last else torch.contiguous_format
    network = task.variant.build().to(device).to(memory_format=memory)  # type: ignore[call-overload]
    training = Training(network, recipe, epochs=task.epochs, seed=task.seed, device=device)
    if task.mode.graphs:
        x, _ = next(prepared.train.batches([torch.arange(task.batch)], None))
        record(training, x)
    return training, prepared


def record(training: Training, x: Tensor) -> None:
    """Make the network's training pass a replay of CUDA graphs, for batches shaped as `x`; weights are unchanged.

    Leaves the network unchanged if the recording fails.
    """
    network = training.network
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.train()
    try:
        # every replay must cast the weights, so autocast's cache must not supply them
        with torch.autocast(x.device.type, dtype=torch.bfloat16, cache_enabled=False):
            torch.cuda.make_graphed_callables(network, (x,))
    except RuntimeError as error:
        print(f"CUDA graphs cannot be used, so the network runs without: {error}".splitlines()[0], flush=True)
    network.load_state_dict(before)
    network.zero_grad(set_to_none=True)


def train(task: Task) -> dict[str, float]:
    """Train, evaluate on the test images, and return the row of the table."""
    start = time.perf_counter()
    device = torch.device(task.device)
    with reproducible(1, device):
        training, prepared = begin(task)
        while training.done < task.epochs:
            loss = training.epoch(prepared.train)
        score = judge(training.network, prepared.test, prepared.num_classes, autocast=training.precision)
    if task.weights is not None:
        torch.save({k: v.cpu() for k, v in training.network.state_dict().items()}, task.weights)
    row = {
        "train_loss": round(loss, 4),
        "accuracy": round(100 - score.error, 3),
        "seconds": round(time.perf_counter() - start, 2),
    }
    del training
    release(device)
    return row


_MEETING: list[Barrier] = []  # of this process with the others of its pool


def meet_at(barrier: Barrier) -> None:
    """Set the barrier at which the processes of a pool meet before they time a step; run at the start of each process."""
    _MEETING[:] = [barrier]


def step_seconds(task: Task, seconds: float = 1.5) -> float:
    """Seconds that a training step takes on average, over at least `seconds`; infinite if it cannot run in this mode.

    To be called in all processes of a pool at once: they wait for each other, so that each is timed beside the others.
    """
    device = torch.device(task.device)
    with reproducible(1, device):
        try:
            step = _ready(task, device)
        except RuntimeError as error:
            print(f"{task.mode} cannot be used: {error}".splitlines()[0], flush=True)
            step = None
        for barrier in _MEETING:
            barrier.wait(timeout=MEETING_SECONDS)
        spent = float("inf") if step is None else _timed(step, device, seconds)
        del step
    release(device)
    return spent


def _ready(task: Task, device: torch.device) -> Callable[[], object]:
    """A training step that has run a few times."""
    training, prepared = begin(task)
    x, y = next(prepared.train.batches([torch.arange(task.batch)], None))

    def step() -> object:
        return training.step(x, y)

    for _ in range(WARM_UP):
        step()
    finish(device)
    return step


def _timed(step: Callable[[], object], device: torch.device, seconds: float) -> float:
    start, steps, spent = time.perf_counter(), 0, 0.0
    while spent < seconds:
        for _ in range(LOOK):
            step()
        finish(device)
        steps, spent = steps + LOOK, time.perf_counter() - start
    return spent / steps


def finish(device: torch.device) -> None:
    """Wait until the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def release(device: torch.device) -> None:
    """Free the memory of deleted networks; a recorded network is a reference cycle."""
    if device.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()
