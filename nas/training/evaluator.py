"""Train a candidate and measure it on the validation images."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from nas.core.checks import check_threads
from nas.core.counting import counted_space
from nas.core.errors import ConfigError, DataError, TrainingDiverged
from nas.core.objectives import sampling_name
from nas.core.records import Architecture, Trial
from nas.core.space import HasBuild, SearchSpace, can_build
from nas.core.task_spec import TaskSpec
from nas.training import weights
from nas.training.counts import check_counted, check_data
from nas.training.data import Digits
from nas.training.data.account import NOTICES, announce, value_of_an_image
from nas.training.data.base import DataSource
from nas.training.feed import Feed, Prepared
from nas.training.fresh import check_trainable, with_shapes
from nas.training.loop import Loss, Training, precision, stream
from nas.training.recipe import Recipe
from nas.training.task import Classification, Scored, Task


class Also(Protocol):
    """A further measurement of a trained network: numbers by name, kept with the trial's."""

    def __call__(
        self, network: nn.Module, data: DataSource, resolution: int | None, device: torch.device
    ) -> Mapping[str, float]:
        """`resolution` is the side to which images are resized for the network (None: as stored)."""


@runtime_checkable
class HasAgain(Protocol):
    """A further measurement with values that differ from measurement to measurement."""

    def again(
        self, network: nn.Module, data: DataSource, resolution: int | None, device: torch.device
    ) -> Mapping[str, float]:
        """These values alone, measured once more."""


@runtime_checkable
class HasCheck(Protocol):
    """A further measurement that checks its requirements before a search."""

    def check(self, prepared: Prepared, space: Any) -> None:
        """Raise a `NasError` that names what is missing. Called once, in the driver's process, with the space of the networks."""


@runtime_checkable
class HasResolution(Protocol):
    """A space whose architectures define the side of their input images in pixels, or None."""

    def resolution(self, architecture: Architecture) -> int | None: ...


@dataclass(frozen=True, eq=False)
class Outcome:
    """A trained network (its moving average, if it has one) and the record of its training."""

    network: nn.Module
    loss: float
    epochs: int
    trained: int
    seconds: float


