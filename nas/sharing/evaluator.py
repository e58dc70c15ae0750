"""Evaluate candidates of a search with the weights of a supernet."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nas.core.checks import check_threads
from nas.core.errors import ConfigError, DataError
from nas.core.files import absolute
from nas.core.objectives import Limit
from nas.core.records import Trial
from nas.core.space import SearchSpace, can_build
from nas.core.task_spec import TaskSpec
from nas.core.text import duration
from nas.sharing.identity import Identity, belonging, folder_name, identity, notice_changed_code
from nas.sharing.limited import beyond, cost_limits
from nas.sharing.own_trainings import OwnTrainings
from nas.sharing.settings import FinalSettings, SupernetSettings, TrustSettings
from nas.sharing.store import ABOUT, CHECKPOINT, WEIGHTS, read_about, restored
from nas.sharing.supernet import Supernet, size_of
from nas.sharing.training import FOLDER, Row, train_supernet, warn_outside
from nas.sharing.training import score as network_score
from nas.sharing.weights import Inherited
from nas.training.counts import check_data
from nas.training.data import Digits
from nas.training.data.account import NOTICES
from nas.training.evaluator import (
    SCORES,
    Also,
    HasCheck,
    TrainingEvaluator,
    available_device,
    reproducible,
    with_further,
)
from nas.training.feed import Prepared, prepare
from nas.training.from_config import data_source
from nas.training.recipe import Recipe
from nas.training.task import Classification

_LOADED: dict[tuple[str, int, int, str], tuple[SearchSpace, Supernet]] = {}  # the last of this process


@dataclass(frozen=True)
class SharedEvaluator:
    """Evaluates a trial's network with inherited weights, or by an own training; implements `nas.core.evaluator.Evaluate`.

    `supernet` is the folder of a trained one (`train_supernet`), or has the settings of its training, which `prepare` then
    runs in `runs/supernets/KEY`, by all that it belongs to (`nas.sharing.identity`); a later search with the same reuses it. `threads` are set for
    the call and put back. `searched` are the limits on costs of the search, None without one.

    A trial with a budget above 0 is trained for this number of epochs, as `final` says and by the recipe; others inherit their weights, whatever their
    seed. `data` is a `DataSource`, the name of a data set, or a path. In a search, `final` and `trust` decide which candidates are trained (`nas.sharing.own_trainings`); with `final` None none is.
    With `weights_dir` the weights of own trainings are kept there. Raises `ConfigError` for a space without networks, or another setting of the wrong kind.
    """

    space: SearchSpace
    data: Any = field(default_factory=Digits)
    recipe: Recipe = field(default_factory=Recipe)
    supernet: SupernetSettings | str | os.PathLike[str] = field(default_factory=SupernetSettings)
    threads: int = 1
    device: str | None = None
    final: FinalSettings | None = field(default_factory=FinalSettings)
    trust: TrustSettings | None = field(default_factory=TrustSettings)
    expected: TaskSpec | None = None
    weights_dir: str | None = None
    described_by: Mapping[str, Any] | None = None  # the space and the evaluator as a config has them
    also: tuple[Also, ...] = ()  # measured on each network, as by `nas.training.TrainingEvaluator`
    root: str = ""  # the folder where the search began: workers may have another one
    searched: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check_threads(self.threads)
        own: object = self.supernet
        if not isinstance(own, (SupernetSettings, str, os.PathLike)):
            raise ConfigError(
                f"SharedEvaluator: supernet: expected SupernetSettings or a folder, got {own!r:.200}"
            )
        given_recipe: object = self.recipe
        if not isinstance(given_recipe, Recipe):
            raise ConfigError(f"SharedEvaluator: recipe: expected a Recipe, got {given_recipe!r:.200}")
        object.__setattr__(self, "data", data_source(self.data))
        if not can_build(self.space):
            raise ConfigError(f"space {self.space.name!r} builds no networks: there are no weights to share")
        for name, kind in (("final", FinalSettings), ("trust", TrustSettings)):
            given: object = getattr(self, name)
            if given is not None and not isinstance(given, kind):
                raise ConfigError(
                    f"SharedEvaluator: {name}: expected {kind.__name__} or None, got {given!r:.200}"
                )
        if self.final is None:
            object.__setattr__(self, "trust", None)  # it needs own trainings
        if not self.root:
            object.__setattr__(self, "root", str(absolute(Path.cwd())))

    def __call__(self, trial: Trial) -> Mapping[str, float]:
        """`inherited_error` (percent) and `inherited_loss` on the validation images.

        `error`, `accuracy`, `top5_error`, `soft_error` and `loss`, for the objectives of the search, are the same, or those of an own
        training, which also reports the figures of `nas.training.TrainingEvaluator`. Raises `nas.sharing.weights.NotCovered` for a network
        outside the shared weights, `ConfigError` for a supernet of another space or data, or none; `DataError` for unreadable files.
        """
        device = self._device()
        with reproducible(self.threads, device):
            prepared = self._prepared()
            check_data(self.expected, prepared.spec())
            supernet = self.loaded(device)
            if self.searched is None:
                warn_outside(supernet, trial.architecture)
            network = supernet.network(trial.architecture)
            score = network_score(network, prepared, self._recipe())
            more = {} if trial.budget else self._further(network, trial, device)
        inherited = {"inherited_error": score.error, "inherited_loss": score.loss}
        if trial.budget:
            return {**self._training()(trial), **inherited}
        return {**score.values(), **inherited, **more}

    def measured_again(self, trial: Trial) -> Mapping[str, float]:
        """Of own trainings; see `nas.core.evaluator.HasMeasuredAgain`."""
        return self._training().measured_again(trial) if trial.budget else {}

    def _further(self, network: Inherited, trial: Trial, device: torch.device) -> dict[str, float]:
        """What `also` measures on an ordinary network with the same weights and statistics."""
        if not self.also:
            return {}
        plain = self.loaded(device).copy(trial.architecture)
        plain.load_state_dict(dict(network.network.named_buffers()), strict=False)
        values = (one(plain, self.data, self._recipe().resolution, device) for one in self.also)
        return {name: value for found in values for name, value in found.items()}

    @property
    def task(self) -> Classification:
        """The task of its networks."""
        return Classification()

    @property
    def companions(self) -> tuple[str, ...]:
        """Of own trainings; inherited values do not depend on chance."""
        return () if self.final is None else ("loss", "soft_error")

    @property
    def reports(self) -> tuple[str, ...] | None:
        """Names of the values that every candidate has; None if a further measurement does not say its own."""
        return with_further((*SCORES, "inherited_error", "inherited_loss"), self.also)

    def rule(self, evaluations: int | None, seconds: float | None = None) -> OwnTrainings | None:
        """The candidates to train in a search with this budget; see `nas.core.rungs.HasRule`."""
        if self.final is None:
            return None
        spec = self._prepared().spec()
        epochs = self.final.epochs or self.recipe.epochs
        return OwnTrainings(
            epochs, self.final, self.trust, lambda a: size_of(self.space, spec, a), evaluations, seconds
        )

    def notice(self, rule: OwnTrainings | None) -> str:
        """What a search with this rule does not measure, in a sentence; "" if nothing; see `nas.core.rungs.HasRule`."""
        if rule is None:
            return (
                "evaluator shared, final: false: no candidate is trained, so the front has inherited errors"
            )
        if not rule.finals:
            return "the budget is too small for own trainings (4 evaluations at least): the front has inherited errors"
        if self.trust is not None and not rule.probes:
            return (
                "the budget is too small to measure the trust in inherited errors (32 evaluations at least)"
            )
        return ""

    def identity(self) -> dict[str, Any]:
        """The supernet, by the key of what it belongs to: a resumed search must not mix the values of two.

        Raises `ConfigError`, also for a supernet within limits that the search does not have, and `DataError`.
        """
        self._check_limits()
        if isinstance(self.supernet, SupernetSettings):
            return {"supernet": folder_name(self._belongs)}
        return {"supernet": folder_name({key: v for key, v in self._record.items() if key != "config"})}

    def _check_limits(self) -> None:
        """Raise `ConfigError` where the search has networks beyond the limits of the supernet, which were never trained."""
        own = self.supernet
        if isinstance(own, SupernetSettings):
            where, limits = "supernet: limits", own.limits or ()
        else:
            where, limits = str(self.folder), self._record.get("limits", ())
        missing = [] if self.searched is None else beyond(limits, self.searched)
        if missing:
            raise ConfigError(
                f"{where}: the supernet serves networks within {', '.join(str(Limit.parse(x)) for x in limits)} only; add limits: [{', '.join(missing)}] "
                "to the search, or train another supernet"
            )

    @cached_property
    def _record(self) -> Identity:
        """The record of the named supernet, read once, with a warning where the code of the space has changed.

        As the two below, it is made in the driver's process, and workers receive it: they may lack the code of a script.
        """
        found = read_about(self.folder)
        notice_changed_code(self.folder, found, self.space)
        return found

    @cached_property
    def _belongs(self) -> Identity:
        """What the supernet must belong to."""
        task, own = self._prepared().spec(), self.supernet
        if isinstance(own, SupernetSettings):
            return identity(self.space, self.data, self._recipe(), task, own)
        return belonging(self.space, task, self.data)

    @cached_property
    def folder(self) -> Path:
        """The supernet's folder: as named, in `runs/supernets` where the search began, or, in a resumed search, in `supernets` beside the run."""
        if not isinstance(self.supernet, SupernetSettings):
            return Path(self.root) / self.supernet
        key = folder_name(self._belongs)
        usual = Path(self.root) / FOLDER / key
        if self._run is not None and not usual.exists():
            beside = self._run.parent / FOLDER.name / key
            return beside if (beside / ABOUT).is_file() else usual
        return usual

    @property
    def _run(self) -> Path | None:
        """The folder of the run, if it is known."""
        return None if self.weights_dir is None else Path(self.weights_dir).parent

    def keeping(self, folder: str | None, horizon: float | None) -> SharedEvaluator:
        """The same evaluator with another `weights_dir`."""
        return dataclasses.replace(self, weights_dir=folder)

    def weights_file(self, trial: Trial) -> Path:
        """File of the weights of an own training. Raises `ConfigError` when there is no `weights_dir`."""
        return self._training().weights_file(trial)

    @property
    def evaluator(self) -> TrainingEvaluator | None:
        """That of own trainings; None without them. `nas export` reads its data and recipe."""
        return None if self.final is None else self._training()

    def _training(self) -> TrainingEvaluator:
        space: Any = self.space
        made = TrainingEvaluator(
            space,
            self.data,
            self.recipe,
            threads=self.threads,
            device=self.device,
            weights_dir=self.weights_dir,
            expected=self.expected,
            also=self.also,
        )
        if self.final is None or self.final.start == "scratch":
            return made
        return Inheriting(**{f.name: getattr(made, f.name) for f in dataclasses.fields(made)}, shared=self)

    def prepare(self) -> None:
        """Train the supernet, or continue its training, unless it is finished.

        Progress is reported on the logger `nas.data`. Raises `DataError`, `ConfigError`, `TrainingDiverged`.
        """
        available_device(self.device)
        if len(self._prepared().validation) == 0:
            raise DataError(f"data {self.data}: there is no validation image to evaluate on")
        for one in self.also:
            if isinstance(one, HasCheck):
                one.check(self._prepared(), self.space)
        self._check_limits()
        if isinstance(self.supernet, SupernetSettings) and not (self.folder / WEIGHTS).is_file():
            self._check_run()
            self._train_supernet(self.supernet)
        self.loaded(self._device())

    def _check_run(self) -> None:
        """Raise `ConfigError` where a run that began with a supernet would continue with another one."""
        begun = self._run is not None and (self._run / "history.sqlite").is_file()
        if begun and not (self.folder / CHECKPOINT).is_file():
            raise ConfigError(
                f"{self._run}: the supernet of this run is not in {self.folder}; resume from the folder where the run began, "
                "or name it with evaluator: {supernet: FOLDER}"
            )

    def _train_supernet(self, settings: SupernetSettings) -> None:
        epochs = self._recipe().epochs
        NOTICES.warning("Training the supernet: %d epoch%s, in %s", epochs, "s" * (epochs != 1), self.folder)
        own = self.described_by
        if own is not None and settings.limits:
            own = {
                **own,
                "evaluator": {
                    **own["evaluator"],
                    "supernet": {**(own["evaluator"].get("supernet") or {}), "limits": list(settings.limits)},
                },
            }
        start, done = time.monotonic(), 0

        def report(row: Row) -> None:
            nonlocal done
            done += 1
            _report(row, epochs, (time.monotonic() - start) / done, first=done == 1)

        try:
            train_supernet(
                self.space,
                self.data,
                self.recipe,
                self.folder,
                settings=settings,
                threads=self.threads,
                device=self.device,
                on_epoch=report,
                config=own,
            )
        except KeyboardInterrupt:
            NOTICES.warning(
                "Interrupted in the supernet; the same command continues after its last whole epoch"
            )
            raise

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

    def for_limits(self, limits: Sequence[str | Limit]) -> SharedEvaluator:
        """The same evaluator for a search with these limits, and a supernet of the networks within those on costs, unless its settings have others; see `HasLimits`."""
        own, searched = self.supernet, cost_limits(limits)
        if isinstance(own, SupernetSettings) and own.limits is None:
            own = dataclasses.replace(own, limits=searched)
        return dataclasses.replace(self, supernet=own, searched=searched)

    def _recipe(self) -> Recipe:
        settings = self.supernet if isinstance(self.supernet, SupernetSettings) else SupernetSettings()
        return settings.recipe(self.recipe)

    def _prepared(self) -> Prepared:
        return prepare(self.data, self._recipe(), self._device(), None)

    def loaded(self, device: torch.device) -> Supernet:
        """The trained supernet, read once per process."""
        file = self.folder / WEIGHTS
        if not file.is_file() and isinstance(self.supernet, SupernetSettings):
            raise ConfigError(
                f"SharedEvaluator: its supernet is not trained ({self.folder}); call prepare() of the evaluator first"
            )
        time_ns = file.stat().st_mtime_ns if file.is_file() else 0
        key = (str(file), time_ns, id(self.space), folder_name(self._belongs))
        if key not in _LOADED:
            if not isinstance(self.supernet, SupernetSettings):
                _ = self._record  # its warning
            loaded = restored(self.folder, self.space, self._belongs)
            loaded.shared.to(device)
            _LOADED.clear()
            _LOADED[key] = (self.space, loaded)  # the space stays alive, so its id stays its own
        return _LOADED[key][1]

    def _device(self) -> torch.device:
        return available_device(self.device)


