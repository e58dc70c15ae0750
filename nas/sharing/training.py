"""Train a supernet: checkpointed, resumable, and stored with the space, data and recipe that it belongs to."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nas.core.errors import ConfigError, DataError, TrainingDiverged
from nas.core.files import absolute
from nas.core.records import Architecture
from nas.core.space import SearchSpace
from nas.sharing.distillation import Distillation, EvenDraw
from nas.sharing.identity import REMEDY, belonging, folder_name, identity, notice_changed_code
from nas.sharing.limited import outside
from nas.sharing.settings import SupernetSettings
from nas.sharing.statistics import recalibrate, some_images
from nas.sharing.store import CHECKPOINT, Store, read_about, restored
from nas.sharing.supernet import Supernet, make_supernet
from nas.sharing.weights import Inherited, SharedWeights
from nas.training.counts import check_classes
from nas.training.data.account import NOTICES, announce
from nas.training.evaluator import HasResolution, available_device, reproducible
from nas.training.feed import Prepared, prepare
from nas.training.full import Process, processes
from nas.training.loop import Score, Training, judge, precision, stream
from nas.training.recipe import Recipe

_REPORTS = 10  # evaluations during a training
FOLDER = Path("runs") / "supernets"  # of supernets that get their names from their keys
_SHOWN = 2  # random networks of an evaluation
_DIVERGED = 10.0  # times the loss of guessing; clipped gradients keep a useless loss finite

Row = dict[str, float]  # one epoch in the log


def train_supernet(
    space: SearchSpace,
    data: Any,
    recipe: Recipe,
    folder: str | Path,
    *,
    settings: SupernetSettings | None = None,
    threads: int = 1,
    device: str | None = None,
    distributed: bool | None = None,
    on_epoch: Callable[[Row], None] | None = None,
    config: Mapping[str, Any] | None = None,
) -> Supernet:
    """Train a supernet of `space` on the training images of `data` (a `DataSource`), and return it.

    Writes `supernet.json`, `log.csv`, `checkpoint.pt` (after each epoch) and `supernet.pt` (the moving average, if the recipe
    has one) to `folder`. An interrupted training continues from its last whole epoch, to the same weights on a CPU; a finished
    one is read. `on_epoch` receives each row of the log: `train_loss`, and in some epochs `largest_error`, `smallest_error` and
    `random_error` on the validation images in percent. `config` (plain values) is kept in `supernet.json`.

    Started by torchrun, several processes (one for each GPU) train on a part of each batch, with statistics of batch norm of their parts; `distributed` True demands
    this, False forbids it.

    Raises `ConfigError` for a space whose networks cannot share weights, or a `folder` with a supernet of another space, data,
    recipe or seed; `DataError` for unreadable data or files; `TrainingDiverged`.
    """
    settings = settings or SupernetSettings()
    available_device(device)
    store = Store(absolute(folder))
    with processes(distributed, device) as process, reproducible(threads, process.device):
        return _train(space, data, settings.recipe(recipe), store, settings, process, on_epoch, config)


def default_folder(
    space: SearchSpace, data: Any, recipe: Recipe, settings: SupernetSettings, device: str | None
) -> Path:
    """The folder of a supernet whose user names none: `runs/supernets/KEY`, by all that it belongs to (`nas.sharing.identity`)."""
    trained = settings.recipe(recipe)
    task = prepare(data, trained, available_device(device), None).spec()
    return FOLDER / folder_name(identity(space, data, trained, task, settings))


def _train(
    space: SearchSpace,
    data: Any,
    recipe: Recipe,
    store: Store,
    settings: SupernetSettings,
    process: Process,
    on_epoch: Callable[[Row], None] | None,
    config: Mapping[str, Any] | None,
) -> Supernet:
    if isinstance(space, HasResolution):
        raise ConfigError(
            f"space {space.name!r} has images of another size for each architecture (resolution); weight sharing needs one size"
        )
    device, seed, limits = process.device, settings.seed, settings.limits or ()
    prepared = prepare(data, recipe, device, None)
    if process.first:
        announce(prepared.account)
    check_classes(prepared.spec())
    about = identity(space, data, recipe, prepared.spec(), settings)
    state, finished_earlier = store.earlier(about, space), store.finished
    process.wait()
    if process.first and (state is not None or finished_earlier):
        notice_changed_code(store.folder, read_about(store.folder), space)
    if finished_earlier:
        finished = restored(store.folder, space, belonging(space, prepared.spec(), data))
        finished.shared.to(device)
        return finished
    if process.first:
        store.check()
    supernet = make_supernet(space, prepared.spec(), stream(seed, 0), limits=limits)
    supernet.shared.to(device)
    draw = EvenDraw(supernet, seed, limits)
    training = _training(supernet, draw, recipe, settings, process)
    log: list[Row] = []
    if state is not None:
        log = _continued(training, state, store)
    if state is None and process.first:  # not before: a refused supernet leaves nothing
        store.begin(about, config)
    every = max(1, recipe.epochs // _REPORTS)
    while training.done < recipe.epochs:
        row = _epoch(training, prepared, settings)
        if not process.first:
            continue
        if len(prepared.validation) and (training.done % every == 0 or training.done == recipe.epochs):
            row |= _progress(replace(supernet, shared=_judged(training)), draw, prepared, recipe, seed)
        log.append(row)
        store.checkpoint({**training.state_dict(), "log": log}, log)
        if on_epoch is not None:
            on_epoch(row)
    trained = replace(supernet, shared=_judged(training))
    if process.first:
        store.finish(trained)
    return trained


def _continued(training: Training, state: dict[str, Any], store: Store) -> list[Row]:
    """Give a training the state of a checkpoint; return its log. Raises `DataError` for one that does not fit the networks, or is damaged."""
    try:
        training.load_state_dict(state)
        return [dict(row) for row in state["log"]]
    except Exception:  # torch raises many kinds, with the names of all tensors
        raise DataError(
            f"{store.folder / CHECKPOINT}: damaged, or of another version of the space: its tensors do not fit the networks; {REMEDY}"
        ) from None


def _training(
    supernet: Supernet, draw: EvenDraw, recipe: Recipe, settings: SupernetSettings, process: Process
) -> Training:
    def share() -> float:
        end = settings.shrink * recipe.epochs
        return 1.0 if training.done >= end else training.done / end

    loss = Distillation(supernet, draw, settings, recipe.label_smoothing, lambda: training.steps, share)
    training = Training(
        supernet.shared,
        recipe,
        epochs=recipe.epochs,
        seed=settings.seed,
        device=process.device,
        shard=process.shard,
        loss=loss,
    )
    return training


def _epoch(training: Training, prepared: Prepared, settings: SupernetSettings) -> Row:
    """Train for an epoch; its row in the log. Raises `TrainingDiverged`, also for a loss far above that of guessing."""
    start, cpu = time.perf_counter(), time.process_time()
    rate, guessing = training.recipe.lr, math.log(max(2, prepared.num_classes))
    try:
        loss = training.epoch(prepared.train)
    except TrainingDiverged as error:
        raise _diverged(str(error).partition(";")[0], rate, settings) from None
    if loss > _DIVERGED * guessing:
        said = f"the mean training loss in epoch {training.done} was {loss:.4g}, that of guessing is {guessing:.3g}"
        raise _diverged(said, rate, settings)
    return {
        "epoch": training.done,
        "lr": training.optimiser.param_groups[0]["lr"],
        "train_loss": loss,
        "seconds": round(time.perf_counter() - start, 3),
        "cpu_seconds": round(time.process_time() - cpu, 3),
    }


def _diverged(reason: str, rate: float, settings: SupernetSettings) -> TrainingDiverged:
    source = "three times the recipe's" if settings.lr is None else "that of supernet: {lr: ...}"
    return TrainingDiverged(
        f"the training of the supernet diverges: {reason}. Its highest learning rate, {rate:.3g}, is {source}: set a lower one with supernet: {{lr: ...}}, or warm up for longer"
    )


def _judged(training: Training) -> SharedWeights:
    judged = training.judged
    assert isinstance(judged, SharedWeights)
    return judged


def _progress(supernet: Supernet, draw: EvenDraw, prepared: Prepared, recipe: Recipe, seed: int) -> Row:
    """Validation errors of the largest, the smallest, and (their mean) two fixed random networks, in percent."""
    rng = np.random.default_rng(stream(seed, 6))
    random = [score(draw.network(rng, supernet.shared), prepared, recipe).error for _ in range(_SHOWN)]
    return {
        "largest_error": inherited_score(supernet, supernet.extremes.largest, prepared, recipe).error,
        "smallest_error": inherited_score(supernet, supernet.extremes.smallest, prepared, recipe).error,
        "random_error": sum(random) / _SHOWN,
    }


def inherited_score(
    supernet: Supernet, architecture: Architecture, prepared: Prepared, recipe: Recipe
) -> Score:
    """The score of a network with inherited weights on the validation images.

    Statistics of batch norm follow from the same 512 training images for every network, without augmentation. Raises
    `nas.sharing.weights.NotCovered` for a network outside the shared weights.
    """
    return score(supernet.network(architecture), prepared, recipe)


def evaluate_inherited(
    supernet: Supernet, architecture: Architecture, data: Any, recipe: Recipe, threads: int = 1
) -> Score:
    """The `inherited_score` on `data` (a `DataSource`), the same in every process.

    Warns on the logger `nas.data` for a network outside the limits of the supernet. Raises `DataError` where the data cannot be read or have no validation image.
    """
    device = supernet.shared.tensors[0].device
    warn_outside(supernet, architecture)
    with reproducible(threads, device):
        prepared = prepare(data, recipe, device, None)
        if len(prepared.validation) == 0:
            raise DataError(f"data {data}: there is no validation image to evaluate on")
        return inherited_score(supernet, architecture, prepared, recipe)


def warn_outside(supernet: Supernet, architecture: Architecture) -> None:
    """Warn of a network outside the limits of the supernet: parts of its weights may never have been trained."""
    found = outside(supernet.space, supernet.limits, architecture)
    if found:
        NOTICES.warning(
            "The supernet was trained within limits, and this network is outside of them, so its inherited values may be far too bad: %s",
            found,
        )


def score(network: Inherited, prepared: Prepared, recipe: Recipe) -> Score:
    """The score of a network of a supernet; see `inherited_score`."""
    device = next(iter(network.views.values())).device
    autocast = precision(recipe, device)
    with autocast():
        recalibrate(network, some_images(prepared))
    return judge(network, prepared.validation, prepared.num_classes, autocast=autocast)
