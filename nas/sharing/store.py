"""A supernet on disk: its folder, and the space, data and recipe that it belongs to."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nas.core.errors import ConfigError, DataError
from nas.core.files import absolute, check_replaceable, make_folder
from nas.core.json_text import read_json
from nas.core.owned import open_folder
from nas.core.records import Architecture
from nas.core.space import SearchSpace, for_task
from nas.core.task_spec import TaskSpec
from nas.core.text import one_line
from nas.sharing.extremes import Extremes
from nas.sharing.layout import Layer
from nas.sharing.settings import SupernetSettings
from nas.sharing.supernet import Supernet, size_of
from nas.sharing.weights import NotCovered, SharedWeights
from nas.training import weights
from nas.training.full import log_table
from nas.training.recipe import Recipe

SCHEMA = 1
ABOUT, LOG, CHECKPOINT, WEIGHTS = "supernet.json", "log.csv", "checkpoint.pt", "supernet.pt"

_OFF: dict[str, Any] = {
    "shrink": 0.0,
    "smallest": False,
    "limits": [],
}  # settings that are recorded where they have an effect

_REPEAT = f"and repeat the training of the supernet, which continues from {CHECKPOINT}"
_OF_SUPERNET = {  # parts of the recipe that differ from those of a candidate
    "lr": "supernet: {lr: ...}, or three times the recipe's",
    "epochs": "supernet: {epochs: ...}, or ten times the recipe's",
}

Identity = dict[str, Any]  # plain values


def identity(
    space: SearchSpace, data: Any, recipe: Recipe, task: TaskSpec, settings: SupernetSettings
) -> Identity:
    """What a supernet belongs to; equal for trainings that give the same weights."""
    return {
        "schema": SCHEMA,
        "space": space.name,
        "cardinalities": list(space.cardinalities),
        "task": task.as_json(),
        "data": repr(data),
        "recipe": {**dataclasses.asdict(recipe), "augment": list(recipe.augment)},
        "random": settings.random,
        "seed": settings.seed,
        **{name: value for name, value in _optional(settings).items() if value != _OFF[name]},
    }


def _optional(settings: SupernetSettings) -> dict[str, Any]:
    return {"shrink": settings.shrink, "smallest": settings.smallest, "limits": sorted(settings.limits or ())}


def folder_name(about: Identity) -> str:
    """The name of a supernet's folder: its space, and a key of everything that it belongs to."""
    text = json.dumps(about, sort_keys=True)
    return f"{about['space']}-{hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}"


class Store:
    """The folder of one supernet. Raises `ForeignFileError` where it holds other files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files = open_folder(
            folder, "supernet", earlier=lambda _: (), advice="choose another folder with --out"
        )

    def earlier(self, about: Identity) -> dict[str, Any] | None:
        """The checkpoint to continue from, if any.

        Raises `ConfigError` for a supernet of something else, `DataError` for damaged files.
        """
        if not (self.folder / CHECKPOINT).is_file():
            return None
        _check_same(self.folder, {**_OFF, **read_about(self.folder)}, {**_OFF, **about})
        return weights.read(self.folder / CHECKPOINT)

    def check(self) -> None:
        """Check that a training can write here; change nothing. Raises `ConfigError`, and `ForeignFileError` for a file of others."""
        there = self.folder
        while not os.path.lexists(there) and there != there.parent:
            there = there.parent
        with _writing(self.folder):
            if not there.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "a file, not a folder", str(there))
            if there == self.folder:
                self._files.check([ABOUT, LOG, CHECKPOINT, WEIGHTS])
            else:
                check_replaceable(there / self.folder.relative_to(there).parts[0])

    def begin(self, about: Identity, config: Mapping[str, Any] | None = None) -> None:
        """Write what the supernet belongs to. `config` is kept, and not compared. Raises as `check`."""
        self.check()
        kept = about if config is None else {**about, "config": dict(config)}
        with _writing(self.folder):
            make_folder(self.folder)
            self._files.write_text(ABOUT, json.dumps(kept, indent=2) + "\n")

    @property
    def finished(self) -> bool:
        """Whether the trained weights are there."""
        return (self.folder / WEIGHTS).is_file()

    def checkpoint(self, state: dict[str, Any], log: list[dict[str, float]]) -> None:
        """Write the state after an epoch, and the log."""
        with _writing(self.folder):
            self._files.claim(CHECKPOINT)
            weights.save(self.folder / CHECKPOINT, state)
            self._files.write_text(LOG, log_table(log))

    def finish(self, supernet: Supernet) -> None:
        """Write the trained weights."""
        layers = [[name, *dataclasses.astuple(layer)] for name, layer in supernet.shared.layers.items()]
        ends = supernet.extremes
        state = {
            "weights": supernet.shared.state_dict(),
            "layers": layers,
            "largest": list(ends.largest.genes),
            "smallest": list(ends.smallest.genes),
            "sizes": [list(size_of(supernet.space, supernet.task, a)) for a in (ends.largest, ends.smallest)],
        }
        with _writing(self.folder):
            self._files.claim(WEIGHTS)
            weights.save(self.folder / WEIGHTS, state)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Raise `ConfigError` with the folder of the supernet where a file cannot be written."""
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        raise ConfigError(
            f"supernet: {folder} cannot be written ({where}: {error.strerror}); allow writing (chmod u+w), or choose another folder"
        ) from None