@dataclass(frozen=True)
class Inheriting(TrainingEvaluator):
    """Trains a trial's network from the weights that it inherits."""

    shared: SharedEvaluator | None = None

    def build(self, trial: Trial, prepared: Prepared) -> nn.Module:
        """The trial's network with inherited weights; raises as `TrainingEvaluator.build`, and `NotCovered`."""
        assert self.shared is not None
        network = super().build(trial, prepared)
        copy = self.shared.loaded(self._device()).copy(trial.architecture)
        network.load_state_dict(copy.state_dict())
        return network

    def _settings(self) -> str:
        assert self.shared is not None
        return f"{super()._settings()} from {self.shared.folder.name}"


def _report(row: Row, epochs: int, seconds: float, *, first: bool) -> None:
    """A line for the first epoch with the expected time, and for those with errors."""
    left = duration(seconds * (epochs - row["epoch"]))
    if "largest_error" in row:
        NOTICES.warning(
            "Supernet: epoch %d of %d, error of the largest network %.1f%%, smallest %.1f%%, random ones %.1f%%, about %s left",
            *(row["epoch"], epochs, row["largest_error"], row["smallest_error"], row["random_error"], left),
        )
    elif first:
        NOTICES.warning("Supernet: epoch %d of %d, about %s left", row["epoch"], epochs, left)
