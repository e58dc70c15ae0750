"""`nas train` and `nas evaluate`: one network on one data set."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer

from nas.cli.console import output, print_json, this_command
from nas.cli.named_networks import names_code, network_spec, space_part
from nas.cli.notices import notices
from nas.cli.tasks import TASKS, BuildOptions, DataOptions, TaskCommand
from nas.config.schema import override
from nas.core.checks import check_known, check_positive
from nas.core.errors import ConfigError, DataError
from nas.core.files import absolute, make_folder
from nas.core.json_text import read_json
from nas.core.text import command as shell_command
from nas.core.trust import Trusted, named_code
from nas.runs.code_of_strangers import allowing
from nas.training.folder import FILES, training_files
from nas.training.folder import NETWORK as NETWORK_FILE


@dataclass(frozen=True)
class NetworkOptions:
    """Arguments of both commands: network, data set, its path, weights, `--set`, task and head."""

    spec: str
    data: str
    path: Path | None
    weights: Path | None
    settings: tuple[str, ...]
    task: str = "classification"
    head: str | None = None

    @property
    def command(self) -> TaskCommand:
        """The task. Raises `ConfigError` if it is unknown."""
        check_known("--task", self.task, TASKS)
        return TASKS[self.task]

    def parts(self, *known: str) -> dict[str, dict[str, Any]]:
        """The settings grouped by prefix. Raises `ConfigError` for a prefix that is not `known`."""
        for setting in self.settings:
            first, dot, _ = setting.partition("=")[0].partition(".")
            if not dot or first not in known:
                raise ConfigError(
                    f"--set {setting!r}: expected {' or '.join(f'{name}.KEY=VALUE' for name in known)}"
                )
        parts = {name: {} for name in (*known, "head", "task")} | override({}, self.settings)
        return parts | ({} if self.head is None else {"head": {**parts["head"], "name": self.head}})


@dataclass(frozen=True)
class Run:
    """Execution of `nas train`; `threads` None: one for small images, else torch's choice."""

    out: Path
    seed: int
    threads: int | None


def default_folder(spec: str, recipe: str) -> Path:
    """The default output folder: `runs/NETWORK-RECIPE`."""
    return Path("runs") / f"{re.sub(r'[^A-Za-z0-9_.]+', '-', spec)[:60]}-{recipe}"


def run_training(options: NetworkOptions, recipe: str | None, epochs: int | None, run: Run) -> None:
    """`nas train`; exits with 130 if interrupted."""
    from nas.training import RECIPES, FullSettings, recipe_from_config, train_full

    if run.threads is not None:
        check_positive("--threads", run.threads)
    out, command = run.out, options.command
    place = absolute(out)  # now: code of a space may change the working folder
    parts = options.parts("recipe", "data", "space", *command.parts)
    recipe = recipe or command.recipe
    check_known("--recipe", recipe, RECIPES)
    given = {} if epochs is None else {"epochs": epochs}
    plan = recipe_from_config({"base": recipe, **parts["recipe"], **given})
    network = network_spec(options.spec, parts["space"])
    Trusted().remember(named_code({"space": space_part(options.spec, parts["space"])}, Path.cwd()))
    pixels = command.pixels(network, plan)
    source = command.source(DataOptions(options.data, options.path, parts["data"]), pixels)
    task = command.task(parts["task"])
    published = RECIPES[recipe]
    build_options = BuildOptions(published.dropout, published.drop_connect, plan.resolution, parts["head"])
    build = command.build(network, build_options)
    if options.weights is not None:
        build = command.starting_from(build, options.weights, _say)
    command.check(network, task, source, plan)
    first = int(os.environ.get("RANK", "0")) == 0  # among the processes of torchrun
    if first:
        _settle(out, _identity(options, parts), plan.epochs)

    def print_epoch(row: Mapping[str, float]) -> None:
        _say(progress_line(row, plan.epochs, command.scores.progress(row)))

    settings = FullSettings(run.seed, run.threads or command.threads(pixels), on_epoch=print_epoch)
    try:
        with notices():
            result = train_full(build, source, plan, place, settings=settings, task=task)
    except KeyboardInterrupt:
        go_on = f"; continue with: {this_command()}" if (place / "checkpoint.pt").is_file() else ""
        _say(f"Interrupted{go_on}")
        raise typer.Exit(130) from None
    if first:
        if result.test is not None:
            _say(f"test: {command.scores.lines(result.test, result.class_names, False)[0]}")
        _say(f"weights: {out / result.weights.name}; log and result in {out}")