def read_about(folder: Path) -> Identity:
    """The record of what a supernet belongs to. Raises `ConfigError` for another folder, `DataError` if it is damaged."""
    file = folder / ABOUT
    if not file.is_file():
        raise ConfigError(f"{folder} is not the folder of a supernet: it has no {ABOUT}")
    try:
        about = read_json(file.read_text(encoding="utf-8"))
        if not isinstance(about, dict):
            raise ValueError(f"expected an object, got {type(about).__name__}")
        if about.get("schema") != SCHEMA:
            raise ValueError(f"expected schema {SCHEMA}, got {about.get('schema')!r}")
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read ({error})") from None
    return about


def load_supernet(
    folder: str | Path, space: SearchSpace, *, task: TaskSpec | None = None, data: Any = None
) -> Supernet:
    """The trained supernet in `folder`, for networks of `space`, on the CPU.

    `task` and `data` (a `DataSource`), if given, are those that it must have been trained on. Raises `ConfigError` for a
    supernet of another space, data or number of classes, or one that is not finished; `DataError` for damaged files.
    """
    folder = absolute(folder)
    about = read_about(folder)
    asked: Identity = {"space": space.name, "cardinalities": list(space.cardinalities)}
    if task is not None:
        asked["task"] = task.as_json()
    if data is not None:
        asked["data"] = repr(data)
    _check_same(folder, about, asked)
    if not (folder / WEIGHTS).is_file():
        raise ConfigError(f"{folder}: the training of this supernet is not finished; continue it first")
    try:
        state = weights.read(folder / WEIGHTS)
    except DataError as error:
        said = str(error).replace("to train again", _REPEAT)
        raise DataError(said) from None
    trained = _task(folder, about)
    try:
        supernet = _restored(for_task(space, trained), trained, state)
        recorded = [list(size) for size in state["sizes"]]
    except ConfigError:
        raise
    except Exception as error:
        what = one_line(f"{type(error).__name__}: {error}", 200)
        raise DataError(f"{folder / WEIGHTS}: damaged ({what}); delete the file {_REPEAT}") from None
    sizes = [list(size_of(supernet.space, trained, a)) for a in _ends(supernet.extremes)]
    reason = (
        f"its largest and smallest network have {recorded} parameters and multiply-adds there, here {sizes}"
    )
    if sizes == recorded:
        try:
            supernet.network(supernet.extremes.largest)
            return supernet
        except NotCovered as error:
            reason = str(error)
    raise ConfigError(
        f"{folder} holds a supernet of another version of space {space.name!r}: {reason}; train a new one"
    )


def _task(folder: Path, about: Identity) -> TaskSpec:
    """The task in the record of a supernet. Raises `DataError` where it is damaged."""
    try:
        task = TaskSpec.from_json(about["task"])
        if task is None:
            raise ValueError("expected channels, classes and image size")
    except Exception as error:
        what = one_line(f"{type(error).__name__}: {error}", 200)
        raise DataError(
            f"{folder / ABOUT}: 'task' is damaged ({what}); train the supernet in another folder"
        ) from None
    return task


def _ends(extremes: Extremes) -> tuple[Architecture, Architecture]:
    return extremes.largest, extremes.smallest


def _restored(space: SearchSpace, task: TaskSpec, state: Mapping[str, Any]) -> Supernet:
    layers = {
        str(name): Layer(
            str(kind), tuple(map(int, shape)), int(kernel), None if group is None else int(group)
        )
        for name, kind, shape, kernel, group in state["layers"]
    }
    shared = SharedWeights(layers)
    shared.load_state_dict(state["weights"])
    if not all(bool(t.isfinite().all()) for t in shared.tensors):
        raise ValueError("weights that are not finite numbers")
    largest, smallest = (Architecture(space.name, tuple(map(int, state[k]))) for k in ("largest", "smallest"))
    return Supernet(space, task, shared, Extremes(largest, smallest))


def _check_same(folder: Path, found: Identity, asked: Identity) -> None:
    for key, value in asked.items():
        if found.get(key) != value:
            raise ConfigError(
                f"{folder} holds a supernet of {_named(key)} {_shown(key, found.get(key), value)}; "
                "choose another folder, or train a new supernet"
            )


def _named(key: str) -> str:
    return {
        "cardinalities": "another version of the space: options a gene",
        "task": "other images or classes:",
        "data": "other data:",
        "limits": "other limits:",
        "random": "another number of random networks:",
    }.get(key, f"another {key}:")


def _shown(key: str, found: Any, asked: Any) -> str:
    if isinstance(found, dict) and isinstance(asked, dict):
        differing = [k for k in asked if found.get(k) != asked[k]]
        own = [f"{k}: {said}" for k, said in _OF_SUPERNET.items() if key == "recipe" and k in differing]
        shown = ", ".join(f"{k} {found.get(k)!r} there, {asked[k]!r} here" for k in differing)
        return shown + (f" (of the supernet's training, {'; '.join(own)})" if own else "")
    return f"{found!r:.200} there, {asked!r:.200} here"
