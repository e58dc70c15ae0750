"""`nas train` and `nas evaluate`: one network on one data set."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from nas.checks import check_known, check_positive
from nas.cli.networks import MUXNetwork, Network, network_spec, write_whole
from nas.cli.show import output
from nas.config import override
from nas.errors import ConfigError, DataError

if TYPE_CHECKING:
    from nas.training import FullResult
    from nas.training.data import DataSource
    from nas.training.judging import Judgement
    from nas.training.loop import Score

NETWORK_FILE = "network.json"  # beside what `train_full` writes
LARGE = 64  # pixels from which several threads pay; below, they only wait for each other
_SIZED = ("folder",)  # data sets that are brought to a size of their own unless told


@dataclass(frozen=True)
class Asked:
    """What both commands take: network, data set, where it is, weights, `--set`."""

    spec: str
    data: str
    path: Path | None
    weights: Path | None
    settings: tuple[str, ...]

    def parts(self, *known: str) -> dict[str, dict[str, Any]]:
        """The settings by what they are of. Raises `ConfigError` for others than the `known` ones."""
        for setting in self.settings:
            first, dot, _ = setting.partition("=")[0].partition(".")
            if not dot or first not in known:
                raise ConfigError(
                    f"--set {setting!r}: expected {' or '.join(f'{name}.KEY=VALUE' for name in known)}"
                )
        return {name: {} for name in known} | override({}, self.settings)

    def source(self, settings: Mapping[str, Any], resolution: int | None) -> DataSource:
        """The data set. Raises `ConfigError`."""
        from nas.training import DATASETS, data_from_config

        name, path = self._place(DATASETS)
        given: dict[str, Any] = {"name": name, **settings}
        if path is not None:
            if name == "digits":
                raise ConfigError("--path: the digits are bundled; leave it out")
            given["path"] = str(path)
        elif name != "digits" and "path" not in settings:
            raise ConfigError(f"--data {name}: say where it is, with --path")
        if name in _SIZED and resolution is not None:
            given.setdefault("resolution", resolution)
        return data_from_config(given)

    def _place(self, known: Mapping[str, Any]) -> tuple[str, Path | None]:
        """The data set's name, and where it is; a folder or a Parquet file may stand in the name's place."""
        given = Path(self.data)
        if self.data in known or not given.exists():
            check_known("--data", self.data, [*known, "a folder of pictures", "a Parquet file"])
            return self.data, self.path
        if self.path is not None:
            raise ConfigError(f"--path: --data {self.data} says already where the pictures are; leave it out")
        return "folder" if given.is_dir() else "parquet", given


@dataclass(frozen=True)
class Run:
    """How `nas train` runs; `threads` None: one for small pictures, else the choice of torch."""

    out: Path
    seed: int
    threads: int | None


def default_folder(spec: str, recipe: str) -> Path:
    """Where a training goes that was not told: a folder of the network's and the recipe's name in `runs`."""
    return Path("runs") / f"{re.sub(r'[^A-Za-z0-9_.]+', '-', spec)[:60]}-{recipe}"


def run_training(asked: Asked, recipe: str, epochs: int | None, run: Run) -> None:
    """`nas train`; exits with 130 when interrupted."""
    from nas.training import RECIPES, FullSettings, recipe_from_config, train_full
    from nas.training.judging import read_state, starting_from

    if run.threads is not None:
        check_positive("--threads", run.threads)
    out = run.out
    parts = asked.parts("recipe", "data", "space")
    check_known("--recipe", recipe, RECIPES)
    given = {} if epochs is None else {"epochs": epochs}
    plan = recipe_from_config({"base": recipe, **parts["recipe"], **given})
    network = network_spec(asked.spec, parts["space"])
    pixels = _pixels(network, plan.resolution)
    source = asked.source(parts["data"], pixels)
    published = RECIPES[recipe]
    build = network.builder(published.dropout, published.drop_connect, plan.resolution)
    if asked.weights is not None:
        read_state(asked.weights)  # refused before anything is written
        build = starting_from(build, asked.weights, _say)
    first = int(os.environ.get("RANK", "0")) == 0  # of several processes, under torchrun
    if first:
        _settle(out, _identity(asked, parts["space"]), plan.epochs)
    threads = run.threads or _threads(pixels)
    settings = FullSettings(run.seed, threads, on_epoch=lambda row: _say(_progress(row, plan.epochs)))
    try:
        result = train_full(build, source, plan, out, settings=settings)
    except KeyboardInterrupt:
        go_on = f"; go on with: nas {shlex.join(sys.argv[1:])}" if (out / "checkpoint.pt").is_file() else ""
        _say(f"Interrupted{go_on}")
        raise typer.Exit(130) from None
    if first:
        _report(result, out)


def run_evaluation(asked: Asked, resolution: int | None, as_json: bool) -> None:
    """`nas evaluate`."""
    from nas.training.judging import judge_weights

    assert asked.weights is not None
    parts = asked.parts("data", "space")
    if resolution is not None and resolution < 1:
        raise ConfigError(f"--resolution: expected at least 1, got {resolution}")
    resolution = resolution or _trained_at(asked.weights)
    network = network_spec(asked.spec, parts["space"])
    pixels = _pixels(network, resolution)
    source = asked.source(parts["data"], pixels)
    build = network.builder(0.0, 0.0, resolution)
    found = judge_weights(build, source, asked.weights, resolution, _threads(pixels))
    if as_json:
        typer.echo(json.dumps(_plain(found)))
        return
    _say(_accuracy(found.score))
    _say(
        f"latency: {1000 * found.latency:.2f} ms a picture (median of 30 runs, one thread, batch 1, not fused)"
    )
    for name, error in zip(found.class_names, found.score.class_errors, strict=True):
        _say(f"  {name:<20} {'no picture' if math.isnan(error) else f'{100 - error:6.2f}%'}")


def _say(line: str) -> None:
    output().print(line, highlight=False, markup=False)


def _pixels(network: Network, resolution: int | None) -> int | None:
    """The side to which a data set of large pictures is brought: what the training says, or the network."""
    if resolution is None and isinstance(network, MUXNetwork) and network.resize:
        return network.spec.resolution
    return resolution


def _threads(pixels: int | None) -> int | None:
    """One for small pictures; None leaves the choice to torch."""
    return None if (pixels or 0) >= LARGE else 1


def _identity(asked: Asked, space: Mapping[str, Any]) -> dict[str, Any]:
    """What a training must have in common with the one in its folder, besides what `train_full` compares."""
    weights = None if asked.weights is None else str(asked.weights.resolve())
    return {"schema": 1, "network": asked.spec, "space": dict(space), "weights": weights}


def _settle(out: Path, identity: dict[str, Any], epochs: int) -> None:
    """Say what is gone on with; raises `ConfigError` when the folder holds the training of another network."""
    file = out / NETWORK_FILE
    if not (out / "checkpoint.pt").is_file():
        write_whole(file, json.dumps(identity, indent=2) + "\n")
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


def _progress(row: Mapping[str, float], epochs: int) -> str:
    parts = [f"epoch {int(row['epoch'])}/{epochs}", f"loss {row['train_loss']:.4f}"]
    if "validation_error" in row:
        parts.append(f"validation error {row['validation_error']:.2f}%")
    parts += [f"{row['seconds']:.1f} s", f"{row['pictures_per_second']:,.0f} pictures/s"]
    return "  ".join(parts)


def _report(result: FullResult, out: Path) -> None:
    if result.test is not None:
        _say(_accuracy(result.test))
    _say(f"weights in {result.weights}; everything else in {out}")


def _accuracy(score: Score) -> str:
    return (
        f"test: top-1 {100 - score.error:.2f}%, top-5 {100 - score.top5_error:.2f}%, loss {score.loss:.4f} "
        f"({score.pictures:,} pictures)"
    )


def _plain(found: Judgement) -> dict[str, Any]:
    score = found.score
    classes = zip(found.class_names, score.class_errors, strict=True)
    return {
        "pictures": score.pictures,
        "top1": 100 - score.error,
        "top5": 100 - score.top5_error,
        "loss": score.loss,
        "classes": {name: None if math.isnan(error) else 100 - error for name, error in classes},
        "latency_ms": 1000 * found.latency,
    }


def _trained_at(weights: Path) -> int | None:
    """The resolution of the training that wrote the weights, where its config lies beside them."""
    file = weights.with_name("config.json")
    try:
        value = json.loads(file.read_text(encoding="utf-8"))["recipe"]["resolution"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return value if isinstance(value, int) else None