def run_evaluation(options: NetworkOptions, resolution: int | None, as_json: bool) -> None:
    """`nas evaluate`."""
    from nas.training import Recipe
    from nas.training.judging import judge_weights
    from nas.training.trained_as import trained_as

    options, space = _of_folder(options)
    assert options.weights is not None
    command = options.command
    parts = options.parts("data", "space", *command.parts)
    if resolution is not None and resolution < 1:
        raise ConfigError(f"--resolution: expected at least 1, got {resolution}")
    trained = trained_as(options.weights)
    given = {*parts["data"], *(() if resolution is None else ("resolution",))}
    resolution = resolution or (None if "resolution" in given else trained.resolution)
    yours = named_code({"space": space_part(options.spec, parts["space"])}, Path.cwd())
    with allowing(yours):  # not the code that the folder's file names
        network = network_spec(options.spec, {**space, **parts["space"]})
    pixels = command.pixels(network, Recipe(resolution=resolution))
    source = command.source(DataOptions(options.data, options.path, parts["data"]), pixels)
    source = trained.read_alike(source, given)
    head = {**_trained_head(options.weights, options.task), **parts["head"]}
    build = command.build(network, BuildOptions(resolution=resolution, head=head))
    task, threads = command.task(parts["task"]), command.threads(pixels)
    with notices(errors=as_json):
        found = judge_weights(build, source, options.weights, resolution, threads, task)
    if as_json:
        plain = found.score.report(found.class_names)
        print_json({**plain, "latency_ms": 1000 * found.latency})
        return
    first, *classes = command.scores.lines(found.score, found.class_names, True)
    _say(f"test: {first}")
    _say(
        f"latency: {1000 * found.latency:.2f} ms per image (median of 30 runs, one thread, batch 1, not fused)"
    )
    for line in classes:
        _say(line)


def _of_folder(options: NetworkOptions) -> tuple[NetworkOptions, dict[str, Any]]:
    """The arguments completed from the folder of an export or training, and the settings of its space.

    Raises `ConfigError` if there are no weights to evaluate, `DataError` if the folder does not name its network.
    """
    from nas.export.product import INDEX
    from nas.export.trained import read_object

    folder = Path(options.spec)
    if not folder.is_dir():
        if options.weights is None:
            raise ConfigError(
                f"--weights is required to evaluate {options.spec}: only the folder of an export or training contains weights"
            )
        return options, {}
    described: Any = None
    for file, inside in ((folder / INDEX, True), (folder / NETWORK_FILE, False)):
        if file.is_file():
            described = read_object(file).get("network") if inside else read_object(file)
            break
    else:
        raise ConfigError(
            f"{folder} is not an export or training folder: it has neither {INDEX} nor {NETWORK_FILE}; name a network"
        )
    if not isinstance(described, dict) or not isinstance(described.get("network"), str):
        raise DataError(
            f"{file} does not name its network; name it: {shell_command('nas', 'evaluate', 'SPEC', '--weights', folder / 'weights.pt')}"
        )
    if names_code(described["network"]):
        again = shell_command("nas", "evaluate", described["network"], "--weights", folder / "weights.pt")
        raise ConfigError(
            f"{file} names code that builds its network; to run that code, name it yourself: {again} ..."
        )
    task = str(described.get("task") or options.task)
    weights = options.weights or folder / "weights.pt"
    space = described.get("space") or {}
    return replace(options, spec=described["network"], weights=weights, task=task), dict(space)


def _say(line: str) -> None:
    output().print(line)


def _identity(options: NetworkOptions, parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The identity that a resumed training must share with its folder, besides the checks of `train_full`."""
    weights = None if options.weights is None else str(options.weights.resolve())
    same = {"schema": 1, "network": options.spec, "space": dict(parts["space"]), "weights": weights}
    return same | ({} if not parts["head"] else {"task": options.task, "head": dict(parts["head"])})


def _settle(out: Path, identity: dict[str, Any], epochs: int) -> None:
    """Prepare the folder or print its progress; raises `ConfigError` if it holds another network's training."""
    file = out / NETWORK_FILE
    if not (out / "checkpoint.pt").is_file():
        files = training_files(out)
        try:
            files.check([*FILES, NETWORK_FILE])
            make_folder(out)
            files.write_text(NETWORK_FILE, json.dumps(identity, indent=2) + "\n")
        except OSError as error:
            raise ConfigError(f"{error.filename or file}: cannot be written ({error.strerror})") from None
        return
    try:
        before = read_json(file.read_text(encoding="utf-8")) if file.is_file() else identity
        if not isinstance(before, dict):
            raise ValueError(f"expected an object, got {type(before).__name__}")
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read ({error}); choose another folder") from None
    for key, value in identity.items():
        if before.get(key) != value:
            raise ConfigError(
                f"{out} holds a training with another {key} ({before.get(key)} then, {value} now); choose another "
                f"folder with --out"
            )
    log = out / "log.csv"
    done = len(log.read_text(encoding="utf-8").splitlines()) - 1 if log.is_file() else 0
    _say(f"{out} holds this training after {done} of {epochs} epochs: continuing it")


def progress_line(row: Mapping[str, float], epochs: int, validation: list[str]) -> str:
    """An epoch of the log as one line."""
    parts = [f"epoch {int(row['epoch'])}/{epochs}", f"loss {row['train_loss']:.4f}", *validation]
    parts += [f"{row['seconds']:.1f} s", f"{row['pictures_per_second']:,.0f} images/s"]
    return "  ".join(parts)


def _trained_head(weights: Path, task: str) -> dict[str, Any]:
    """The head settings of the training that wrote the weights, if they are stored beside them."""
    from nas.export.product import INDEX
    from nas.export.trained import read_object

    index = weights.with_name(INDEX)
    try:
        beside = (
            read_object(index)["network"]
            if index.is_file()
            else read_json(weights.with_name(NETWORK_FILE).read_text(encoding="utf-8"))
        )
        head = beside["head"] if beside["task"] == task else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return head if isinstance(head, dict) else {}
