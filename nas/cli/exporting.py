"""`nas export`: export networks of a run for use elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import typer

from nas.cli.console import this_command
from nas.cli.export_options import ExportOptions, check_options
from nas.cli.export_report import is_whole, report, say, typed
from nas.cli.export_trained import export_training
from nas.cli.tasks import TASKS, DataOptions, TaskCommand
from nas.cli.training import progress_line
from nas.cli.trusting import read_run
from nas.core.errors import ConfigError
from nas.deployment.target import Target, read_target
from nas.export.making import Made, Run, Training, from_kept, from_training, untrained
from nas.export.origin import of_search
from nas.export.picks import KNEE, Pick, choose
from nas.export.product import TRAINING, places_of, write
from nas.export.quantised import check_int8, check_int8_run, prepared_images, target_of
from nas.training import RECIPES, FullSettings, Recipe
from nas.training.folder import NETWORK as NETWORK_FILE
from nas.training.task import Classification


def run_export(folder: Path, options: ExportOptions) -> None:
    """Export the picked networks; exit with 130 if interrupted, with 1 if a file was omitted."""
    if (folder / NETWORK_FILE).is_file():
        export_training(folder, options)
        return
    check_options(options)
    run = _with_data(read_run(folder, options.trust, "nas export"), options)
    chosen = choose(run.table, options.picks or (KNEE,))
    places = places_of(folder, options.out, chosen, options.force)
    training = _training(run, options) if options.train else None
    target = _target(run, training, options) if options.int8 else None
    whole = True
    for each, place in zip(chosen, places, strict=True):
        say(f"{each.architecture}: {each.reason}")
        try:
            made = _made(run, each, options, training, place / TRAINING)
            origin = of_search(run, each, made)
            exported = write(origin, made, place, typed(), options.onnx, say, options.opset, target)
        except KeyboardInterrupt:
            say(f"Interrupted; continue with: {this_command()}")
            raise typer.Exit(130) from None
        report(exported, made)
        whole = whole and is_whole(exported, options)
    if not whole:
        raise typer.Exit(1)


def _target(run: Run, training: Training | None, options: ExportOptions) -> Target:
    """The target of the 8-bit file, after a check that its networks can be quantised."""
    target = target_of(run) if options.target is None else read_target(options.target)
    if training is None:
        check_int8_run(run, target)
    else:
        prepared = prepared_images(training.task, training.data, training.recipe)
        check_int8(training.task, prepared, target)
    return target


def _command(run: Run) -> TaskCommand:
    classification = run.evaluator is None or isinstance(run.evaluator.task, Classification)
    return TASKS["classification" if classification else "segmentation"]


def _with_data(run: Run, options: ExportOptions) -> Run:
    """The run with its data replaced by those of the flags."""
    if run.evaluator is None or (options.data is None and options.path is None):
        return run
    data = run.evaluator.data
    if options.data is not None:
        data = _command(run).source(
            DataOptions(options.data, options.path, {}), _pixels(run, run.evaluator.recipe)
        )
    elif hasattr(data, "path"):
        data = dataclasses.replace(data, path=str(options.path))
    else:
        raise ConfigError(f"--path: the data of this run, {data!r}, have no path; remove --path")
    return dataclasses.replace(run, evaluator=dataclasses.replace(run.evaluator, data=data))


def _pixels(run: Run, recipe: Recipe) -> int | None:
    """The side to resize images of any size to: that of the recipe, the run's data or the space."""
    own = None if run.evaluator is None else run.evaluator.data
    sides = (recipe.resolution, getattr(own, "resolution", None), getattr(run.space, "image_size", None))
    return next((side for side in sides if side is not None), None)


def _training(run: Run, options: ExportOptions) -> Training:
    """Settings of the full training: a published recipe, or the search's recipe on all images."""
    evaluator, command = run.evaluator, _command(run)
    given: dict[str, Any] = {} if options.epochs is None else {"epochs": options.epochs}
    rates: dict[str, float] = {}
    if options.recipe is not None:
        published = RECIPES[options.recipe]
        recipe = dataclasses.replace(published.recipe, **given)
        rates = {"dropout": published.dropout, "drop_connect": published.drop_connect}
    elif evaluator is None:
        raise ConfigError("--train: this run trained no candidates, so it has no recipe: set --recipe")
    else:
        recipe = dataclasses.replace(evaluator.recipe, subset=1.0, max_pictures=None, **given)
    if evaluator is not None:
        data, task = evaluator.data, evaluator.task
    elif options.data is None:
        raise ConfigError("--train: this run has no images: set --data (and --path)")
    else:
        data, task = (
            command.source(DataOptions(options.data, options.path, {}), _pixels(run, recipe)),
            command.task({}),
        )
    threads = options.threads or command.threads(recipe.resolution)
    settings = FullSettings(options.seed, threads, on_epoch=_progress(recipe, command))
    name = "the search's recipe" if options.recipe is None else f"the recipe `{options.recipe}`"
    return Training(data, recipe, name, task, rates, settings)


def _progress(recipe: Recipe, command: TaskCommand) -> Callable[[Mapping[str, float]], None]:
    def print_epoch(row: Mapping[str, float]) -> None:
        say(progress_line(row, recipe.epochs, command.scores.progress(row)))

    return print_epoch


def _made(run: Run, each: Pick, options: ExportOptions, training: Training | None, folder: Path) -> Made:
    if options.untrained:
        return untrained(run, each, options.seed, options.resolution)
    if training is not None:
        return from_training(run, each, training, folder)
    return from_kept(run, each)
