"""A supernet on disk."""

from __future__ import annotations

import dataclasses
import errno
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
from nas.sharing.identity import (
    SCHEMA,
    Identity,
    belonging,
    check_same,
    check_serves,
    check_space,
    notice_changed_code,
    other_version,
)
from nas.sharing.layout import Layer
from nas.sharing.supernet import Supernet, size_of
from nas.sharing.weights import NotCovered, SharedWeights
from nas.training import weights
from nas.training.full import log_table

ABOUT, LOG, CHECKPOINT, WEIGHTS = "supernet.json", "log.csv", "checkpoint.pt", "supernet.pt"

_REPEAT = f"and repeat the training of the supernet, which continues from {CHECKPOINT}"


class Store:
    """The folder of one supernet. Raises `ForeignFileError` where it holds other files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files = open_folder(
            folder, "supernet", earlier=lambda _: (), advice="choose another folder with --out"
        )

    def earlier(self, about: Identity, space: SearchSpace) -> dict[str, Any] | None:
        """The checkpoint to continue from, if any; none is needed where the supernet is finished.

        Raises `ConfigError` for a supernet of something else, `DataError` for damaged files.
        """
        begun = (self.folder / CHECKPOINT).is_file()
        if not begun and not self.finished:
            return None
        found = read_about(self.folder)
        check_same(self.folder, found, about, space)
        return weights.read(self.folder / CHECKPOINT) if begun else None

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
        if not all(isinstance(about.get(key, []), list) for key in ("fixed", "limits")):
            raise ValueError("expected lists of fixed genes and limits")
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read ({error})") from None
    return about


def load_supernet(
    folder: str | Path, space: SearchSpace, *, task: TaskSpec | None = None, data: Any = None
) -> Supernet:
    """The trained supernet in `folder`, for networks of `space`, on the CPU.

    `task` and `data` (a `DataSource`), if given, are those that it must have been trained on. Warns on the logger `nas.data` where the code of the
    space has changed. Raises `ConfigError` for a supernet of another space, other data or another number of classes, or one that is not
    finished; `DataError` for damaged files.
    """
    folder = absolute(folder)
    about = read_about(folder)
    check_space(folder, about, space)
    found = restored(folder, space, belonging(space, task or _task(folder, about), data))
    notice_changed_code(folder, about, space)
    return found


def restored(folder: Path, space: SearchSpace, asked: Identity) -> Supernet:
    """As `load_supernet`, of a supernet that serves the networks and data `asked` (`nas.sharing.identity`)."""
    about = read_about(folder)
    check_serves(folder, about, asked, space)
    if not (folder / WEIGHTS).is_file():
        raise ConfigError(f"{folder}: the training of this supernet is not finished; continue it first")
    try:
        state = weights.read(folder / WEIGHTS)
    except DataError as error:
        said = str(error).replace("to train again", _REPEAT)
        raise DataError(said) from None
    trained = _task(folder, about)
    try:
        limits = tuple(map(str, about.get("limits", ())))
        supernet = _made(for_task(space, trained), trained, state, limits)
        recorded = [list(size) for size in state["sizes"]]
    except ConfigError:
        raise
    except Exception as error:
        misfit = isinstance(error, RuntimeError)  # of torch, with the names of all tensors
        what = "its tensors do not fit" if misfit else one_line(f"{type(error).__name__}: {error}", 200)
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
    raise other_version(folder, space.name, reason)


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


def _made(space: SearchSpace, task: TaskSpec, state: Mapping[str, Any], limits: tuple[str, ...]) -> Supernet:
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
    return Supernet(space, task, shared, Extremes(largest, smallest), limits)