@dataclass(frozen=True)
class TrainingEvaluator:
    """Trains a trial's architecture by a recipe; implements `nas.core.evaluator.Evaluate`.

    `trial.budget` is the number of epochs (None: the recipe's), `trial.seed` decides the first weights, the
    shuffling and the transforms. On a CPU the same trial gives the same values in any process and
    order. Images are read once per process. `device` None takes the GPU that the
    executor gave, else the CPU; `threads` are set for the call and put back.

    With `weights_dir` (shared by the workers) every trial's weights are kept there, by architecture and
    seed: the same architecture with the same seed and a higher budget continues from them. The schedule is
    that of the higher budget from there on; with the schedule `constant` the result is exactly that of a
    training that never stopped. With a `horizon` it always is: the schedule has this many epochs, and
    trials with a lower budget stop early. The values of a trial then never depend on the kept weights. A trial that is
    repeated, because its process was killed between saving and reporting, reports its first values.

    `also` is measured after the training on the network that was evaluated, such as `nas.training.robustness.Robustness`.
    `task` is the networks' task, and `data` a description of one of its data sets.

    `companions` names the values that inform the search about its objectives (None: `loss`, `train_loss`, and for
    classification `soft_error`); see `nas.core.evaluator.HasCompanions`.

    In a search, each network is checked against the reported cost before its training, and the data
    against `expected`, the task at the start of the search.
    """

    space: HasBuild
    data: Any = field(default_factory=Digits)
    recipe: Recipe = field(default_factory=Recipe)
    threads: int = 1
    device: str | None = None
    weights_dir: str | None = None
    horizon: int | None = None
    also: tuple[Also, ...] = ()
    task: Task = field(default_factory=Classification)
    expected: TaskSpec | None = None
    companions: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.companions is None:
            own = getattr(self.task, "COMPANIONS", ())
            object.__setattr__(self, "companions", ("loss", *own, "train_loss"))
        if not can_build(self.space):
            raise ConfigError(
                f"space {getattr(self.space, 'name', self.space)!r} cannot build networks: training needs a "
                f"space with build(architecture, *, num_classes, in_channels)"
            )
        check_threads(self.threads)

    def __call__(self, trial: Trial) -> Mapping[str, float]:
        """The task's score on the validation images, and figures of the training.

        For classification: `error`, `accuracy`, `top5_error` and `soft_error` (percent), `loss`; `error_sampling` and
        `accuracy_sampling`, the standard deviation of the difference from as many other images. Of the training:
        `train_loss`, `epochs` (all that its weights have seen), `trained_epochs` (in this call: fewer when it
        continued), `train_seconds`. Raises `DataError` when the images cannot be read, `TrainingDiverged`
        when the loss is NaN or infinite, `ConfigError` for a budget that is not a whole number of epochs.
        """
        with reproducible(self.threads, self._device()) as device:
            prepared = self.prepare(trial.architecture)
            if len(prepared.validation) == 0:
                raise DataError(f"data {self.data}: there is no validation image to select by")
            outcome = self._train(trial, prepared, device)
            score = self._judge(outcome.network, prepared.validation, prepared, device)
            sampling = _sampling(score, len(prepared.validation))
            side = self._wanted(trial.architecture) or self.recipe.resolution
            more = [one(outcome.network, self.data, side, device) for one in self.also]
        trained = {"train_loss": outcome.loss} if outcome.epochs else {}
        return {
            **score.values(),
            **sampling,
            **trained,
            "epochs": float(outcome.epochs),
            "trained_epochs": float(outcome.trained),
            "train_seconds": outcome.seconds,
            **{name: value for values in more for name, value in values.items()},
        }

    def test(self, trial: Trial) -> Scored:
        """Score of the trial's network on the test images: for the report, never for the search.

        Kept weights are read; without them the network is trained again, which gives the same network on a CPU.
        """
        with reproducible(self.threads, self._device()) as device:
            prepared = self.prepare(trial.architecture)
            if len(prepared.test) == 0:
                raise DataError(f"data {self.data}: there is no test image to report on")
            network = self._train(trial, prepared, device).network
            return self._judge(network, prepared.test, prepared, device)

    def measured_again(self, trial: Trial) -> Mapping[str, float]:
        """What `also` measures once more of the trial's kept network; see `nas.core.evaluator.HasMeasuredAgain`."""
        varying = [one for one in self.also if isinstance(one, HasAgain)]
        if not varying:
            return {}
        with reproducible(self.threads, self._device()) as device:
            if self._kept(trial) is None:
                return {}
            network = self._train(trial, self.prepare(trial.architecture), device).network
            side = self._wanted(trial.architecture) or self.recipe.resolution
            values = [one.again(network, self.data, side, device) for one in varying]
        return {name: value for found in values for name, value in found.items()}

    def scores_of(self, network: nn.Module) -> dict[str, float]:
        """The task's score of a trained network, as it is, on the validation images. The network moves to the device."""
        with reproducible(self.threads, self._device()) as device:
            prepared = self.prepare()
            return dict(self._judge(network.to(device), prepared.validation, prepared, device).values())

    def weights_file(self, trial: Trial) -> Path:
        """File of this trial's weights. Raises `ConfigError` when there is no `weights_dir`."""
        if self.weights_dir is None:
            raise ConfigError("weights_dir is not set: this evaluator keeps no weights")
        space, architecture = self.space, trial.architecture
        text = space.format(architecture) if isinstance(space, SearchSpace) else str(architecture.genes)
        return weights.weights_file(self.weights_dir, architecture, text, trial.seed)

    def keeping(self, folder: str | None, horizon: float | None) -> TrainingEvaluator:
        """The same evaluator with another `weights_dir` and `horizon`."""
        return dataclasses.replace(
            self, weights_dir=folder, horizon=None if horizon is None else int(horizon)
        )

    def task_spec(self) -> TaskSpec:
        """Channels, classes and image size of the data, as networks get them.

        Raises `DataError` when the data cannot be read.
        """
        device = self._device()
        if device.type == "cuda" and not torch.cuda.is_available():  # the workers may have one
            device = torch.device("cpu")
        return self.task.prepare(self.data, self.recipe, device, None).spec()

    @property
    def classifies(self) -> bool:
        """Whether its networks return one number a class."""
        return isinstance(self.task, Classification)

    @property
    def reports(self) -> tuple[str, ...] | None:
        """Names of its values; None if the task, or a further measurement, does not say its own."""
        return with_further(REPORTED, self.also) if isinstance(self.task, Classification) else None

    def for_space(self, space: SearchSpace, task: TaskSpec | None) -> TrainingEvaluator:
        """The same evaluator, for networks of `space` and data of this task; see `HasForSpace`."""
        return dataclasses.replace(self, space=space, expected=task)  # type: ignore[arg-type]

    def epochs(self, trial: Trial) -> int:
        """Epochs of the trial."""
        budget = self.recipe.epochs if trial.budget is None else trial.budget
        if budget != int(budget) or budget < self.least_budget:
            raise ConfigError(
                f"trial.budget must be a whole number of epochs, at least {self.least_budget}, not {budget!r}"
            )
        return int(budget)

    @property
    def least_budget(self) -> int:
        """The smallest budget of a trial, in epochs; see `nas.core.evaluator.HasLeastBudget`."""
        return 1

    def prepare(self, architecture: Architecture | None = None) -> Prepared:
        """Read the data, to find missing or damaged images before any training.

        Without an architecture, files that are ignored or skipped are reported on the logger `nas.data`.

        Raises `DataError` when the data cannot be read or (without an architecture) have no validation image, and
        `ConfigError` for an unavailable device.
        """
        device = available_device(self.device)
        prepared = self.task.prepare(self.data, self.recipe, device, self._wanted(architecture))
        if architecture is None and len(prepared.validation) == 0:
            raise DataError(f"data {self.data}: there is no validation image to select by")
        if architecture is None:
            announce(prepared.account)
            if isinstance(self.task, Classification):
                NOTICES.info("%s", value_of_an_image(len(prepared.validation)))
            for one in self.also:
                if isinstance(one, HasCheck):
                    one.check(prepared, self.space)
        return prepared

    def _wanted(self, architecture: Architecture | None) -> int | None:
        """The image side that the architecture defines."""
        if architecture is not None and isinstance(self.space, HasResolution):
            return self.space.resolution(architecture)
        return None

    def build(self, trial: Trial, prepared: Prepared) -> nn.Module:
        """The trial's network with its first weights.

        Raises `DataError` where the data differ from those at the start of the search, `ConfigError` where the network is
        not the one that the search counts, or where it has nothing to train.
        """
        check_data(self.expected, prepared.spec())
        torch.manual_seed(stream(trial.seed, 0))
        network = self.space.build(
            trial.architecture, num_classes=prepared.num_classes, in_channels=prepared.in_channels
        )
        with_shapes(network, lambda: prepared.example().shape)
        check_trainable(network, self.space, trial.architecture)
        check_counted(counted_space(), trial.architecture, network, prepared.spec())
        memory = torch.channels_last if self.recipe.channels_last else torch.contiguous_format
        return network.to(device=self._device()).to(memory_format=memory)  # type: ignore[call-overload, no-any-return]

    def _train(self, trial: Trial, prepared: Prepared, device: torch.device) -> Outcome:
        epochs = self.epochs(trial)
        start = time.perf_counter()
        network = self.build(trial, prepared)
        end = max(epochs, self.horizon or 1)
        kept = self._kept(trial)
        continued = kept is not None and int(kept["done"]) <= epochs
        if not continued:
            self._begin(network, prepared)
        loss_of = self._loss(prepared, device)
        training = Training(network, self.recipe, epochs=end, seed=trial.seed, device=device, loss=loss_of)
        loss = math.nan
        if kept is not None and continued:
            training.load_state_dict(kept)
            loss = float(kept["train_loss"])
        begun = training.done
        while training.done < epochs:
            loss = training.epoch(prepared.train)
        trained, seconds = training.done - begun, time.perf_counter() - start
        if kept is not None and trained == 0 and kept.get("trial") == trial.id:
            # this trial itself: its process was killed after saving, before its result was recorded
            trained, seconds = int(kept["trained_epochs"]), float(kept["train_seconds"])
        if self.weights_dir is not None and (kept is None or int(kept["done"]) < epochs):
            made = {"trial": trial.id, "trained_epochs": trained, "train_seconds": seconds}
            about = {"settings": self._settings(), "train_loss": loss, **made, **self._images(prepared)}
            weights.save(self.weights_file(trial), training.state_dict() | about)
        return Outcome(training.judged, loss, training.done, trained, seconds)

    def _begin(self, network: nn.Module, prepared: Prepared) -> None:
        """Prepare a new network for its first epoch."""

    def _loss(self, prepared: Prepared, device: torch.device) -> Loss:
        """The loss of a training step."""
        return self.task.loss(self.recipe, prepared)

    def _images(self, prepared: Prepared) -> dict[str, Any]:
        """Facts for using a network: its sizes, and the normalisation of its images."""
        return {
            "num_classes": prepared.num_classes,
            "in_channels": prepared.in_channels,
            "image_size": list(prepared.example().shape[-2:]),
            "mean": [float(x) for x in prepared.mean],
            "std": [float(x) for x in prepared.std],
        }

    def _kept(self, trial: Trial) -> dict[str, Any] | None:
        """The kept state of this architecture and seed, unless it belongs to another recipe or data set."""
        if self.weights_dir is None or not self.weights_file(trial).is_file():
            return None
        state = weights.read(self.weights_file(trial), self._device())
        return state if state["settings"] == self._settings() else None

    def _settings(self) -> str:
        """The settings that weights and a continued training must share: all but the number of epochs."""
        end = "" if self.horizon is None else f" to {self.horizon}"
        task = "" if self.task == Classification() else f" {self.task!r}"
        return f"{self.data!r} {dataclasses.replace(self.recipe, epochs=1)!r}{end}{task}"

    def _judge(self, network: nn.Module, feed: Feed, prepared: Prepared, device: torch.device) -> Scored:
        score = self.task.judge(network, feed, prepared, precision(self.recipe, device))
        if not math.isfinite(score.loss):
            raise TrainingDiverged(f"the loss is {score.loss} after training; lower the learning rate")
        return score

    def _device(self) -> torch.device:
        return device_of(self.device)


