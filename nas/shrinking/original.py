"""The original network of a shrink run: trained where it has no weights, evaluated, and kept in the run's folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nas.core.errors import ConfigError, DataError
from nas.core.files import absolute, make_folder
from nas.core.json_text import read_json
from nas.core.records import FloatArray
from nas.core.task_spec import TaskSpec
from nas.core.text import counted, duration
from nas.runs.files import ORIGINAL
from nas.runs.original import WEIGHTS, original_file
from nas.training import weights
from nas.training.folder import NETWORK, training_files
from nas.training.full import FullSettings, train_full
from nas.training.judging import put_weights
from nas.training.loop import stream
from nas.training.recipe import Recipe

Say = Callable[[str], None]


def train_original(
    build: Callable[[], nn.Module],
    named: Any,
    data: Any,
    recipe: Recipe,
    run: Path,
    *,
    seed: int = 0,
    threads: int = 1,
    device: str | None = None,
    say: Say = lambda line: None,
) -> nn.Module:
    """Train the network that `build` returns in the folder `original` of a run, or continue its training; return it.

    `named` are plain values that describe it: a folder with another network is refused. Raises `ConfigError`, `DataError`,
    `TrainingDiverged`.
    """
    folder = absolute(run) / ORIGINAL
    _check_same(folder, named)
    say(f"Training the original network: {counted(recipe.epochs, 'epoch')} (set by train), in {folder}")

    def built(**sizes: Any) -> nn.Module:
        torch.manual_seed(stream(seed, 0))
        return build()

    def report(row: Mapping[str, float]) -> None:
        left = duration(row["seconds"] * (recipe.epochs - row["epoch"]))
        error = f", validation error {row['validation_error']:.1f}%" if "validation_error" in row else ""
        say(f"Original: epoch {int(row['epoch'])} of {recipe.epochs}{error}, about {left} left")

    settings = FullSettings(seed, threads, device, on_epoch=report)
    found = train_full(built, data, recipe, folder, settings=settings)
    network = build()
    put_weights(network, found.weights)
    return network.eval()


def _check_same(folder: Path, named: Any) -> None:
    """Record the network of a training; raises `ConfigError` where the folder has that of another one."""
    file, text = folder / NETWORK, json.dumps(named, sort_keys=True, default=str)
    files = training_files(folder)
    if file.is_file():
        try:
            before = read_json(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"{file}: cannot be read ({error}); choose another folder") from None
        if not isinstance(before, dict) or json.dumps(before.get("network"), sort_keys=True) != text:
            raise ConfigError(
                f"{folder} holds the training of another original network; choose another folder with --out (out= in Python)"
            )
        return
    make_folder(folder)
    files.write_text(NETWORK, json.dumps({"schema": 1, "network": json.loads(text), "space": {}}) + "\n")


def keep_original(
    network: nn.Module,
    task: TaskSpec,
    values: Mapping[str, float],
    run: Path,
    scores: Mapping[str, FloatArray] | None = None,
) -> Path:
    """Write the weights of the original network to a run's folder, with its sizes, values and scores of channels; return the file."""
    file = original_file(run)
    files = training_files(file.parent)
    make_folder(file.parent)
    files.claim(WEIGHTS)
    state = {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}
    ranked = {} if scores is None else {"scores": {g: torch.from_numpy(s) for g, s in scores.items()}}
    weights.save(file, {"network": state, "values": dict(values), **ranked, **task.as_json()})
    return file


def kept_values(run: Path) -> dict[str, float]:
    """The values of the original network that `keep_original` wrote. Raises `DataError`."""
    values = weights.read(original_file(run)).get("values")
    return {str(name): float(value) for name, value in (values or {}).items()}
