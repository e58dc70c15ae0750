"""Train one network fully by a recipe: log, checkpoint, resume, evaluate; on one process or several."""

from __future__ import annotations

import csv
import dataclasses
import gc
import inspect
import io
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from nas.core.errors import ConfigError
from nas.core.files import absolute, make_folder
from nas.core.json_text import read_json
from nas.core.owned import OwnedFiles
from nas.core.records import Architecture
from nas.core.space import SearchSpace, can_build, for_task
from nas.core.task_spec import TaskSpec
from nas.training import weights
from nas.training.data.account import announce
from nas.training.evaluator import reproducible
from nas.training.feed import Feed, Prepared
from nas.training.folder import FILES, training_files
from nas.training.fresh import check_trainable, with_shapes
from nas.training.loop import Loss, Shard, Training, stream
from nas.training.recipe import Recipe
from nas.training.task import Classification, Scored, Task

SCHEMA = 1

Row = dict[str, float]  # one epoch in the log


class Build(Protocol):
    """Makes the network; the caller binds `dropout` and the like to it."""

    def __call__(self, *, num_classes: int, in_channels: int) -> nn.Module: ...


def architecture_builder(space: SearchSpace, architecture: Architecture, rates: Mapping[str, float]) -> Build:
    """The builder of a space's architecture, with those of `rates` (dropout and the like) that `build` takes bound.

    Raises `ConfigError` for a space that builds no networks.
    """
    if not can_build(space):
        raise ConfigError(f"space {space.name!r} has no build(architecture): its networks cannot be trained")
    known = inspect.signature(space.build).parameters
    return ArchitectureBuild(space, architecture, {n: value for n, value in rates.items() if n in known})


@dataclass(frozen=True)
class ArchitectureBuild:
    """Builds one architecture of a space that can build; a `Build`."""

    space: SearchSpace
    architecture: Architecture
    rates: Mapping[str, float]

    def __call__(self, *, num_classes: int, in_channels: int) -> nn.Module:
        """Raises `ConfigError` where a setting of the space contradicts the data."""
        space: Any = for_task(self.space, TaskSpec(in_channels, num_classes))
        rates: Any = self.rates
        network: nn.Module = space.build(
            self.architecture, num_classes=num_classes, in_channels=in_channels, **rates
        )
        return network


@dataclass(frozen=True, slots=True)
class FullSettings:
    """How `train_full` runs. `threads` and `device` None leave the choice to torch (a GPU if there is one).

    `checkpoint_seconds` is the least time between two checkpoints, and `validate_every` the epochs between two
    validations; the last epoch always has both. `wrap` gives the module to call in place of the network in a step
    (a compiled one, say); it must use the network's parameters.
    """

    seed: int = 0
    threads: int | None = None
    device: str | None = None
    checkpoint_seconds: float = 0.0
    validate_every: int = 1
    wrap: Callable[[nn.Module], nn.Module] | None = None
    on_epoch: Callable[[Row], None] | None = None  # receives each row of the log when it is written


@dataclass(frozen=True, slots=True)
class FullResult:
    """A finished training: the log, the test score (None without test images), the path of the weights."""

    log: tuple[Row, ...]
    test: Scored | None
    class_names: tuple[str, ...]
    weights: Path


@dataclass(frozen=True, slots=True)
class Process:
    """This process among the others."""

    shard: Shard
    device: torch.device

    @property
    def first(self) -> bool:
        return self.shard.rank == 0

    def wait(self) -> None:
        """Return when every process is here."""
        self.shard.sum(torch.zeros(1))


def train_full(
    build: Build,
    data: Any,
    recipe: Recipe,
    out_dir: str | Path,
    *,
    resume: bool = True,
    distributed: bool | None = None,
    settings: FullSettings | None = None,
    task: Task | None = None,
) -> FullResult:
    """Train on the training images, log validation after each epoch, evaluate on the test at the end.

    `data` is a description of a data set of the `task` (None: classification, and a `DataSource`).
    Writes `config.json`, `log.csv`, `checkpoint.pt` (after each epoch, in one step), `weights.pt` (the network to
    use: the moving average, if the recipe has one) and `result.json` to `out_dir`. With `resume`, an
    interrupted training continues from its last whole epoch, to exactly the uninterrupted result. A data set
    whose `validation` is 0 is trained on whole. `distributed` None joins the process group that exists
    or that torchrun describes in the environment; the batch size counts images over all processes.

    Raises `ConfigError` when `out_dir` holds a training of other settings, or any with `resume` False,
    `DataError` when the data or the checkpoint cannot be read, `TrainingDiverged`.
    """
    settings = settings or FullSettings()
    out = absolute(out_dir)
    threads = settings.threads or torch.get_num_threads()
    with processes(distributed, settings.device) as process, reproducible(threads, process.device):
        return _train(build, data, recipe, out, resume, settings, process, task or Classification())


