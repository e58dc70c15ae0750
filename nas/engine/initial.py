"""Known good architectures that a search evaluates first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np

from nas.core.algorithm import Algorithm, HasNotes, HasRecall, TakesStarts
from nas.core.errors import ConfigError, NasError
from nas.core.problem import Problem
from nas.core.records import Architecture, Observation
from nas.core.space import HasNamedArchitectures, SearchSpace
from nas.core.text import exact
from nas.core.tracebacks import summarize_exception

AnyArchitecture = Architecture | str | int | Sequence[int] | Mapping[str, Any]
AnyArchitectures = Iterable[AnyArchitecture]  # a list, a column of a front, an array of genes

_HINT = "give text forms, such as those of front.csv, lists of genes, nas.Architecture values, or mappings of parameters to values"


def listed(given: AnyArchitectures) -> tuple[AnyArchitecture, ...]:
    """The given architectures as a list. Raises `ConfigError` for anything but a list, such as a single text."""
    if isinstance(given, (str, Architecture, Mapping, Set)) or not isinstance(given, Iterable):
        raise ConfigError(f"initial: expected a list of architectures, got {given!r:.200}; {_HINT}")
    return tuple(given)


def initial_architectures(
    given: Sequence[AnyArchitecture], problem: Problem, known: Collection[Architecture] = ()
) -> tuple[Architecture, ...]:
    """Resolve the initial architectures, canonical and in order.

    `known` are those of a warm start. Raises `ConfigError` for the first that is invalid, repeated, already known, or
    violates a cheap limit.
    """
    places: dict[Architecture, int] = {}
    for place, item in enumerate(given):
        named = f"initial: entry {place + 1}, {item!r:.200}"
        architecture = _resolved(item, problem, named)
        if architecture in places:
            raise ConfigError(f"{named}, is the same network as entry {places[architecture] + 1}; remove one")
        if architecture in known:
            raise ConfigError(
                f"{named}, was measured already: warm_start contains it; remove it from initial"
            )
        try:
            broken = _broken_limits(architecture, problem)
        except ConfigError as error:
            raise ConfigError(f"{named}: {error}") from error
        if broken:
            raise ConfigError(f"{named}, breaks {broken}; remove it, or loosen the limit")
        places[architecture] = place
    return tuple(places)


def _resolved(item: Any, problem: Problem, named: str) -> Architecture:
    space = problem.space
    try:
        if isinstance(item, (str, int)) and not isinstance(
            item, bool
        ):  # YAML reads the text of a single gene as int
            return space.canonical(space.parse(str(item)))
        if isinstance(item, Architecture):
            architecture = Architecture(item.space, _genes(item.genes, named))
        elif isinstance(item, Mapping):
            architecture = _by_name(item, space, named)
        else:
            architecture = Architecture(space.name, _genes(item, named))
        if architecture.space != space.name:
            raise ConfigError(
                f"{named}, belongs to space {architecture.space!r}; this search uses {space.name!r}"
            )
        if len(architecture.genes) != len(space.cardinalities) or not space.is_valid(architecture):
            raise ConfigError(
                f"{named}, is not an architecture of space {space.name!r}, which has {len(space.cardinalities)} genes with "
                f"{list(space.cardinalities)} choices"
            )
        return space.canonical(architecture)
    except NasError as error:
        text = str(error)
        raise ConfigError(text if text.startswith(named) else f"{named}: {text}") from error
    except Exception as error:
        raise ConfigError(
            f"{named}: the space cannot read it: {summarize_exception(error)}; {_HINT}"
        ) from error


def _by_name(values: Mapping[str, Any], space: SearchSpace, named: str) -> Architecture:
    if not isinstance(space, HasNamedArchitectures):
        raise ConfigError(
            f"{named}: space {space.name!r} finds no architectures by the names of parameters (it has no "
            "architecture(values)); give a text form or a list of genes"
        )
    return space.architecture(values)


def _genes(item: Any, named: str) -> tuple[int, ...]:
    whole = (int, np.integer)
    if isinstance(item, np.ndarray):
        item = item.tolist()
    if not isinstance(item, Sequence) or not all(
        isinstance(g, whole) and not isinstance(g, bool) for g in item
    ):
        raise ConfigError(f"{named}, is not an architecture: {_HINT}")
    return tuple(int(gene) for gene in item)


def _broken_limits(architecture: Architecture, problem: Problem) -> str:
    """The cheap limits that it violates, with its values."""
    values = problem.cheap_values(architecture)
    broken = [x for x in problem.all_limits if x.objective in values and x.excess(values[x.objective]) > 0]
    return ", ".join(f"the limit {x} (it has {x.objective} = {exact(values[x.objective])})" for x in broken)


class InitialFirst(Algorithm):
    """Wraps an algorithm: proposes the given architectures first; the algorithm learns from their results too.

    The given ones replace as many proposals of its initial design. An algorithm with `recall` takes each as its own ask; one
    that `TakesStarts` receives them before its first ask; any other learns of them from their results, and its earlier
    proposals of them are skipped.
    """

    notes: Callable[[], Any]  # these two exist only if the algorithm has them
    recall: Callable[[Architecture | None], None]

    def __init__(self, inner: Algorithm, given: Sequence[Architecture]) -> None:
        self._inner = inner
        self.every_budget = inner.every_budget
        self._left = deque(given)
        self._untold: set[Architecture] = set()  # asked here, without a result yet
        self._given = len(given)
        if isinstance(inner, HasNotes):
            self.notes = inner.notes
        self._recalls = inner if isinstance(inner, HasRecall) else None
        if self._recalls is not None:
            self.recall = self._recall
        elif isinstance(inner, TakesStarts):
            inner.begin_with(given)

    @property
    def initial(self) -> int:
        """The number of given architectures, or the algorithm's initial design if that is larger."""
        return max(self._inner.initial, self._given)

    def ask(self, n: int) -> list[Architecture]:
        """Propose the given ones, in order; then ask the algorithm."""
        asked: list[Architecture] = []
        while len(asked) < n:
            found = self._next()
            if found is None:
                break
            asked.append(found)
        return asked

    def _next(self) -> Architecture | None:
        if self._left:
            given = self._left.popleft()
            if self._recalls is None:
                self._untold.add(given)
            else:
                self._recalls.recall(given)
            return given
        while True:
            found = self._inner.ask(1)
            if not found or found[0] not in self._untold:
                return found[0] if found else None
            # already running: its result also answers this ask
            self._untold.discard(found[0])

    def _recall(self, architecture: Architecture | None) -> None:
        """Replay an earlier ask without recomputing its answer."""
        assert self._recalls is not None
        if self._left and architecture == self._left[0]:
            self._left.popleft()
        self._recalls.recall(architecture)

    def tell(self, observations: Sequence[Observation]) -> None:
        self._untold.difference_update(seen.architecture for seen in observations)
        self._inner.tell(observations)
