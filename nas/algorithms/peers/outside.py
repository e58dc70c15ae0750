"""Adapt optimisers of other packages over integer genes.

An optimiser proposes genes one after the other. Invalid genes, and those that violate a cheap constraint, are
reported to it as failed; architectures evaluated before get their known values. So each architecture counts as one
evaluation, as in every algorithm.
"""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar, Protocol

import numpy as np

from nas.core.algorithm import Algorithm
from nas.core.checks import check_positive
from nas.core.errors import ConfigError
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Observation
from nas.core.space import SearchSpace, with_fixed_genes

Genes = tuple[int, ...]
_SEEDS = 2**31 - 1  # accepted by every package


class Outside(Protocol):
    """An optimiser of another package over integer genes, all objectives minimised."""

    def ask(self) -> tuple[Any, Genes] | None:
        """The next genes and their token for `tell`; None while it waits for results."""

    def tell(self, token: Any, objectives: FloatArray | None) -> None:
        """Report the objectives (m,) of a proposal; None if it failed."""


@dataclass(frozen=True)
class Task:
    """The task of an optimiser: a space, the number of objectives, a seed, and the first genes."""

    space: SearchSpace
    n_objectives: int
    seed: int
    begin: tuple[Genes, ...]


@dataclass(frozen=True)
class OutsideSettings:
    """`patience`: consecutive proposals without a new architecture after which the optimiser counts as stuck."""

    patience: int = 200

    def __post_init__(self) -> None:
        check_positive("patience", self.patience)


class OutsideAlgorithm(Algorithm):
    """Base class of the adapters; see the module docstring.

    Results passed before the first ask are the optimiser's first proposals, and their range scales the objectives, for
    optimisers that do not scale them. Constraints on measured objectives are refused: some optimisers have none.
    """

    Settings: ClassVar[type[Any]] = OutsideSettings
    needs: ClassVar[tuple[str, str]] = ("pymoo", "pip install pymoo")  # a package, and how to get it

    @classmethod
    def default_settings(cls, n_objectives: int, evaluations: int | None) -> Any:
        """The budget as patience, and the default population of our algorithms for it."""
        if evaluations is None:
            return cls.Settings()
        population = {"population": min(100, max(10, evaluations // 20))}
        sized = hasattr(cls.Settings, "population")
        return cls.Settings(patience=max(100, evaluations), **(population if sized else {}))

    def __init__(self, problem: Problem, rng: np.random.Generator, settings: Any = None) -> None:
        measured = [str(limit) for limit in problem.limits if limit.objective in problem.measured]
        if measured:
            raise ConfigError(
                f"algorithm {type(self).__name__}: optimisers of other packages do not support limits on measured objectives "
                f"({'; '.join(measured)}); remove these limits"
            )
        check_package(*self.needs)
        self._settings = settings or self.Settings()
        self._problem = problem
        self._space = problem.space
        self._seed = int(rng.integers(_SEEDS))
        self._outside: Outside | None = None
        self._known: dict[Architecture, FloatArray | None] = {}  # None: it failed
        self._pending: dict[Architecture, list[Any]] = {}
        self._starts: tuple[Architecture, ...] = ()
        self._scale: FloatArray = np.ones(problem.n_objectives)

    @abstractmethod
    def make(self, task: Task) -> Outside:
        """The optimiser itself. Raises `ConfigError` when its package is not installed."""

    def ask(self, n: int) -> list[Architecture]:
        """Its next proposals that are new."""
        if self._outside is None and n > 0:
            self._outside = self._begin()
        asked: list[Architecture] = []
        while len(asked) < n and (found := self._propose()) is not None:
            asked.append(found)
        return asked

    def begin_with(self, architectures: Sequence[Architecture]) -> None:
        """Make these architectures, which are under way, the first proposals."""
        self._starts = tuple(architectures)
        self._pending.update({a: [] for a in self._starts})

    def _begin(self) -> Outside:
        points = np.array([p for p in self._known.values() if p is not None])
        if len(points) > 1:
            spread = np.ptp(points, axis=0)
            self._scale = np.where(spread > 0, spread, 1.0)
        begin = tuple(a.genes for a in dict.fromkeys([*self._starts, *self._known]))
        return self.make(Task(self._space, self._problem.n_objectives, self._seed, begin))

    def _propose(self) -> Architecture | None:
        assert self._outside is not None
        for _ in range(self._settings.patience):
            proposed = self._outside.ask()
            if proposed is None:
                return None
            token, genes = proposed
            architecture = self._canonical(genes)
            if architecture is None:
                self._outside.tell(token, None)
            elif architecture in self._known:
                self._answer(token, self._known[architecture])
            elif architecture in self._pending:
                self._pending[architecture].append(token)
            else:
                self._pending[architecture] = [token]
                return architecture
        return None

    def _canonical(self, genes: Genes) -> Architecture | None:
        architecture = with_fixed_genes(self._space, genes)
        if not self._space.is_valid(architecture):
            return None
        canonical = self._space.canonical(architecture)
        return canonical if self._problem.cheap_violation(canonical) == 0 else None

    def _answer(self, token: Any, objectives: FloatArray | None) -> None:
        assert self._outside is not None
        self._outside.tell(token, None if objectives is None else objectives / self._scale)

    def tell(self, observations: Sequence[Observation]) -> None:
        """Pass results on; store those that it has not proposed."""
        for seen in observations:
            objectives = seen.objectives if seen.ok else None
            self._known[seen.architecture] = objectives
            for token in self._pending.pop(seen.architecture, []):
                self._answer(token, objectives)


def check_package(name: str, install: str) -> None:
    """Check that a package is installed, without loading it. Raises `ConfigError` with the install command."""
    if name not in sys.modules and find_spec(name) is None:
        raise ConfigError(f"algorithm: needs the package {name}, which is not installed: {install}")


def package(name: str, install: str) -> Any:
    """Import a module of another package. Raises `ConfigError` with the install command."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"algorithm: needs the package {name.partition('.')[0]}, which is not installed ({error}): {install}"
        ) from None