def _train(
    build: Build,
    data: Any,
    recipe: Recipe,
    out: Path,
    resume: bool,
    settings: FullSettings,
    process: Process,
    task: Task,
) -> FullResult:
    if recipe.batch_size < 2 * process.shard.world:
        raise ConfigError(
            f"recipe: batch_size {recipe.batch_size} is too small for {process.shard.world} processes: "
            f"expected at least two images for each"
        )
    files = training_files(out)
    if process.first:
        _check_writable(files)
    prepared = task.prepare(data, recipe, process.device)
    config = _config(data, recipe, settings.seed, task)
    state = _previous(out, config, resume)
    if process.first:
        announce(prepared.account)
        make_folder(out)
        files.write_text("config.json", json.dumps(config, indent=2))
    torch.manual_seed(stream(settings.seed, 0))
    network = build(num_classes=prepared.num_classes, in_channels=prepared.in_channels)
    check_trainable(with_shapes(network, lambda: prepared.example().shape))
    training = _training(network, recipe, settings, process, task.loss(recipe, prepared))
    log: list[Row] = []
    if state is not None:
        training.load_state_dict(state)
        log = [dict(row) for row in state["log"]]
    _run(training, prepared, files, log, process, settings, task)
    if process.first:
        about = {"settings": f"{data!r} {recipe!r}", "image_size": list(prepared.example().shape[-2:])}
        files.claim("weights.pt")
        weights.save(out / "weights.pt", {"network": training.judged.state_dict(), **about})
    test = None
    if len(prepared.test):
        test = _judge(training, prepared.test, prepared, process, task)
    if process.first:
        files.write_text("result.json", json.dumps(_result(test, prepared, log), indent=2))
    return FullResult(tuple(log), test, prepared.class_names, out / "weights.pt")


def _check_writable(files: OwnedFiles) -> None:
    """Raise the errors of writing the results before any work is done."""
    try:
        files.check(FILES)
    except OSError as error:
        raise ConfigError(
            f"{error.filename}: cannot be written ({error.strerror}); allow writing (chmod u+w), or choose another folder"
        ) from None


def _training(
    network: nn.Module, recipe: Recipe, settings: FullSettings, process: Process, loss: Loss
) -> Training:
    memory = torch.channels_last if recipe.channels_last else torch.contiguous_format
    network = network.to(process.device).to(memory_format=memory)  # type: ignore[call-overload]
    forward = network if settings.wrap is None else settings.wrap(network)
    if process.shard.world > 1:
        ids = [process.device.index] if process.device.type == "cuda" else None
        forward = DistributedDataParallel(forward, device_ids=ids)
    return Training(
        network,
        recipe,
        epochs=recipe.epochs,
        seed=settings.seed,
        device=process.device,
        shard=process.shard,
        forward=forward,
        loss=loss,
    )


def _run(
    training: Training,
    prepared: Prepared,
    files: OwnedFiles,
    log: list[Row],
    process: Process,
    settings: FullSettings,
    task: Task,
) -> None:
    written = -float("inf")  # time of the last checkpoint
    while training.done < training.epochs:
        start = time.perf_counter()
        loss = training.epoch(prepared.train)
        seconds = time.perf_counter() - start
        row: Row = {
            "epoch": training.done,
            "lr": training.optimiser.param_groups[0]["lr"],
            "train_loss": loss,
            "seconds": round(seconds, 3),
            "pictures_per_second": round(len(prepared.train) / seconds, 1),
        }
        last = training.done == training.epochs
        if len(prepared.validation) and (last or training.done % settings.validate_every == 0):
            score = _judge(training, prepared.validation, prepared, process, task)
            values = score.values()
            row |= {f"validation_{name}": values[name] for name in score.LOGGED}
        log.append(row)
        if process.first:
            due = time.perf_counter() - written >= settings.checkpoint_seconds
            if due or last:
                files.claim("checkpoint.pt")
                weights.save(files.folder / "checkpoint.pt", {**training.state_dict(), "log": log})
                written = time.perf_counter()
            files.write_text("log.csv", log_table(log))
            if settings.on_epoch is not None:
                settings.on_epoch(row)