SCORES = ("error", "accuracy", "top5_error", "soft_error", "loss")  # of classifiers
REPORTED = (
    *SCORES, *map(sampling_name, ("error", "accuracy")), "train_loss", "epochs", "trained_epochs", "train_seconds",
)  # fmt: skip


def with_further(names: tuple[str, ...], also: Sequence[Also]) -> tuple[str, ...] | None:
    """These names and those of further measurements; None if one of them does not say its own (`reports`)."""
    more: list[Sequence[str] | None] = [getattr(one, "reports", None) for one in also]
    if any(found is None for found in more):
        return None
    return (*names, *(name for found in more for name in found or ()))


def device_of(name: str | None) -> torch.device:
    """The device of this name; None: a GPU if there is one, else the CPU. Raises `ConfigError` for an unknown name."""
    try:
        return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError:
        raise ConfigError(f"device: {name!r} is unknown; expected cpu, cuda or cuda:NUMBER") from None


def available_device(name: str | None) -> torch.device:
    """As `device_of`; raises `ConfigError` also for a GPU where PyTorch finds none."""
    device = device_of(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            f"device: {name!r} is not available: PyTorch finds no GPU; use device: cpu, or remove the setting"
        )
    return device


def _sampling(score: Scored, images: int) -> dict[str, float]:
    """The deviation of the difference from as many other images of the same distribution, in percent."""
    error = score.values().get("error")
    if error is None:
        return {}
    wrong = (error / 100.0 * images + 1.0) / (images + 2.0)  # never 0 or 1
    spread = 100.0 * math.sqrt(2.0 * wrong * (1.0 - wrong) / images)
    return {sampling_name(name): spread for name in ("error", "accuracy")}


@contextmanager
def reproducible(threads: int, device: torch.device) -> Iterator[torch.device]:
    """Run with this many threads and a separate random state; both are restored afterwards."""
    check_threads(threads)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield device
    finally:
        torch.set_num_threads(before)


def evaluate_test(evaluator: TrainingEvaluator, trial: Trial) -> Mapping[str, float]:
    """The logged values of a trial's score on the test images, for the report after a search.

    For classification `test_error`, `test_top5_error` (percent) and `test_loss`.
    """
    score = evaluator.test(trial)
    values = score.values()
    return {f"test_{name}": values[name] for name in score.LOGGED}
