"""Evaluate candidates of a search with the weights of a supernet."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from nas.core.checks import check_threads
from nas.core.errors import ConfigError, DataError
from nas.core.files import absolute
from nas.core.records import Trial
from nas.core.space import SearchSpace, can_build
from nas.core.task_spec import TaskSpec
from nas.sharing.settings import SupernetSettings
from nas.sharing.store import WEIGHTS, load_supernet
from nas.sharing.supernet import Supernet
from nas.sharing.training import Row, default_folder, inherited_score, train_supernet
from nas.training.counts import check_data
from nas.training.data import Digits
from nas.training.data.account import NOTICES
from nas.training.evaluator import reproducible
from nas.training.feed import Prepared, prepare
from nas.training.recipe import Recipe

_LOADED: dict[tuple[str, int, int], tuple[SearchSpace, Supernet]] = {}  # the last of this process


@dataclass(frozen=True)
class SharedEvaluator:
    """Evaluates a trial's network with inherited weights; implements `nas.core.evaluator.Evaluate`.

    `supernet` is the folder of a trained one (`train_supernet`), or has the settings of its training, which `prepare` then
    runs in `runs/supernets/KEY`, by space, data and recipe; a later search with the same ones reuses it. The trial's seed
    and budget have no effect. `threads` are set for the call and put back. Raises `ConfigError` for a space without networks.
    """

    space: SearchSpace
    data: Any = field(default_factory=Digits)
    recipe: Recipe = field(default_factory=Recipe)
    supernet: SupernetSettings | str | os.PathLike[str] = field(default_factory=SupernetSettings)
    threads: int = 1
    device: str | None = None
    expected: TaskSpec | None = None
    companions: tuple[str, ...] = ("loss", "soft_error")
    root: str = ""  # the folder where the search began: workers may have another one

    def __post_init__(self) -> None:
        check_threads(self.threads)
        if not can_build(self.space):
            raise ConfigError(f"space {self.space.name!r} builds no networks: there are no weights to share")
        if not self.root:
            object.__setattr__(self, "root", str(absolute(Path.cwd())))

    def __call__(self, trial: Trial) -> Mapping[str, float]:
        """`inherited_error` (percent) and `inherited_loss` on the validation images.

        `error`, `accuracy`, `top5_error`, `soft_error` and `loss` are the same, for the objectives of the search. Raises
        `nas.sharing.weights.NotCovered` for a network outside the shared weights, `ConfigError` for a supernet of another
        space or data, or none; `DataError` for unreadable files.
        """
        device = self._device()
        with reproducible(self.threads, device):
            prepared = self._prepared()
            check_data(self.expected, prepared.spec())
            score = inherited_score(self._loaded(device), trial.architecture, prepared, self._recipe())
        return {**score.values(), "inherited_error": score.error, "inherited_loss": score.loss}

    def prepare(self) -> None:
        """Train the supernet, or continue its training, unless it is finished.

        Progress is reported on the logger `nas.data`. Raises `DataError`, `ConfigError`, `TrainingDiverged`.
        """
        if len(self._prepared().validation) == 0:
            raise DataError(f"data {self.data}: there is no validation image to evaluate on")
        if isinstance(self.supernet, SupernetSettings) and not (self.folder / WEIGHTS).is_file():
            epochs = self._recipe().epochs
            NOTICES.warning("Training the supernet: %d epochs, in %s", epochs, self.folder)
            train_supernet(
                self.space,
                self.data,
                self.recipe,
                self.folder,
                settings=self.supernet,
                threads=self.threads,
                device=self.device,
                on_epoch=lambda row: _report(row, epochs),
            )
        self._loaded(self._device())

    @property
    def folder(self) -> Path:
        """The supernet's folder."""
        if not isinstance(self.supernet, SupernetSettings):
            return Path(self.root) / self.supernet
        return Path(self.root) / default_folder(
            self.space, self.data, self.recipe, self.supernet, self.device
        )

    def task_spec(self) -> TaskSpec:
        """Channels, classes and image size of the data. Raises `DataError` when they cannot be read."""
        return self._prepared().spec()

    @property
    def classifies(self) -> bool:
        """True: its networks return one number a class."""
        return True

    def for_space(self, space: SearchSpace, task: TaskSpec | None) -> SharedEvaluator:
        """The same evaluator, for networks of `space` and data of this task; see `HasForSpace`."""
        return dataclasses.replace(self, space=space, expected=task)

    def _recipe(self) -> Recipe:
        settings = self.supernet if isinstance(self.supernet, SupernetSettings) else SupernetSettings()
        return settings.recipe(self.recipe)

    def _prepared(self) -> Prepared:
        return prepare(self.data, self._recipe(), self._device(), None)

    def _loaded(self, device: torch.device) -> Supernet:
        """The trained supernet, read once per process."""
        file = self.folder / WEIGHTS
        key = (str(file), file.stat().st_mtime_ns if file.is_file() else 0, id(self.space))
        if key not in _LOADED:
            loaded = load_supernet(self.folder, self.space, task=self._prepared().spec(), data=self.data)
            loaded.shared.to(device)
            _LOADED.clear()
            _LOADED[key] = (self.space, loaded)  # the space stays alive, so its id stays its own
        return _LOADED[key][1]

    def _device(self) -> torch.device:
        return torch.device(self.device or ("cuda" if torch.cuda.is_available() else "cpu"))


def _report(row: Row, epochs: int) -> None:
    if "largest_error" in row:
        NOTICES.warning(
            "Supernet: epoch %d of %d, error of the largest network %.1f%%, smallest %.1f%%, random ones %.1f%%",
            *(row["epoch"], epochs, row["largest_error"], row["smallest_error"], row["random_error"]),
        )
