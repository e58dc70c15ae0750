"""`nas train` and `nas evaluate`: one network on one data set."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer

from nas.cli.console import output, print_json
from nas.cli.networks import names_code, network_spec, space_part
from nas.cli.notices import notices
from nas.cli.tasks import TASKS, Making, Place, TaskCommand
from nas.config.schema import override
from nas.core.checks import check_known, check_positive
from nas.core.errors import ConfigError, DataError
from nas.core.files import absolute, make_folder
from nas.core.text import shell_quoted
from nas.core.trust import Trusted, named_code
from nas.runs.code_of_strangers import allowing
from nas.training.folder import FILES, training_files
from nas.training.folder import NETWORK as NETWORK_FILE


@dataclass(frozen=True)
class Asked:
    """What both commands take: network, data set, where it is, weights, `--set`, the task and its head."""

    spec: str
    data: str
    path: Path | None
    weights: Path | None
    settings: tuple[str, ...]
    task: str = "classification"
    head: str | None = None

    @property
    def command(self) -> TaskCommand:
        """The task. Raises `ConfigError` for an unknown one."""
        check_known("--task", self.task, TASKS)
        return TASKS[self.task]

    def parts(self, *known: str) -> dict[str, dict[str, Any]]:
        """The settings by what they are of. Raises `ConfigError` for others than the `known` ones."""
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
    """How `nas train` runs; `threads` None: one for small pictures, else the choice of torch."""

    out: Path
    seed: int
    threads: int | None


def default_folder(spec: str, recipe: str) -> Path:
    """Where a training goes that was not told: a folder of the network's and the recipe's name in `runs`."""
    return Path("runs") / f"{re.sub(r'[^A-Za-z0-9_.]+', '-', spec)[:60]}-{recipe}"


def run_training(asked: Asked, recipe: str | None, epochs: int | None, run: Run) -> None:
    """`nas train`; exits with 130 when interrupted."""
    from nas.training import RECIPES, FullSettings, recipe_from_config, train_full

    if run.threads is not None:
        check_positive("--threads", run.threads)
    out, command = run.out, asked.command
    place = absolute(out)  # once: code of a space may change the working folder
    parts = asked.parts("recipe", "data", "space", *command.parts)
    recipe = recipe or command.recipe
    check_known("--recipe", recipe, RECIPES)
    given = {} if epochs is None else {"epochs": epochs}
    plan = recipe_from_config({"base": recipe, **parts["recipe"], **given})
    network = network_spec(asked.spec, parts["space"])
    Trusted().remember(named_code({"space": space_part(asked.spec, parts["space"])}, Path.cwd()))
    pixels = command.pixels(network, plan)
    source = command.source(Place(asked.data, asked.path, parts["data"]), pixels)
    task = command.task(parts["task"])
    published = RECIPES[recipe]
    making = Making(published.dropout, published.drop_connect, plan.resolution, parts["head"])
    build = command.build(network, making)
    if asked.weights is not None:
        build = command.starting_from(build, asked.weights, _say)
    command.check(network, task, source, plan)
    first = int(os.environ.get("RANK", "0")) == 0  # of several processes, under torchrun
    if first:
        _settle(out, _identity(asked, parts), plan.epochs)

    def told(row: Mapping[str, float]) -> None:
        _say(progress_line(row, plan.epochs, command.progress(row)))

    settings = FullSettings(run.seed, run.threads or command.threads(pixels), on_epoch=told)
    try:
        with notices():
            result = train_full(build, source, plan, place, settings=settings, task=task)
    except KeyboardInterrupt:
        go_on = f"; go on with: nas {shlex.join(sys.argv[1:])}" if (place / "checkpoint.pt").is_file() else ""
        _say(f"Interrupted{go_on}")
        raise typer.Exit(130) from None
    if first:
        if result.test is not None:
            _say(f"test: {command.lines(result.test, result.class_names, False)[0]}")
        _say(f"weights in {out / result.weights.name}; everything else in {out}")


def run_evaluation(asked: Asked, resolution: int | None, as_json: bool) -> None:
    """`nas evaluate`."""
    from nas.training import Recipe
    from nas.training.judging import judge_weights
    from nas.training.trained_as import trained_as

    asked, space = _of_folder(asked)
    assert asked.weights is not None
    command = asked.command
    parts = asked.parts("data", "space", *command.parts)
    if resolution is not None and resolution < 1:
        raise ConfigError(f"--resolution: expected at least 1, got {resolution}")
    trained = trained_as(asked.weights)
    given = {*parts["data"], *(() if resolution is None else ("resolution",))}
    resolution = resolution or (None if "resolution" in given else trained.resolution)
    yours = named_code({"space": space_part(asked.spec, parts["space"])}, Path.cwd())
    with allowing(yours):  # nothing that the file of a folder names
        network = network_spec(asked.spec, {**space, **parts["space"]})
    pixels = command.pixels(network, Recipe(resolution=resolution))
    source = command.source(Place(asked.data, asked.path, parts["data"]), pixels)
    source = trained.read_alike(source, given)
    head = {**_trained_head(asked.weights, asked.task), **parts["head"]}
    build = command.build(network, Making(resolution=resolution, head=head))
    task, threads = command.task(parts["task"]), command.threads(pixels)
    with notices(errors=as_json):
        found = judge_weights(build, source, asked.weights, resolution, threads, task)
    if as_json:
        plain = command.plain(found.score, found.class_names)
        print_json({**plain, "latency_ms": 1000 * found.latency})
        return
    first, *classes = command.lines(found.score, found.class_names, True)
    _say(f"test: {first}")
    _say(
        f"latency: {1000 * found.latency:.2f} ms a picture (median of 30 runs, one thread, batch 1, not fused)"
    )
    for line in classes:
        _say(line)


def _of_folder(asked: Asked) -> tuple[Asked, dict[str, Any]]:
    """What the folder of an export or a training says of its network, where one is named; its space's settings.

    Raises `ConfigError` when there are no weights to judge, `DataError` for a folder that does not say its network.
    """
    from nas.export.product import INDEX
    from nas.export.trained import read_object

    folder = Path(asked.spec)
    if not folder.is_dir():
        if asked.weights is None:
            raise ConfigError(
                f"--weights: needed to judge {asked.spec}; only the folder of an export or a training has its own"
            )
        return asked, {}
    described: Any = None
    for file, inside in ((folder / INDEX, True), (folder / NETWORK_FILE, False)):
        if file.is_file():
            described = read_object(file).get("network") if inside else read_object(file)
            break
    else:
        raise ConfigError(
            f"{folder} is no export and no training: it has neither {INDEX} nor {NETWORK_FILE}; name a network"
        )
    if not isinstance(described, dict) or not isinstance(described.get("network"), str):
        raise DataError(
            f"{file}: does not say which network it is; name it: nas evaluate SPEC --weights {shell_quoted(folder / 'weights.pt')}"
        )
    if names_code(described["network"]):
        again = shlex.join(["nas", "evaluate", described["network"], "--weights", str(folder / "weights.pt")])
        raise ConfigError(
            f"{file}: its network is made by code that this command runs only if you name it: {again} ..."
        )
    task = str(described.get("task") or asked.task)
    weights = asked.weights or folder / "weights.pt"
    space = described.get("space") or {}
    return replace(asked, spec=described["network"], weights=weights, task=task), dict(space)


def _say(line: str) -> None:
    output().print(line)


def _identity(asked: Asked, parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What a training must have in common with the one in its folder, besides what `train_full` compares."""
    weights = None if asked.weights is None else str(asked.weights.resolve())
    same = {"schema": 1, "network": asked.spec, "space": dict(parts["space"]), "weights": weights}
    return same | ({} if not parts["head"] else {"task": asked.task, "head": dict(parts["head"])})


