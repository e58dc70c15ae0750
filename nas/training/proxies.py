"""Zero-cost proxies of architectures: numbers that a worker reports, and features for surrogates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from nas.core.checks import check_known, check_numbers
from nas.core.errors import ConfigError, DataError
from nas.core.records import Architecture, FloatArray, Trial
from nas.core.space import HasBuild, SearchSpace, can_build
from nas.core.task_spec import TaskSpec
from nas.training.data import Digits
from nas.training.data.base import DataSource
from nas.training.evaluator import HasResolution, TrainingEvaluator, reproducible
from nas.training.feed import prepare
from nas.training.fresh import with_shapes
from nas.training.loop import stream
from nas.training.recipe import Recipe
from nas.training.zero_cost import PROXIES, Batch

NAMES = ("naswot", "synflow", "grad_norm")
_LOGARITHM = frozenset({"grad_norm", "params", "madds"})  # as features; the other two already are logarithms


@dataclass(frozen=True)
class Proxies:
    """Computes proxies (`nas.training.zero_cost`) of an architecture's untrained network, once an architecture.

    The first weights and the batch (`pictures` drawn from the training images that `data` and `recipe` give) depend
    on `seed` alone, not on the trial, so that values of candidates are comparable and repeatable. `threads` are set for
    the call and restored; `device` None takes the GPU if there is one. Isomorphic architectures share the values of
    the canonical one. Raises `ConfigError` for a space that cannot build, an unknown proxy, or fewer than two images.
    """

    space: HasBuild
    data: DataSource = field(default_factory=Digits)
    names: tuple[str, ...] = NAMES
    seed: int = 0
    pictures: int = 32
    recipe: Recipe = field(default_factory=Recipe)
    threads: int = 1
    device: str | None = None
    _known: dict[Architecture, dict[str, float]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        check_numbers("proxies", self)
        object.__setattr__(self, "names", tuple(self.names))  # lists come from YAML files
        if not can_build(self.space):
            raise ConfigError(
                f"space {getattr(self.space, 'name', self.space)!r} cannot build networks: proxies need a space "
                f"with build(architecture, *, num_classes, in_channels)"
            )
        if not self.names or len(set(self.names)) < len(self.names):
            raise ConfigError(f"proxies: expected at least one name, each once, got {list(self.names)}")
        for name in self.names:
            check_known("proxies", name, PROXIES)
        if self.pictures < 2 or self.threads < 1:
            raise ConfigError(
                f"proxies: expected at least 2 images and 1 thread, got {self.pictures} and {self.threads}"
            )

    def __call__(self, asked: Architecture | Trial) -> dict[str, float]:
        """Every proxy by name, finite: `naswot` and `synflow` as logarithms, the others as they are."""
        architecture = asked.architecture if isinstance(asked, Trial) else asked
        if isinstance(self.space, SearchSpace):
            architecture = self.space.canonical(architecture)
        if architecture not in self._known:
            self._known[architecture] = self._compute(architecture)
        return dict(self._known[architecture])

    def encode(self, architectures: Sequence[Architecture]) -> FloatArray:
        """Features, shape (n, len(names)), all on a logarithmic scale: an encoding as in `SearchSpace.encodings`."""
        rows = [[self(architecture)[name] for name in self.names] for architecture in architectures]
        features = np.array(rows, dtype=np.float64).reshape(len(rows), len(self.names))
        for column, name in enumerate(self.names):
            if name in _LOGARITHM:
                features[:, column] = np.log(np.maximum(features[:, column], np.finfo(np.float64).tiny))
        return features

    def _compute(self, architecture: Architecture) -> dict[str, float]:
        device = torch.device(self.device or ("cuda" if torch.cuda.is_available() else "cpu"))
        wanted = self.space.resolution(architecture) if isinstance(self.space, HasResolution) else None
        with reproducible(self.threads, device):
            batch, num_classes, in_channels = _drawn(
                self.data, self.recipe, device, wanted, self.pictures, self.seed
            )
            torch.manual_seed(stream(self.seed, 0))
            network = self.space.build(architecture, num_classes=num_classes, in_channels=in_channels)
            with_shapes(network, lambda: batch.images.shape)
            memory = torch.channels_last if self.recipe.channels_last else torch.contiguous_format
            network.to(device=device).to(memory_format=memory)  # type: ignore[call-overload]
            return {name: PROXIES[name](network, batch) for name in self.names}


@dataclass(frozen=True)
class WithProxies:
    """Trains by `evaluator` and reports proxies too, computed before the training; where names collide, the evaluator's values stay.

    The proxies see the evaluator's images; `names`, `seed` and `pictures` as in `Proxies`. Weights are kept as the evaluator
    keeps them. A proxy that cannot be computed makes the trial fail, with its reason.
    """

    evaluator: TrainingEvaluator
    names: tuple[str, ...] = NAMES
    seed: int = 0
    pictures: int = 32
    proxies: Proxies = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        of = self.evaluator
        object.__setattr__(self, "names", tuple(self.names))
        proxies = Proxies(
            of.space, of.data, self.names, self.seed, self.pictures, of.recipe, of.threads, of.device
        )
        object.__setattr__(self, "proxies", proxies)

    def __call__(self, trial: Trial) -> Mapping[str, float]:
        """The evaluator's values and the proxies'."""
        return {**self.proxies(trial), **self.evaluator(trial)}

    @property
    def companions(self) -> tuple[str, ...]:
        """Those of the evaluator, and the proxies."""
        return (*(self.evaluator.companions or ()), *self.names)

    @property
    def reports(self) -> tuple[str, ...] | None:
        """Names of the evaluator's values, and the proxies; None if unknown."""
        known = self.evaluator.reports
        return None if known is None else (*known, *self.names)

    def prepare(self) -> object:
        return self.evaluator.prepare()

    def task_spec(self) -> TaskSpec:
        return self.evaluator.task_spec()

    @property
    def classifies(self) -> bool:
        """Whether its networks return one number a class."""
        return self.evaluator.classifies

    @property
    def least_budget(self) -> int:
        """That of the evaluator."""
        return self.evaluator.least_budget

    def for_space(self, space: SearchSpace, task: TaskSpec | None) -> WithProxies:
        """The same with an evaluator for this space."""
        return replace(self, evaluator=self.evaluator.for_space(space, task))

    def keeping(self, folder: str | None, horizon: float | None) -> WithProxies:
        """The same with an evaluator that keeps weights in `folder`."""
        return replace(self, evaluator=self.evaluator.keeping(folder, horizon))

    def measured_again(self, trial: Trial) -> Mapping[str, float]:
        return self.evaluator.measured_again(trial)

    def weights_file(self, trial: Trial) -> Path:
        return self.evaluator.weights_file(trial)


@lru_cache(maxsize=8)  # a search has a handful of resolutions; the oldest is dropped when there are more
def _drawn(
    data: DataSource, recipe: Recipe, device: torch.device, wanted: int | None, count: int, seed: int
) -> tuple[Batch, int, int]:
    """The batch, and the classes and channels of a network for it."""
    prepared = prepare(data, recipe, device, wanted)
    if len(prepared.train) < 2:
        raise DataError(f"data {data}: proxies need at least 2 training images, got {len(prepared.train)}")
    generator = torch.Generator().manual_seed(stream(seed, 1))
    positions = torch.randperm(len(prepared.train), generator=generator)[:count]
    images, labels = next(iter(prepared.train.batches([positions], None)))
    return Batch(images, labels), prepared.num_classes, prepared.in_channels
