"""The training loop and the evaluation of a network: hand-written, in memory, one step after another."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nas.core.errors import EvaluationError, TrainingDiverged
from nas.training.augment import AUGMENTS
from nas.training.feed import Feed
from nas.training.optimisers import make_optimiser
from nas.training.recipe import Recipe
from nas.training.schedules import learning_rate

JUDGE_BATCH = 512  # images a forward pass when evaluating; does not change the result
CHECK_EVERY = 50  # steps between two checks of the loss: each check waits for the GPU


@dataclass(frozen=True, slots=True)
class Shard:
    """The part of every batch that this process trains on, and the sums over processes."""

    rank: int = 0
    world: int = 1
    sum: Callable[[Tensor], Tensor] = lambda x: x

    def parts(self, order: Tensor, batch_size: int) -> list[tuple[Tensor, int]]:
        """This process's positions for every step, each with the size of the whole batch.

        Batches are as equal as they can be (no tiny last one, which batch normalisation would suffer from).
        """
        steps = max(1, math.ceil(len(order) / batch_size))
        whole = order.tensor_split(steps)
        return [(b.tensor_split(self.world)[self.rank] if self.world > 1 else b, len(b)) for b in whole]


# (network, images, targets) -> the mean loss over the images, or its summands: each is differentiated before the next is computed
Loss = Callable[[nn.Module, Tensor, Tensor], Tensor | Iterator[Tensor]]


def classification_loss(recipe: Recipe) -> Loss:
    """Cross-entropy of the logits against class numbers (b,), with the recipe's smoothing."""

    def loss(network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(network(x), y, label_smoothing=recipe.label_smoothing)

    return loss


def distilled(output: Tensor, y: Tensor, soft: Tensor, smoothing: float, share: float = 0.5) -> Tensor:
    """Cross-entropy with the labels y (b,), and by `share` with the probabilities `soft` (b, classes) of a teacher.

    Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, at temperature 1.
    """
    labels = cross_entropy(output, y, label_smoothing=smoothing)
    return (1.0 - share) * labels + share * cross_entropy(output, soft)


def stream(seed: int, *path: int) -> int:
    """A seed for one purpose, independent of those for other paths."""
    return int(np.random.SeedSequence([seed, *path]).generate_state(1, np.uint64)[0] >> np.uint64(1))


class Training:
    """A training in progress: network, optimiser, moving average, epochs done.

    Every epoch draws its shuffling, transforms and dropout from (seed, epoch) alone, so that a training
    continues after `load_state_dict` exactly as if it had not stopped. `epochs` is where the schedule ends.
    `forward` is the module called in a step (a distributed wrapper of `network`), by default the network; `loss` is
    minimised, by default that of a classification.
    """

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        *,
        epochs: int,
        seed: int,
        device: torch.device,
        shard: Shard | None = None,
        forward: nn.Module | None = None,
        loss: Loss | None = None,
    ) -> None:
        self.network = network
        self.recipe = recipe
        self.epochs = epochs
        self.seed = seed
        self.done = 0  # epochs
        self.steps = 0
        self.shard = shard or Shard()
        self.forward = forward or network
        self.loss = loss or classification_loss(recipe)
        self.optimiser = make_optimiser(network, recipe)
        self.average = copy.deepcopy(network) if recipe.ema_decay > 0 else None
        self.precision = precision(recipe, device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=_half(recipe, device) is torch.float16)
        self.transforms = [AUGMENTS[name] for name in recipe.augment]

    @property
    def judged(self) -> nn.Module:
        """The network to evaluate: the moving average if there is one."""
        return self.network if self.average is None else self.average

    def epoch(self, feed: Feed) -> float:
        """Train one epoch; the mean training loss. Raises `TrainingDiverged`."""
        shuffle = torch.Generator().manual_seed(stream(self.seed, self.done, 0))
        order = torch.randperm(len(feed), generator=shuffle)
        parts = self.shard.parts(order, self.recipe.batch_size)
        draws = torch.Generator().manual_seed(stream(self.seed, self.done, 1, self.shard.rank))
        torch.manual_seed(stream(self.seed, self.done, 2, self.shard.rank))  # dropout
        self.network.train()
        total: Tensor | float = 0.0

        def transform(x: Tensor) -> Tensor:
            for one in self.transforms:
                x = one(x, draws)
            return x

        batches = feed.batches([part for part, _ in parts], stream(self.seed, self.done, 3), transform)
        for index, ((x, y), (_, whole)) in enumerate(zip(batches, parts, strict=True)):
            rate = learning_rate(self.recipe, self.done + index / len(parts), self.epochs)
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            # each process's mean is weighted by its share, so that uneven shares do not bias the gradient
            total = total + whole * self.step(x, y, len(y) * self.shard.world / whole) / self.shard.world
            if index % CHECK_EVERY == CHECK_EVERY - 1 and self.shard.world == 1:
                self._check(total, index)
        assert isinstance(total, Tensor)
        total = self.shard.sum(total)
        self._check(total, len(parts) - 1)
        self.done += 1
        return float(total) / len(feed)

    def step(self, x: Tensor, y: Tensor, weight: float = 1.0) -> Tensor:
        """One update from a batch; the loss, times `weight`, still on the device."""
        self.optimiser.zero_grad(set_to_none=True)
        total = torch.zeros((), device=x.device)
        for loss in self._summands(x, y):
            loss = loss * weight if weight != 1.0 else loss
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            total = total + loss.detach()
        if self.shard.world > 1 and self.forward is self.network:
            self._average_gradients()
        if self.recipe.clip > 0:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.steps += 1
        if self.average is not None:
            self._follow(self.average)
        return total

    def _summands(self, x: Tensor, y: Tensor) -> Iterator[Tensor]:
        """The summands of the loss, computed one by one."""
        with self.precision():
            found = self.loss(self.forward, x, y)
        if isinstance(found, Tensor):
            yield found
            return
        while True:
            with self.precision():
                loss = next(found, None)
            if loss is None:
                return
            yield loss

    def _average_gradients(self) -> None:
        """The mean over the processes, which have gradients of the same parameters; a distributed wrapper does it itself."""
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        mean = self.shard.sum(torch.cat([g.flatten() for g in gradients])) / self.shard.world
        for gradient, part in zip(gradients, torch.split(mean, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    @torch.no_grad()
    def _follow(self, average: nn.Module) -> None:
        """Move the average; early on it forgets faster, or a short training would evaluate its random start."""
        decay = min(self.recipe.ema_decay, (1 + self.steps) / (10 + self.steps))
        ours, theirs = list(average.parameters()), list(self.network.parameters())
        torch._foreach_lerp_(ours, theirs, 1 - decay)  # type: ignore[arg-type]
        pairs = list(zip(average.buffers(), self.network.buffers(), strict=True))
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        if floats:
            torch._foreach_lerp_([a for a, _ in floats], [b for _, b in floats], 1 - decay)
        counts = [pair for pair in pairs if not pair[0].is_floating_point()]
        if counts:
            torch._foreach_copy_([a for a, _ in counts], [b for _, b in counts])

    def _check(self, total: Tensor, index: int) -> None:
        if not math.isfinite(float(total)):
            raise TrainingDiverged(
                f"the training loss became {float(total)} in epoch {self.done + 1}, by step {index + 1} "
                f"(learning rate {self.optimiser.param_groups[0]['lr']:.3g}); lower the rate, warm up for "
                f"longer or clip the gradient"
            )

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain numbers only: loads with `weights_only=True`."""
        state = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "done": self.done,
            "steps": self.steps,
        }
        if self.average is not None:
            state["average"] = self.average.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a `state_dict` of a training with the same network and recipe."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.done, self.steps = int(state["done"]), int(state["steps"])


@dataclass(frozen=True, slots=True)
class Score:
    """Score of a network on a split: errors in percent, mean cross-entropy in nats, error per class.

    `soft_error` is the mean probability of the wrong classes, in percent: the expected error of a prediction drawn from the
    network's probabilities. It varies less between trainings than the error, since each image counts by its probability.
    """

    pictures: int
    loss: float
    error: float
    top5_error: float
    class_errors: tuple[float, ...]  # percent; NaN for a class without an image
    soft_error: float

    LOGGED: ClassVar[tuple[str, ...]] = ("error", "top5_error", "loss")

    def values(self) -> dict[str, float]:
        """By name, percent but for the loss."""
        return {
            "error": self.error,
            "accuracy": 100.0 - self.error,
            "loss": self.loss,
            "top5_error": self.top5_error,
            "soft_error": self.soft_error,
        }

    def report(self, class_names: tuple[str, ...]) -> dict[str, Any]:
        """Every value, for a file; None for unknown ones."""
        classes = zip(class_names, self.class_errors, strict=True)
        return {
            "pictures": self.pictures,
            "error": self.error,
            "top5_error": self.top5_error,
            "loss": self.loss,
            "class_errors": {name: None if math.isnan(e) else e for name, e in classes},
        }


@torch.inference_mode()
def judge(
    network: nn.Module,
    feed: Feed,
    num_classes: int,
    *,
    shard: Shard | None = None,
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Score:
    """Evaluate `network` on every image of `feed`, in evaluation mode (then restore the mode).

    Raises `EvaluationError` when the network's output is not (b, num_classes).
    """
    shard = shard or Shard()
    training = network.training
    network.eval()
    sums = torch.zeros(4, dtype=torch.float64)
    classes = torch.zeros((2, num_classes), dtype=torch.float64)
    parts = shard.parts(torch.arange(len(feed)), JUDGE_BATCH)
    for x, y in feed.batches([part for part, _ in parts if len(part)], None):
        with autocast():
            logits = network(x).float()
        if tuple(logits.shape) != (len(y), num_classes):
            raise EvaluationError(
                f"the network gave {tuple(logits.shape)} for {len(y)} images of {num_classes} classes: "
                f"expected {(len(y), num_classes)}"
            )
        right = logits.argmax(1) == y
        near = (logits.topk(min(5, num_classes), dim=1).indices == y[:, None]).any(1)
        loss = cross_entropy(logits, y, reduction="none").double()
        wrong = -torch.expm1(-loss)  # the probability of all other classes
        sums += torch.stack([loss.sum(), right.sum().double(), near.sum().double(), wrong.sum()]).cpu()
        classes[0] += torch.bincount(y, minlength=num_classes).cpu()
        classes[1] += torch.bincount(y[right], minlength=num_classes).cpu()
    network.train(training)
    sums, classes = shard.sum(sums), shard.sum(classes)
    n = len(feed)
    return Score(
        pictures=n,
        loss=float(sums[0]) / n,
        error=100.0 * (n - float(sums[1])) / n,
        top5_error=100.0 * (n - float(sums[2])) / n,
        class_errors=tuple(100.0 * (1 - c) if m else math.nan for m, c in _rates(classes)),
        soft_error=100.0 * float(sums[3]) / n,
    )


def _rates(classes: Tensor) -> list[tuple[float, float]]:
    return [
        (float(m), float(c) / float(m) if m else 0.0) for m, c in zip(classes[0], classes[1], strict=True)
    ]


def _half(recipe: Recipe, device: torch.device) -> torch.dtype | None:
    """The half-precision type for this device; None on a CPU, where it gains nothing."""
    if device.type != "cuda" or not recipe.mixed_precision:
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def precision(recipe: Recipe, device: torch.device) -> Callable[[], AbstractContextManager[Any]]:
    """The context to run a forward pass in."""
    kind = _half(recipe, device)
    return nullcontext if kind is None else lambda: torch.autocast(device.type, dtype=kind)
