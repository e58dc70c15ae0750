"""`nas export`: from a run to networks that can be used elsewhere."""

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
from nas.cli.tasks import TASKS, Making, Place, TaskCommand
from nas.cli.training import progress_line
from nas.cli.trusting import asking
from nas.core.checks import check_known, check_positive
from nas.core.errors import ConfigError
from nas.core.files import check_no_links
from nas.core.task_spec import TaskSpec
from nas.core.trust import named_code
from nas.export.load_network import run_config
from nas.export.making import NAMED, Made, Run, Training, from_kept, from_training, untrained
from nas.export.onnx_file import OPSETS
from nas.export.origin import Origin, of_search
from nas.export.picks import KNEE, Pick, choose
from nas.export.product import FOLDER, TRAINING, Exported, check_free, places_of, write
from nas.export.trained import Trained, read_object
from nas.runs.code_of_strangers import allow
from nas.training import RECIPES, FullSettings, Recipe
from nas.training.folder import NETWORK as NETWORK_FILE
from nas.training.judging import put_weights
from nas.training.task import Classification


@dataclass(frozen=True)
class Wanted:
    """What was asked of `nas export`."""

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


def run_export(folder: Path, wanted: Wanted) -> None:
    """Export the networks that were picked; exits with 130 when interrupted, with 1 when a file had to be left out."""
    if (folder / NETWORK_FILE).is_file():
        _export_training(folder, wanted)
        return
    _check(wanted)
    run = _with_data(_read(folder, wanted), wanted)
    chosen = choose(run.table, wanted.picks or (KNEE,))
    places = places_of(folder, wanted.out, chosen, wanted.force)
    training = _training(run, wanted) if wanted.train else None
    whole = True
    for each, place in zip(chosen, places, strict=True):
        _say(f"{each.architecture}: {each.reason}")
        try:
            made = _made(run, each, wanted, training, place / TRAINING)
            origin = of_search(run, each, made)
            exported = write(origin, made, place, _typed(), wanted.onnx, _say, wanted.opset)
        except KeyboardInterrupt:
            _say(f"Interrupted; go on with: {_typed()}")
            raise typer.Exit(130) from None
        _report(exported, made)
        whole = whole and (exported.onnx_random is not None or not wanted.onnx)
    if not whole:
        raise typer.Exit(1)


def _read(folder: Path, wanted: Wanted) -> Run:
    """The run, once its user has allowed the code that its config names."""
    try:
        config, base = run_config(folder)
    except ConfigError:  # started from Python, which the reading says
        return Run.read(folder)
    plain = config.model_dump(mode="json")
    named = named_code({key: plain[key] for key in NAMED}, base)
    with allow(named, trust=wanted.trust, what=f"nas export {folder}", ask=asking()):
        return Run.read(folder, trust=True)


def _network(folder: Path, identity: Mapping[str, Any], wanted: Wanted) -> Network:
    """The network of a training, once its user has allowed the code that its file names."""
    spec, settings = str(identity.get("network")), identity.get("space") or {}
    named = named_code({"space": space_part(spec, settings)}, Path.cwd())
    with allow(named, trust=wanted.trust, what=f"nas export {folder}", ask=asking()):
        return network_spec(spec, settings)


def _export_training(folder: Path, wanted: Wanted) -> None:
    """Export the network of `nas train`; exits with 1 when a file had to be left out."""
    _check_opset(wanted)
    meant = Wanted(
        out=wanted.out, onnx=wanted.onnx, force=wanted.force, opset=wanted.opset, trust=wanted.trust
    )
    for given in dataclasses.fields(Wanted):
        if getattr(wanted, given.name) != getattr(meant, given.name):
            flag = "--pick" if given.name == "picks" else f"--{given.name}"
            raise ConfigError(
                f"{flag} is for the run of a search; {folder} holds a training, which has one network and its weights"
            )
    out = wanted.out or folder / FOLDER
    check_no_links(out, wanted.out or folder)
    check_free(out, wanted.force)
    trained, identity = Trained.read(folder), read_object(folder / NETWORK_FILE)
    check_known(f"{folder / 'config.json'}: task", trained.task, TASKS)
    command = TASKS[trained.task]
    network = _network(folder, identity, wanted)
    making = Making(resolution=trained.resolution, head=identity.get("head") or {})
    shape, classes = trained.pictures.shape, len(trained.pictures.class_names)
    built = command.build(network, making)(num_classes=classes, in_channels=shape[0])
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
    exported = write(origin, made, out, _typed(), wanted.onnx, _say, wanted.opset)
    _report(exported, made)
    if wanted.onnx and exported.onnx_random is None:
        raise typer.Exit(1)


def _looks(network: Network, trained: Trained) -> tuple[Mapping[str, float], str | None]:
    """Exact costs of a classifier, and a drawing of it; of another task only the body could be drawn."""
    channels, height, width = trained.pictures.shape
    if trained.task != "classification":
        return {}, None
    try:
        sized = network.for_task(TaskSpec(channels, len(trained.pictures.class_names), (height, width)))
        return sized.cost(), sized.svg()
    except ConfigError:  # a space of one's own need not have them
        return {}, None


def _typed() -> str:
    """The command as it was given."""
    return f"nas {shlex.join(sys.argv[1:])}"


