"""A space's networks within a range of multiply-adds, as a space of its own: what a search with constraints explores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nas.core.records import Architecture
from nas.core.space import SearchSpace

Madds = Callable[[Architecture], float]

TRIES = 100_000  # draws before a network within the range is given up


class Within(SearchSpace):
    """The networks of `base` with `least` to `most` multiply-adds: same genes, same names.

    The largest network of a supernet is then one that a search can choose. That of the whole ResNet space has 112 million
    multiply-adds, 28 times the limit of the pool. `madds` is a faster count than the space's own.
    """

    def __init__(self, base: Any, least: float, most: float, madds: Madds | None = None) -> None:
        self.base, self.least, self.most = base, least, most
        self._madds: Madds = madds or (lambda architecture: self.cost(architecture)["madds"])
        self.name, self.cardinalities, self.fixed_genes = base.name, base.cardinalities, base.fixed_genes
        self._costs: dict[Architecture, Mapping[str, float]] = {}

    def cost(self, architecture: Architecture) -> Mapping[str, float]:
        """Exact costs, counted once for each network."""
        if architecture not in self._costs:
            self._costs[architecture] = self.base.cost(architecture)
        return self._costs[architecture]

    def is_valid(self, architecture: Architecture) -> bool:
        return bool(self.base.is_valid(architecture)) and self._holds(self.canonical(architecture))

    def _holds(self, architecture: Architecture) -> bool:
        return self.least <= self._madds(architecture) <= self.most

    def canonical(self, architecture: Architecture) -> Architecture:
        found: Architecture = self.base.canonical(architecture)
        return found

    def sample(self, rng: np.random.Generator) -> Architecture:
        return self._first(lambda: self.base.sample(rng))

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """The first mutation within the range."""
        return self._first(lambda: self.base.mutate(architecture, rng))

    def crossover(self, first: Architecture, second: Architecture, rng: np.random.Generator) -> Architecture:
        """The first crossover within the range."""
        return self._first(lambda: self.base.crossover(first, second, rng))

    def _first(self, draw: Callable[[], Architecture]) -> Architecture:
        for _ in range(TRIES):
            found = self.canonical(draw())
            if self._holds(found):
                return found
        raise RuntimeError(
            f"{self.name}: no network of {self.least:g} to {self.most:g} multiply-adds in {TRIES} draws"
        )

    def build(self, architecture: Architecture, *, num_classes: int, in_channels: int) -> Any:
        return self.base.build(architecture, num_classes=num_classes, in_channels=in_channels)

    def shared_name(self, architecture: Architecture, name: str) -> str:
        return str(self.base.shared_name(architecture, name))

    def shared_entries(self, architecture: Architecture, name: str) -> Any:
        """Those of the space, if it names any."""
        named = getattr(self.base, "shared_entries", None)
        return () if named is None else named(architecture, name)

    def format(self, architecture: Architecture) -> str:
        return str(self.base.format(architecture))

    def parse(self, text: str) -> Architecture:
        return self.canonical(self.base.parse(text))


def resnet_madds(space: Any, architecture: Architecture) -> float:
    """The multiply-adds of a small ResNet for images of 24 pixels in ten classes, without tracing it."""
    c = space.choices(architecture)
    inputs, side = c.width, 12
    total = side**2 * 3 * inputs * c.stem**2
    for i, stage in enumerate(c.stages):
        outputs, side = 8 * round(inputs * stage.growth / 8), side if i == 0 else side // 2
        convolutions = stage.kernel**2 * (inputs * outputs + (stage.convolutions - 1) * outputs**2)
        gate = 2 * outputs * max(1, int(outputs * stage.se)) if stage.se else 0
        total += side**2 * (convolutions + inputs * outputs) + gate
        inputs = outputs
    return float(total + 10 * inputs)
