"""Networks within limits on their costs: the part of a space that a search explores, and that its supernet serves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nas.core.errors import ConfigError
from nas.core.objectives import Limit
from nas.core.records import Architecture
from nas.core.space import HasVariation, SearchSpace, has_cost
from nas.core.text import exact
from nas.sharing.extremes import sampler, with_gene

COSTS = ("params", "madds")
_SAMPLES = 30  # of which the nearest to the limits begins a walk
_STEPS = 5_000  # mutations before a draw is given up
_INSIDE = 20  # further mutations within the limits


def cost_limits(limits: Sequence[str | Limit]) -> tuple[str, ...]:
    """Those limits that concern the costs of a space, as texts."""
    found = [limit for limit in map(Limit.parse, limits) if limit.objective in COSTS]
    return tuple(f"{limit.objective} {'<=' if limit.upper else '>='} {limit.bound!r}" for limit in found)


def beyond(limits: Sequence[str], searched: Sequence[str]) -> list[str]:
    """Those limits of a supernet that the limits of a search do not imply: the search has networks beyond them."""
    found = [Limit.parse(limit) for limit in searched]

    def implied(limit: Limit) -> bool:
        alike = [x for x in found if (x.objective, x.upper) == (limit.objective, limit.upper)]
        return any(limit.excess(x.bound) == 0.0 for x in alike)

    return [str(limit) for limit in map(Limit.parse, limits) if not implied(limit)]


def outside(space: SearchSpace, limits: Sequence[str], architecture: Architecture) -> str:
    """The limits that a network violates, each with its value; "" within them."""
    if not limits:
        return ""
    costs = space.cost(architecture)  # type: ignore[attr-defined]
    found = [limit for limit in map(Limit.parse, limits) if limit.excess(float(costs[limit.objective]))]
    return ", ".join(f"{limit} (it has {costs[limit.objective]:.12g})" for limit in found)


@dataclass(frozen=True)
class Draws:
    """Draws networks of a space within limits such as ``"madds <= 5e6"``, and changes them. Raises `ConfigError` for another limit."""

    space: SearchSpace
    limits: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for limit in map(Limit.parse, self.limits):
            if limit.objective not in COSTS or not has_cost(self.space):
                raise ConfigError(
                    f"supernet: limit {str(limit)!r}: expected a limit on {' or '.join(COSTS)}, which the space computes"
                )
        object.__setattr__(self, "_draw", sampler(self.space))

    def excess(self, architecture: Architecture) -> float:
        """Sum of the relative excesses over the limits; 0 within them."""
        if not self.limits:
            return 0.0
        costs = self.space.cost(architecture)  # type: ignore[attr-defined]
        return sum(limit.excess(float(costs[limit.objective])) for limit in map(Limit.parse, self.limits))

    def holds(self, architecture: Architecture) -> bool:
        """Whether a network meets the limits."""
        return self.excess(architecture) == 0.0

    def __call__(self, rng: np.random.Generator) -> Architecture:
        """A random network within the limits: a sample, or one that mutations lead there. Raises `ConfigError` if none is found."""
        draw: Callable[[np.random.Generator], Architecture] = self._draw  # type: ignore[attr-defined]
        if not self.limits:
            return draw(rng)
        nearest: tuple[float, Architecture] | None = None
        for _ in range(_SAMPLES):
            found = draw(rng)
            away = self.excess(found)
            if away == 0.0:
                return found
            if nearest is None or away < nearest[0]:
                nearest = away, found
        assert nearest is not None
        return self._walk(*nearest, rng)

    def _walk(self, away: float, here: Architecture, rng: np.random.Generator) -> Architecture:
        inside = 0
        for _ in range(_STEPS):
            there = self.mutated(here, rng)
            if (step := self.excess(there)) <= away:
                here, away = there, step
                inside += away == 0.0
            if inside == _INSIDE:
                return here
        if away == 0.0:
            return here
        costs = self.space.cost(here)  # type: ignore[attr-defined]
        names = dict.fromkeys(limit.objective for limit in map(Limit.parse, self.limits))
        nearest = ", ".join(f"{name} {exact(float(costs[name]))}" for name in names)
        raise ConfigError(
            f"supernet: no network of space {self.space.name!r} within {', '.join(self.limits)} was found; the nearest, "
            f"{self.space.format(here)!r}, has {nearest}; loosen the limits"
        )

    def mutated(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """A mutation, within the limits or not."""
        space = self.space
        if isinstance(space, HasVariation):
            return space.canonical(space.mutate(architecture, rng))
        gene = int(rng.integers(len(space.cardinalities)))
        option = int(rng.integers(space.cardinalities[gene]))
        return with_gene(space, architecture, gene, option) or architecture