def _check_opset(wanted: Wanted) -> None:
    if wanted.opset is None:
        return
    if not wanted.onnx:
        raise ConfigError("--opset is for network.onnx: leave it out with --no-onnx")
    if not OPSETS[0] <= wanted.opset <= OPSETS[1]:
        raise ConfigError(f"--opset: expected a version from {OPSETS[0]} to {OPSETS[1]}, got {wanted.opset}")


def _check(wanted: Wanted) -> None:
    _check_opset(wanted)
    if wanted.train and wanted.untrained:
        raise ConfigError("--train and --untrained: only one of them makes sense")
    if not wanted.train:
        for flag, value in (
            ("--recipe", wanted.recipe),
            ("--epochs", wanted.epochs),
            ("--threads", wanted.threads),
        ):
            if value is not None:
                raise ConfigError(f"{flag} is for a training: add --train, or leave it out")
    elif wanted.recipe is None and wanted.epochs is None:
        raise ConfigError(
            f"--train: say how, by --recipe ({', '.join(RECIPES)}), or by --epochs for the search's own recipe for longer"
        )
    if wanted.resolution is not None and not wanted.untrained:
        raise ConfigError("--resolution is for --untrained: trained networks have the size of their data")
    if wanted.untrained and (wanted.data is not None or wanted.path is not None):
        raise ConfigError("--data and --path are for weights: leave them out with --untrained")
    if wanted.recipe is not None:
        check_known("--recipe", wanted.recipe, RECIPES)
    for flag, value in (
        ("--epochs", wanted.epochs),
        ("--threads", wanted.threads),
        ("--resolution", wanted.resolution),
    ):
        if value is not None:
            check_positive(flag, value)


def _command(run: Run) -> TaskCommand:
    classification = run.evaluator is None or isinstance(run.evaluator.task, Classification)
    return TASKS["classification" if classification else "segmentation"]


def _with_data(run: Run, wanted: Wanted) -> Run:
    """The run with the data that the flags name in place of its own."""
    if run.evaluator is None or (wanted.data is None and wanted.path is None):
        return run
    data = run.evaluator.data
    if wanted.data is not None:
        data = _command(run).source(Place(wanted.data, wanted.path, {}), _pixels(run, run.evaluator.recipe))
    elif hasattr(data, "path"):
        data = dataclasses.replace(data, path=str(wanted.path))
    else:
        raise ConfigError(f"--path: the data of this run, {data!r}, are in no file; leave it out")
    return dataclasses.replace(run, evaluator=dataclasses.replace(run.evaluator, data=data))


def _pixels(run: Run, recipe: Recipe) -> int | None:
    """The side to which pictures of any size are brought: the recipe's, that of the run's own data, or the space's."""
    own = None if run.evaluator is None else run.evaluator.data
    sides = (recipe.resolution, getattr(own, "resolution", None), getattr(run.space, "image_size", None))
    return next((side for side in sides if side is not None), None)


def _training(run: Run, wanted: Wanted) -> Training:
    """How to train in full: by a published recipe, or the search's own on all the pictures."""
    evaluator, command = run.evaluator, _command(run)
    given: dict[str, Any] = {} if wanted.epochs is None else {"epochs": wanted.epochs}
    rates: dict[str, float] = {}
    if wanted.recipe is not None:
        published = RECIPES[wanted.recipe]
        recipe = dataclasses.replace(published.recipe, **given)
        rates = {"dropout": published.dropout, "drop_connect": published.drop_connect}
    elif evaluator is None:
        raise ConfigError(
            "--train: the candidates of this run were not trained, so it has no recipe: give --recipe"
        )
    else:
        recipe = dataclasses.replace(evaluator.recipe, subset=1.0, max_pictures=None, **given)
    if evaluator is not None:
        data, task = evaluator.data, evaluator.task
    elif wanted.data is None:
        raise ConfigError("--train: this run has no pictures of its own: say which with --data (and --path)")
    else:
        data, task = (
            command.source(Place(wanted.data, wanted.path, {}), _pixels(run, recipe)),
            command.task({}),
        )
    threads = wanted.threads or command.threads(recipe.resolution)
    settings = FullSettings(wanted.seed, threads, on_epoch=_progress(recipe, command))
    name = "the search's own recipe" if wanted.recipe is None else f"the recipe `{wanted.recipe}`"
    return Training(data, recipe, name, task, rates, settings)


def _progress(recipe: Recipe, command: TaskCommand) -> Callable[[Mapping[str, float]], None]:
    def told(row: Mapping[str, float]) -> None:
        _say(progress_line(row, recipe.epochs, command.progress(row)))

    return told


def _made(run: Run, each: Pick, wanted: Wanted, training: Training | None, folder: Path) -> Made:
    if wanted.untrained:
        return untrained(run, each, wanted.seed, wanted.resolution)
    if training is not None:
        return from_training(run, each, training, folder)
    return from_kept(run, each)


def _report(exported: Exported, made: Made) -> None:
    for name, scores in (("validation", made.validation), ("test", made.test)):
        if scores is not None:
            values = ", ".join(f"{key} {value:.4g}" for key, value in scores.values.items())
            _say(f"  {name}: {values} ({scores.pictures:,} pictures)")
    if exported.onnx_random is not None:
        real = "" if exported.onnx_real is None else f", on real ones {exported.onnx_real:.1e}"
        _say(
            f"  ONNX against PyTorch: largest difference on random pictures {exported.onnx_random:.1e}{real} of the largest output"
        )
    _say(f"  {made.weights} weights; everything in {exported.folder}; README.md there says how to use it")


def _say(line: str) -> None:
    output().print(line)
