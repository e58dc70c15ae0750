"""`nas export` of a training by `nas train`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from nas.cli.export_options import ExportOptions, check_onnx_options
from nas.cli.export_report import is_whole, report, say, typed
from nas.cli.named_networks import network_spec, space_part
from nas.cli.networks import Network
from nas.cli.tasks import TASKS, BuildOptions, DataOptions, TaskCommand
from nas.cli.trusting import asking
from nas.core.checks import check_known
from nas.core.errors import ConfigError, DataError
from nas.core.files import check_no_links
from nas.core.plugins import make
from nas.core.task_spec import TaskSpec
from nas.core.trust import named_code
from nas.deployment.target import DEFAULT, read_target
from nas.export.origin import Origin
from nas.export.pixels import Reading
from nas.export.product import FOLDER, check_free, write
from nas.export.quantised import check_int8, prepared_images
from nas.export.trained import Trained, read_object
from nas.runs.code_of_strangers import allow
from nas.training import DATASETS, Recipe
from nas.training.feed import Prepared
from nas.training.folder import NETWORK as NETWORK_FILE
from nas.training.fresh import with_shapes
from nas.training.judging import put_weights
from nas.training.trained_as import trained_as

_OWN = ("out", "onnx", "force", "opset", "trust", "int8", "target")  # options that concern a training too


def export_training(folder: Path, options: ExportOptions) -> None:
    """Export the network of `nas train`; exit with 1 if a file was omitted."""
    check_onnx_options(options)
    _check_own(options, folder)
    out = options.out or folder / FOLDER
    check_no_links(out, options.out or folder)
    check_free(out, options.force)
    target = read_target(options.target or DEFAULT) if options.int8 else None
    trained, identity = Trained.read(folder), read_object(folder / NETWORK_FILE)
    check_known(f"{folder / 'config.json'}: task", trained.task, TASKS)
    command = TASKS[trained.task]
    network = _network(folder, identity, options)
    prepared = None
    if target is not None:
        prepared = _images(folder, trained, options, command)
        check_int8(command.task({}), prepared, target)
    build_options = BuildOptions(resolution=trained.resolution, head=identity.get("head") or {})
    shape, classes = trained.images.shape, len(trained.images.class_names)
    built = command.build(network, build_options)(num_classes=classes, in_channels=shape[0])
    with_shapes(built, lambda: (1, *shape))
    put_weights(built, folder / "weights.pt")
    made = trained.made(command.product(built.eval(), shape), command.boxes)
    if trained.task == "classification":
        made = dataclasses.replace(made, reading=_reading(folder, trained), prepared=prepared)
    origin = _origin(folder, trained, network, identity)
    exported = write(origin, made, out, typed(), options.onnx, say, options.opset, target)
    report(exported, made)
    if not is_whole(exported, options):
        raise typer.Exit(1)


def _reading(folder: Path, trained: Trained) -> Reading:
    """How the training read its images, without reading them."""
    known = trained_as(folder / "weights.pt")
    _, height, width = trained.images.shape
    return Reading.described(known.data, dict(known.settings), (height, width))


def _images(folder: Path, trained: Trained, options: ExportOptions, command: TaskCommand) -> Prepared | None:
    """The images of the training, at the place of the flags if given; None for another task. Raises `DataError`, `ConfigError`."""
    if trained.task != "classification":
        return None
    known = trained_as(folder / "weights.pt")
    classes: dict[str, Any] = {getattr(made, "__name__", ""): made for made in DATASETS.values()}
    if options.data is not None:
        given = DataOptions(options.data, options.path, {})
        data = known.read_alike(command.source(given, trained.resolution), ())
    elif known.data in classes:
        place = {} if options.path is None else {"path": str(options.path)}
        data = make("--path", classes[known.data], {**known.settings, **place}, known.data)
    else:
        raise ConfigError(
            "--int8: calibration needs the images of the training: name them with --data (and --path)"
        )
    try:
        prepared = prepared_images(command.task({}), data, Recipe(resolution=trained.resolution))
    except DataError as error:
        raise DataError(
            f"--int8: calibration needs the images of the training: {error}; name their place with --path"
        ) from None
    assert prepared is not None
    shape = tuple(prepared.example().shape[1:])
    if (shape, prepared.class_names) != (trained.images.shape, trained.images.class_names):
        raise ConfigError(
            f"--data: the network was trained for images of {trained.images.shape} and {len(trained.images.class_names)} classes, these have {shape} and "
            f"{len(prepared.class_names)}: name the data of the training"
        )
    return prepared


def _network(folder: Path, identity: Mapping[str, Any], options: ExportOptions) -> Network:
    """The network of a training, after the user has allowed the code that its file names."""
    spec, settings = str(identity.get("network")), identity.get("space") or {}
    named = named_code({"space": space_part(spec, settings)}, Path.cwd())
    with allow(named, trust=options.trust, what=f"nas export {folder}", ask=asking()):
        return network_spec(spec, settings)


def _check_own(options: ExportOptions, folder: Path) -> None:
    """Raises `ConfigError` for an option of the export of a search."""
    own = (*_OWN, "data", "path") if options.int8 else _OWN
    meant = ExportOptions(**{name: getattr(options, name) for name in own})
    for given in dataclasses.fields(ExportOptions):
        if getattr(options, given.name) != getattr(meant, given.name):
            flag = "--pick" if given.name == "picks" else f"--{given.name}"
            either = " or --int8" if given.name in ("data", "path") else ""
            raise ConfigError(
                f"{flag} requires the run of a search{either}; {folder} holds a training with one network and its weights"
            )


def _origin(folder: Path, trained: Trained, network: Network, identity: Mapping[str, Any]) -> Origin:
    lead = f"A network for {trained.task}, trained by `nas train`"
    return Origin(
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