def _judge(training: Training, feed: Feed, prepared: Prepared, process: Process, task: Task) -> Scored:
    """Every process evaluates its share, with the running statistics of the first process."""
    if process.shard.world > 1:
        for tensor in training.judged.state_dict().values():
            dist.broadcast(tensor, 0)
    return task.judge(training.judged, feed, prepared, training.precision, process.shard)


def _config(data: Any, recipe: Recipe, seed: int, task: Task) -> dict[str, Any]:
    values = dataclasses.asdict(recipe)
    return {
        "schema": SCHEMA,
        "torch": torch.__version__,
        "seed": seed,
        "task": repr(task),
        "data": repr(data),
        "recipe": {**values, "augment": list(recipe.augment)},
    }


def _previous(out: Path, config: dict[str, Any], resume: bool) -> dict[str, Any] | None:
    """The checkpoint to continue from; refuses a folder with a training of other settings."""
    checkpoint, file = out / "checkpoint.pt", out / "config.json"
    if not checkpoint.is_file():
        return None
    if not resume:
        raise ConfigError(f"{out} already holds a training; resume it or choose another folder")
    earlier = read_json(file.read_text(encoding="utf-8")) if file.is_file() else {}
    earlier = {
        "task": repr(Classification()),
        **earlier,
    }  # as in folders written before there were other tasks
    differing = [k for k in ("seed", "task", "data") if earlier.get(k) != config[k]]
    before = dataclasses.asdict(Recipe()) | earlier.get("recipe", {})  # a setting that is newer had no effect
    differing += [f"recipe.{k}" for k, v in config["recipe"].items() if before.get(k) != v]
    if differing:
        raise ConfigError(
            f"{out} holds a training with other settings ({', '.join(differing)} differ); choose another folder, "
            f"or the settings in {file}"
        )
    return weights.read(checkpoint)


def _result(test: Scored | None, prepared: Prepared, log: list[Row]) -> dict[str, Any]:
    result: dict[str, Any] = {"schema": SCHEMA, "epochs": len(log), "last": log[-1] if log else None}
    sizes = {"training": prepared.train, "validation": prepared.validation, "test": prepared.test}
    result["pictures"] = {
        "shape": list(prepared.example().shape[1:]),
        "mean": [float(x) for x in prepared.mean],
        "std": [float(x) for x in prepared.std],
        "classes": list(prepared.class_names),
        "sizes": {name: len(feed) for name, feed in sizes.items()},
    }
    if test is not None:
        result["test"] = test.report(prepared.class_names)
    return result


def log_table(log: list[Row]) -> str:
    """The log as CSV."""
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in log for name in row))
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(log)  # numbers, under names
    return text.getvalue()


@contextmanager
def processes(distributed: bool | None, device: str | None) -> Iterator[Process]:
    """Join the process group (torchrun's environment, or an existing one, such as Ray Train's)."""
    described = {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= set(os.environ)
    exists = dist.is_available() and dist.is_initialized()
    if distributed and not (described or exists):
        raise ConfigError("distributed training: start the processes with torchrun, or within Ray Train")
    cuda = torch.cuda.is_available() if device is None else torch.device(device).type == "cuda"
    if distributed is False or not (described or exists):
        yield Process(Shard(), torch.device(device or ("cuda" if cuda else "cpu")))
        return
    where = torch.device("cpu")
    if cuda:
        where = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())
        torch.cuda.set_device(where)
    if not exists:
        dist.init_process_group("nccl" if cuda else "gloo")

    def over_all(x: Tensor) -> Tensor:
        total = x.detach().to(where)
        dist.all_reduce(total)
        return total.to(x.device)

    try:
        yield Process(Shard(dist.get_rank(), dist.get_world_size(), over_all), where)
    finally:
        if not exists:
            # Remaining references to the group (cycles within DistributedDataParallel) would end its threads only when
            # the process ends, which then sometimes aborts.
            gc.collect()
            dist.destroy_process_group()
