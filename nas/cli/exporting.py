"""`nas export`: export networks of a run for use elsewhere."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from nas.cli.console import output
from nas.cli.networks import Network, network_spec, space_part
from nas.cli.tasks import TASKS, BuildOptions, DataOptions, TaskCommand
from nas.cli.training import progress_line
from nas.cli.trusting import asking, read_run
from nas.core.checks import check_known, check_positive
from nas.core.errors import ConfigError
from nas.core.files import check_no_links
from nas.core.task_spec import TaskSpec
from nas.core.trust import named_code
from nas.export.making import Made, Run, Training, from_kept, from_training, untrained
from nas.export.onnx_file import OPSETS
from nas.export.origin import Origin, of_search
from nas.export.picks import KNEE, Pick, choose
from nas.export.product import FOLDER, TRAINING, Exported, check_free, places_of, write
from nas.export.trained import Trained, read_object
from nas.runs.code_of_strangers import allow
from nas.training import RECIPES, FullSettings, Recipe
from nas.training.folder import NETWORK as NETWORK_FILE
from nas.training.fresh import with_shapes
from nas.training.judging import put_weights
from nas.training.task import Classification


@dataclass(frozen=True)
class ExportOptions:
    """Arguments of `nas export`."""

    picks: tuple[str, ...] = ()
    out: Path | None = None
    train: bool = False
    untrained: bool = False
    recipe: str | None = None
    epochs: int | None = None
    data: str | None = None
    path: Path | None = None
    seed: int = 0
    threads: int | None = None
    resolution: int | None = None
    onnx: bool = True
    force: bool = False
    trust: bool = False
    opset: int | None = None


def run_export(folder: Path, options: ExportOptions) -> None:
    """Export the picked networks; exit with 130 if interrupted, with 1 if a file was omitted."""
    if (folder / NETWORK_FILE).is_file():
        _export_training(folder, options)
        return
    _check(options)
    run = _with_data(read_run(folder, options.trust, "nas export"), options)
    chosen = choose(run.table, options.picks or (KNEE,))
    places = places_of(folder, options.out, chosen, options.force)
    training = _training(run, options) if options.train else None
    whole = True
    for each, place in zip(chosen, places, strict=True):
        _say(f"{each.architecture}: {each.reason}")
        try:
            made = _made(run, each, options, training, place / TRAINING)
            origin = of_search(run, each, made)
            exported = write(origin, made, place, _typed(), options.onnx, _say, options.opset)
        except KeyboardInterrupt:
            _say(f"Interrupted; continue with: {_typed()}")
            raise typer.Exit(130) from None
        _report(exported, made)
        whole = whole and (exported.onnx_random is not None or not options.onnx)
    if not whole:
        raise typer.Exit(1)


def _network(folder: Path, identity: Mapping[str, Any], options: ExportOptions) -> Network:
    """The network of a training, after the user has allowed the code that its file names."""
    spec, settings = str(identity.get("network")), identity.get("space") or {}
    named = named_code({"space": space_part(spec, settings)}, Path.cwd())
    with allow(named, trust=options.trust, what=f"nas export {folder}", ask=asking()):
        return network_spec(spec, settings)


def _export_training(folder: Path, options: ExportOptions) -> None:
    """Export the network of `nas train`; exit with 1 if a file was omitted."""
    _check_opset(options)
    meant = ExportOptions(
        out=options.out, onnx=options.onnx, force=options.force, opset=options.opset, trust=options.trust
    )
    for given in dataclasses.fields(ExportOptions):
        if getattr(options, given.name) != getattr(meant, given.name):
            flag = "--pick" if given.name == "picks" else f"--{given.name}"
            raise ConfigError(
                f"{flag} requires the run of a search; {folder} holds a training with one network and its weights"
            )
    out = options.out or folder / FOLDER
    check_no_links(out, options.out or folder)
    check_free(out, options.force)
    trained, identity = Trained.read(folder), read_object(folder / NETWORK_FILE)
    check_known(f"{folder / 'config.json'}: task", trained.task, TASKS)
    command = TASKS[trained.task]
    network = _network(folder, identity, options)
    build_options = BuildOptions(resolution=trained.resolution, head=identity.get("head") or {})
    shape, classes = trained.images.shape, len(trained.images.class_names)
    built = command.build(network, build_options)(num_classes=classes, in_channels=shape[0])
    with_shapes(built, lambda: (1, *shape))
    put_weights(built, folder / "weights.pt")
    made = trained.made(command.product(built.eval(), shape), command.boxes)
    lead = f"A network for {trained.task}, trained by `nas train`"
    origin = Origin(
        folder.resolve().name,
        network.label,
        lead,
        f"{lead}: {network.label}\n\n{trained.story}",
        "training",
        *_looks(network, trained),
        index={
            "architecture": network.label,
            "task": trained.task,
            "network": {**identity, "task": trained.task},
        },
        versions={"torch": trained.torch},
    )
    exported = write(origin, made, out, _typed(), options.onnx, _say, options.opset)
    _report(exported, made)
    if options.onnx and exported.onnx_random is None:
        raise typer.Exit(1)


def _looks(network: Network, trained: Trained) -> tuple[Mapping[str, float], str | None]:
    """Exact costs and a drawing of a classifier; nothing for other tasks, whose heads cannot be drawn."""
    channels, height, width = trained.images.shape
    if trained.task != "classification":
        return {}, None
    try:
        sized = network.for_task(TaskSpec(channels, len(trained.images.class_names), (height, width)))
        return sized.cost(), sized.svg()
    except ConfigError:  # optional in a user's space
        return {}, None


def _typed() -> str:
    """The command line as typed."""
    return f"nas {shlex.join(sys.argv[1:])}"


def _check_opset(options: ExportOptions) -> None:
    if options.opset is None:
        return
    if not options.onnx:
        raise ConfigError("--opset and --no-onnx contradict each other: remove one")
    if not OPSETS[0] <= options.opset <= OPSETS[1]:
        raise ConfigError(f"--opset: expected a version from {OPSETS[0]} to {OPSETS[1]}, got {options.opset}")


def _check(options: ExportOptions) -> None:
    _check_opset(options)
    if options.train and options.untrained:
        raise ConfigError("--train and --untrained contradict each other: remove one")
    if not options.train:
        for flag, value in (
            ("--recipe", options.recipe),
            ("--epochs", options.epochs),
            ("--threads", options.threads),
        ):
            if value is not None:
                raise ConfigError(f"{flag} requires --train: add --train or remove {flag}")
    elif options.recipe is None and options.epochs is None:
        raise ConfigError(
            f"--train: set --recipe ({', '.join(RECIPES)}), or --epochs to train longer by the search's recipe"
        )
    if options.resolution is not None and not options.untrained:
        raise ConfigError(
            "--resolution requires --untrained: trained networks have the image size of their data"
        )
    if options.untrained and (options.data is not None or options.path is not None):
        raise ConfigError("--data and --path have no effect with --untrained: remove them")
    if options.recipe is not None:
        check_known("--recipe", options.recipe, RECIPES)
    for flag, value in (
        ("--epochs", options.epochs),
        ("--threads", options.threads),
        ("--resolution", options.resolution),
    ):
        if value is not None:
            check_positive(flag, value)


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
        _say(progress_line(row, recipe.epochs, command.scores.progress(row)))

    return print_epoch


def _made(run: Run, each: Pick, options: ExportOptions, training: Training | None, folder: Path) -> Made:
    if options.untrained:
        return untrained(run, each, options.seed, options.resolution)
    if training is not None:
        return from_training(run, each, training, folder)
    return from_kept(run, each)


def _report(exported: Exported, made: Made) -> None:
    for name, scores in (("validation", made.validation), ("test", made.test)):
        if scores is not None:
            values = ", ".join(f"{key} {value:.4g}" for key, value in scores.values.items())
            _say(f"  {name}: {values} ({scores.images:,} images)")
    if exported.onnx_random is not None:
        real = "" if exported.onnx_real is None else f", on real ones {exported.onnx_real:.1e}"
        _say(
            f"  ONNX against PyTorch: largest difference on random images {exported.onnx_random:.1e}{real} of the largest output"
        )
    _say(f"  {made.weights} weights, exported to {exported.folder}; see README.md there for usage")


def _say(line: str) -> None:
    output().print(line)