def _settle(out: Path, identity: dict[str, Any], epochs: int) -> None:
    """Say what is gone on with; raises `ConfigError` when the folder holds the training of another network."""
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
        before = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else identity
        if not isinstance(before, dict):
            raise ValueError(f"expected an object, got {type(before).__name__}")
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read ({error}); give another folder") from None
    for key, value in identity.items():
        if before.get(key) != value:
            raise ConfigError(
                f"{out} holds a training with another {key} ({before.get(key)} then, {value} now); give another "
                f"folder with --out"
            )
    log = out / "log.csv"
    done = len(log.read_text(encoding="utf-8").splitlines()) - 1 if log.is_file() else 0
    _say(f"{out} holds this training after {done} of {epochs} epochs: going on with it")


def progress_line(row: Mapping[str, float], epochs: int, validation: list[str]) -> str:
    """An epoch of the log in a line."""
    parts = [f"epoch {int(row['epoch'])}/{epochs}", f"loss {row['train_loss']:.4f}", *validation]
    parts += [f"{row['seconds']:.1f} s", f"{row['pictures_per_second']:,.0f} pictures/s"]
    return "  ".join(parts)


def _trained_head(weights: Path, task: str) -> dict[str, Any]:
    """The head of the training that wrote the weights, where its settings lie beside them."""
    from nas.export.product import INDEX
    from nas.export.trained import read_object

    index = weights.with_name(INDEX)
    try:
        beside = (
            read_object(index)["network"]
            if index.is_file()
            else json.loads(weights.with_name(NETWORK_FILE).read_text(encoding="utf-8"))
        )
        head = beside["head"] if beside["task"] == task else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return head if isinstance(head, dict) else {}
